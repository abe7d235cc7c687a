"""Phrases shared by every surface: status, findings, errors, console, command line."""

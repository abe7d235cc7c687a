"""Phrases that every surface has alike: status, findings, errors, console, command line."""

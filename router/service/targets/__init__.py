"""Connections to targets, and whether targets are well."""

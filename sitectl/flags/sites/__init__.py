"""Flags of a site, of what runs it, and of its console."""

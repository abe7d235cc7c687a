"""Flags of links: cost, address, creation."""

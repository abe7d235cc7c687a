"""Builds the route table from the link-state database: sites, declarations, candidates."""

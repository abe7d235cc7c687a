"""How the link-state database becomes a route table: sites, declarations, candidates."""

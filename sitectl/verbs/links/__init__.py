"""Tokens, links and their foundations: CA, access, neighbors, the path to a site."""

"""Tokens, links and what they rest on: CA, access, neighbors, the way to a site."""

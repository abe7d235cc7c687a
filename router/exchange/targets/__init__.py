"""Targets of this site: how each is reached, and how it is judged."""

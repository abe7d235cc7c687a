"""Targets of this site: their slots, their latency, and which one is next."""

"""Figures of a router: metrics, process, links, the record of the last quarter of an hour."""

"""Figures of a router: metrics, process, links, the recording of the last quarter of an hour."""

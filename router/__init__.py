"""Spillway's router: cost-based anycast between sites, at layer 7. Start in `router.node`."""

__version__ = "0.1.0"

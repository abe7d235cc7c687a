"""Flags of services, targets and listeners, and the documents that they become."""

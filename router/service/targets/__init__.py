"""Connections to targets, and the health of targets."""

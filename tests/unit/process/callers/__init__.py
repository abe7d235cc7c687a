"""The room `process/callers`."""

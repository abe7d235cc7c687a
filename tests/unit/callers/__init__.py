"""The room `callers`."""

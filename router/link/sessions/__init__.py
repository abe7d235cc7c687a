"""A link from its first byte to its end: dialling, accepting, handshake, renewal, liveness."""

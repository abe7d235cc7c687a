"""A link from its first byte to its end: dialing, accepting, handshake, renewal, liveness."""

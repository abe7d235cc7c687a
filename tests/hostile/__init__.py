"""A rogue member of a network: a peer that speaks the link protocol by its own code.

The codec follows docs/design/link-protocol.md and imports nothing of the product, so that a change
of the product's own codec does not change the attacker with it. `wire` has frames and messages,
`member` a link with a valid certificate, `egress` what such a member does to requests that reach
it.
"""

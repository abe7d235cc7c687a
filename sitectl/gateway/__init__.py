"""Gateways: edge sites on a host, each with an identity of its own and linked to one site.

A gateway is a site directory in ``gateways.d`` (`site.store.gateways_dir`), so every verb works on
it as on any site. What this room adds: who it belongs to (``gateway.yaml``, `home`), making and
ending it (`gateway_init`, `removal`), what it offers and uses (`services`, `visibility`), and how
all of it is (`gateway_status`). Documents are the state: `services` writes Connectors, Services and
Listeners.

Gateways in files: Skupper's YAML of one to documents and back (`definition`, pure;
`gateway_documents`), and bundles for hosts that have only podman (`bundle`, a room of its own).

Anchor: Skupper v1's `skupper gateway` (client/gateway.go); docs/gateway-reference.md lists the
differences.
"""

"""Gateways: edge sites on a host, each with its own identity and linked to one site.

A gateway is a site directory in ``gateways.d`` (`site.places.gateways_dir`), so every verb works on
it as on any site. This room adds the site that a gateway belongs to (``gateway.yaml``, `home`),
making and removing it (`gateway_init`, `removal`), the services that it offers and uses
(`services`, `visibility`), and its status (`gateway_status`). Documents are the state: `services`
writes Connectors, Services and Listeners.

Gateways in files: Skupper's gateway YAML to documents and back (`definition`, pure;
`gateway_documents`), and bundles for hosts that have only podman (folder `bundle`).

Anchor: Skupper v1's `skupper gateway` (client/gateway.go); docs/gateway-reference.md lists the
differences.
"""

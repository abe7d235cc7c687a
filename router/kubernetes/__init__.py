"""Kubernetes support: the meaning of objects, one API client, and the objects that a router writes.

In: objects of one namespace, as JSON; facts of the router (declarations, tokens, Events).
Out: wanted state for `process`; Secrets, Services, Events and a status ConfigMap. `sitectl` and
`deploy` use the same meanings and manifests.

Pure, from the bottom up: `objects`, then `services` (plans of Services), `targets`, `translation`
(objects -> documents), `codecs` (contents of Secrets), `manifests`, `migration`.
Shell: `client` (calls to an API server, for routers and `sitectl`), `store` (watches the
namespace), `trust` (Secrets and the files of a site), `leader` (writes, from one replica only),
`controller` (installs sites).

Invariants: only `client` and `trust.openshift` import an HTTP library, and only once a namespace is
followed. Serving needs nothing in this package: while the API server is away the last state stays
in use. import-linter enforces the layers.
"""

"""Everything that knows Kubernetes: what objects mean, one API client, and what a router writes.

In: objects of one namespace, as JSON; facts of the router (declarations, tokens, Events).
Out: wanted state for `process`; Secrets, Services, Events, a status ConfigMap; for `sitectl` and
`deploy` the same meanings and manifests.

Pure, from the ground up: `objects`, then `services` (plans of Services), `targets`, `translation`
(objects -> documents), `codecs` (what Secrets hold), `manifests`, `migration`.
Shell: `client` (calls to an API server, for routers and `sitectl`), `store` (the namespace,
watched), `trust` (Secrets and the files of a site), `leader` (what one replica writes),
`controller` (installs sites).

Invariants: only `client` and `trust.openshift` import an HTTP library, and only once a namespace is
followed; nothing here is needed to serve: with the API server away the last state goes on.
import-linter holds the layers.
"""

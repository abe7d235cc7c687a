"""The one client of Kubernetes' API, for routers and `sitectl`.

In: a kubeconfig or a service account (`kubeconfig`), verbs and their arguments. Out: objects as
JSON, pages of lists, watch events; `ApiError` for what the server refuses or does not answer.

Each verb is written once, as steps that wait for answers (`verbs`; `api_calls` has the calls).
`api.Api` carries them out on an event loop, `sitectl.kubernetes.cluster` in the thread that asks.
`transport` and sitectl's `connection` are the HTTP below.

Invariants: what may be done only once is repeated only when it was not begun; an answer that is
not what was asked for is an error, never an empty list; only `kubeconfig` and `transport` import
lightkube and httpx2, once something connects: process sites need neither.
"""

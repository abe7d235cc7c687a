"""The only client of the Kubernetes API, for routers and `sitectl`.

In: a kubeconfig or a service account (`kubeconfig`), verbs and their arguments. Out: objects as
JSON, pages of lists, watch events; `ApiError` if the server refuses or does not answer.

Each verb is written once, as steps that wait for answers (`verbs`; `api_calls` has the calls).
`api.Api` runs them on an event loop, `sitectl.kubernetes.cluster` in the calling thread.
`transport` and sitectl's `connection` do the HTTP below.

Invariants: a call that may be done only once is repeated only if it was not begun; an unexpected
answer is an error, never an empty list; only `kubeconfig` and `transport` import lightkube and
httpx2, and only when something connects: process sites need neither.
"""

"""The Kubernetes store: objects of one namespace -> wanted state, and what is written back.

In: lists and watches of the API server, over `api.Api`. Out: the `Reading`s that `process` applies,
Events, the status ConfigMap, Services. What objects mean is decided in `router.kubernetes`, which
is pure; nothing here is needed to serve: with the API server away the last state goes on.

lightkube and its HTTP client are imported by `transport` alone, and that only when `Api.connect`
is called, so that process sites need neither.
"""

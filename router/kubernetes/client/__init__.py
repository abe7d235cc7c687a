"""The client of Kubernetes' API, for routers and `sitectl`.

In: `api_calls.ApiCall`, a kubeconfig or a service account. Out: objects as JSON, pages of lists,
watch events; `ApiError` for what the server refuses or does not answer.

lightkube reads kubeconfigs and knows the ways to authenticate, httpx2 is the HTTP client. Both are
imported by `kubeconfig`, `transport` and who imports these, and by `Api.connect` only once it is
called, so that process sites need neither.
"""

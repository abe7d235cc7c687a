"""Sites on Kubernetes: their documents are objects, their router is reached through the API server.

`cluster` calls the API, `site` is the store, `door` reaches the router, `checks`, `lifecycle`,
`migration` are what verbs do here that they do not do for process sites. All of it is loaded only
when a command is about a namespace.
"""

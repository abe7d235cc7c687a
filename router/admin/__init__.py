"""The operator's door: HTTP API, events (SSE), Prometheus metrics.

In: a `RouterView` from `operate` (snapshots and commands). Out: JSON as in the command line's
contract, on a unix socket of mode 0600, or on TCP with a bearer credential. This room decides
nothing; a scrape is rendered in slices so that it never stalls traffic.
"""

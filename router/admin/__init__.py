"""The operator's door: HTTP API, events (SSE), Prometheus metrics.

In: a `RouterView` that `operate` supplies (snapshots and commands). Out: JSON as CONTRACT of the
command line, on a unix socket of mode 0600, or on TCP with a bearer credential. Nothing here
decides anything; a scrape renders in a thread so that it never stalls traffic.
"""

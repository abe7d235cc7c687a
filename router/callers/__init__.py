"""Which client calls which service: callers of this site's listeners by name, and their requests.

Pure. `callers` is the owner: it takes each client connection, finds its caller at once or later
(through `names.CallerNames`, which `process` supplies), and keeps the counters of `edges`.
`target_calls` counts the results of requests at targets of this site, from any site. `tenures`
knows who had an address at a given time; `reports` has the figures of one process, and merges those
of several.
"""

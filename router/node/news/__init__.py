"""Events for operators: each is reported once, however often its cause is seen.

In: reports of links, routing and the balancers. Out: events (`model.events.Tell`), and the last
reports, for `status`.
Invariants: events caused by one site are bounded (`TokenBuckets`); sites no longer known are
forgotten.
"""

"""The namespace of a site, watched: objects -> wanted state.

In: lists and watches of the API server (`informer`, one for each of `selections`). Out: the
`Reading`s that `process` applies (`store`). What objects mean is decided by the pure packages.

Invariants: with the API server away the last state stays; what vanished while nobody watched goes
away with the next list; a fault in one task ends no other (`supervise`).
"""

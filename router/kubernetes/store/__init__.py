"""The namespace of a site, watched: objects -> wanted state.

In: lists and watches of the API server (`informer`, one for each of `selections`). Out: the
`Reading`s that `process` applies (`store`). The pure packages decide what objects mean.

Invariants: while the API server is away the last state stays; objects that were deleted between
watches go away with the next list; a fault in one task ends no other (`supervise`).
"""

"""A site as verbs see it, wherever it is kept: `site.Site`, and the one that is a directory.

In: the flags that choose a site (`store`). Out: its documents, its secrets, its router's admin API.
Invariants: what is written is whole or not there; secrets are 0600. A namespace is in
`sitectl.kubernetes`, which implements the same `Site`.
"""

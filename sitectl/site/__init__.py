"""A site as verbs see it, wherever it is kept: `site.Site`, and the one that is a directory.

In: a directory. Out: its documents, its secrets, its router's admin API; `places`: which there are.
Invariants: what is written is whole or not there; secrets are 0600. A namespace is in
`sitectl.kubernetes`, which implements the same `Site`; `sitectl.selection` chooses between them.
"""

"""Which site the flags of a command mean: a directory of this host, or a namespace.

In: `Settings`. Out: a `ManagedSite` of either kind. Invariants: the one room that knows both kinds
of site; neither of them knows the other, or who chose it.
"""

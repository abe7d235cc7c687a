"""Where this site listens for clients of each service port, and whether it may.

In: declarations of this and other sites, Listener documents, ports that are taken. Out: the places
that `plan` opens (`places`, `grants`), those that a person switched off (`switches`), and what to
say of services that want one place (`shared`).

Invariants: what other sites declare takes no more ports than `budget` has left; who has a port
keeps it.
"""

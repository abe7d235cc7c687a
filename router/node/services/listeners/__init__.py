"""Where this site listens for clients of each service port, and whether it may.

In: declarations of this and other sites, Listener documents, ports that are taken. Out: the places
that `plan` opens (`places`, `grants`), listeners that changed services (`switches`), and the choice
among services that share one listener (`shared`).
Invariants: declarations of other sites take no more ports than `budget` has left; a service that
has a port keeps it.
"""

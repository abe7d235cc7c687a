"""Migration from Skupper, v1 or v2, to Spillway and back, one namespace at a time. Pure.

In: Skupper's objects and ours, the record of taken Services (`record`). Out: the next step
(`migration`), or all changes (`forecast`). `sitectl migrate` carries them out. Both releases share
the order of steps; `skupper1` and `skupper2` define how a Service changes hands.

Invariants: every step can be repeated and undone; a taken Service is in the record first.
"""

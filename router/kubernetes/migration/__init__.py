"""From Skupper, v1 or v2, to Spillway and back, one namespace at a time. Pure.

In: Skupper's objects and ours, the record of what was taken (`record`). Out: the next step
(`migration`), or all that would change (`forecast`). `sitectl migrate` carries it out. Both
releases share the order of steps; `skupper1` and `skupper2` say how a Service changes hands.

Invariants: every step can be repeated and undone; what was taken is in the record first.
"""

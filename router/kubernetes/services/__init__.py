"""Plans of the Services of a namespace. Pure.

In: a `Snapshot`, the wishes of its documents, the network's declarations, the memory of the last
plan. Out: changes of Services, inner ports, findings, the next plan's memory (`services.plan`).
`adoption` leads a foreign Service to the routers and gives it back; `removal` undoes everything.

Invariants: an adopted Service can be restored from itself alone; changes by others stay; a program
that keeps taking a Service back wins (`selector_conflicts`).
"""

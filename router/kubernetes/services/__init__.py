"""Plans of the Services of a namespace. Pure.

In: a `Snapshot`, the wishes of its documents, what the network declares, the memory of the last
plan. Out: changes of Services, inner ports, findings, the next plan's memory (`services.plan`).
`adoption` leads a Service of somebody else to the routers and gives it back; `removal` undoes all.

Invariants: a Service that was adopted can be restored from itself alone; what somebody else changed
stays changed; who keeps taking a Service back wins (`fights`).
"""

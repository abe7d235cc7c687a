"""Advice: where bursting costs more than it saves, and which pins and capacities win.

In: a `Scenario` whose services call each other. Out: an `Advice`, from runs of whole routers.

`score` the value of a run for the clients · `bursting` the cost of requests that were served away ·
`plans` one change each, with the command that makes it · `search` runs plans, and changes on top of
the best one.

Invariants: each plan is tried on the same requests, by the production code. Bounds are
`scenarios.bounds`.
"""

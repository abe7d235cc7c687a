"""Events for operators: each thing that happens is reported once, however often it is seen.

In: what links, routing and the balancers report. Out: events (`model.events.Tell`), and what was
told last, for `status`. Invariants: what one site causes is bounded (`event_budgets`); who is known
no more is forgotten.
"""

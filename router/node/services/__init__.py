"""Plan the service ports of this site, and have `exchange` open them.

In: documents of this site, declarations of others (route table), grants. Out: plans of service
ports (`plan`, pure), listeners within their budget, figures of load for neighbors
(`load_exchange`). `services` carries out what `plan` says. `ports` is what must be remembered over
a restart.

Invariants: one owner for each name's plan; what did not change is not touched.
"""

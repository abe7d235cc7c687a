"""Plan the service ports of this site, and have `exchange` open them.

In: documents of this site, declarations of others (route table), grants. Out: plans of service
ports (`plan`, pure), listeners within their budget, load figures for neighbors (`load_exchange`).
`services` carries out the plans. `ports` declares the values that must survive a restart.
Invariants: each name's plan has one owner; unchanged parts stay untouched.
"""

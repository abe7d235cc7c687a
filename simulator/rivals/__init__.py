"""Other balancers' rules as models, fed the very requests that the routers were given. Pure.

In: a `Scenario`, and the requests of its run. Out: `figures.Rival`, one for each site.

`engine` sites, pods, distances and time · `rule` what a rule is given and answers ·
`envoy_priority`, `load_aware_locality`, `least_request`, `google_waterfall`, `prequal` one rule
each · `compare` requests of a run under a rule.

Invariants: written from public descriptions, no code is copied; each says what it leaves out. Every
site has a balancer of its own that knows what it sent itself, what answers tell, and what its rule
is told centrally. None of them has a line: what is too much for a pod waits in the pod. The model
of Skupper's routers, which forward hop by hop, is `simulator.skupper`.
"""

"""Other balancers' rules as models, fed the same requests as the routers. Pure.

In: a `Scenario`, and the requests of its run. Out: `figures.Rival`, one for each site.

`engine` sites, pods, distances and time · `rule` the interface of a rule · `envoy_priority`,
`load_aware_locality`, `least_request`, `google_waterfall`, `prequal` one rule each · `compare`
requests of a run under a rule.

Invariants: written from public descriptions, no code is copied; each lists its omissions. Every
site has a separate balancer that knows its own requests, the data in answers, and the central data
of its rule. None of them has a queue: excess requests wait in the pod. The model of Skupper's
routers, which forward hop by hop, is `simulator.outcomes.skupper`.
"""

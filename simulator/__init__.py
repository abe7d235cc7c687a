"""What-if: sites, loads and faults of a file, run by whole routers in virtual time.

In: a `Scenario`, of YAML (`reading`) or built in memory (`completing`), and a seed. Out: `figures`
of each site over time and in all, as tables (`report`), pictures (`plots`, `river`) and JSON; or
`advice`.

`scenario` values · `shapes`, `reading`, `judging` and `call_rules` text to values, with the place
of every error · `replay` logs · `draws` arrivals and service times, from the seed alone · `virtual`
what a router is handed in place of keys and files · `backends`, `clients`, `callers` the ends of a
request · `chains` calls between services · `bursts` hooks and what they wake · `world` sites of
`router.node.site_router.SiteRouter` on `router.net.simulated` · `happenings` events and faults ·
`run` a scenario from its start to its last answer · `measure` what happened · `ideal`,
`skupper` and `rivals` models of other rules, fed the same requests.

Invariants: the decision and queue code is the router's own, none of it is copied here. Same file,
same seed, same bytes. Everything is bounded: `bounds`.
"""

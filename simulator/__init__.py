"""Simulation of sites, loads and faults from a file, by whole routers in virtual time.

In: a `Scenario`, from YAML (`reading`) or built in memory (`completing`), and a seed. Out:
`figures` of each site over time and in all, as tables (`report`), pictures (`plots`,
`overflow_chart`) and JSON; or `advice`.

`scenario` values · `shapes`, `reading`, `judging` and `call_rules` text to values, with the place
of every error · `replay` logs · `draws` arrivals and service times, from the seed alone · `virtual`
replacements for keys and files · `backends`, `clients`, `callers` the ends of a request · `chains`
calls between services · `bursts` hooks and the targets that they wake · `world` sites of
`router.node.site_router.SiteRouter` on `router.net.simulated` · `scenario_events` events and
faults · `run` a scenario from its start to its last answer · `measure` the record of a run ·
`ideal`, `skupper` and `rivals` models of other rules, fed the same requests.

Invariants: the decision and queue code is the router's own, none of it is copied here. The same
file and seed give the same bytes. Everything is bounded: `bounds`.
"""

"""Simulation of sites, loads and faults from a file, by whole routers in virtual time.

In: a `Scenario`, from YAML or built in memory, and a seed. Out: figures of each site over time and
in all, as tables, pictures and JSON; or advice.

`scenarios` values, and text to values with the place of every error · `runs` whole routers
(`router.node.site_router.SiteRouter`), clients and backends on `router.net.simulated` ·
`outcomes` figures of a run, the ideal and Skupper's rule · `rivals` models of other rules, fed the
same requests · `advice` pins and capacities that win · `shown` tables and pictures.

Invariants: the decision and queue code is the router's own, none of it is copied here. The same
file and seed give the same bytes. Everything is bounded: `scenarios.bounds`.
"""

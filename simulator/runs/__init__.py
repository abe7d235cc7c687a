"""A run: whole routers, clients and backends of a scenario on one simulated internet.

In: a `Scenario` and a seed. Out: a `RunRecord`.

`run` from the first link to the last answer · `world` the sites · `wanted` their documents ·
`virtual` replacements for keys, files and claims · `backends`, `clients`, `callers` the ends of a
request · `calls` between services · `bursts` hooks and the targets that they wake ·
`scenario_events` events and faults · `measure` the record of every request · `rehearsal` a network
that serves single requests.
"""

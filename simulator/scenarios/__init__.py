"""A scenario: sites, links, services, loads and faults as values, and how they are read. Pure.

In: YAML, logs. Out: a `Scenario`, or errors with their positions.

`scenario` the values · `shapes` one row for each field · `reading` text to values · `completing`
values that may be omitted · `judging`, `call_rules` rules across fields · `call_graph` services
that ask others · `replay` instants from logs · `draws` arrivals and service times, from the seed
alone · `ways` cheapest paths between sites · `bounds` every bound of a simulation.
"""

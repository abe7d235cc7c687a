"""Objects that a router writes about its namespace, mostly from the replica that holds the `lease`.

In: plans of Services, Events, the state of the site, names and their owners, documents in force of
wrong objects, calls of burst hooks.
Out: Services and EndpointSlices (`service_writer`), Events (`finding_events`, `journal_events`),
ConfigMaps `spillway-status` (`status`) and `spillway-owners` (`owners`), Secret `spillway-in-force`
(`in_force`), scaled workloads (`bursts`).

Invariants: two replicas never write the same object without seeing each other's version; traffic
never asks who leads.
"""

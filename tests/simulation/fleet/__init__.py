"""A fleet of routers' control planes in one process, in virtual time, from a seed.

Each process is the real `RoutingCore` or `EdgeRouting` with the real `RoutingRun`, `LoadExchange`
and `AttachedEdges`; lanes, liveness, disks and clocks are simulated. In: a seed, or a plan of
steps. Out: the first broken rule (`safety`, `liveness`), a readable history and its digest. Reading
order: `clock`, `process`, `lines`, `fleet`, `plan`, `safety`, `liveness`, `run`.
"""

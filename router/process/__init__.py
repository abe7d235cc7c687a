"""The composition root of a process: arguments, signals, stores, workers, the order of the end.

In: command line and environment, wanted state (`control`), secrets (`certs`), orders of the
operator (`admin`). Out: all other rooms, built and joined. `main` is the program: arguments, logs,
the event loop; `router_process` puts one router together, and in `life` it serves, drains and
stops; `worker` is one of its further processes; `controller` serves many sites of a cluster;
`stores` says where wanted state comes from.

Invariants: the only room that knows all others, and that no other one knows; tasks belong to
`life` and what it starts, and to `controller`.
"""

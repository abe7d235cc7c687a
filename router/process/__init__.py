"""The composition root of a process: arguments, signals, stores, workers, the order of shutdown.

In: command line and environment, wanted state (`control`), secrets (`certs`), commands of the
operator (`admin`). Out: all other rooms, built and joined. `main` is the program: arguments, logs,
the event loop; `router_process` builds one router, which in `lifecycle` serves, drains and stops;
`worker` is one of its further processes; `controller` serves many sites of a cluster; `stores`
describes the sources of wanted state.

Invariants: this room alone knows all others, and no other room knows it; `lifecycle`, the tasks
that it starts, and `controller` own all tasks.
"""

"""The composition root: builds the rooms of one router, joins them, follows wanted state, drains.

In: wanted state (`control`), secrets on disk (`certs`), orders of the operator (`admin`). Out: the
other rooms, told what to be. `site_router` joins them on any network, the simulated one too, and is
where to start; `services` makes service ports what is wanted; `trust` and `redeeming` hold the
secrets; `running` makes a process of them: signals, journal, admin API, the order of the end;
`process` is the program around it: arguments, logs, the event loop.

Invariants: the only room that knows all others; nothing that serves awaits: tasks belong to
`running` and what it starts (stores, `bursting`), and to `controller`.
"""

"""One router of one site, on any network: it joins the rooms of the data path, and nothing else.

In: wanted state (`documents`), credentials (`trust.ports`), a network (`net`, or its simulated
twin). Out: a router that routes, serves and reports. `site_router` builds the rooms and joins them:
start there. `neighbours` follows links, `routing_run` and `routing_news` follow routing, `services`
brings service ports to their wanted state, `news` and `problems` report to operators.
Invariants: no file, no thread, no asyncio: all code here also runs in virtual time. Nothing that
serves awaits. Imports downwards: this folder, then `problems` and `news`, then `services`.
"""

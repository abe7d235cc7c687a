"""Decides where each request goes, and counts requests in flight. Pure: no clock, no sockets.

In: ready targets and their capacity (`ledger`), remote candidates with path costs, load reports,
refusals and the ends of our own streams (`balancer`). Out: a `Decision` or `NoChoice` per request,
its `Explanation`, slots, the queue of waiting requests, and the times at which to send load
reports.

Rooms, each importing only those after it: `sites` (other sites: reports, ejection, replicas),
`deciding` (candidates, policies, placement, explanations), `learning` (capacity, saturation,
demand), `site` (slots of this site, their queue, lent slots), `targets` (the slots of each target,
its latency, the next target).

Invariants: a target never holds more slots than its capacity; a slot is given back exactly once;
`explain` runs the code of `select` on the same values and changes nothing; the same calls give the
same answers. `outlook` is the human-readable form of `explain` (`deciding.full_site_text`).

Reading order: `site.slots`, `site.ledger_figures`, `site.ledger`, `rate`, `deciding.policies`,
`deciding.candidates`, `sites.remote_site`, `balancer`, `site.fair_queue`, `sites.reports`.
"""

"""Decides where each request goes, and counts what is in flight. Pure: no clock, no sockets.

In: ready targets and their capacity (`ledger`), remote candidates with path costs, load reports,
refusals and the ends of our own streams (`balancer`). Out: a `Decision` or `NoChoice` per request,
its `Explanation`, slots, the queue of those who wait and the times at which to tell others.

Rooms, each importing only those after it: `sites` (other sites: reports, ejection, replicas),
`deciding` (candidates, policies, placement, explanations), `learning` (capacity, saturation,
demand), `site` (slots of this site, the queue for them, what is lent), `targets` (what each target
holds, how soon it answers, which one is next).

Invariants: a target never holds more slots than its capacity; a slot is given back exactly once;
`explain` runs the code of `select` on the same values and changes nothing; same calls, same
answers. `outlook` is that for people (`deciding.full_site_text`).

Reading order: `site.slots`, `site.ledger_figures`, `site.ledger`, `rate`, `deciding.policies`,
`deciding.candidates`, `sites.remote_site`, `balancer`, `site.waiting_room`, `sites.reports`.
"""

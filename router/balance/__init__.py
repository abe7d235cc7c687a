"""Decides where each request goes, and counts what is in flight. Pure: no clock, no sockets.

In: ready targets and their capacity (`ledger`), remote candidates with path costs, load reports,
refusals and the ends of our own streams (`balancer`). Out: a `Decision` or `NoChoice` per request,
its `Explanation`, slots, the queue of those who wait and the times at which to tell others.

Beside them, fed by others: `target_latency` knows how soon a target answers, by which
`target_choice` passes over slow ones, `slow_start` how many slots a new one has,
`capacity_learning` finds the slots of a target, `saturation` says when a burst is on, `patience`
who would wait in vain, `demand` how much is wanted here, `unserved` what of that was turned away.

Invariants: a target never holds more slots than its capacity; a slot is given back exactly once;
`explain` runs the code of `select` on the same values and changes nothing; same calls, same
answers. `outlook` is that for people (`full_site_text`).

Reading order: `slots`, `ledger_figures`, `ledger`, `rate`, `policies`, `candidates`, `remote_site`,
`balancer`, `waiting_room`, `reports`.
"""

"""Decides where each request goes, and counts what is in flight. Pure: no clock, no sockets.

In: ready targets and their capacity (`ledger`), remote candidates with path costs, load reports,
refusals and the ends of our own streams (`balancer`). Out: a `Decision` or `NoChoice` per request,
its `Explanation`, slots, the queue of those who wait and the times at which to tell others.

Invariants: a target never holds more slots than its capacity; a slot is given back exactly once;
`explain` runs the code of `select` on the same values and changes nothing; same calls, same
answers.

Reading order: `ledger`, `policies`, `candidates`, `balancer`, `waiting`, `reports`.
"""

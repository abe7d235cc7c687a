"""Questions that sites ask each other over the links, for people: each is an OPEN that a site
answers itself, and no target is reached.

Comes in: an OPEN with a flag of a question; from an operator, whom to ask. Goes out: answers,
bounded, and checked when they come in. `exchange` asks one question, `targets` those about a
service's targets, `echo`, `way` and `ping` measure the way to a site.
Invariants: who asks waits `limits.INQUIRY_WAIT_S` at most; what cannot be read is no answer; no
answer has an address. On the wire: docs/design/link-protocol.md. Permissions:
docs/design/sharing.md.
"""

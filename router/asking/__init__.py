"""Questions that sites ask each other over links on behalf of operators. Each question is an OPEN
that the asked site answers itself; it never reaches a target.

Comes in: an OPEN with a question flag; from an operator, the site to ask. Goes out: answers with
bounded size, checked on receipt. `exchange` asks one question, `targets` asks for the targets of a
service, `echo`, `site_path` and `ping` measure the way to a site.

Invariants: an asker waits at most `limits.INQUIRY_WAIT_S`; an unreadable answer counts as none; no
answer contains an address. Wire format: docs/design/link-protocol.md. Permissions:
docs/design/sharing.md.
"""

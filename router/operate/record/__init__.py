"""The router's records: its journal, the event file, audits, episodes, tokens.

Invariants: every queue is bounded; a full disk or a slow reader never holds up the router.
"""

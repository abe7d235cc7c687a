"""Targets that speak HTTP/2: connections with many streams, exchanges over them, checks.

Invariants: other packages import `parts` alone, which loads the rest, and hpack with it, when the
first http2 service needs it.
"""

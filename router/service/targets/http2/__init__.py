"""HTTP/2 targets: connections with many streams, exchanges over them, checks.

Invariants: other packages import only `parts`, which loads the rest, and hpack with it, when the
first http2 service needs it.
"""

"""HTTP without input or output: heads, bodies and frames, and the form in which they cross links.

`http1`: HTTP/1.1, and the canonical form of heads, which `http2` turns into its own and back. In:
bytes of a client or a target, cut anywhere. Out: calls on a sink, bytes for a peer. What a request
is served by, and where, is the exchange's: nothing here knows of services, targets or links.

Invariants: what is accepted does not depend on how bytes were cut; every limit is exact; what one
protocol accepts can be written in the other.
"""

"""HTTP without input or output: heads, bodies and frames, and the form in which they cross links.

`http1`: HTTP/1.1, and the canonical form of heads, which `http2` converts to its own form and back.
In: bytes of a client or a target, cut anywhere. Out: calls on a sink, bytes for a peer. The
exchange decides where a request is served, and by which target: nothing here knows services,
targets or links.
Invariants: the verdict on a message does not depend on how bytes were cut; every limit is exact;
messages accepted by one protocol can be written in the other.
"""

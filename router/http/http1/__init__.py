"""HTTP/1.1 without input or output: heads, bodies and their canonical form between sites.

In: bytes of a client (`requests`) or a target (`responses`), cut anywhere. Out: calls on a sink. A
canonical head is the start line and the field lines, each ending in CRLF, without the blank line,
without hop-by-hop and framing fields: framing travels beside it as ``body_bytes``. `canonical`
checks heads from links against that form; `render` writes framing back.
Invariants: verdicts and events do not depend on the cut of the byte stream; every limit is exact to
the byte; only heads that our grammar accepts are forwarded, and it is stricter than llhttp's. Heads
with unusual framing, routing or connection fields are also checked by llhttp; it has no objection
to other heads, as tests verify (`tests/property/test_http1.py`). Chunked bodies are decoded here
and not by httptools: it reports neither where a message ends inside a piece (pipelining, excess
bytes) nor the length of a chunk line (limits), and it copies each piece.
Sources: RFC 9110 (semantics), RFC 9112 (HTTP/1.1 messages).
"""

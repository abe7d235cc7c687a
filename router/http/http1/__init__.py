"""HTTP/1.1 without input or output: heads, bodies and their canonical form between sites.

In: bytes of a client (`requests`) or a target (`responses`), cut anywhere. Out: calls on a sink.
A canonical head is the start line and the field lines, each ending in CRLF, without the blank
line, without hop-by-hop and framing fields: framing travels beside it as ``body_bytes``. What a
link brings is judged against that form by `canonical`; `render` writes framing back.

Invariants: verdicts and events do not depend on the cut of the byte stream; every limit is exact
to the byte; what is forwarded was accepted by our grammar, which is stricter than llhttp's. What is
unusual in framing, routing or about the connection is shown to llhttp as well; against other heads
it has nothing, which tests hold (`tests/property/test_http1.py`).
Chunked bodies are decoded here and not by httptools: it tells neither where a message ends inside
a piece (pipelining, excess bytes) nor the length of a chunk line (limits), and copies each piece.

Sources: RFC 9110 (semantics), RFC 9112 (HTTP/1.1 messages).
"""

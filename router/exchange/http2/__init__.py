"""HTTP/2 without input or output of its own: heads, frames, flow control, what peers may do.

In: bytes of a client or a target, cut anywhere, and calls on streams. Out: bytes for the peer and
calls on an owner. Between sites a request travels as it does for HTTP/1: `heads` turns field lists
into canonical heads and back, `blocks` into header blocks and back, `written` remembers those.
`wire` reads, judges and writes frames, `budgets` bounds what a peer may do for nothing;
`connection` has streams, their queues and windows.

hpack is imported here and nowhere else, and this package only where a router first meets an http2
service (`router.exchange.protocols`).

Sources: RFC 9113 (HTTP/2), RFC 7541 (HPACK), the gRPC over HTTP/2 protocol description.
"""

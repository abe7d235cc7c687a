"""HTTP/2 without input or output of its own: heads, frames, flow control, what peers may do.

In: bytes of a client or a target, cut anywhere, and calls on streams. Out: bytes for the peer and
calls on an owner. Between sites a request travels as it does for HTTP/1: `heads` turns field lists
into canonical heads and back. `wire` judges each frame before h2 sees it, `budgets` what a peer may
do for nothing; `connection` has streams, their queues and windows.

h2 and hpack are imported here and nowhere else, and this package only where a router first meets
an http2 service (`router.forward.protocols`): they cost 3 MiB that others need not pay.

Sources: RFC 9113 (HTTP/2), RFC 7541 (HPACK), the gRPC over HTTP/2 protocol description.
"""

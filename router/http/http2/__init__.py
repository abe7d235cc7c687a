"""HTTP/2 without input or output of its own: heads, frames, flow control, what peers may do.

In: bytes of a client or a target, cut anywhere, and calls on streams. Out: bytes for the peer and
calls on an owner. Between sites a request travels as it does for HTTP/1: `heads` turns field lists
into canonical heads and back, `blocks` into header blocks and back, `written` remembers those.
`frame_reader` cuts frames and bounds what a peer may do for nothing, `wire` judges what they say,
`frame_writer` writes them, `wire_streams` knows which streams are open, with their windows;
`connection` has the queues of `streams` and whose turn it is.

hpack is imported here and nowhere else, and this package only where a router first meets an http2
service (`router.service.targets.http2.parts`).

Sources: RFC 9113 (HTTP/2), RFC 7541 (HPACK), the gRPC over HTTP/2 protocol description.
"""

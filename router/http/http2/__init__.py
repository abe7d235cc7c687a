"""HTTP/2 without any input or output: heads, frames, flow control, limits on peers.

In: bytes of a client or a target, cut anywhere, and calls on streams. Out: bytes for the peer and
calls on an owner. Between sites a request has the same form as with HTTP/1: `heads` turns field
lists into canonical heads and back, `blocks` into header blocks and back, `written` caches those.
`frame_reader` cuts frames and limits useless work for a peer, `wire` interprets the frames,
`frame_writer` writes ours, `wire_streams` knows the open streams and their windows; `connection`
has the queues of `streams` and their turns. hpack is imported here and nowhere else, and this
package only where a router first meets an http2 service (`router.service.targets.http2.parts`).
Sources: RFC 9113 (HTTP/2), RFC 7541 (HPACK), the gRPC over HTTP/2 protocol description.
"""

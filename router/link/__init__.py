"""Links to neighbor sites: frame codec, stream mux, handshake, control session, adjacency.

In: connections of `net`, specs of links to dial. Out: adjacencies and control messages to the
`LinkOwner`, streams to `exchange` through `StreamOpener` and `LinkOwner.stream_offered`. Transit
streams are relayed here and no other room sees them. docs/design/link-protocol.md describes the
bytes.

`sessions` sets a link up and watches it, `streams` carries requests on it and knows no session.
"""

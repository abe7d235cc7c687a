"""The one room with sockets: connections, listeners, dialing, TLS and timers.

In: addresses and TLS contexts. Out: the interfaces of `ports`, through which `link` and `exchange`
see the network. Two implementations pass one conformance suite: `epoll.EpollNetwork` (sockets, in a
host's event loop) and `simulated.internet` (virtual time, one seed one history).
Invariants: no method calls a handler synchronously; `lost` comes exactly once and last; a
connection that broke is never reported as finished; one turn is bounded in events and bytes.
Reading order: ports, poller, connection, epoll, handshake, tls, simulated.
Sources: epoll(7), RFC 9293 (reset and half-close), RFC 8446, 6.1 (close_notify).
"""

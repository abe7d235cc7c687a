"""The one room with sockets: connections, listeners, dialling, TLS, timers.

`ports` is all that other rooms see. `epoll` is the real network, `simulated` its twin in virtual
time; one conformance suite (`tests/unit/net`) holds both to the same contract.
"""

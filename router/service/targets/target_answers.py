"""Answers of one target: tcp connections, and parts of longer answers."""

from router.model.wording.other_protocol import Spoken


class TargetAnswers:
    """Tcp is counted by `TcpTargetLeg`, once per connection; ``parts`` by the legs of http targets.

    ``answered``: connections that got a first byte. ``silent``: connections that got no byte
    although their client sent some and waited (`limits.SILENT_WAIT_S`), and that client or idle
    limit ended. A connection that the target itself ended is neither, nor is one during which the
    target answered another one. ``parts``: reads, or frames, with some of an http answer that was
    not whole yet: a stream or a WebSocket on which the target sends does not hang, however long it
    lasts. ``spoken``: the protocol of the last answer that was not whole by the target's fault, or
    of the last HTTP/2 connection, by its first bytes; empty: there were none, or it is not known.
    """

    __slots__ = ("answered", "parts", "silent", "spoken")

    def __init__(self) -> None:
        self.answered = 0
        self.silent = 0
        self.parts = 0
        self.spoken: Spoken = ""

"""Connections to one tcp target: those that it answered, and those that waited in vain."""


class TargetAnswers:
    """Counted by `TcpTargetLeg`, once per connection.

    ``answered``: connections of which a first byte came. ``silent``: connections that got no byte
    although their client sent some and waited (`limits.SILENT_WAIT_S`), and that client or idle
    limit ended. A connection that the target itself ended is neither, nor is one during which
    the target answered another one.
    """

    __slots__ = ("answered", "silent")

    def __init__(self) -> None:
        self.answered = 0
        self.silent = 0

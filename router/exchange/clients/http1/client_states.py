"""The states of an HTTP/1 client's connection, and its events."""

import enum


class ClientState(enum.Enum):
    """The state of a client's connection, for its whole life."""

    IDLE = enum.auto()  # Between two requests, or within a head.
    UNTAKEN = enum.auto()  # Likewise, but the last answer is not sent yet: no request begins.
    ASKED = enum.auto()  # A request is under way; no final head of an answer was sent.
    ANSWERING = enum.auto()  # The head was sent, and its body follows.
    ANSWERED = enum.auto()  # All of the answer was sent; the end of the leg follows.
    UNREAD = enum.auto()  # Answered before the request's body was complete: the rest is dropped.
    TUNNEL = enum.auto()  # After 101: bytes are raw both ways.
    FRAMES = enum.auto()  # A tunnel; the frame boundaries of its WebSocket are known.
    DISMISSED = enum.auto()  # Likewise; we asked its client to connect again.
    LEFT = enum.auto()  # A tunnel that we ended both ways: further data is dropped.
    OUTLIVING = enum.auto()  # The client is gone; its tunnel's last bytes may reach the target.
    CLOSING = enum.auto()  # FIN is sent: further data is dropped.
    OVER = enum.auto()  # The connection is lost, or was reset.


class ClientEvent(enum.Enum):
    """Events of the connection, the leg or the clock, besides bytes."""

    ENDED = enum.auto()  # The client finished.
    WRITABLE = enum.auto()  # All sent bytes have left.
    CLOSED = enum.auto()  # The connection is over: both ends finished.
    LOST = enum.auto()  # Likewise, but broken.
    DROPPED = enum.auto()  # Likewise, by us.
    OVERDUE = enum.auto()  # The deadline has passed.
    DONE = enum.auto()  # The leg is over, and complete.
    FAILED = enum.auto()  # The leg is over, and not complete.
    BROKEN = enum.auto()  # The client's data is not HTTP, or exceeds a limit.

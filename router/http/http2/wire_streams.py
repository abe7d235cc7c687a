"""The streams of one connection as its frames see them: windows, ends, how the last ones closed."""

from collections import deque
from typing import Generic, TypeVar

from router.http.http2.stream_states import ALL_HEARD, ENDED, HEARD, Http2Receiving, Http2Sending
from router.model import limits


class WireStream:
    """A stream: its windows, the states of its directions. Who derives from it sets all of it."""

    __slots__ = ("credit", "id", "receiving", "room", "sending")

    id: int
    room: int
    """What the peer takes of it now; below 0 after the peer made windows smaller."""
    credit: int
    """What the peer may send of it now."""
    sending: Http2Sending
    receiving: Http2Receiving


S = TypeVar("S", bound=WireStream)


class WireStreams(Generic[S]):
    """Those that are open, and so many of the last that are not, to judge late frames."""

    __slots__ = ("_client", "_ended", "_reset", "highest_id", "next_id", "open")

    def __init__(self, *, client: bool) -> None:
        self._client = client
        self._reset: dict[int, None] = {}
        self._ended: deque[int] = deque(maxlen=limits.HTTP2_CLOSED_STREAMS_KEPT)
        self.open: dict[int, S] = {}
        """By id, in the order in which they were opened."""
        self.highest_id = 0
        """Of those that the peer opened."""
        self.next_id = 1
        """Of the one that we open next, towards a target."""

    def is_idle(self, stream_id: int) -> bool:
        """Nobody has opened it, or nobody may: stream 0, and what the other end numbers."""
        if self._client:
            return not stream_id & 1 or stream_id >= self.next_id
        return not stream_id & 1 or stream_id > self.highest_id

    def was_reset(self, stream_id: int) -> bool:
        """By either end, and lately."""
        return stream_id in self._reset

    def has_ended(self, stream_id: int) -> bool:
        """In both directions, and lately."""
        return stream_id in self._ended

    def opened_by_us(self, stream: S) -> None:
        """It has the id `next_id`."""
        self.open[stream.id] = stream
        self.next_id += 2

    def opened_by_peer(self, stream: S, ended: bool) -> None:
        """Its head has come."""
        stream.receiving = ALL_HEARD if ended else HEARD
        self.highest_id = stream.id
        self.open[stream.id] = stream

    def ended_by_us(self, stream: S) -> None:
        """Our direction is complete."""
        stream.sending = ENDED
        if stream.receiving is ALL_HEARD:
            del self.open[stream.id]
            self._ended.append(stream.id)

    def ended_by_peer(self, stream: S) -> None:
        """The peer's direction is complete."""
        stream.receiving = ALL_HEARD
        if stream.sending is ENDED:
            del self.open[stream.id]
            self._ended.append(stream.id)

    def reset(self, stream_id: int) -> S | None:
        """It is over at once; None: it was not open."""
        stream = self.open.pop(stream_id, None)
        if stream is not None:
            reset = self._reset
            reset[stream_id] = None
            if len(reset) > limits.HTTP2_CLOSED_STREAMS_KEPT:
                del reset[next(iter(reset))]
        return stream

    def drop(self) -> list[S]:
        """All that are open, which are so no more: the connection is lost."""
        streams = list(self.open.values())
        self.open.clear()
        return streams

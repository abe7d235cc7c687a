"""The streams of one connection as its frames see them: windows, ends, how the last ones closed."""

from collections import deque
from typing import Generic, TypeVar

from router.http.http2.stream_states import ALL_HEARD, ENDED, HEARD, Http2Receiving, Http2Sending
from router.model import limits


class WireStream:
    """A stream: its windows, the states of its directions. A subclass sets all of them."""

    __slots__ = ("credit", "id", "receiving", "room", "sending")

    id: int
    room: int
    """Bytes that the peer takes on it now; below 0 after the peer made windows smaller."""
    credit: int
    """Bytes that the peer may send on it now."""
    sending: Http2Sending
    receiving: Http2Receiving


S = TypeVar("S", bound=WireStream)


class WireStreams(Generic[S]):
    """Open streams, and a number of recently closed ones, to judge late frames."""

    __slots__ = ("_client", "_ended", "_reset", "highest_id", "next_id", "open")

    def __init__(self, *, client: bool) -> None:
        self._client = client
        self._reset: dict[int, None] = {}
        self._ended: deque[int] = deque(maxlen=limits.HTTP2_CLOSED_STREAMS_KEPT)
        self.open: dict[int, S] = {}
        """By id, in the order of opening."""
        self.highest_id = 0
        """The highest id of a stream that the peer opened."""
        self.next_id = 1
        """The id of the next stream that we open, towards a target."""

    def is_idle(self, stream_id: int) -> bool:
        """The stream is not open yet, or can never be: stream 0, and ids of the other end."""
        if self._client:
            return not stream_id & 1 or stream_id >= self.next_id
        return not stream_id & 1 or stream_id > self.highest_id

    def was_reset(self, stream_id: int) -> bool:
        """Either end reset it recently."""
        return stream_id in self._reset

    def has_ended(self, stream_id: int) -> bool:
        """Both directions ended recently."""
        return stream_id in self._ended

    def opened_by_us(self, stream: S) -> None:
        """We opened ``stream``, which has the id `next_id`."""
        self.open[stream.id] = stream
        self.next_id += 2

    def opened_by_peer(self, stream: S, ended: bool) -> None:
        """The peer opened ``stream`` with a head."""
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
        """Reset the stream, which is over at once; None: it was not open."""
        stream = self.open.pop(stream_id, None)
        if stream is not None:
            reset = self._reset
            reset[stream_id] = None
            if len(reset) > limits.HTTP2_CLOSED_STREAMS_KEPT:
                del reset[next(iter(reset))]
        return stream

    def drop(self) -> list[S]:
        """Close and return all open streams: the connection is lost."""
        streams = list(self.open.values())
        self.open.clear()
        return streams

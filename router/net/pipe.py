"""One direction between two connections that are both ours."""

from router.model.limits import CLOSING_STALL_S
from router.net.ports import Connection, Loss, Timer, Timers


class Pipe:
    """Hands the bytes that ``source`` receives to ``sink``. `ConnectionHandler` of ``source``.

    The other direction has a separate pipe. An end that has finished and does not get the other's
    end in time is cut: nothing here outlives its connections.
    """

    __slots__ = ("_sink", "_source", "_timer", "_timers")

    def __init__(self, timers: Timers, source: Connection, sink: Connection) -> None:
        self._timers = timers
        self._source = source
        self._sink = sink
        self._timer: Timer | None = None

    def received(self, data: memoryview) -> None:
        """Send to the sink, whose own pipe resumes the source when it takes more."""
        if not self._sink.send(data):
            self._source.pause()

    def ended(self) -> None:
        """The source's end is the sink's."""
        self._sink.finish()
        self._timer = self._timers.call_at(self._timers.now() + CLOSING_STALL_S, self._cut)

    def writable(self) -> None:
        """The source takes more bytes from the sink."""
        self._sink.resume()

    def lost(self, cause: Loss | None) -> None:
        """The loss of the source aborts the sink."""
        if self._timer is not None:
            self._timer.cancel()
        if cause is not None:
            self._sink.abort()

    def _cut(self) -> None:
        self._source.abort()
        self._sink.abort()

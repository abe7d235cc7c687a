"""A connection handler that records its calls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from router.net.ports import Connection, Loss


class Recorder:
    """Keeps all calls in ``calls`` (data of neighboring calls joined); hooks may act on them."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.calls: list[str] = []
        self.data = bytearray()
        self.losses: list[Loss | None] = []
        self.inside = False
        self.on_received: Callable[[memoryview], None] | None = None
        self.on_ended: Callable[[], None] | None = None
        self.on_writable: Callable[[], None] | None = None
        self.on_lost: Callable[[Loss | None], None] | None = None

    def take(self, connection: Connection) -> "Recorder":
        """As an `accept` or `connected` callback."""
        self.connection = connection
        return self

    @property
    def wire(self) -> Connection:
        assert self.connection is not None, "not connected yet"
        return self.connection

    @property
    def lost_code(self) -> str:
        """The code of the loss; empty: both ends finished."""
        (cause,) = self.losses
        return "" if cause is None else cause.code

    def told(self, what: str) -> int:
        return self.calls.count(what)

    def _note(self, what: str) -> None:
        assert not self.losses, f"{what} after lost"
        if what != "received" or self.calls[-1:] != ["received"]:
            self.calls.append(what)

    def received(self, data: memoryview) -> None:
        assert len(data) > 0
        self._note("received")
        self.data += data
        with self._entered():
            if self.on_received is not None:
                self.on_received(data)

    def ended(self) -> None:
        self._note("ended")
        with self._entered():
            if self.on_ended is not None:
                self.on_ended()

    def writable(self) -> None:
        self._note("writable")
        with self._entered():
            if self.on_writable is not None:
                self.on_writable()

    def lost(self, cause: Loss | None) -> None:
        self._note("lost")
        self.losses.append(cause)
        with self._entered():
            if self.on_lost is not None:
                self.on_lost(cause)

    @contextmanager
    def _entered(self) -> Iterator[None]:
        assert not self.inside, "called back within its own call"
        self.inside = True
        try:
            yield
        finally:
            self.inside = False

"""What the handlers of a lane's streams hear at the end of a turn."""

import logging
from collections.abc import Sequence

from router.link.ports import ResetCode
from router.link.streams.stream import LaneStream
from router.model.ids import RouterId

_LOG = logging.getLogger(__name__)


class StreamNews:
    """`writable` of streams that were stopped, and `lost`, the last call, of those that are over.

    A handler may do anything meanwhile, so more may come while they are told.
    """

    __slots__ = ("endings", "writables")

    def __init__(self) -> None:
        self.writables: list[LaneStream] = []
        self.endings: list[tuple[LaneStream, ResetCode | None]] = []

    def end_all(self, streams: Sequence[LaneStream]) -> None:
        """The lane is over, and with it these."""
        self.writables.clear()
        for stream in streams:
            stream.over()
            self.endings.append((stream, "link-lost"))

    def tell_writables(self) -> None:
        """After the fill that made room."""
        streams, self.writables = self.writables, []
        for stream in streams:
            if stream.is_over:
                continue
            try:
                stream.tell_writable()
            except Exception:
                stream.handler_failed()

    def tell_endings(self, lane: RouterId) -> None:
        """``lane``: of which neighbour, for the log."""
        while self.endings:
            endings, self.endings = self.endings, []
            for stream, cause in endings:
                try:
                    stream.tell_lost(cause)
                except Exception:
                    _LOG.exception("stream handler failed", extra={"lane": lane})

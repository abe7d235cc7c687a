"""Calls to the handlers of a lane's streams at the end of a turn."""

import logging
from collections.abc import Sequence

from router.link.ports import ResetCode
from router.link.streams.stream import LaneStream
from router.model.ids import RouterId

_LOG = logging.getLogger(__name__)


class StreamNews:
    """`writable` of streams that had to wait, and `lost`, the last call, of streams that are over.

    A handler may do anything in such a call, so more calls may become due meanwhile.
    """

    __slots__ = ("endings", "writables")

    def __init__(self) -> None:
        self.writables: list[LaneStream] = []
        self.endings: list[tuple[LaneStream, ResetCode | None]] = []

    def end_all(self, streams: Sequence[LaneStream]) -> None:
        """The lane is over, and these streams with it."""
        self.writables.clear()
        for stream in streams:
            stream.over()
            self.endings.append((stream, "link-lost"))

    def tell_writables(self) -> None:
        """Make the calls after the fill that made room."""
        streams, self.writables = self.writables, []
        for stream in streams:
            if stream.is_over:
                continue
            try:
                stream.tell_writable()
            except Exception:
                stream.handler_failed()

    def tell_endings(self, lane: RouterId) -> None:
        """``lane``: its neighbor, for the log."""
        while self.endings:
            endings, self.endings = self.endings, []
            for stream, cause in endings:
                try:
                    stream.tell_lost(cause)
                except Exception:
                    _LOG.exception("stream handler failed", extra={"lane": lane})

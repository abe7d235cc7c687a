"""A member that offers targets and treats the requests that reach it in one of several ways."""

import threading
import time
from pathlib import Path
from typing import Literal

from tests.hostile import wire
from tests.hostile.member import Member, Offer
from tests.hostile.wire import Frame

Conduct = Literal[
    "serves", "silent", "stalls", "garbage", "resets", "flaky", "torn", "busy", "unconnected"
]
"""``silent``: takes streams and never answers. ``stalls``: accepts, then nothing. ``torn``: breaks
off after a good head. ``flaky``: does so to four of five and serves the fifth. ``busy`` and
``unconnected``: refuses, for that reason."""

BODY = b"mallory\n"
GOOD_HEAD = b"HTTP/1.1 200 OK\r\n"


class RogueEgress(Member):
    """``opened`` has the monotonic time of every OPEN that came, ``conduct`` may change at any
    time and counts for streams that open after that."""

    def __init__(
        self,
        token_file: Path,
        conduct: Conduct,
        name: str = "mallory",
        former: Member | None = None,
    ) -> None:
        self.conduct = conduct
        self.opened: list[float] = []
        self.changed = threading.Condition()
        super().__init__(token_file, name, former)
        self.on_stream = self._treat

    def take_service(
        self, name: str, port: int, capacity: int | None = 1000, cost: int | None = None
    ) -> None:
        """Claim a ready target of it."""
        self.offer(Offer(name, port, 1, capacity), cost=cost)

    def _treat(self, frame: Frame) -> list[Frame]:
        if frame.kind != wire.OPEN:
            return []
        with self.changed:
            self.opened.append(time.monotonic())
            self.changed.notify_all()
        stream, conduct = frame.stream, self.conduct
        if conduct == "flaky":
            conduct = "torn" if len(self.opened) % 5 else "serves"
        match conduct:
            case "silent":
                return []
            case "stalls":
                return [wire.accepted(stream)]
            case "garbage":
                return [wire.accepted(stream), wire.head(stream, b"\x16\x03\x01 what?\n", 5)]
            case "resets":
                return [wire.reset(stream, wire.TARGET_RESET)]
            case "torn":
                head = wire.head(stream, GOOD_HEAD, len(BODY))
                return [wire.accepted(stream), head, wire.reset(stream, wire.TARGET_RESET)]
            case "busy":
                return [wire.refused(stream, wire.BUSY)]
            case "unconnected":
                return [wire.refused(stream, wire.CONNECT_FAILED)]
            case "serves":
                head = wire.head(stream, GOOD_HEAD, len(BODY))
                return [wire.accepted(stream), head, wire.last_data(stream, BODY)]

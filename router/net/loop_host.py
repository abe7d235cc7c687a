"""Hosts a network in an asyncio loop (uvloop included): its epoll set is one reader of the loop."""

import asyncio
import time
from collections.abc import Callable
from math import ceil

from router.net.host import HostCall


class LoopHost:
    """`Host` over a running asyncio loop.

    Time is `time.monotonic`, not the loop's: uvloop's is cached in milliseconds.
    """

    __slots__ = ("_loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    now = staticmethod(time.monotonic)

    def call_at(self, when: float, callback: Callable[[], None]) -> HostCall:
        # Whole milliseconds, rounded up: uvloop rounds to the nearest, and an early call for a
        # timer that is due within half a millisecond would be repeated until it is.
        delay_ms = ceil((when - time.monotonic()) * 1000)
        return self._loop.call_later(max(0, delay_ms) / 1000, callback)

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        self._loop.add_reader(fd, callback)

    def unwatch(self, fd: int) -> None:
        self._loop.remove_reader(fd)

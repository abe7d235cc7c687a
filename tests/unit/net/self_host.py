"""A host without an event loop: runs networks in the test's thread until something is true."""

import select
import time
from collections.abc import Callable


class HostedCall:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


LOOK_S = 0.02
"""How often to look: work of another thread does not wake this one."""


class SelfHost:
    """`Host` for tests. Calls up to ``early_s`` before their time, as uvloop may."""

    def __init__(self, early_s: float = 0.0005) -> None:
        self._early_s = early_s
        self._calls: list[HostedCall] = []
        self._watched: dict[int, Callable[[], None]] = {}

    def now(self) -> float:
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[[], None]) -> HostedCall:
        # Early, but not immediate if a call that came too early is scheduled again.
        call = HostedCall(max(when - self._early_s, self.now() + self._early_s), callback)
        self._calls.append(call)
        return call

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        self._watched[fd] = callback

    def unwatch(self, fd: int) -> None:
        del self._watched[fd]

    def step(self, wait_s: float) -> bool:
        """Wait up to ``wait_s`` for one event or call and serve it; False: there was none."""
        self._calls = [call for call in self._calls if call.callback is not None]
        due = min((call.when for call in self._calls), default=None)
        if due is not None:
            wait_s = max(0.0, min(wait_s, due - self.now()))
        ready, _, _ = select.select(list(self._watched), [], [], wait_s)
        for fd in ready:
            if fd in self._watched:
                self._watched[fd]()
        called = False
        for call in self._calls:
            if call.callback is not None and call.when <= self.now():
                callback, call.callback = call.callback, None
                callback()
                called = True
        return bool(ready) or called

    def run_while(self, predicate: Callable[[], bool], limit_s: float = 5.0) -> None:
        """Run while ``predicate`` holds; fails the test after ``limit_s``."""
        deadline = self.now() + limit_s
        while predicate():
            left_s = deadline - self.now()
            assert left_s > 0, f"still true after {limit_s} s"
            self.step(min(left_s, LOOK_S))

    def settle(self, quiet_s: float = 0.02) -> None:
        """Run until nothing has happened for ``quiet_s``: loopback has no other delays."""
        while self.step(quiet_s):
            continue

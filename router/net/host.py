"""Interface of the event loop that hosts the network."""

from collections.abc import Callable
from typing import Protocol


class HostCall(Protocol):
    """A call scheduled with the host."""

    def cancel(self) -> None:
        """Idempotent, harmless after the call."""


class EventLoopHost(Protocol):
    """An event loop that runs the network's turns in its own thread."""

    def now(self) -> float:
        """Monotonic seconds."""

    def call_at(self, when: float, callback: Callable[[], None]) -> HostCall:
        """Call once at ``when`` of `now`; up to 0.5 ms early is allowed. At most one is pending."""

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Call whenever ``fd`` is readable (level-triggered)."""

    def unwatch(self, fd: int) -> None: ...

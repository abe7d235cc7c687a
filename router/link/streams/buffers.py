"""Bytes that streams hold back, counted by link and by process."""

from typing import Protocol

from router.model import limits


class Staller(Protocol):
    """A stream that does not drain: its reader or its peer takes no data."""

    @property
    def held_bytes(self) -> int:
        """Bytes that the stream holds in this process."""

    def reset_stalled(self) -> None:
        """Reset the stream with ``stalled``, which releases its bytes."""


class ProcessBuffers:
    """Bytes held by all links. Stalled streams are ordered by when they began to stall."""

    __slots__ = ("_mark_bytes", "held_bytes", "stalling")

    def __init__(self, mark_bytes: int = limits.PROCESS_BUFFERED_BYTES_MARK) -> None:
        self._mark_bytes = mark_bytes
        self.held_bytes = 0
        self.stalling: dict[Staller, None] = {}

    def set_mark(self, mark_bytes: int) -> None:
        """Hold at most about this much from now on."""
        self._mark_bytes = mark_bytes

    @property
    def is_above_mark(self) -> bool:
        """More is held than the mark allows."""
        return self.held_bytes > self._mark_bytes

    def stalled(self, stream: Staller) -> None:
        """``stream`` no longer drains. Idempotent: only the first call sets its place."""
        self.stalling.setdefault(stream)

    def drains(self, stream: Staller) -> None:
        """``stream`` drains again or is over."""
        self.stalling.pop(stream, None)

    def relieve(self) -> None:
        """Reset the streams stalled longest until the total is below the mark or none is left."""
        if self.is_above_mark:
            self.reset_stalled(self.held_bytes - self._mark_bytes)

    def reset_stalled(self, size_bytes: int) -> int:
        """Reset the streams stalled longest until they have freed ``size_bytes``; returns how
        many."""
        count = 0
        wanted_bytes = self.held_bytes - size_bytes
        for stream in list(self.stalling):
            if self.held_bytes <= wanted_bytes:
                break
            if stream.held_bytes:
                stream.reset_stalled()
                count += 1
        return count


class LinkBuffers:
    """Bytes held by the streams of one link: unsent, or received and not yet credited."""

    __slots__ = ("_mark_bytes", "held_bytes", "process")

    def __init__(
        self, process: ProcessBuffers, mark_bytes: int = limits.LINK_BUFFERED_BYTES_MARK
    ) -> None:
        self.process = process
        self._mark_bytes = mark_bytes
        self.held_bytes = 0

    def hold(self, size_bytes: int) -> None:
        """Count ``size_bytes`` more."""
        self.held_bytes += size_bytes
        self.process.held_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Count ``size_bytes`` less."""
        assert self.held_bytes >= size_bytes, "released more than was held"
        self.held_bytes -= size_bytes
        self.process.held_bytes -= size_bytes

    @property
    def windows_may_grow(self) -> bool:
        """The link is under its mark."""
        return self.held_bytes < self._mark_bytes

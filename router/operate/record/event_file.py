"""`run/events.log`: every event as a JSON line, across restarts, written by a dedicated thread."""

import contextlib
import os
import queue
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from router.model import limits
from router.model.events import Event
from router.net.threads import start_thread
from router.operate.record.sinks import RotatedFile, Sink

EVENTS_LOG_FILE = "events.log"
_END = object()
_REOPEN = object()


class _Numbered(msgspec.Struct):
    n: int = 0


def line_of(number: int, event: Event) -> bytes:
    """One line: the event's fields, and ``n``, its number."""
    fields = {"n": number, **msgspec.to_builtins(event)}
    return msgspec.json.encode(fields) + b"\n"


class EventFile:
    """Takes lines at once and writes them later. ``tell_lost``: called with the reason when lines
    begin to be lost, in the writing thread, or in the caller's while the disk hangs."""

    def __init__(self, sink: Sink, tell_lost: Callable[[str], None]) -> None:
        self._sink, self._tell_lost = sink, tell_lost
        self._lines: queue.Queue[object] = queue.Queue(limits.EVENTS_LOG_QUEUE_MAX)
        self._loses = False
        self._thread = start_thread(self._run, "events-log")

    def add(self, number: int, event: Event) -> None:
        """Queue the event for writing. Never blocks."""
        try:
            self._lines.put_nowait(line_of(number, event))
        except queue.Full:
            self._lose("the disk stands still")

    def reopen(self) -> None:
        """Open the file again after SIGHUP, because a log rotation may have moved it."""
        with contextlib.suppress(queue.Full):  # The disk hangs; another SIGHUP is needed.
            self._lines.put_nowait(_REOPEN)

    def close(self) -> None:
        """Write waiting lines, for a bounded time."""
        try:
            self._lines.put(_END, timeout=limits.ACCESS_LOG_CLOSE_S)
        except queue.Full:
            return
        self._thread.join(limits.ACCESS_LOG_CLOSE_S)

    def _run(self) -> None:
        while (item := self._lines.get()) is not _END:
            if not isinstance(item, bytes):
                self._try(self._sink.reopen)
            elif self._try(partial(self._sink.write, item)):
                self._loses = False
        self._try(self._sink.close)

    def _try(self, step: Callable[[], None]) -> bool:
        """Whether ``step`` lost no lines."""
        try:
            step()
        except OSError as error:
            self._lose(error.strerror or str(error))
            return False
        return True

    def _lose(self, reason: str) -> None:
        if not self._loses:
            self._loses = True
            self._tell_lost(reason)


def opened(run: Path, tell_lost: Callable[[str], None]) -> EventFile:
    """The event file of the directory ``run``, mode 0600, rotated by size."""
    sink = RotatedFile(run / EVENTS_LOG_FILE, bytes_max(_size_of(run)), limits.EVENTS_LOG_FILES)
    return EventFile(sink, tell_lost)


def bytes_max(disk_bytes: int) -> int:
    """The size limit of one file on a file system of that size."""
    share = int(disk_bytes * limits.EVENTS_LOG_SHARE) // limits.EVENTS_LOG_FILES
    return min(limits.EVENTS_LOG_BYTES_MAX, share)


def _size_of(directory: Path) -> int:
    try:
        found = os.statvfs(directory)
    except OSError:
        return 0
    return found.f_blocks * found.f_frsize


def read_newest(run: Path, most: int = limits.EVENTS_ANSWER_MAX) -> list[tuple[int, Event]]:
    """The newest ``most`` events of the files in ``run`` with their numbers, oldest first.

    Reads at most `EVENTS_READ_BYTES_MAX`. Invalid lines are left out: a crash cuts one short.
    """
    paths = [run / EVENTS_LOG_FILE]
    paths += [run / f"{EVENTS_LOG_FILE}.{n}" for n in range(1, limits.EVENTS_LOG_FILES)]
    left_bytes = limits.EVENTS_READ_BYTES_MAX
    found: list[tuple[int, Event]] = []
    for path in paths:  # Newest file first.
        if len(found) >= most or left_bytes <= 0:
            break
        text = _tail(path, left_bytes)
        left_bytes -= len(text)
        found = [*_events(text), *found]
    return found[-most:]


def _tail(path: Path, size_bytes: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:
        whole = os.fstat(descriptor).st_size
        file.seek(max(0, whole - size_bytes))
        text = file.read(size_bytes)
    # The first line is whole only if the text is the whole file.
    return text if whole <= size_bytes else text.partition(b"\n")[2]


def _events(text: bytes) -> Iterator[tuple[int, Event]]:
    for line in text.splitlines():
        try:
            event = msgspec.json.decode(line, type=Event)
            yield msgspec.json.decode(line, type=_Numbered).n, event
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue

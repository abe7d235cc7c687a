"""Logging of the process: JSON lines, bounded on disk, written by a dedicated thread.

Requests are counted, never logged; no line holds a token, key, header or body.
"""

import contextlib
import copy
import logging
import logging.handlers
import os
import queue
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from io import TextIOWrapper
from pathlib import Path

import msgspec

from router.model import limits
from router.net.ports import Timers
from router.net.threads import start_thread
from router.operate.record.sinks import StandardOutput

log = logging.getLogger("router.process")

LOG_BYTES_MAX = 10 * 1024 * 1024
LOG_FILES = 3
QUEUE_LINES_MAX = 10_000
FIELDS = ("site", "link", "lane", "service", "target", "listener", "cause", "code")


class JsonLines(logging.Formatter):
    """One object a line: at, level, logger, message, and fields with fixed names."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end. JSON escapes control characters."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for field in FIELDS:
            if (value := getattr(record, field, None)) is not None:
                line[field] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return msgspec.json.encode(line).decode()
        except UnicodeEncodeError:  # A name on disk that is not UTF-8.
            plain = {field: _printable(value) for field, value in line.items()}
            return msgspec.json.encode(plain).decode()


def _printable(value: object) -> object:
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


class _Entrance(logging.handlers.QueueHandler):
    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """The record with its text formatted now. The base class would merge the exception into
        it."""
        record = copy.copy(record)
        record.msg, record.args = record.getMessage(), None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Leave the line out if too many wait for a reader that stands still."""
        with contextlib.suppress(queue.Full):
            super().enqueue(record)


class _ToStandardOutput(logging.Handler):
    """For the writing thread alone, which holds no lock that the end of the process needs."""

    def __init__(self) -> None:
        super().__init__()
        self._sink = StandardOutput()

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a line."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; without a reader it is lost and nothing else happens."""
        try:
            self._sink.write(f"{self.format(record)}\n".encode())
        except OSError:
            pass
        except (TypeError, ValueError):  # A bug of ours; the writing thread must go on.
            self.handleError(record)


class _Reopening(logging.handlers.RotatingFileHandler):
    """``trouble``: why the last line was lost; empty: it was written. Set by the writing thread."""

    trouble = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; if the disk takes none, the line is lost and nothing else happens."""
        try:
            if self.shouldRollover(record):
                self.doRollover()
            if self.stream is None:
                self.stream = self._open()
            self.stream.write(self.format(record) + self.terminator)
            self.flush()
        except OSError as error:
            self.trouble = f"{self.baseFilename}: {error.strerror}"
            self._let_go()
        except (TypeError, ValueError):  # A bug of ours; the writing thread must go on.
            self.handleError(record)
        else:
            self.trouble = ""

    def _open(self) -> TextIOWrapper:
        """Readable only by its owner: lines name sites, addresses and targets."""
        return open(self.baseFilename, "a", encoding="utf-8", opener=_own_file)

    def _let_go(self) -> None:
        """Close the file with any partial line: the next line opens it again."""
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):  # Closing flushes, which fails again.
                stream.close()

    def reopen(self) -> None:
        """Close a file that was moved away (SIGHUP)."""
        self.acquire()
        try:
            self._let_go()
        finally:
            self.release()


def _own_file(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    if os.fstat(descriptor).st_uid == os.geteuid():
        os.fchmod(descriptor, 0o600)  # Earlier releases made it readable for all.
    return descriptor


class Logs:
    """The log handlers of this process."""

    def __init__(self, file: _Reopening | None) -> None:
        self._file = file
        self._others: list[Callable[[], None]] = []

    @property
    def is_file(self) -> bool:
        """Whether the log is a file; otherwise a supervisor collects stdout."""
        return self._file is not None

    @property
    def trouble(self) -> str:
        """Why lines are lost; empty: none are."""
        return self._file.trouble if self._file is not None else ""

    def retry_by(self, timers: Timers) -> None:
        """From now on, while lines are lost, write one that says so: otherwise a router with
        nothing else to log would report the loss long after it ended."""
        if self._file is None:
            return
        if self._file.trouble:
            log.error("lines of this log were lost", extra={"cause": self._file.trouble})
        timers.call_at(timers.now() + limits.STATE_RETRY_S, lambda: self.retry_by(timers))

    def reopen_with(self, other: Callable[[], None]) -> None:
        """``other`` reopens another file of this process, together with the log."""
        self._others.append(other)

    def reopen(self) -> None:
        """Reopen the log, unless it is stdout, and the other files."""
        if self._file is not None:
            self._file.reopen()
        for other in self._others:
            other()


@contextlib.contextmanager
def logging_to(path: Path | None, level: str) -> Iterator[Logs]:
    """Log to ``path`` (10 MiB x 3), or to stdout if None, while the context is open."""
    handler: logging.Handler
    file: _Reopening | None = None
    if path is None:
        handler = _ToStandardOutput()
    else:
        handler = file = _Reopening(path, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES - 1)
    handler.setFormatter(JsonLines())
    lines: queue.Queue[logging.LogRecord | None] = queue.Queue(QUEUE_LINES_MAX)
    root = logging.getLogger()
    entrance = _Entrance(lines)
    before = root.level
    thread = start_thread(partial(_write, lines, handler), "the log")
    root.addHandler(entrance)
    root.setLevel(level.upper())
    try:
        yield Logs(file)
    finally:
        root.removeHandler(entrance)
        root.setLevel(before)
        with contextlib.suppress(queue.Full):  # Its thread may hang: wait for a bounded time.
            lines.put(None, timeout=limits.ACCESS_LOG_CLOSE_S)
            thread.join(limits.ACCESS_LOG_CLOSE_S)


def _write(lines: queue.Queue[logging.LogRecord | None], handler: logging.Handler) -> None:
    """Pass ``lines`` to ``handler`` until the end, None."""
    while (record := lines.get()) is not None:
        handler.handle(record)
    handler.close()

"""The access log: one JSON object a line, a sample of the requests, written by a dedicated thread.

`AccessLine` lists the possible fields; header values, cookies, bodies and query strings are never
logged. The grammar of requests restricts texts, and JSON escapes the rest: one object is one line,
whatever a client sends.
"""

import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import msgspec

from router.model import limits
from router.model.token_bucket import TokenBucket
from router.net.threads import start_thread
from router.operate.record.sinks import Sink
from router.service.observers import Finished, RequestTiming

_TRACE = re.compile(rb"\r\n(?i:traceparent):[ \t]*(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-")
_TRACES = re.compile(rb"\r\n(?i:traceparent):")


class AccessLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request (http) or connection (tcp). JSON omits fields that do not apply."""

    time: str
    service: str
    port: int
    protocol: str
    client: str
    method: str | msgspec.UnsetType = msgspec.UNSET
    path: str | msgspec.UnsetType = msgspec.UNSET
    status: int | msgspec.UnsetType = msgspec.UNSET
    code: str | msgspec.UnsetType = msgspec.UNSET
    outcome: str
    bytes_in: int
    bytes_out: int
    site: str
    target: str
    overflow: str
    attempts: int
    queue_s: float
    network_s: float
    target_s: float
    total_s: float
    request_id: str | msgspec.UnsetType = msgspec.UNSET
    trace_id: str | msgspec.UnsetType = msgspec.UNSET


class AccessLog:
    """`observers.AccessSink`: selects requests in the data thread, formats and writes in its own.

    Failed and refused requests are all written, up to a rate; of the others, the configured share.
    Lines are dropped and counted rather than waited for. ``tell_lost`` is called in the writing
    thread, once, with the reason, when lines cannot be written; and again after some could.
    """

    def __init__(
        self,
        sink: Sink,
        rng: random.Random,
        now: Callable[[], float],
        tell_lost: Callable[[str], None],
    ) -> None:
        self._sink = sink
        self._rng = rng
        self._now = now
        self._tell_lost = tell_lost
        self.share = 0.0
        self._failures = TokenBucket(limits.ACCESS_ERRORS_BURST, limits.ACCESS_ERRORS_PER_S, now())
        self._lines: deque[tuple[float, Finished, str, str, str, str]] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._wants_reopen = False
        self._loses = False
        self._written = 0
        self._overrun = 0  # Dropped by the data thread, the only one to count here.
        self._unkept = 0  # Dropped by the writing thread.
        self._thread = start_thread(self._run, "access-log")

    @property
    def lines_written(self) -> int:
        return self._written

    @property
    def lines_dropped(self) -> int:
        """Selected and lost: the queue was full, or the disk."""
        return self._overrun + self._unkept

    def finished(self, finished: Finished) -> None:
        """Record one finished request."""
        is_told = _is_failure(finished) and self._failures.take(self._now())
        if not is_told and self._rng.random() >= self.share:
            return
        if len(self._lines) >= limits.ACCESS_LOG_QUEUE_MAX:
            self._overrun += 1
            return
        self._lines.append((time.time(), _without_head(finished), *_words(finished)))
        if not self._wake.is_set():
            self._wake.set()

    def reopen(self) -> None:
        """Open the file again after SIGHUP, before the next line."""
        self._wants_reopen = True
        self._wake.set()

    def close(self) -> None:
        """Write waiting lines, for a bounded time."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(limits.ACCESS_LOG_CLOSE_S)

    # The writing thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._stopping.wait(limits.ACCESS_LOG_DELAY_S)  # Many lines, one system call.
            self._wake.clear()
            self._write_waiting()
        self._write_waiting()
        self._try(self._sink.close)

    def _write_waiting(self) -> None:
        if self._wants_reopen:
            self._wants_reopen = False
            self._try(self._sink.reopen)
        while count := min(len(self._lines), limits.ACCESS_LOG_BATCH):
            batch = [self._lines.popleft() for _ in range(count)]
            text = b"".join(msgspec.json.encode(_line(*one)) + b"\n" for one in batch)
            if self._try(partial(self._sink.write, text)):
                self._loses = False
                self._written += count
            else:
                self._unkept += count

    def _try(self, step: Callable[[], None]) -> bool:
        """Whether ``step`` lost no lines."""
        try:
            step()
        except OSError as error:
            if not self._loses:
                self._loses = True
                self._tell_lost(error.strerror or str(error))
            return False
        return True


def _is_failure(finished: Finished) -> bool:
    if finished.protocol == "tcp" or not finished.status:
        return finished.passage.outcome not in ("ok", "client-gone", "cancelled")
    return finished.status >= 500 or bool(finished.code)


def _without_head(finished: Finished) -> Finished:
    """The same, without the request: waiting lines must not hold heads of 40 KiB."""
    return msgspec.structs.replace(finished, request=None)


def _words(finished: Finished) -> tuple[str, str, str, str]:
    """Method, path, request id and trace id; empty: there is none."""
    request = finished.request
    if request is None or not request.head:
        return "", "", "", finished.trace_id
    trace_id = finished.trace_id or _trace_of(request.head)
    return *method_and_path(request.head), finished.request_id, trace_id


def method_and_path(head: bytes) -> tuple[str, str]:
    """Method and path of a canonical head, without query, up to `limits.ACCESS_PATH_BYTES_MAX`."""
    method, target, _ = head[: head.index(b"\r\n")].split(b" ")
    path = target.partition(b"?")[0][: limits.ACCESS_PATH_BYTES_MAX]
    return method.decode("ascii", "backslashreplace"), path.decode("ascii", "backslashreplace")


def _trace_of(head: bytes) -> str:
    """The trace id that a client sends; several or malformed ones count as none."""
    traces = _TRACE.findall(head)
    if len(traces) != 1 or len(_TRACES.findall(head)) != 1:
        return ""
    trace: bytes = traces[0]
    return trace.decode("ascii")


def _line(
    at: float, finished: Finished, method: str, path: str, request_id: str, trace_id: str
) -> AccessLine:
    key, passage = finished.key, finished.passage
    is_http = finished.status > 0
    return AccessLine(
        time=utc(at),
        service=key.name,
        port=key.port,
        protocol=finished.protocol,
        client=finished.client,
        method=method if is_http else msgspec.UNSET,
        path=path if is_http else msgspec.UNSET,
        status=finished.status if is_http else msgspec.UNSET,
        code=finished.code if is_http else msgspec.UNSET,
        outcome=passage.outcome,
        bytes_in=finished.bytes_in,
        bytes_out=finished.bytes_out,
        site=passage.site,
        target=passage.target,
        overflow=passage.overflow_reason,
        attempts=passage.attempts,
        **_rounded(passage),
        request_id=request_id or msgspec.UNSET,
        trace_id=trace_id or msgspec.UNSET,
    )


def _rounded(passage: RequestTiming) -> dict[str, float]:
    names = ("queue_s", "network_s", "target_s", "total_s")
    return {name: round(getattr(passage, name), 6) for name in names}


def utc(seconds: float) -> str:
    """Unix seconds as ISO 8601 with milliseconds."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")

"""The access log: its lines, their bounds, their destination, and failures to write."""

import json
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.operate.flows.access_log import AccessLog
from router.service.observers import Finished, Outcome, RequestTiming
from tests.scenario.waiting import until

KEY = ServiceKey("shop", 8080)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def request(line: bytes = b"GET /a/b?token=hunter2", *fields: bytes) -> Request:
    lines = b"".join(field + b"\r\n" for field in fields)
    head = line + b" HTTP/1.1\r\nHost: shop\r\nCookie: secret\r\n" + lines
    return Request(key=KEY, protocol="http", head=head)


def http(
    status: int = 200, code: str = "", *, of: Request | None = None, outcome: Outcome = "ok"
) -> Finished:
    return Finished(
        key=KEY,
        protocol="http",
        client="192.0.2.7:4000",
        request=of if of is not None else request(),
        status=status,
        code=code,
        bytes_in=3,
        bytes_out=5,
        request_id="id-1",
        passage=RequestTiming(
            site="a",
            target="127.0.0.1:9001",
            attempts=1,
            outcome=outcome,
            queue_s=0.125,
            network_s=0.25,
            target_s=0.5,
            total_s=0.875,
        ),
    )


class Memory:
    """A sink in memory that can be full, and can be waited for."""

    def __init__(self) -> None:
        self.text = b""
        self.error: OSError | None = None
        self.fails_once: OSError | None = None
        self.reopened = 0
        self.closed = False
        self.gate = threading.Event()
        self.gate.set()

    def write(self, lines: bytes) -> None:
        self.gate.wait()
        if self.error is not None:
            raise self.error
        self.text += lines

    def reopen(self) -> None:
        self.reopened += 1
        if self.fails_once is not None:
            error, self.fails_once = self.fails_once, None
            raise error

    def close(self) -> None:
        self.closed = True

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


class Clock:
    def __init__(self) -> None:
        self.time = 50.0

    def now(self) -> float:
        return self.time


class Bench:
    """A log over a sink in memory."""

    def __init__(self, share: float = 1.0) -> None:
        self.sink, self.clock = Memory(), Clock()
        self.lost: list[str] = []
        self.log = AccessLog(self.sink, random.Random(1), self.clock.now, self.lost.append)
        self.log.share = share

    def written(self, *finished: Finished) -> list[dict[str, Any]]:
        """The lines of these, all of them on disk."""
        for one in finished:
            self.log.finished(one)
        self.close()
        return self.sink.lines

    def close(self) -> None:
        """All is written: a log itself waits for a bounded time."""
        until(self._is_closed, "all is on disk")

    def _is_closed(self) -> bool:
        self.log.close()
        return self.sink.closed


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.sink.gate.set()
    bench.log.close()


def test_a_line_says_what_happened_and_nothing_secret(bench: Bench) -> None:
    (line,) = bench.written(http())
    assert line.pop("time").endswith("Z")
    assert line == {
        "service": "shop",
        "port": 8080,
        "protocol": "http",
        "client": "192.0.2.7:4000",
        "method": "GET",
        "path": "/a/b",
        "status": 200,
        "code": "",
        "outcome": "ok",
        "bytes_in": 3,
        "bytes_out": 5,
        "site": "a",
        "target": "127.0.0.1:9001",
        "overflow": "",
        "attempts": 1,
        "queue_s": 0.125,
        "network_s": 0.25,
        "target_s": 0.5,
        "total_s": 0.875,
        "request_id": "id-1",
    }
    assert b"hunter2" not in bench.sink.text and b"secret" not in bench.sink.text


def test_a_tcp_connection_has_no_words_of_http(bench: Bench) -> None:
    passage = RequestTiming(site="a", outcome="target-reset", target_s=2.0, total_s=2.0)
    told = Finished(key=KEY, protocol="tcp", client="[::1]:1", passage=passage, bytes_in=9)
    (line,) = bench.written(told)
    assert not line.keys() & {"method", "path", "status", "code", "request_id", "trace_id"}
    assert (line["outcome"], line["bytes_in"], line["total_s"]) == ("target-reset", 9, 2.0)


@pytest.mark.parametrize(
    ("fields", "trace"),
    [
        ((b"traceparent: 00-%b-b7ad6b7169203331-01" % TRACE.encode(),), TRACE),
        ((b"traceparent: 00-zz-b7ad6b7169203331-01",), None),
        ((b"traceparent: 00-%b-b7ad6b7169203331-01" % TRACE.encode(),) * 2, None),
        ((), None),
    ],
)
def test_the_trace_is_the_one_that_the_client_names(
    bench: Bench, fields: tuple[bytes, ...], trace: str | None
) -> None:
    (line,) = bench.written(http(of=request(b"GET /", *fields)))
    assert line.get("trace_id") == trace


def test_a_hostile_path_stays_one_line_of_bounded_length(bench: Bench) -> None:
    hostile = b'/"}{"forged":1,\\n\\u000a' + b"x" * 9000
    (line,) = bench.written(http(of=request(b"GET " + hostile)))
    assert line["path"] == hostile.decode()[: limits.ACCESS_PATH_BYTES_MAX]
    assert bench.sink.text.count(b"\n") == 1


def test_a_share_of_the_good_is_written_and_every_bad_one() -> None:
    bench = Bench(share=0.25)
    good = [http() for _ in range(400)]
    bad = [http(503, "all-full"), http(502), http(400, "bad-request"), http(500)]
    statuses = [line["status"] for line in bench.written(*good, *bad)]
    assert statuses[-4:] == [503, 502, 400, 500]
    assert 70 <= len(statuses) - 4 <= 130
    again = Bench(share=0.25)
    assert [line["status"] for line in again.written(*good, *bad)] == statuses, "same seed"


def test_a_targets_4xx_and_a_client_that_left_are_no_failures() -> None:
    bench = Bench(share=0.0)
    gone = http(499, outcome="client-gone")
    left = Finished(
        key=KEY, protocol="tcp", client="", passage=RequestTiming(outcome="client-gone")
    )
    assert bench.written(http(404), gone, left, http(499, outcome="cancelled")) == []


def test_a_storm_of_failures_is_written_up_to_a_rate() -> None:
    bench = Bench(share=0.0)
    for _ in range(limits.ACCESS_ERRORS_BURST + 500):
        bench.log.finished(http(503, "all-full"))
    bench.clock.time += 1.0
    for _ in range(500):
        bench.log.finished(http(503, "all-full"))
    lines = bench.written()
    assert len(lines) == limits.ACCESS_ERRORS_BURST + limits.ACCESS_ERRORS_PER_S
    assert bench.log.lines_dropped == 0, "what is not chosen is not lost"


def test_more_than_the_disk_takes_is_dropped_and_counted(bench: Bench) -> None:
    bench.sink.gate.clear()
    offered = limits.ACCESS_LOG_QUEUE_MAX + 2 * limits.ACCESS_LOG_BATCH
    for _ in range(offered):
        bench.log.finished(http())
    bench.sink.gate.set()
    bench.close()
    assert bench.log.lines_dropped > 0
    assert bench.log.lines_written + bench.log.lines_dropped == offered
    assert len(bench.sink.lines) == bench.log.lines_written


def test_a_full_disk_costs_lines_and_is_told_once(bench: Bench) -> None:
    bench.sink.error = OSError(28, "No space left on device")
    assert bench.written(*[http() for _ in range(3 * limits.ACCESS_LOG_BATCH)]) == []
    assert bench.lost == ["No space left on device"]
    assert bench.log.lines_dropped == 3 * limits.ACCESS_LOG_BATCH


def test_the_writer_reopens_and_closes_its_sink(bench: Bench) -> None:
    bench.log.reopen()
    bench.written(http())
    assert (bench.sink.reopened, bench.sink.closed) == (1, True)


def test_a_file_that_could_not_be_closed_ends_no_log(bench: Bench) -> None:
    """A network file system may report only then that it lost lines."""
    bench.sink.fails_once = OSError(5, "Input/output error")
    bench.log.reopen()
    assert len(bench.written(http())) == 1
    assert bench.lost == ["Input/output error"]

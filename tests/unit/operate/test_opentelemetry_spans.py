"""Spans as OpenTelemetry's SDK sees them, and the heads that go on."""

import re
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from router.model.ids import ServiceKey
from router.model.requests import Request
from router.operate.flows.opentelemetry_spans import SpillwayTracer
from router.service.observers import Finished, Outcome, RequestTiming

KEY = ServiceKey("shop", 8080)
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
OURS = re.compile(rb"\r\ntraceparent: (00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2}))\r\n")


class Bench:
    """A tracer whose spans stay in memory."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracer = SpillwayTracer("west", "1", SimpleSpanProcessor(self.exporter))

    def run(
        self,
        *fields: str,
        line: str = "GET /a?b=c",
        status: int = 200,
        code: str = "",
        outcome: Outcome = "ok",
    ) -> Request | None:
        """One request through; what went on, None: not sampled."""
        lines = "".join(f"{field}\r\n" for field in fields)
        head = f"{line} HTTP/1.1\r\nHost: shop:80\r\n{lines}Via: 1.1 west\r\n".encode()
        traced = self.tracer.begun(Request(key=KEY, protocol="http", head=head), "192.0.2.7:400")
        if traced is None:
            return None
        request, span = traced
        passage = RequestTiming(
            site="east", reason="cheapest", attempts=3, outcome=outcome, network_s=0.5, total_s=0.5
        )
        span.ended(
            Finished(
                key=KEY,
                protocol="http",
                client="192.0.2.7:400",
                request=request,
                status=status,
                code=code,
                passage=passage,
                trace_id=span.trace_id,
            )
        )
        return request

    @property
    def span(self) -> ReadableSpan:
        (one,) = self.exporter.get_finished_spans()
        return one


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.delenv("OTEL_TRACES_SAMPLER", raising=False)
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    bench = Bench()
    yield bench
    bench.tracer.close(wait=True)


def test_a_sampled_parent_gets_a_child_that_goes_on_in_its_place(bench: Bench) -> None:
    request = bench.run(f"traceparent: {SAMPLED}", "tracestate: a=1", "tracestate:  b=2 ")
    assert request is not None
    match = OURS.search(request.head)
    assert match is not None and len(re.findall(b"(?i)traceparent", request.head)) == 1
    assert match[2].decode() == TRACE and match[3].decode() != PARENT
    assert int(match[4], 16) & 1
    assert b"\r\ntracestate: a=1\r\ntracestate:  b=2 \r\n" in request.head
    assert request.head.endswith(b"\r\nVia: 1.1 west\r\n")
    span = bench.span
    assert span.parent is not None and f"{span.parent.span_id:016x}" == PARENT
    assert span.context is not None and f"{span.context.span_id:016x}" == match[3].decode()


def test_the_span_says_what_the_conventions_and_we_promise(bench: Bench) -> None:
    bench.run()
    span = bench.span
    assert (span.name, span.kind, span.parent) == ("GET", SpanKind.SERVER, None)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.path": "/a",
        "url.scheme": "http",
        "server.address": "shop",
        "server.port": 80,
        "client.address": "192.0.2.7",
        "http.response.status_code": 200,
        "http.request.body.size": 0,
        "http.response.body.size": 0,
        "spillway.service": "shop:8080",
        "spillway.site": "west",
        "spillway.served_at": "east",
        "spillway.decision": "cheapest",
        "spillway.overflow": "",
        "spillway.retries": 2,
        "spillway.queue_seconds": 0.0,
        "spillway.network_seconds": 0.5,
        "spillway.target_seconds": 0.0,
    }
    assert span.status.status_code is StatusCode.UNSET
    assert span.resource.attributes["service.name"] == "spillway"


@pytest.mark.parametrize(
    "fields",
    [
        (f"traceparent: ff-{TRACE}-{PARENT}-01", "tracestate: a=1"),
        (f"traceparent: 00-{'0' * 32}-{PARENT}-01", "tracestate: a=1"),
        (f"traceparent: 00-{TRACE.upper()}x-{PARENT}-01", "tracestate: a=1"),
        (f"traceparent: {SAMPLED}", f"Traceparent: {SAMPLED}", "tracestate: a=1"),
        ("tracestate: a=1",),
    ],
)
def test_a_parent_that_is_none_makes_way_for_a_root_and_takes_its_state_along(
    bench: Bench, fields: tuple[str, ...]
) -> None:
    request = bench.run(*fields)
    assert request is not None
    match = OURS.search(request.head)
    assert match is not None and match[2].decode() != TRACE
    assert len(re.findall(b"(?i)traceparent|tracestate", request.head)) == 1
    assert bench.span.parent is None


def test_a_parent_that_is_not_sampled_leaves_the_request_untouched(bench: Bench) -> None:
    assert bench.run(f"traceparent: 00-{TRACE}-{PARENT}-00") is None
    assert bench.exporter.get_finished_spans() == ()


def test_roots_are_sampled_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "edge")
    bench = Bench()
    assert bench.run() is None
    assert bench.run(f"traceparent: {SAMPLED}") is not None
    assert bench.span.resource.attributes["service.name"] == "edge"


@pytest.mark.parametrize(
    ("status", "code", "outcome", "error"),
    [
        (503, "all-full", "all-full", "all-full"),
        (500, "", "ok", "500"),
        (200, "", "link-lost", "link-lost"),
        (404, "", "ok", None),
        (499, "", "client-gone", None),
        (499, "", "cancelled", None),
    ],
)
def test_what_failed_on_our_side_or_beyond_is_an_error(
    bench: Bench, status: int, code: str, outcome: Outcome, error: str | None
) -> None:
    bench.run(status=status, code=code, outcome=outcome)
    expected = StatusCode.UNSET if error is None else StatusCode.ERROR
    assert bench.span.status.status_code is expected
    assert (bench.span.attributes or {}).get("error.type") == error


def test_a_method_of_its_own_does_not_name_spans(bench: Bench) -> None:
    bench.run(line="PURGE /")
    assert bench.span.name == "HTTP"
    attributes = bench.span.attributes or {}
    assert attributes["http.request.method"] == "_OTHER"
    assert attributes["http.request.method_original"] == "PURGE"

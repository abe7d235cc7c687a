"""Spans of requests for OpenTelemetry: the only module that imports it. Needs the extra ``otel``.

Endpoint, headers, sampler and queue are the SDK's own settings, ``OTEL_*`` in the environment. A
thread of the SDK sends spans by OTLP over HTTP from a bounded queue; a slow or unreachable
collector costs spans, never requests.
"""

import os
import re
from concurrent import futures

import msgspec
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from router.model import limits
from router.model.addresses import split
from router.model.requests import Request
from router.net.threads import Threads, starting
from router.service.observers import Finished

_PARENT = re.compile(rb"\r\n(?i:traceparent):[ \t]*([^\r]*)")
_STATE = re.compile(rb"\r\n(?i:tracestate):[ \t]*([^\r]*)")
_HOST = re.compile(rb"\r\n(?i:host):[ \t]*([^\r]*)")
_PROTO = re.compile(rb"\r\n(?i:x-forwarded-proto):[ \t]*(https?)[ \t]*\r\n")
_METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
)
_PROPAGATOR = TraceContextTextMapPropagator()
_SERVICE_NAME = "spillway"


class SpillwayTracer:
    """`observers.Tracer` over the SDK. ``processor``: in place of the exporter, for tests."""

    def __init__(self, site: str, version: str, processor: SpanProcessor | None = None) -> None:
        named = {"spillway.site": site, "service.version": version}
        if not _is_service_named():
            named["service.name"] = _SERVICE_NAME
        self._site = site
        self._closer = Threads(1, "tracing")
        self._provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        if processor is None:
            exporter = OTLPSpanExporter()
            with starting("tracing"):
                processor = BatchSpanProcessor(exporter)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(_SERVICE_NAME, version)

    def begun(self, request: Request, client: str) -> tuple[Request, "RequestSpan"] | None:
        """A span below the client's, or a root; None: not sampled, and nothing is changed."""
        head = request.head
        line = head[: head.index(b"\r\n")].decode("ascii", "backslashreplace")
        method, target, _ = line.split(" ")
        parent = _parent_of(head)
        is_known = method in _METHODS
        attributes: dict[str, AttributeValue] = {
            "http.request.method": method if is_known else "_OTHER",
            "url.path": target.partition("?")[0],
            "url.scheme": _scheme_of(head),
            "client.address": split(client)[0],
            "spillway.service": str(request.key),
            "spillway.site": self._site,
            **_server_of(head),
        }
        if not is_known:
            attributes["http.request.method_original"] = method
        span = self._tracer.start_span(
            method if is_known else "HTTP", parent, SpanKind.SERVER, attributes
        )
        if not span.is_recording():
            return None
        is_root = not get_current_span(parent).get_span_context().is_valid
        return (
            msgspec.structs.replace(request, head=_head_under(head, span, is_root=is_root)),
            RequestSpan(span),
        )

    def close(self, *, wait: bool) -> None:
        """Send waiting spans, for at most `limits.TRACING_CLOSE_S`, or in the background."""
        closing = self._closer.submit(self._provider.shutdown)
        if wait:
            futures.wait([closing], limits.TRACING_CLOSE_S)


class RequestSpan:
    """`observers.Span`."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    def ended(self, finished: Finished) -> None:
        """Record the outcome; 5xx and broken exchanges are errors, 4xx are the client's."""
        span, passage = self._span, finished.passage
        span.set_attributes(
            {
                "http.response.status_code": finished.status,
                "http.request.body.size": finished.bytes_in,
                "http.response.body.size": finished.bytes_out,
                "spillway.served_at": passage.site,
                "spillway.decision": passage.reason,
                "spillway.overflow": passage.overflow_reason,
                "spillway.retries": max(0, passage.attempts - 1),
                "spillway.queue_seconds": passage.queue_s,
                "spillway.network_seconds": passage.network_s,
                "spillway.target_seconds": passage.target_s,
            }
        )
        is_broken = passage.outcome not in ("ok", "client-gone", "cancelled")
        if finished.status >= 500 or is_broken:
            span.set_attribute("error.type", finished.code or _error_of(finished))
            span.set_status(Status(StatusCode.ERROR))
        span.end()


def _error_of(finished: Finished) -> str:
    return str(finished.status) if finished.passage.outcome == "ok" else finished.passage.outcome


def _is_service_named() -> bool:
    resource = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name=" in resource


def _parent_of(head: bytes) -> Context:
    """The client's trace context. One line of ``traceparent`` or none counts (W3C, 3.2.1)."""
    parents, states = _PARENT.findall(head), _STATE.findall(head)
    if len(parents) != 1:
        return Context()
    carrier = {"traceparent": parents[0].strip(b" \t").decode("latin-1")}
    if states:
        carrier["tracestate"] = b",".join(states).decode("latin-1")
    return _PROPAGATOR.extract(carrier, Context())


def _head_under(head: bytes, span: Span, *, is_root: bool) -> bytes:
    """The head with our span as the parent of all spans derived from it.

    A state without a valid parent is removed too (W3C, 4.3).
    """
    context = span.get_span_context()
    head = _PARENT.sub(b"", head)
    if is_root:
        head = _STATE.sub(b"", head)
    ours = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
    last = head.rfind(b"\r\n", 0, -2) + 2  # Via stays last: other hops append to it.
    return b"%btraceparent: %b\r\n%b" % (head[:last], ours.encode("ascii"), head[last:])


def _scheme_of(head: bytes) -> str:
    match = _PROTO.search(head)
    return match[1].decode("ascii") if match is not None else "http"


def _server_of(head: bytes) -> dict[str, AttributeValue]:
    match = _HOST.search(head)
    if match is None:
        return {}
    host, colon, port = match[1].strip(b" \t").decode("latin-1").rpartition(":")
    if not colon or not port.isdecimal():
        return {"server.address": match[1].strip(b" \t").decode("latin-1")}
    return {"server.address": host, "server.port": int(port)}

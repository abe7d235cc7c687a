"""Settings of a service: how its requests and targets are handled.

The defaults are in `limits`. The types hold the bounds, which apply to files and to declarations of
other sites alike.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from router.model import limits

AffinityBy = Literal["cookie", "header", "client"]

EjectOn = Literal["gateway", "5xx"]
"""Which answers of a target count as failures: 502, 503 and 504, or all of 500 to 599."""

HalfClose = Literal["cancel", "serve"]
"""An HTTP client that sends FIN before its answer: its request is canceled, or served."""

Isolation = Literal["none", "nearest", "strict"]
"""How far requests leave their site: anywhere, to the nearest site with ready targets, or not."""

Rebalance = Literal["off", "auto"]
"""Whether connections follow the policy automatically: ``auto`` ends those that the policy would
place elsewhere.
"""

TOKEN_PATTERN = r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z"
"""A field or cookie name (RFC 9110, 5.6.2)."""

FieldName = Annotated[str, Meta(pattern=r"^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64})?\Z")]
"""A field or cookie name, or empty."""
HEADER_LINE_PATTERN = r"^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}: ?[!-~]([ -~]{0,62}[!-~])?)?\Z"
HeaderLine = Annotated[str, Meta(pattern=HEADER_LINE_PATTERN)]
"""``FIELD: VALUE``, or empty."""
CredentialName = Annotated[str, Meta(pattern=r"^([a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?)?\Z")]
"""Name of a certificate of a site, in ``secrets/tls/NAME``. Empty: none."""

RESERVED_FIELDS = frozenset(
    (
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"),
        *("upgrade", "http2-settings", "content-length", "content-type", "content-encoding"),
        *("content-range", "range", "host", "expect", "via", "forwarded", "x-forwarded-for"),
        *("x-forwarded-host", "x-forwarded-proto", "authorization", "proxy-authorization"),
        *("www-authenticate", "proxy-authenticate", "cookie", "set-cookie", "location"),
        *("cache-control", "date", "expires", "vary", "age", "traceparent", "tracestate"),
        *("pragma", "max-forwards", "spillway-error", "retry-after"),
    )
)
"""Fields, in lower case, with another meaning: none of them can carry a request id."""


class Affinity(msgspec.Struct, frozen=True, kw_only=True):
    """How requests form a session: a Spillway cookie, a header field, or the client's address.

    ``name`` of the cookie (empty: ``spillway-SERVICE``) or header. Sessions yield to capacity.
    """

    by: AffinityBy
    name: FieldName = ""


def named(affinity: Affinity, service: str) -> Affinity:
    """``affinity`` of ``service`` with its cookie name filled in."""
    if affinity.by != "cookie" or affinity.name:
        return affinity
    return Affinity(by="cookie", name=f"spillway-{service}")


class Timeouts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long each step of a request or connection may take."""

    connect_s: Annotated[float, Meta(ge=0.05, le=60)] = limits.CONNECT_TIMEOUT_LOCAL_S
    header_s: Annotated[float, Meta(ge=0.1, le=600)] = limits.HEADER_TIMEOUT_S
    response_s: Annotated[float, Meta(ge=0.05, le=86_400)] = limits.RESPONSE_HEAD_TIMEOUT_S
    idle_s: Annotated[float, Meta(ge=0.5, le=86_400)] = limits.STREAM_IDLE_S
    keep_alive_s: Annotated[float, Meta(ge=0.5, le=86_400)] = limits.KEEP_ALIVE_IDLE_S
    tunnel_s: Annotated[float, Meta(ge=0.5, le=2_592_000)] = limits.TUNNEL_IDLE_S
    half_closed_s: Annotated[float, Meta(ge=0.5, le=86_400)] = limits.HALF_CLOSED_IDLE_S

    def neighbor_deadline(self, now: float, full_since: float) -> float:
        """The time until which a stream that is full since ``full_since`` may wait without
        progress.

        The site where a client or target is connected judges how slow it is, so a sender towards
        that site waits on. But not forever: a neighbor may not judge it.
        """
        return min(now + self.idle_s, full_since + self.tunnel_s)


class ServiceLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much one client of a service may send or hold.

    ``body_rate_min``: bytes a second, 0: no minimum. ``retry_percent`` of the requests may be tried
    again after a failure.
    """

    request_line_bytes: Annotated[int, Meta(ge=256, le=limits.REQUEST_LINE_BYTES_CEILING)] = (
        limits.REQUEST_LINE_BYTES_MAX
    )
    header_field_bytes: Annotated[int, Meta(ge=256, le=limits.HEADER_BLOCK_BYTES_CEILING)] = (
        limits.HEADER_FIELD_BYTES_MAX
    )
    header_block_bytes: Annotated[int, Meta(ge=1024, le=limits.HEADER_BLOCK_BYTES_CEILING)] = (
        limits.HEADER_BLOCK_BYTES_MAX
    )
    headers: Annotated[int, Meta(ge=8, le=limits.HEADERS_CEILING)] = limits.HEADERS_MAX
    chunk_line_bytes: Annotated[int, Meta(ge=18, le=4096)] = limits.CHUNK_LINE_BYTES_MAX
    body_rate_min: Annotated[int, Meta(ge=0, le=1_000_000_000)] = limits.BODY_BYTES_PER_S_MIN
    requests_per_connection: Annotated[int, Meta(ge=1, le=1_000_000_000)] = (
        limits.REQUESTS_PER_CONNECTION_MAX
    )
    streams_per_connection: Annotated[int, Meta(ge=1, le=1_000)] = limits.HTTP2_STREAMS_MAX
    connections: Annotated[int, Meta(ge=1, le=1_000_000)] = limits.CONNECTIONS_PER_LISTENER_MAX
    connections_per_source: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    retry_percent: Annotated[int, Meta(ge=0, le=100)] = limits.RETRY_PERCENT


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a target is judged. ``path``: a GET must answer 2xx or 3xx; empty: a TCP connect.

    ``down_after`` failed checks in a row take it out, ``up_after`` good ones bring it back.
    ``eject_after`` failed requests in a row take it out for a while; 0: never. ``eject_on``: the
    answers that count as failures: only 502, 503 and 504 (``gateway``), or any 5xx.
    """

    path: Annotated[str, Meta(pattern=r"^(/[!-~]{0,1023})?\Z")] = ""
    interval_s: Annotated[float, Meta(ge=0.1, le=3_600)] = limits.HEALTH_INTERVAL_S
    timeout_s: Annotated[float, Meta(ge=0.05, le=60)] = limits.HEALTH_TIMEOUT_S
    down_after: Annotated[int, Meta(ge=1, le=100)] = limits.HEALTH_BAD_TO_LEAVE
    up_after: Annotated[int, Meta(ge=1, le=100)] = limits.HEALTH_GOOD_TO_RETURN
    eject_after: Annotated[int, Meta(ge=0, le=1_000)] = limits.EJECT_AFTER
    eject_on: EjectOn = "gateway"

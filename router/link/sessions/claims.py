"""Claim redemption: one HTTP/1.1 ``POST /claims/NAME`` under a dedicated ALPN name.

The door takes connections without a client certificate, so each is small and short: one request, 16
KiB of body, ten seconds. The client trusts nothing in an answer but its length. The `ClaimJudge`
decides what a claim means.
"""

import enum
import re
from collections import Counter
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Literal, Protocol

import httptools

from router.link.sessions.race import DialOutcome, Endpoint, EndpointAddress, Race, listed
from router.model import limits
from router.net.ports import (
    Address,
    Connection,
    ConnectionHandler,
    DialCode,
    DialFailure,
    FarNetwork,
    Loss,
    Proxy,
    Timers,
    Tls,
)

CLAIM_ALPN = "spillway-claim/1"

Answered = Callable[[int, bytes], None]

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_PATH = re.compile(rb"/(claims|renewals)/([A-Za-z0-9][A-Za-z0-9._-]{0,252})")

Resource = Literal["claims", "renewals"]


class ClaimJudge(Protocol):
    """Decides on claims."""

    def answer(self, name: str, body: bytes, source: str, done: Answered) -> None:
        """Judge claim ``name``, requested from the numeric address ``source``.

        ``done`` gets status and body once, within this call or later, when the decision is saved.
        The requester may be gone by then.
        """

    def renew(self, name: str, body: bytes, source: str, done: Answered) -> None:
        """Judge a renewal for a link by token ``name``, as `answer`."""


class ClaimDoor:
    """Accepts connections with ALPN `CLAIM_ALPN`, a bounded number at a time."""

    def __init__(self, timers: Timers, desk: ClaimJudge) -> None:
        self._timers = timers
        self._desk = desk
        self._visits: dict[_Visit, str] = {}  # With the host of each, oldest first.

    def accept(self, connection: Connection) -> ConnectionHandler | None:
        """Accept a connection of a listener. None: another protocol, or too many at once.

        When all places are taken, a source with more than its share loses its oldest: idle
        strangers must not keep a claim from being redeemed.
        """
        if connection.alpn != CLAIM_ALPN:
            return None
        if len(self._visits) >= limits.CLAIM_CONNECTIONS_MAX and not self._expel_one():
            return None
        visit = _Visit(self._timers, self._desk, connection, self._left)
        self._visits[visit] = connection.peer.host
        return visit

    def _expel_one(self) -> bool:
        host, count = Counter(self._visits.values()).most_common(1)[0]
        if count <= limits.CLAIM_CONNECTIONS_PER_SOURCE:
            return False
        visit = next(visit for visit, source in self._visits.items() if source == host)
        del self._visits[visit]
        visit.expel()
        return True

    def _left(self, visit: "_Visit") -> None:
        self._visits.pop(visit, None)


class _Stage(enum.IntEnum):
    """How far a visit is. Stages only advance."""

    HEAD = 0
    BODY = 1  # The head is whole.
    WHOLE = 2  # Data that still comes is not part of the request.
    ASKED = 3  # The desk decides; data that still comes does not matter.
    ANSWERED = 4  # Or the visitor has left, so there is no one to answer.


class _Visit:
    """One connection at the door: one request, one answer, the end."""

    def __init__(
        self,
        timers: Timers,
        desk: ClaimJudge,
        connection: Connection,
        left: Callable[["_Visit"], None],
    ) -> None:
        self._timers = timers
        self._desk = desk
        self._connection = connection
        self._left = left
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._body = bytearray()
        self._received_bytes = 0
        self._stage = _Stage.HEAD
        self._timer = timers.call_at(timers.now() + limits.CLAIM_DEADLINE_S, self._late)

    # ConnectionHandler.

    def received(self, data: memoryview) -> None:
        """Part of the request; after the answer it is discarded, up to a bound."""
        self._received_bytes += len(data)
        if self._stage >= _Stage.ASKED:
            if self._received_bytes > limits.LINGER_DISCARD_BYTES_MAX:
                self._connection.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        head_bytes = self._received_bytes - len(self._body)
        if len(self._body) > limits.CLAIM_BODY_BYTES_MAX:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif head_bytes > 2 * limits.CLAIM_HEAD_BYTES_MAX:  # Chunk framing counts here too.
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._stage >= _Stage.BODY:
            self._judge()

    def ended(self) -> None:
        """A half-close after a whole request is fine; before, there is no request."""
        if self._stage < _Stage.ASKED:
            self._answer(HTTPStatus.BAD_REQUEST)

    def writable(self) -> None:
        """Never needed: one answer always fits."""

    def lost(self, cause: Loss | None) -> None:
        """The visitor has left."""
        self._stage = _Stage.ANSWERED
        self._timer.cancel()
        self._left(self)

    def expel(self) -> None:
        """Give its place to other visitors."""
        self._connection.abort()

    # Callbacks of httptools.

    def on_url(self, url: bytes) -> None:
        """Part of the request target."""
        if self._stage < _Stage.WHOLE:
            self._target += url

    def on_headers_complete(self) -> None:
        """A head is whole: the request's, or that of another request behind it."""
        self._stage = max(self._stage, _Stage.BODY)

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        if self._stage < _Stage.WHOLE:
            self._body += body

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._stage = _Stage.WHOLE

    # Decisions.

    def _judge(self) -> None:
        """Answer without waiting for the body if the head alone decides."""
        if self._parser.get_method() != b"POST":
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED)
            return
        path = _PATH.fullmatch(self._target)
        if path is None:
            self._answer(HTTPStatus.NOT_FOUND)
        elif self._stage is _Stage.WHOLE:
            source = self._connection.peer.host
            self._stage = _Stage.ASKED
            judge = self._desk.answer if path[1] == b"claims" else self._desk.renew
            judge(path[2].decode(), bytes(self._body), source, self._decided)

    def _decided(self, status: int, body: bytes) -> None:
        if self._stage is not _Stage.ANSWERED:
            self._answer(status, body)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self._stage = _Stage.ANSWERED
        self._connection.send(
            f"HTTP/1.1 {int(status)} {HTTPStatus(status).phrase}\r\n"
            f"Content-Type: application/octet-stream\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n".encode(),
            body,
        )
        self._connection.finish()
        self._timer.cancel()
        self._timer = self._timers.call_at(
            self._timers.now() + limits.LINGER_DISCARD_S, self._connection.abort
        )

    def _late(self) -> None:
        # Before the decision the visitor is late, after it we are: it gets the result on the next
        # try.
        late, busy = HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(busy if self._stage is _Stage.ASKED else late)


class ClaimClient:
    """Redeems claims at other sites."""

    def __init__(self, network: FarNetwork) -> None:
        self._network = network

    def post(
        self,
        endpoints: Sequence[Endpoint],
        tls: Tls,
        name: str,
        body: bytes,
        answered: Callable[[int, bytes], None],
        failed: Callable[[DialFailure], None],
        resource: Resource = "claims",
        *,
        via: Proxy | None = None,
    ) -> "ClaimCall":
        """POST ``body`` for claim ``name`` to the one of ``endpoints`` that answers first.

        Either ``answered`` (status, body; redirects are not followed) or ``failed`` is called,
        exactly once, within `limits.CLAIM_DEADLINE_S`, unless the call is cancelled. ``tls`` offers
        `CLAIM_ALPN` alone and trusts the issuer's CA alone. Raises ValueError if the endpoint's
        host or ``name`` is not valid in a request: they come from a token.
        """
        hosts_are_good = all(_HOST.fullmatch(host) for host, _ in endpoints)
        if not hosts_are_good or not _PATH.fullmatch(f"/claims/{name}".encode()):
            raise ValueError("the token's endpoint or name has characters that are not allowed")
        path = f"/{resource}/{name}"
        return ClaimCall(self._network, endpoints, tls, path, body, answered, failed, via)


class ClaimCall:
    """One redemption under way."""

    def __init__(
        self,
        network: FarNetwork,
        endpoints: Sequence[Endpoint],
        tls: Tls,
        path: str,
        body: bytes,
        answered: Callable[[int, bytes], None],
        failed: Callable[[DialFailure], None],
        via: Proxy | None,
    ) -> None:
        self._where = "the other site"  # Until one of its endpoints answers.
        self._path = path
        self._body_sent = body
        self._tell_answer = answered
        self._tell_failure = failed
        self._connection: Connection | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._received_bytes = 0
        self._complete = False
        self._over = False
        self._deadline_s = limits.CLAIM_DEADLINE_S
        if via is not None:
            self._deadline_s += limits.PROXY_ANSWER_TIMEOUT_S
        self._timer = network.call_at(network.now() + self._deadline_s, self._late)
        self._race = Race(network, endpoints, tls, self._connected, self._none_answered, via=via)

    def cancel(self) -> None:
        """Make no callback from now on. Idempotent."""
        self._end()

    # The outcome of the dial.

    def _connected(self, place: EndpointAddress, connection: Connection) -> "ClaimCall":
        """Send the secret to this endpoint alone, whatever it answers."""
        self._race.cancel()
        self._connection = connection
        host, port = place.endpoint
        self._where = str(Address(host=host, port=port))
        if connection.alpn != CLAIM_ALPN:
            self._fail(f"{self._where} does not redeem claims: it speaks another protocol")
            return self
        head = (
            f"POST {self._path} HTTP/1.1\r\n"
            f"Host: {self._where}\r\n"
            f"Content-Type: application/octet-stream\r\n"
            f"Content-Length: {len(self._body_sent)}\r\n"
            f"Connection: close\r\n\r\n"
        )
        connection.send(head.encode() + self._body_sent)
        return self

    def _none_answered(self, tried: tuple[DialOutcome, ...]) -> None:
        codes: list[DialCode] = [
            one.trouble.code for one in tried if isinstance(one.trouble, DialFailure)
        ]
        worth_telling = (code for code in codes if code in ("clock", "proxy"))
        self._fail(listed(tried), next(worth_telling, codes[0]))

    # ConnectionHandler.

    def received(self, data: memoryview) -> None:
        """Part of the answer."""
        if self._over:
            return
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(f"{self._where} gave an answer that is not HTTP")
            return
        most = limits.CLAIM_ANSWER_BYTES_MAX
        if len(self._body) > most or self._received_bytes > most + limits.CLAIM_HEAD_BYTES_MAX:
            self._fail(f"{self._where} gave an answer of more than {most} bytes")
        elif self._complete:
            status = self._parser.get_status_code()
            self._end()
            self._tell_answer(status, bytes(self._body))

    def ended(self) -> None:
        """An end before the whole answer is a failure."""
        self._fail(f"{self._where} broke off its answer")

    def writable(self) -> None:
        """Never needed: the request was sent at once."""

    def lost(self, cause: Loss | None) -> None:
        """A loss before the whole answer is a failure."""
        reason = f" ({cause.reason})" if cause is not None and cause.reason else ""
        self._fail(f"the connection to {self._where} was lost{reason}")

    # Callbacks of httptools.

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        if not self._complete:
            self._body += body

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._complete = True

    # The end.

    def _late(self) -> None:
        self._fail(f"{self._where} gave no answer within {self._deadline_s:g} s")

    def _fail(self, reason: str, code: DialCode = "error") -> None:
        if not self._over:
            self._end()
            self._tell_failure(DialFailure(code=code, reason=reason))

    def _end(self) -> None:
        self._over = True
        self._timer.cancel()
        self._race.cancel()
        if self._connection is not None:
            self._connection.abort()

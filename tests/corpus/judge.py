"""Cases run against the parsers, whole or in pieces, and what speaks against the outcome."""

from collections.abc import Callable, Sequence

import h11
import msgspec

from router.http.http1 import render
from router.http.http1.forwarding import Forwarding
from router.http.http1.grammar import HttpError
from router.http.http1.request_heads import RequestHead
from router.http.http1.requests import RequestParser
from router.http.http1.response_heads import ResponseHead
from router.http.http1.responses import ResponseParser, tell_in_parts
from router.model.ids import ServiceKey
from router.model.requests import Request
from tests.corpus import strict
from tests.corpus.cases import RequestCase, ResponseCase, Sent

KEY = ServiceKey("shop", 8080)
FORWARDING = Forwarding(site_name=b"near", client=b"192.0.2.7", proto=b"http", host=b"shop")
ADDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"via")


class Outcome(msgspec.Struct, frozen=True):
    """What became of a client's bytes. ``status`` 0: nothing was refused."""

    reaches: tuple[Sent, ...]
    status: int
    pending: bool


def without_added(head: bytes) -> bytes:
    """``head`` without the fields that we put into every request."""
    rows = head[:-2].split(b"\r\n")
    kept = [row for row in rows if row.partition(b":")[0].lower() not in ADDED]
    return b"".join(row + b"\r\n" for row in kept)


class Client:
    """A sink that writes what a target would get, and goes on like a session."""

    def __init__(self) -> None:
        self.parser = RequestParser(self, FORWARDING)
        self.heads: list[RequestHead] = []
        self.wires: list[bytes] = []
        self.error: HttpError | None = None
        self._complete = False
        self._wire = b""
        self._trailers = b""

    def request(self, head: RequestHead) -> None:
        self.heads.append(head)
        request = Request(
            key=KEY,
            protocol="http",
            head=head.head,
            body_bytes=head.body_bytes,
            upgrade=head.upgrade,
        )
        self._wire, self._trailers = render.request_to_target(request), b""
        if not head.body_bytes:
            self.complete()

    def body(self, data: memoryview) -> None:
        parts = render.chunk(data) if self.heads[-1].body_bytes < 0 else (data,)
        self._wire += b"".join(parts)

    def body_trailers(self, block: bytes) -> None:
        self._trailers = block

    def complete(self) -> None:
        if self.heads[-1].body_bytes < 0:
            self._wire += render.last_chunk(self._trailers)
        self.wires.append(self._wire)
        self._complete = True

    def failed(self, error: HttpError) -> None:
        self.error = error

    def feed(self, pieces: Sequence[bytes]) -> "Client":
        for piece in pieces:
            self.parser.feed(memoryview(bytearray(piece)))
            while self._complete:
                self._complete = False
                if self.heads[-1].keep_alive:
                    self.parser.proceed()
                else:
                    self.parser.close()
        return self

    def outcome(self) -> Outcome:
        closed = self.error is not None or (self.heads and not self.heads[-1].keep_alive)
        return Outcome(
            tuple(map(read_back, self.wires)),
            self.error.status if self.error is not None else 0,
            not closed and not self.parser.is_idle,
        )


def read_back(wire: bytes) -> Sent:
    """What a target reads, by the strict reader and by h11, which must agree."""
    found = strict.read_request(wire)
    strict.demand(found is not None, "the target would wait for more")
    assert found is not None
    message, length = found
    strict.demand(length == len(wire), "the target would read more than one request")
    peer = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    peer.receive_data(wire)
    head = peer.next_event()
    assert isinstance(head, h11.Request), head
    method, target, _ = message.start.split(b" ")
    strict.demand((head.method, head.target) == (method, target), "h11 reads another start")
    body = b""
    while isinstance(event := peer.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage), event
    strict.demand(body == message.body, "h11 reads another body")
    return Sent(without_added(message.head), message.body, message.trailers)


def request_outcome(pieces: Sequence[bytes]) -> Outcome:
    """The outcome of ``pieces``; raises NotCanonicalError if a target gets wrong bytes."""
    return Client().feed(pieces).outcome()


def against_request(case: RequestCase, outcome: Outcome) -> str:
    """What speaks against ``outcome``; empty: nothing."""
    if outcome.reaches != case.reaches:
        return f"reached: {outcome.reaches} and not {case.reaches}"
    if case.at_end:
        pending = outcome.pending == (case.raw != b"")
        return "" if not outcome.status and pending else f"not unfinished but {outcome.status}"
    if outcome.status not in (case.statuses or (0,)):
        return f"answered {outcome.status} and not {case.statuses}"
    return ""


class Answer(msgspec.Struct, frozen=True):
    """What became of a target's bytes."""

    heads: tuple[bytes, ...]
    body: bytes
    trailers: bytes
    complete: bool
    reusable: bool


class Target:
    """A sink that keeps what would be passed on."""

    def __init__(self, case: ResponseCase) -> None:
        self.parser = ResponseParser(self, head_only=case.method == b"HEAD", upgrade=case.upgrade)
        self.heads: list[ResponseHead] = []
        self.taken = b""
        self.trailer_lines = b""
        self.is_complete = False
        self.reason = ""

    def response(self, head: ResponseHead) -> None:
        self.heads.append(head)

    def body(self, data: memoryview) -> None:
        self.taken += data

    def body_trailers(self, block: bytes) -> None:
        self.trailer_lines = block

    def whole(self, head: ResponseHead, body: memoryview) -> None:
        tell_in_parts(self, head, body)

    def complete(self) -> None:
        self.is_complete = True

    def failed(self, reason: str) -> None:
        assert not self.is_complete and reason
        self.reason = reason


def response_answer(case: ResponseCase, pieces: Sequence[bytes]) -> Answer:
    """What becomes of ``pieces`` and the end after them."""
    target = Target(case)
    for piece in pieces:
        target.parser.feed(memoryview(bytearray(piece)))
    if not target.reason:
        target.parser.end()
    parser = target.parser
    return Answer(
        tuple(head.head for head in target.heads),
        target.taken,
        target.trailer_lines,
        target.is_complete or bool(target.heads and target.heads[-1].status == 101),
        target.is_complete and parser.reusable and not parser.excess,
    )


def against_response(case: ResponseCase, answer: Answer) -> str:
    """What speaks against ``answer``; empty: nothing."""
    for field in ("heads", "body", "trailers", "complete", "reusable"):
        found, wanted = getattr(answer, field), getattr(case, field)
        if found != wanted:
            return f"{field}: {found!r} and not {wanted!r}"
    return ""


def singly(raw: bytes) -> list[bytes]:
    """``raw`` one byte at a time, or 997 bytes at a time if it is large."""
    step = 1 if len(raw) <= 4096 else 997
    return [raw[at : at + step] for at in range(0, len(raw), step)]


def complaint(check: Callable[[Sequence[bytes]], str], raw: bytes) -> str:
    """The complaint about ``raw`` sent whole, in single bytes, or cut anywhere into two."""
    cuts = [[raw], singly(raw)]
    if len(raw) <= 400:
        cuts += [[raw[:at], raw[at:]] for at in range(1, len(raw))]
    for pieces in cuts:
        try:
            against = check(pieces)
        except (strict.NotCanonicalError, h11.ProtocolError) as error:
            against = f"not canonical: {error}"
        if against:
            return f"in {len(pieces)} pieces: {against}"
    return ""


def request_complaint(case: RequestCase) -> str:
    """The complaint about a case of a client's bytes."""
    return complaint(lambda pieces: against_request(case, request_outcome(pieces)), case.raw)


def response_complaint(case: ResponseCase) -> str:
    """The complaint about a case of a target's bytes."""
    return complaint(lambda pieces: against_response(case, response_answer(case, pieces)), case.raw)

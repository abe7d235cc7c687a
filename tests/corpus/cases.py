"""What a case of the corpus is: bytes, and what must become of them."""

from collections.abc import Iterable

import msgspec

CRLF = b"\r\n"


class Sent(msgspec.Struct, frozen=True):
    """A request as it must reach a target: ``head`` without the fields that we add ourselves.

    Start line and fields end in CRLF each, without the blank line.
    """

    head: bytes
    body: bytes = b""
    trailers: bytes = b""


class RequestCase(msgspec.Struct, frozen=True, kw_only=True):
    """A client sends ``raw`` and finishes.

    ``reaches``: the requests that become complete at a target, in order. ``statuses``: those
    allowed for the refusal that follows them; empty: none follows. ``at_end``: the refusal is due
    to the end of the bytes, not to the bytes. ``odd``: accepted although others would not; ``why``
    says why that is safe. ``why`` else names what decides.
    """

    name: str
    raw: bytes
    why: str
    reaches: tuple[Sent, ...] = ()
    statuses: tuple[int, ...] = ()
    at_end: bool = False
    odd: bool = False


class ResponseCase(msgspec.Struct, frozen=True, kw_only=True):
    """A target answers ``raw`` to ``method`` and finishes.

    ``heads``: the canonical heads that are passed on, interim ones first; empty: 502. ``complete``:
    the response is whole; if not, the client must see that it is torn. ``reusable``: the connection
    may serve again. ``upgrade``: what the client asked for.
    """

    name: str
    raw: bytes
    why: str
    method: bytes = b"GET"
    upgrade: str = ""
    heads: tuple[bytes, ...] = ()
    body: bytes = b""
    trailers: bytes = b""
    complete: bool = True
    reusable: bool = True
    odd: bool = False


def lines(*each: bytes) -> bytes:
    """Every line with its CRLF."""
    return b"".join(line + CRLF for line in each)


def message(start: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    """A head with its blank line, and a body."""
    return lines(start, *fields) + CRLF + body


def get(
    *fields: bytes, start: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: shop", body: bytes = b""
) -> bytes:
    """A request without, or with another, host; not necessarily GET."""
    return message(start, *((host,) if host else ()), *fields, body=body)


def post(*fields: bytes, body: bytes = b"", start: bytes = b"POST / HTTP/1.1") -> bytes:
    """The same, with a body by custom."""
    return get(*fields, start=start, body=body)


def sent(
    *fields: bytes,
    start: bytes = b"GET / HTTP/1.1",
    host: bytes = b"Host: shop",
    body: bytes = b"",
    trailers: bytes = b"",
) -> Sent:
    """What must reach the target."""
    return Sent(lines(start, host, *fields), body, trailers)


def refused(
    name: str, raw: bytes, *statuses: int, why: str, after: tuple[Sent, ...] = ()
) -> RequestCase:
    """Bytes that are refused, after some requests that were not."""
    return RequestCase(name=name, raw=raw, statuses=statuses or (400,), why=why, reaches=after)


def accepted(name: str, raw: bytes, *reaches: Sent, why: str, odd: bool = False) -> RequestCase:
    """Bytes that are requests."""
    return RequestCase(name=name, raw=raw, reaches=reaches, why=why, odd=odd)


def unfinished(
    name: str, raw: bytes, *statuses: int, why: str, after: tuple[Sent, ...] = ()
) -> RequestCase:
    """Bytes that lack their end. Without ``statuses`` no answer is due."""
    return RequestCase(name=name, raw=raw, statuses=statuses, why=why, reaches=after, at_end=True)


def by_name(cases: Iterable[RequestCase]) -> dict[str, RequestCase]:
    """The same by name; a name that occurs twice is a mistake."""
    named: dict[str, RequestCase] = {}
    for case in cases:
        assert case.name not in named, case.name
        named[case.name] = case
    return named

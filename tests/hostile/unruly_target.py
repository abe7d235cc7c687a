"""A target that does what a path asks for, right or wrong, and checks all that reaches it.

``/DEED/SIZE/ID``: each answer carries the id of its request, in a field and all over its body.
"""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Mapping
from enum import Enum, auto

import msgspec

from tests.scenario.backends import Background, Target, abort

HONEST = ("plain", "bytewise", "chunked", "split", "interim", "late", "empty", "not-modified")
WRONG = (
    "extra",
    "interim-after",
    "body-after-none",
    "early",
    "closes-after-head",
    "closes-unanswered",
    "resets-unanswered",
    "resets-after",
    "says-close-and-stays",
    "closes-without-a-word",
    "until-end",
)
HANG = "hang"
"""Answers once the other end has finished or gone: for clients that leave."""
SMUGGLED = b"HTTP/1.1 200 OK\r\nX-Id: smuggled\r\nContent-Length: 8\r\n\r\nsmuggled"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
PAUSE_S = 0.003


def content(ident: str, size: int) -> bytes:
    """The body of ``size`` bytes that only ``ident`` has."""
    word = b"[%b]" % ident.encode()
    return (word * (size // len(word) + 1))[:size]


class After(Enum):
    """What a connection is good for after an answer."""

    GOES_ON = auto()
    SPOILT = auto()  # Another request must not come over it.
    OVER = auto()  # The target ends it.


AFTER = {
    "extra": After.SPOILT,
    "interim-after": After.SPOILT,
    "body-after-none": After.SPOILT,
    "says-close-and-stays": After.SPOILT,
    "closes-after-head": After.OVER,
    "closes-without-a-word": After.OVER,
    "resets-after": After.OVER,
    "until-end": After.OVER,
}


class Order(msgspec.Struct, frozen=True):
    """One request as it came."""

    method: str
    deed: str
    size: int
    ident: str
    fields: Mapping[str, str]

    @property
    def start(self) -> bytes:
        """The first lines of its answer."""
        return b"HTTP/1.1 200 OK\r\nX-Id: %b\r\n" % self.ident.encode()

    @property
    def whole(self) -> bytes:
        """A right answer with a Content-Length."""
        body = b"" if self.method == "HEAD" else content(self.ident, self.size)
        return self.start + b"Content-Length: %d\r\n\r\n" % self.size + body


def _text(order: Order) -> bytes:
    """The bytes that are sent at once."""
    start, whole = order.start, order.whole
    match order.deed:
        case "interim":
            hint = b"HTTP/1.1 103 Early Hints\r\nX-Id: %b\r\n\r\n" % order.ident.encode()
            return hint + hint + whole
        case "empty":
            return start.replace(b"200 OK", b"204 No Content") + b"\r\n"
        case "not-modified":
            return start.replace(b"200 OK", b"304 Not Modified") + b"\r\n"
        case "body-after-none":
            return start.replace(b"200 OK", b"204 No Content") + b"\r\n" + SMUGGLED
        case "extra":
            return whole + SMUGGLED
        case "interim-after":
            return whole + b"HTTP/1.1 103 Early Hints\r\nX-Id: smuggled\r\n\r\n"
        case "closes-after-head":
            return start + b"Content-Length: %d\r\n\r\n" % (order.size + 1)
        case "says-close-and-stays":
            return start + b"Connection: close\r\n" + whole[len(start) :]
        case "until-end":
            return start + b"\r\n" + whole.partition(b"\r\n\r\n")[2]
        case _:
            return whole


class UnrulyTarget(Target):
    """Notes in ``violations`` what no router may send, in ``runs`` how often each request came."""

    def __init__(self, background: Background, name: str, address: str, seed: int) -> None:
        self._rng = random.Random(seed)
        self.violations: list[str] = []
        self.runs: Counter[str] = Counter()
        self.hears_clients = False
        """Over tcp: then a head may break off."""
        super().__init__(background, name, address)

    @property
    def open_count(self) -> int:
        """Connections there are."""
        return len(self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        spoilt = ""
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                if error.partial and not self.hears_clients:
                    self.violations.append(f"half a head: {error.partial!r}")
                return
            order = self._order(head)
            if order is None:
                return
            if spoilt:
                self.violations.append(f"{order.ident} came over what {spoilt} had spoilt")
            self.runs[order.ident] += 1
            if order.deed == "early":
                writer.write(order.whole)
                await self._check_body(order, reader)
                continue
            await self._check_body(order, reader)
            after = await self._answer(order, reader, writer)
            if after is After.OVER:
                return
            if after is After.SPOILT:
                spoilt = order.ident

    def _order(self, head: bytes) -> Order | None:
        line, *lines = head.decode("latin-1")[:-4].split("\r\n")
        try:
            method, path, _ = line.split(" ")
            _, deed, size, ident = path.split("/")
            fields = {
                name.lower(): value.strip()
                for name, _, value in (each.partition(":") for each in lines)
            }
            if fields["x-id"] != ident or len(fields) != len(lines):
                raise ValueError(fields)
            return Order(method, deed, int(size), ident, fields)
        except (ValueError, KeyError):
            self.violations.append(f"no request of a client: {head!r}")
            return None

    async def _check_body(self, order: Order, reader: asyncio.StreamReader) -> None:
        body, size = b"", int(order.fields["x-body"])
        if "transfer-encoding" in order.fields:
            while length := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(length + 2))[:-2]
            if await reader.readuntil(b"\r\n") != b"\r\n":
                self.violations.append(f"trailers of {order.ident}")
        elif "content-length" in order.fields:
            body = await reader.readexactly(int(order.fields["content-length"]))
        if body != content(order.ident, size):
            self.violations.append(f"the body of {order.ident} is {body[:200]!r} ({len(body)})")

    async def _answer(
        self, order: Order, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> After:
        whole = order.whole
        if order.deed == HANG:
            await reader.read()
            writer.write(whole)
            return After.SPOILT
        if "upgrade" in order.fields and order.deed == "plain" and order.size:
            await self._tunnel(order, reader, writer)
            return After.OVER
        if order.deed in ("closes-unanswered", "resets-unanswered") and self.runs[order.ident] == 1:
            if order.deed == "resets-unanswered":
                abort(writer)
            return After.OVER
        if order.deed == "chunked":
            await self._in_chunks(order, writer)
        elif order.deed == "bytewise":
            for at in range(len(whole)):
                writer.write(whole[at : at + 1])
                await asyncio.sleep(0)
        elif order.deed in ("split", "late"):
            cut = self._rng.randrange(len(whole)) if order.deed == "split" else 0
            writer.write(whole[:cut])
            await asyncio.sleep(PAUSE_S)
            writer.write(whole[cut:])
        else:
            writer.write(_text(order))
        await writer.drain()
        if order.deed == "resets-after":
            abort(writer)
        return AFTER.get(order.deed, After.GOES_ON)

    async def _in_chunks(self, order: Order, writer: asyncio.StreamWriter) -> None:
        text = order.start + b"Transfer-Encoding: chunked\r\n\r\n"
        if order.method != "HEAD":
            body, rng = content(order.ident, order.size), self._rng
            while body:
                size = rng.choice((1, 7, 1_000, 70_000))
                text += b"%x\r\n%b\r\n" % (len(body[:size]), body[:size])
                body = body[size:]
            text += b"0\r\nX-Sum: %b\r\n\r\n" % order.ident.encode()
        cut = self._rng.randrange(len(text))
        writer.write(text[:cut])
        await asyncio.sleep(0)
        writer.write(text[cut:])

    async def _tunnel(
        self, order: Order, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Bytes that only this request's client may send come back to it."""
        writer.write(SWITCH + b"X-Id: %b\r\n\r\n" % order.ident.encode())
        got, wanted = b"", content(order.ident, order.size)
        while data := await reader.read(65_536):
            got += data
            writer.write(data)
        if not wanted.startswith(got):
            self.violations.append(f"the tunnel of {order.ident} brought {got[:200]!r}")

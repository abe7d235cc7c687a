"""Clients that check each byte of each answer, or leave at any moment."""

import asyncio
import itertools
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import msgspec

from tests.hostile.unruly_target import HANG, content
from tests.scenario.backends import abort

ANSWER_S = 60.0
RETRY_S = 0.02
SIZES = (0, 1, 30, 30, 30, 2_000, 20_000, 70_000)
SLOW_CLIENTS, SLOW_SIZE, SLOW_BUFFER_BYTES = 2, 300_000, 20_000
BYTEWISE_SIZE_MAX = 300
LEAVING = ("cut", "leave", "peek", "half", "slow-leave")


class WrongAnswerError(Exception):
    """Bytes that are not of this request."""


class Ask(msgspec.Struct, frozen=True):
    """One request, and the answer it must get."""

    method: str
    deed: str
    size: int
    ident: str
    text: bytes

    def __str__(self) -> str:
        return f"{self.method} /{self.deed}/{self.size}/{self.ident} ({len(self.text)})"

    @property
    def body(self) -> bytes:
        """What a whole answer brings, or the echo of a tunnel."""
        return content(self.ident, self.size)


async def _door(address: tuple[str, int], *, is_slow: bool) -> socket.socket:
    door = socket.socket()
    door.setblocking(False)
    if is_slow:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)
    try:
        await asyncio.get_running_loop().sock_connect(door, address)
    except OSError:
        door.close()
        raise
    return door


class Crowd:
    """What all clients share: ids, and what became of their requests."""

    def __init__(self, name: str, seed: int, deeds: Sequence[str]) -> None:
        self.rng = random.Random(seed)
        self._name = name
        self.deeds = deeds
        self.tally: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.posts: set[str] = set()
        self._numbers = itertools.count()

    async def visit(self, addresses: Sequence[tuple[str, int]], requests: int, many: int) -> None:
        """At least so many requests, by so ``many`` clients at once."""
        ends_at = self.tally["asked"] + requests

        async def client(address: tuple[str, int], *, is_slow: bool) -> None:
            while self.tally["asked"] < ends_at:
                try:
                    door = await _door(address, is_slow=is_slow)
                except OSError:  # It listens again in a moment.
                    await asyncio.sleep(RETRY_S)
                else:
                    await self._connection(door, is_slow=is_slow)

        places = itertools.cycle(addresses)
        await asyncio.gather(
            *(client(next(places), is_slow=number < SLOW_CLIENTS) for number in range(many))
        )

    def ask(self, *, deed: str = "", size: int = -1, is_last: bool = True) -> Ask:
        """A new request. ``is_last``: none follows before its answer, so it may ask to upgrade."""
        rng, ident = self.rng, f"{self._name}-{next(self._numbers)}"
        deed = deed or rng.choice(self.deeds)
        size = rng.choice(SIZES) if size < 0 else size
        if deed == "bytewise":
            size = min(size, BYTEWISE_SIZE_MAX)
        method = rng.choice(("GET", "GET", "POST", "PUT", "HEAD"))
        lines = [f"{method} /{deed}/{size}/{ident} HTTP/1.1", "Host: shop", f"X-Id: {ident}"]
        body = b""
        if method in ("POST", "PUT"):
            body = content(ident, rng.choice((0, 30, 3_000, 90_000)))
            if method == "POST":
                self.posts.add(ident)
        upgrades = is_last and method == "GET" and rng.random() < 0.1
        if upgrades:
            lines += ["Connection: Upgrade", "Upgrade: websocket"]
        lines.append(f"X-Body: {len(body)}")
        if body and rng.random() < 0.5:
            lines.append("Transfer-Encoding: chunked")
            cut = rng.randrange(1, len(body))
            parts = [part for part in (body[:cut], body[cut:]) if part]
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        elif method in ("POST", "PUT"):
            lines.append(f"Content-Length: {len(body)}")
        text = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        self.tally["asked"] += 1
        return Ask(method, deed, size, ident, text)

    async def _connection(self, door: socket.socket, *, is_slow: bool) -> None:
        """Some requests in order, perhaps several at once, until one or the other leaves."""
        reader, writer = await asyncio.open_connection(
            sock=door, limit=SLOW_BUFFER_BYTES if is_slow else 65_536
        )
        try:
            while await self._turn(reader, writer, is_slow=is_slow):
                pass
        except (WrongAnswerError, TimeoutError) as error:
            self.wrong.append(str(error) or "no answer to one that leaves")
        except (OSError, asyncio.IncompleteReadError):
            self.tally["torn"] += 1
        finally:
            if self.rng.random() < 0.5:
                abort(writer)
            else:
                writer.close()

    async def _turn(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_slow: bool
    ) -> bool:
        """One step; False: this client has had enough."""
        rng = self.rng
        how = rng.choice(("one", "one", "one", "pieces", "pipeline", "leaves"))
        if how == "leaves":
            async with asyncio.timeout(ANSWER_S):
                await self._leave(reader, writer)
            return False
        if is_slow:
            asks = [self.ask(deed=rng.choice(("plain", "chunked")), size=SLOW_SIZE)]
        else:
            further = rng.randint(1, 4) if how == "pipeline" else 0
            asks = [*(self.ask(is_last=False) for _ in range(further)), self.ask()]
        text = b"".join(ask.text for ask in asks)
        if how == "pieces":
            cut = rng.randrange(len(text))
            writer.write(text[:cut])
            await asyncio.sleep(rng.random() * 0.004)
            text = text[cut:]
        writer.write(text)
        for ask in asks:
            try:
                async with asyncio.timeout(ANSWER_S):
                    if not await self._check(ask, reader, writer, is_slow=is_slow):
                        return False
            except TimeoutError:
                raise WrongAnswerError(f"{ask} has no whole answer in time") from None
        return rng.random() < 0.9

    async def _leave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A request whose client leaves before the answer, or before the answer's end."""
        rng, how = self.rng, self.rng.choice(LEAVING)
        deed = HANG if rng.random() < 0.3 else ""
        ask = self.ask(deed=deed, size=SLOW_SIZE if how == "slow-leave" else -1)
        writer.write(ask.text if how != "cut" else ask.text[: rng.randrange(len(ask.text))])
        self.tally["left"] += 1
        if how == "half":
            writer.write_eof()
        if how in ("peek", "half", "slow-leave") and deed != HANG:
            self._of(ask, await reader.readuntil(b"\r\n\r\n"))
        else:
            await asyncio.sleep(rng.random() * 0.006)

    def _of(self, ask: Ask, head: bytes) -> tuple[int, dict[str, str]]:
        """Status and fields of a head that must be of ``ask``, or of the router."""
        line, *lines = head.decode("latin-1")[:-4].split("\r\n")
        status = int(line.split(" ")[1])
        fields = {
            name.lower(): value.strip()
            for name, _, value in (each.partition(":") for each in lines)
        }
        ident = fields.get("x-id")
        if ident != ask.ident and (ident is not None or "spillway-error" not in fields):
            raise WrongAnswerError(f"{ask} was answered {head!r}")
        return status, fields

    async def _check(
        self,
        ask: Ask,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_slow: bool,
    ) -> bool:
        """Read its answer; False: nothing more comes on this connection."""
        status = 100
        while 100 <= status < 200:
            head = await reader.readuntil(b"\r\n\r\n")
            status, fields = self._of(ask, head)
            if status == 101:
                await self._tunnel(ask, reader, writer)
                return False
        is_own = "spillway-error" in fields
        if ask.method == "HEAD" or status in (204, 304):
            self.tally["right"] += not is_own
            return fields.get("connection") != "close"
        got = bytearray()
        async for data in self._body(ask, fields, reader, is_slow=is_slow):
            got += data
            if not is_own and not ask.body.startswith(got):
                raise WrongAnswerError(f"{ask} got {got[:300]!r}")
        if is_own:
            self.tally[f"own {status}"] += 1
        elif got != ask.body:
            raise WrongAnswerError(f"{ask} got {len(got)} bytes as the whole")
        else:
            self.tally["right"] += 1
        return fields.get("connection") != "close"

    async def _body(
        self, ask: Ask, fields: dict[str, str], reader: asyncio.StreamReader, *, is_slow: bool
    ) -> AsyncIterator[bytes]:
        """The pieces of a body, as they come."""
        if "content-length" in fields:
            left = int(fields["content-length"])
            while left:
                data = await self._some(reader, left, is_slow=is_slow)
                left -= len(data)
                yield data
        elif "transfer-encoding" in fields:
            while left := int(await reader.readuntil(b"\r\n"), 16):
                while left:
                    data = await self._some(reader, left, is_slow=is_slow)
                    left -= len(data)
                    yield data
                await reader.readexactly(2)
            while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
                if line != b"X-Sum: %b\r\n" % ask.ident.encode():
                    raise WrongAnswerError(f"{ask} has the trailer {line!r}")
        else:
            yield await reader.read()

    async def _some(self, reader: asyncio.StreamReader, size: int, *, is_slow: bool) -> bytes:
        if is_slow and self.rng.random() < 0.02:
            await asyncio.sleep(0.02)
        data = await reader.read(min(size, 65_536))
        if not data:
            raise asyncio.IncompleteReadError(data, size)
        return data

    async def _tunnel(
        self, ask: Ask, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.tally["tunnels"] += 1
        writer.write(ask.body)
        if self.rng.random() < 0.3:
            return
        echo = await reader.readexactly(len(ask.body))
        if echo != ask.body:
            raise WrongAnswerError(f"{ask} heard {echo[:300]!r}")

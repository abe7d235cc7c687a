"""Clients that keep their connections, and targets that answer them in every way there is.

A path ends in the least length of its answer; the body repeats the path, so that no client takes
another's answer for its own. Chance decides how a target behaves.
"""

import random
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss, Network
from tests.simulation.storm_parties import CONTINUE, HTTP, unchunked

REQUESTS_MAX = 24
SIZES = (0, 10, 100, 100, 3000, 3000, 30_000)
LEAVES, SPLITS, REPEATS = 0.01, 0.3, 0.5  # How often a client does.

_LENGTH = re.compile(rb"Content-Length: (\d+)")
_BODY = b"x" * 2000
_KINDS = (  # Method, and what follows the Host field.
    *((b"GET", b"\r\n"),) * 9,
    (b"HEAD", b"\r\n"),
    (b"POST", b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)),
    (b"PUT", b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)),
    (b"PUT", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    # It need not wait for the 100, and does not.
    (b"PUT", b"Expect: 100-continue\r\nContent-Length: 300\r\n\r\n" + _BODY[:300]),
)


def body_of(path: bytes) -> bytes:
    """What a target answers."""
    return (path + b"|") * (int(path.split(b"/")[2]) // len(path) + 1)


class KeptClient:
    """One connection, many requests: one by one or several at once.

    An answer that is not that of the request whose turn it is raises at once.
    """

    def __init__(
        self, network: Network, rng: random.Random, number: int, statuses: Counter[int]
    ) -> None:
        self.over = False
        """Nothing more comes: it left, or was left."""
        self.asked: list[tuple[bytes, bytes]] = []
        """Method and path of requests not answered yet, in order."""
        self._network, self._rng, self._number = network, rng, number
        self._statuses = statuses
        self._got = b""
        self._left = rng.randrange(1, REQUESTS_MAX + 1)
        self._connection: Connection | None = None
        network.dial("127.0.0.1", HTTP.port, self._connected, self._failed, timeout_s=2.0)

    def leave(self) -> None:
        """Reset, if it is still there."""
        if self._connection is not None and not self.over:
            self._connection.abort()
            self.over = True

    def _connected(self, connection: Connection) -> ConnectionHandler:
        self._connection = connection
        self._ask()
        return self

    def _failed(self, failure: DialFailure) -> None:
        self.over = True

    def _ask(self) -> None:
        if self.over or self._connection is None:
            return
        if not self._left:
            self._connection.finish()
            return
        count = min(self._left, self._rng.choice((1, 1, 1, 1, 2, 5)))
        requests = b"".join(self._request() for _ in range(count))
        at = self._rng.randrange(len(requests)) if self._rng.random() < SPLITS else 0
        if at:
            self._connection.send(requests[:at])
        self._later(0.001 if at else 0.0, lambda: self._send(requests[at:]))

    def _request(self) -> bytes:
        chance = self._rng
        self._left -= 1
        is_repeated = chance.random() < REPEATS  # Routers remember such a head.
        serial = self._left % 2 if is_repeated else self._left + 2
        path = b"/%d-%d/%d" % (self._number, serial, chance.choice(SIZES))
        method, rest = chance.choice(_KINDS)
        self.asked.append((method, path))
        return b"%b %b HTTP/1.1\r\nHost: s\r\n%b" % (method, path, rest)

    def _later(self, delay_s: float, do: Callable[[], None]) -> None:
        if delay_s:
            self._network.call_at(self._network.now() + delay_s, do)
        else:
            do()

    def _send(self, data: bytes) -> None:
        if self._connection is not None and not self.over:
            self._connection.send(data)

    # ConnectionHandler

    def received(self, data: memoryview) -> None:
        self._got += data
        while self.asked and self._take():
            pass
        if self._rng.random() < LEAVES:
            self.leave()
        elif not self.asked:
            assert not self._got, f"nobody asked for {self._got[:200]!r}"
            self._later(self._rng.choice((0.0, 0.0, 0.0, 0.001, 0.5)), self._ask)

    def ended(self) -> None:
        self.over = True
        assert self._connection is not None
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self.over = True

    # Receiving.

    def _take(self) -> bool:
        """Take one response off the received bytes; False: it is not whole yet."""
        head, found, rest = self._got.partition(b"\r\n\r\n")
        if not found:
            return False
        status = int(head[9:12])
        if status >= 200:
            method, path = self.asked[0]
            parted = _parted(head, rest, has_body=method != b"HEAD" and status != 204)
            if parted is None:
                return False
            body, rest = parted
            if status == 204 or (status == 200 and method == b"HEAD"):
                assert b"X-Path: %b\r\n" % path in head + b"\r\n", f"{path!r}: {head!r}"
            elif status == 200:
                assert body == body_of(path), f"{method!r} {path!r}: {head!r} {body[:80]!r}"
            self._statuses[status] += 1
            del self.asked[0]
        self._got = rest
        return True


def _parted(head: bytes, rest: bytes, *, has_body: bool) -> tuple[bytes, bytes] | None:
    """The body, and the bytes after it; None: it is not whole yet."""
    if not has_body:
        return b"", rest
    length = _LENGTH.search(head)
    if length is None:
        body, after = unchunked(rest)
        return None if after is None else (body, after)
    size = int(length[1])
    return (rest[:size], rest[size:]) if len(rest) >= size else None


class MoodyTarget:
    """A server that takes its time, answers whole or in parts in one of five ways, or resets."""

    def __init__(self, network: Network, rng: random.Random) -> None:
        self.network, self.rng = network, rng
        network.listen("127.0.0.1", HTTP.port + 1000, self._accept)

    def _accept(self, connection: Connection) -> ConnectionHandler:
        return _TargetConnection(self, connection)


class _TargetConnection:
    """One request after another."""

    def __init__(self, target: MoodyTarget, connection: Connection) -> None:
        self._target, self._connection = target, connection
        self._got = b""
        self._is_busy = self._is_over = False

    def received(self, data: memoryview) -> None:
        self._got += data
        self._look()

    def _look(self) -> None:
        head, found, rest = self._got.partition(b"\r\n\r\n")
        if self._is_busy or self._is_over or not found:
            return
        if b"100-continue" in head and not rest:
            self._connection.send(CONTINUE)
        parted = _parted(head, rest, has_body=b"Length: " in head or b"chunked" in head)
        if parted is None:
            return
        self._got = parted[1]
        self._is_busy = True
        pause_s = self._target.rng.choice((0, 0, 0, 0.001, 0.02, 0.2))
        self._later(pause_s, lambda: self._answer(*head.split(b" ")[:2]))

    def _answer(self, method: bytes, path: bytes) -> None:
        if self._is_over:
            return
        chance = self._target.rng
        how = chance.choices(("length", "chunked", "empty", "closed", "reset"), (80, 8, 5, 5, 2))[0]
        if how == "reset":
            self._is_over = True
            self._connection.abort()
            return
        early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" if chance.random() < 0.1 else b""
        whole = early + _response(how, path, is_head=method == b"HEAD")
        cuts = sorted(
            chance.randrange(len(whole) + 1) for _ in range(chance.choice((0, 0, 0, 0, 0, 0, 1, 3)))
        )
        parts = [whole[a:b] for a, b in pairwise((0, *cuts, len(whole)))]
        self._send(parts, closes=how == "closed")

    def _send(self, parts: list[bytes], *, closes: bool) -> None:
        if self._is_over:
            return
        self._connection.send(parts[0])
        if parts[1:]:
            pause_s = self._target.rng.choice((0, 0.002))
            self._later(pause_s, lambda: self._send(parts[1:], closes=closes))
        elif closes:
            self._is_over = True
            self._connection.finish()
        else:
            self._is_busy = False
            self._look()

    def _later(self, delay_s: float, do: Callable[[], None]) -> None:
        network = self._target.network
        network.call_at(network.now() + delay_s, do)

    def ended(self) -> None:
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self._is_over = True


def _response(how: str, path: bytes, *, is_head: bool) -> bytes:
    if how == "empty":
        return b"HTTP/1.1 204 No Content\r\nX-Path: %b\r\n\r\n" % path
    body = body_of(path)
    fields = b"X-Path: %b\r\n" % path if is_head else b""
    if how == "closed":
        fields += b"Connection: close\r\n"
    if how == "chunked":
        fields += b"Transfer-Encoding: chunked\r\n"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        fields += b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (fields, b"" if is_head else body)

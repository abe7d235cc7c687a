"""A Redis of a test's own, and a client that speaks its protocol (RESP2) line by line."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from tests.scenario.postgres import program
from tests.scenario.waiting import until

TIMEOUT_S = 20.0
Reply = bytes | int | None | list["Reply"]


class RedisError(Exception):
    """The server's own words."""


class Redis:
    """A server without files, ended with `close`."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.port = address, port
        self.directory = Path(tempfile.mkdtemp(prefix="spillway-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Redis":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> None:
        """Start it; it need not answer yet."""
        with (self.directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(program("redis-server"), "--bind", self.address, "--port", str(self.port)),
                    *("--save", "", "--appendonly", "no", "--dir", str(self.directory)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self) -> "Redis":
        """Start it; returns when it answers."""
        self.begin()
        until(self.answers, "Redis answers", TIMEOUT_S)
        return self

    def answers(self) -> bool:
        """Whether it takes commands, asked directly."""
        with contextlib.suppress(OSError), Client(self.address, self.port) as client:
            return client.ask("PING") == b"PONG"
        return False

    def stop(self) -> None:
        """Stop it; returns when it is gone."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(TIMEOUT_S)
            self._process = None

    def close(self) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self.directory)


class Client:
    """One connection. OSError when it breaks; EOFError when the server closed it."""

    def __init__(self, address: str, port: int, timeout_s: float = TIMEOUT_S) -> None:
        self.socket = socket.create_connection((address, port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        self._file.close()
        self.socket.close()

    def send(self, *words: str | bytes) -> None:
        """Send one command; `reply` has its result."""
        self.socket.sendall(command(*words))

    def ask(self, *words: str | bytes) -> Reply:
        """Send one command and take its reply."""
        self.send(*words)
        return self.reply()

    def reply(self) -> Reply:
        """The next reply, or what a subscription or a monitor brings."""
        line = self._file.readline()
        if not line:
            raise EOFError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        return rest


def command(*words: str | bytes) -> bytes:
    """One command as it goes over the wire."""
    parts = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)

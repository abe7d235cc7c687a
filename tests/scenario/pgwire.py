"""A client of PostgreSQL in a few lines, for what psql hides: when a session ends, and how.

Protocol 3.0, simple queries only (PostgreSQL documentation, chapter "Frontend/Backend Protocol").
"""

import socket
import struct
from types import TracebackType

TIMEOUT_S = 20.0
PROTOCOL = 196_608  # 3.0
CANCEL = 80_877_102


class PgError(Exception):
    """The server refused; ``code`` is its SQLSTATE, ``fatal`` that the session is over."""

    def __init__(self, code: str, message: str, *, fatal: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.fatal = code, fatal


class Session:
    """One connection. OSError when it breaks; EOFError when the server closed it."""

    def __init__(
        self, address: str, port: int, user: str = "app", timeout_s: float = TIMEOUT_S
    ) -> None:
        self.process, self.secret = 0, 0
        self.notified: list[tuple[str, str]] = []
        self._place = (address, port)
        self._buffer = b""
        self.socket = socket.create_connection(self._place, timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        words = b"user\0%b\0database\0postgres\0\0" % user.encode()
        try:
            self.socket.sendall(struct.pack("!II", len(words) + 8, PROTOCOL) + words)
            self._until_ready()
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave, telling the server if it still listens."""
        try:
            self.socket.sendall(b"X\0\0\0\4")
        except OSError:
            return  # It was gone before.
        finally:
            self.socket.close()

    def send(self, text: str) -> None:
        """Ask; `answer` has the rows that come back."""
        words = text.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!I", len(words) + 4) + words)

    def answer(self) -> list[tuple[str | None, ...]]:
        """Rows of the query that was sent."""
        return self._until_ready()

    def query(self, text: str) -> list[tuple[str | None, ...]]:
        """Rows of ``text``."""
        self.send(text)
        return self._until_ready()

    def value(self, text: str) -> str:
        """The only cell of ``text``."""
        ((cell,),) = self.query(text)
        assert cell is not None
        return cell

    def cancel(self) -> None:
        """Cancel what runs, as drivers do it: over a second connection to the same place."""
        with socket.create_connection(self._place, TIMEOUT_S) as door:
            door.sendall(struct.pack("!IIII", 16, CANCEL, self.process, self.secret))
            assert door.recv(1) == b""

    def wait_notified(self) -> tuple[str, str]:
        """The next notification: its channel and its text."""
        while not self.notified:
            self._note(*self._message())
        return self.notified.pop(0)

    def wait_closed(self) -> str:
        """What the server last said before it closed, empty if nothing; OSError on a reset."""
        last = ""
        while True:
            try:
                self._note(*self._message())
            except PgError as error:
                last = str(error)
            except EOFError:
                return last

    def _until_ready(self) -> list[tuple[str | None, ...]]:
        rows: list[tuple[str | None, ...]] = []
        failed: PgError | None = None
        while True:
            kind, body = self._message()
            if kind == b"D":
                rows.append(_cells(body))
                continue
            if kind == b"Z":
                if failed is not None:
                    raise failed
                return rows
            try:
                self._note(kind, body)
            except PgError as error:
                if error.fatal:
                    raise
                failed = error

    def _note(self, kind: bytes, body: bytes) -> None:
        if kind == b"E":
            fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
            fatal = fields[b"V"] in ("FATAL", "PANIC")
            raise PgError(fields[b"C"], fields[b"M"], fatal=fatal)
        if kind == b"K":
            self.process, self.secret = struct.unpack("!II", body)
        elif kind == b"A":
            channel, text, _ = body[4:].split(b"\0")
            self.notified.append((channel.decode(), text.decode()))

    def _message(self) -> tuple[bytes, bytes]:
        kind, size = struct.unpack("!cI", self._read(5))
        return kind, self._read(size - 4)

    def _read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError("the server closed the connection")
            self._buffer += data
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken


def _cells(body: bytes) -> tuple[str | None, ...]:
    (count,) = struct.unpack_from("!H", body)
    cells: list[str | None] = []
    at = 2
    for _ in range(count):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        cells.append(None if size < 0 else body[at : at + size].decode())
        at += max(size, 0)
    return tuple(cells)

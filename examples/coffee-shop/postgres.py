"""The least of a PostgreSQL client: one connection, simple queries, no password (protocol 3.0)."""

import socket
import struct


class Database:
    """One session. OSError when it breaks, RuntimeError with the words of the server."""

    def __init__(self, host: str, port: int, user: str, database: str = "postgres") -> None:
        self._socket = socket.create_connection((host, port), 20)
        self._file = self._socket.makefile("rb")
        words = b"\0".join([b"user", user.encode(), b"database", database.encode(), b"", b""])
        self._socket.sendall(struct.pack("!ii", len(words) + 8, 196_608) + words)
        self._rows()

    def query(self, text: str) -> list[tuple[str, ...]]:
        """The rows of a query, all cells as text, NULL as nothing."""
        data = text.encode() + b"\0"
        self._socket.sendall(b"Q" + struct.pack("!i", len(data) + 4) + data)
        return self._rows()

    def _rows(self) -> list[tuple[str, ...]]:
        rows, error = [], ""
        while True:
            kind, size = struct.unpack("!ci", self._exactly(5))
            body = self._exactly(size - 4)
            if kind == b"D":
                rows.append(tuple(_cells(body)))
            elif kind == b"E":
                error = body.replace(b"\0", b" ").decode(errors="replace")
                if body.startswith(b"SFATAL"):
                    raise RuntimeError(error)
            elif kind == b"R" and body != b"\0\0\0\0":
                raise RuntimeError("the server wants a password; this client has none")
            elif kind == b"Z":
                if error:
                    raise RuntimeError(error)
                return rows

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionError("PostgreSQL closed the connection")
        return data


def _cells(body: bytes) -> list[str]:
    cells, at = [], 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        cells.append(body[at : at + max(size, 0)].decode())
        at += max(size, 0)
    return cells


def quoted(text: str) -> str:
    """A text within a query."""
    return "'" + text.replace("\0", "").replace("\\", "\\\\").replace("'", "''") + "'"

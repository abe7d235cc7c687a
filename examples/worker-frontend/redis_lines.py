"""The least of a Redis client: commands and replies (RESP2) over one connection."""

import socket

Reply = bytes | int | None | list["Reply"]


class Redis:
    """One connection. OSError when it breaks, RuntimeError with the server's words."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), 20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def ask(self, *words: str) -> Reply:
        """Send one command and take its reply."""
        parts = [word.encode() for word in words]
        lines = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n" % len(parts) + lines)
        return self.reply()

    def listen(self) -> Reply:
        """The next message of a subscription, however long that takes."""
        self._socket.settimeout(None)
        return self.reply()

    def reply(self) -> Reply:
        line = self._file.readline()
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        return rest

"""The bytes with which an HTTP/2 client begins (RFC 9113, 3.4)."""

from router.http.http2.codes import PREFACE


class Preface:
    """Takes a client's first bytes, cut anywhere."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = b""

    def feed(self, data: memoryview) -> memoryview | None:
        """The bytes after the preface; None: it is not complete, or `is_other`."""
        self._seen = seen = self._seen + bytes(data)
        if len(seen) < len(PREFACE) or self.is_other:
            return None
        return memoryview(seen)[len(PREFACE) :]

    @property
    def is_other(self) -> bool:
        """The client speaks another protocol."""
        return not PREFACE.startswith(self._seen[: len(PREFACE)])

    @property
    def is_like_http1(self) -> bool:
        """The first bytes could be those of an HTTP/1 request."""
        first = self._seen[:1]
        return first.isupper() and first.isascii()

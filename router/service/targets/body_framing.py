"""The body of one request on its way to an HTTP/1.1 target."""

from collections.abc import Sequence

from router.http.http1 import render
from router.net.ports import Buffer


class BodyFraming:
    """The rest of a request's body, by its declared length or in chunks.

    A body that is not of its declared length is torn: nothing frames the rest of it.
    """

    __slots__ = ("_left", "_trailers")

    def __init__(self, body_bytes: int) -> None:
        """``body_bytes``: its declared length; negative: it goes in chunks."""
        self._left = body_bytes
        self._trailers = b""

    def framed(self, data: Buffer) -> Sequence[Buffer] | None:
        """``data``, which is not empty, as it is sent; None: the request is torn."""
        if self._left < 0:
            return render.chunk(data)
        size = len(data)
        if size > self._left:
            return None
        self._left -= size
        return (data,)

    def end_with(self, trailers: bytes) -> None:
        """Set the trailer block after the last chunk, if there is one."""
        self._trailers = trailers

    def last(self) -> Sequence[Buffer] | None:
        """The end of the body; None: the request is torn."""
        if self._left < 0:
            return (render.last_chunk(self._trailers),)
        return () if self._left == 0 else None

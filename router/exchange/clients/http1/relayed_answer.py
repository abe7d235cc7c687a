"""The final answer to one request, as its client gets it when it comes in parts."""

from router.http.http1 import render
from router.http.http1.canonical import STATUS_AT, UPGRADE_REQUIRED
from router.http.http1.render import ClientFraming
from router.http.http1.request_heads import RequestHead
from router.net.ports import Buffer


def framing_of(request: RequestHead, *, close: bool) -> ClientFraming:
    """The framing of answers for a client that sent ``request``."""
    return ClientFraming(head_only=request.head_only, old=request.old, close=close)


class RelayedAnswer:
    """``head`` is ready for the client. The body must be as long as the head declares.

    ``closes``: no request follows it.
    """

    __slots__ = ("_chunked", "_left", "_trailers", "closes", "head", "status")

    def __init__(
        self, head: bytes, body_bytes: int, request: RequestHead, via: bytes, *, closes: bool
    ) -> None:
        self.status = status = int(head[STATUS_AT])
        bodiless = request.head_only or status == 204 or status == 304
        until_close = request.old and body_bytes < 0 and not bodiless
        self.closes = closes = closes or until_close or not request.keep_alive
        self._chunked = False
        if status == UPGRADE_REQUIRED:
            head = render.with_upgrade(head)
        if body_bytes >= 0 and status != 204 and not closes and not request.old:
            self.head = render.sized_response(head, body_bytes, via)  # The most common.
        else:
            framing = framing_of(request, close=closes)
            self.head, self._chunked = render.response_to_client(
                head, status, body_bytes, framing, via
            )
        self._left = 0 if bodiless else body_bytes  # -1: not declared.
        self._trailers = b""

    def parts(self, data: memoryview) -> tuple[Buffer, ...] | None:
        """The body's next ``data``, which is not empty, for the client; None: it is too long."""
        if self._chunked:
            return render.chunk(data)
        if self._left >= 0:
            self._left -= len(data)
            if self._left < 0:
                return None
        return (data,)

    def end_with(self, trailers: bytes) -> None:
        """Set the trailer lines, which come before the end."""
        self._trailers = trailers

    def last_part(self) -> bytes | None:
        """The body is complete: returns the end for the client; None: it is too short."""
        if self._left > 0:
            return None
        return render.last_chunk(self._trailers) if self._chunked else b""

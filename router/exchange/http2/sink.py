"""Who is told what the frames of a connection say."""

from typing import Protocol

from router.exchange.http2.blocks import Block


class WireSink(Protocol):
    """Who is told what the peer sent. Nothing more comes after `failed`."""

    def opened(self, stream_id: int, fields: Block, ended: bool) -> None:
        """Server: the head of a new request."""

    def head(self, stream_id: int, fields: Block, ended: bool) -> None:
        """Client: a response head, 1xx or final."""

    def whole(self, stream_id: int, fields: Block, data: memoryview) -> None:
        """Client: a final head, data and the end, of a stream on which we have ended too."""

    def data(self, stream_id: int, data: memoryview, credit_bytes: int, ended: bool) -> None:
        """``credit_bytes``: what it took of the stream's window, padding included."""

    def trailers(self, stream_id: int, fields: Block) -> None:
        """And the end of the peer's direction."""

    def reset(self, stream_id: int, code: int) -> None:
        """By the peer."""

    def broken(self, stream_id: int, code: int, reason: str) -> None:
        """Reset by us: the peer broke the rules of this stream."""

    def room(self, stream_id: int) -> None:
        """The peer gave credit; stream 0: for all streams."""

    def settled(self) -> None:
        """The peer's first settings, or newer ones."""

    def agreed(self) -> None:
        """The peer has taken over our settings."""

    def going_away(self, last_id: int, code: int) -> None:
        """The peer processes no stream above ``last_id``."""

    def pong(self) -> None: ...

    def failed(self, code: int, reason: str) -> None:
        """A connection error; our GOAWAY is in the output."""

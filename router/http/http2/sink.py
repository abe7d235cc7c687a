"""The receiver of a connection's frames."""

from typing import Protocol, TypeVar

from router.http.http2.blocks import Block
from router.http.http2.wire_streams import WireStream

S_contra = TypeVar("S_contra", bound=WireStream, contravariant=True)


class WireSink(Protocol[S_contra]):
    """Receives the peer's messages. Nothing more comes after `failed`.

    A stream's state already shows which directions have ended before the call that reports it.
    """

    def opened(self, stream: S_contra, fields: Block, ended: bool) -> None:
        """Server: the head of a new request."""

    def head(self, stream: S_contra, fields: Block, ended: bool) -> None:
        """Client: a response head, 1xx or final."""

    def whole(self, stream: S_contra, fields: Block, data: memoryview) -> None:
        """Client: a final head, data and the end, on a stream on which we have ended too."""

    def data(self, stream: S_contra, data: memoryview, credit_bytes: int, ended: bool) -> None:
        """``credit_bytes``: the part of the stream's window that was used, including padding."""

    def trailers(self, stream: S_contra, fields: Block) -> None:
        """Trailers, which also end the peer's direction."""

    def reset_by_peer(self, stream: S_contra, code: int) -> None:
        """The stream is over."""

    def broken(self, stream: S_contra, code: int, reason: str) -> None:
        """We reset the stream: the peer broke its rules."""

    def room(self, stream: S_contra | None) -> None:
        """The peer gave credit; None: for all streams."""

    def settled(self) -> None:
        """The peer's first settings, or newer ones."""

    def agreed(self) -> None:
        """The peer has acknowledged our settings."""

    def going_away(self, last_id: int, code: int) -> None:
        """The peer processes no stream above ``last_id``."""

    def pong(self) -> None: ...

    def warned(self) -> None:
        """Server: the client broke off too many streams. If it continues, `failed` follows."""

    def failed(self, code: int, reason: str) -> None:
        """A connection error; our GOAWAY is in the output."""

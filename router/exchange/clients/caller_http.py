"""One request of a client session and its response: what a leg tells, rendered for the client."""

import enum
from collections.abc import Callable
from typing import Protocol

from router.exchange.http1 import render
from router.exchange.http1.grammar import HttpError
from router.exchange.http1.render import ClientFraming
from router.exchange.http1.request_heads import RequestHead
from router.exchange.http1.websocket_frames import RESTARTING, WebSocketFrames
from router.exchange.ports import ClientLeg, LegFailure, Request, tell_in_parts
from router.net.ports import Buffer

CLIENT_GONE = 499  # Never sent: what is counted when nobody was left to answer.
_SWITCHED = 101


class HttpClient(Protocol):
    """The session, as its caller sees it. None of these calls back."""

    def write(self, *parts: Buffer) -> bool:
        """Towards the client. False: `HttpCaller.client_writable` follows."""

    def write_interim(self, head: bytes) -> None:
        """A 1xx towards the client: it gives time to send a body, and none to answer."""

    def deliver(self, head: bytes, size_bytes: int, body: Buffer) -> bool:
        """A whole response, declared as long as it is, to a client that wants no word more of it.

        True: that is all, `over` included; False: nothing was done.
        """

    @property
    def flush(self) -> Callable[[], object]:
        """What was written leaves now."""

    def allow(self) -> None:
        """The leg takes body bytes again."""

    def closes_after_this(self) -> bool:
        """No further request is wanted on this connection."""

    @property
    def follows_frames(self) -> bool:
        """A WebSocket's client may be told to connect again: know where a frame ends."""

    def switched(self) -> None:
        """From now on bytes are raw both ways."""

    def finish(self) -> None:
        """Nothing more will be written: the tunnel's end towards the client."""

    def answer(self, error: HttpError, framing: ClientFraming) -> None:
        """Write a whole answer of ours."""

    def with_request_id(self, head: bytes, request_id: bytes) -> bytes:
        """A response's head that carries the request's id."""

    def over(self, status: int, *, close: bool) -> None:
        """The response was delivered whole."""

    def torn(self, status: int) -> None:
        """The response cannot be completed: the client must not take it for whole."""


class _Phase(enum.Enum):
    WAITING = enum.auto()  # No final head yet.
    BODY = enum.auto()
    ENDED = enum.auto()  # The response is complete, `done` has yet to come.
    TUNNEL = enum.auto()
    FRAMES = enum.auto()  # A tunnel of WebSocket frames that are followed.
    DISMISSED = enum.auto()  # Likewise; its client was told to connect again.
    OVER = enum.auto()


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_WAITING = _Phase.WAITING
_BODY = _Phase.BODY
_ENDED = _Phase.ENDED
_TUNNEL = _Phase.TUNNEL
_FRAMES = _Phase.FRAMES
_DISMISSED = _Phase.DISMISSED
_OVER = _Phase.OVER
_TUNNELS = (_TUNNEL, _FRAMES, _DISMISSED)


class HttpCaller:
    """`LegHandler` of one request. ``leg`` is set by the session right after opening it.

    A response is complete only if its leg says so and its length is the declared one.
    """

    __slots__ = (
        "_chunked",
        "_client",
        "_close",
        "_continued",
        "_frames",
        "_head",
        "_left",
        "_phase",
        "_request",
        "_status",
        "_trailers",
        "_via",
        "body_bytes_seen",
        "is_request_complete",
        "leg",
        "request_id",
    )

    leg: ClientLeg

    def __init__(
        self,
        client: HttpClient,
        head: RequestHead,
        request: Request,
        via: bytes,
        request_id: bytes = b"",
    ) -> None:
        self._client = client
        self._head = head
        self._request = request
        self._via = via
        self.request_id = request_id  # Empty: responses carry none.
        self._phase = _WAITING
        self._status = 0
        self._left = -1  # Bytes of response body to come, -1: not declared.
        self._chunked = False
        self._close = False
        self._continued = False
        self._trailers = b""
        self._frames: WebSocketFrames | None = None  # Of what the target says.
        self.body_bytes_seen = 0
        self.is_request_complete = False

    # What the session tells.

    @property
    def is_tunnel(self) -> bool:
        return self._phase in _TUNNELS

    @property
    def awaits_client(self) -> bool:
        """It is the client's turn to send body bytes, and no answer is out."""
        waits_for_100 = self._head.expects and not self._continued and not self.body_bytes_seen
        return self._phase is _WAITING and not self.is_request_complete and not waits_for_100

    @property
    def awaits_answer(self) -> bool:
        """The request is complete, and no final head has come."""
        return self._phase is _WAITING and self.is_request_complete

    def body(self, data: memoryview) -> bool:
        """Body of the request, or raw bytes. False: `HttpClient.allow` follows."""
        self.body_bytes_seen += len(data)
        return self._phase is _OVER or self.leg.send(data)

    def request_trailers(self, block: bytes) -> None:
        self.leg.send_trailers(block)

    def request_complete(self) -> None:
        """Of one with a body. With an upgrade, the response decides what comes next."""
        self.leg.finish()

    def client_ended(self) -> None:
        """The end of the client's direction of a tunnel."""
        self.leg.finish()

    @property
    def can_dismiss(self) -> bool:
        """`dismiss` has a word for its client."""
        return self._phase is _FRAMES

    def dismiss(self) -> bool:
        """Tell the client of a WebSocket to connect again; False: not now, or not again.

        What it says until it closes, its Close too, reaches the target, which ends the exchange;
        what the target says from now on reaches nobody.
        """
        frames = self._frames
        if self._phase is not _FRAMES or frames is None or not frames.is_between:
            return False
        if not frames.is_closed:
            self._client.write(RESTARTING)
            self._client.flush()
        self._phase = _DISMISSED
        return True

    def client_writable(self) -> None:
        if self._phase is not _OVER:
            self.leg.resume()

    def client_gone(self) -> int:
        """Stop. The status to count."""
        self._phase = _OVER
        self.leg.client_gone()
        return self._status or CLIENT_GONE

    def dropped(self) -> int:
        """As `client_gone`, but it was we who reset the client."""
        self._phase = _OVER
        self.leg.abort()
        return self._status or CLIENT_GONE

    def refuse(self, error: HttpError, *, is_gone: bool = False) -> None:
        """The request went wrong after its head: answer if that is still possible.

        ``is_gone``: since the client left, as far as anybody can tell.
        """
        answerable = self._phase is _WAITING
        self._phase = _OVER
        if is_gone:
            self.leg.client_gone()
        else:
            self.leg.abort()
        if answerable:
            self._answer(error, close=True)
        else:
            self._client.torn(self._status)

    # What the leg tells.

    def opened(self) -> None:
        """Nothing to do: bytes were sent from the start."""

    def head(self, head: bytes, body_bytes: int) -> None:
        if self._phase is not _WAITING:
            return
        status = int(head[9:12])
        if status == _SWITCHED:
            self._switch(head)
        elif status < 200:
            self._continued = self._continued or status == 100
            if not self._head.old:
                self._client.write_interim(render.interim_to_client(head, self._via))
        else:
            self._final(head, status, body_bytes)

    def received(self, data: memoryview) -> None:
        if self._phase is _BODY:
            size = len(data)
            if not size:
                return
            if self._chunked:
                going = self._client.write(*render.chunk(data))
            else:
                if self._left >= 0:
                    self._left -= size
                    if self._left < 0:
                        self._tear()
                        return
                going = self._client.write(data)
        elif self._phase is _TUNNEL:
            going = self._client.write(data)
        elif self._phase is _FRAMES:
            assert self._frames is not None, "frames without their reader"
            self._frames.feed(data)
            going = self._client.write(data)
        else:
            return
        if not going:
            self.leg.pause()

    def trailers(self, block: bytes) -> None:
        self._trailers = block

    def ended(self) -> None:
        if self._phase is _BODY:
            if self._left > 0:
                self._tear()
                return
            self._phase = _ENDED
            if self._chunked:
                self._client.write(render.last_chunk(self._trailers))
            self._client.flush()
        elif self._phase in _TUNNELS:
            self._client.finish()

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        request = self._head
        if (
            self._phase is _WAITING
            and body_bytes == len(body)
            and request.is_usual
            and self.is_request_complete
            and not self.request_id
            and self._client.deliver(head, body_bytes, body)
        ):
            del self.leg  # As in `done`.
            self._phase = _OVER
        else:
            tell_in_parts(self, head, body_bytes, body)

    def writable(self) -> None:
        if self._phase is not _OVER:
            self._client.allow()

    def done(self, failure: LegFailure | None) -> None:
        del self.leg  # It holds us: let no cycle wait for the collector.
        phase, self._phase = self._phase, _OVER
        if phase is _OVER:
            return
        if phase is _ENDED:
            self._client.over(self._status, close=self._close)
        elif phase in _TUNNELS and failure is None:
            self._client.over(_SWITCHED, close=True)
        elif phase is _WAITING:
            failure = failure if failure is not None else LegFailure("internal")
            self._answer(render.failure_error(failure), close=not self.is_request_complete)
        else:
            self._client.torn(self._status)

    # Steps.

    def _switch(self, head: bytes) -> None:
        if not self._request.upgrade:
            self._phase = _OVER
            self.leg.abort()
            self._answer(render.failure_error(LegFailure("bad-response")), close=True)
            return
        self._phase = _TUNNEL
        if self._client.follows_frames and self._request.upgrade == "websocket":
            self._phase, self._frames = _FRAMES, WebSocketFrames()
        self._status = _SWITCHED
        if self.request_id:
            head = self._client.with_request_id(head, self.request_id)
        self._client.write(render.switch_to_client(head, self._request.upgrade, self._via))
        self._client.switched()

    def _final(self, head: bytes, status: int, body_bytes: int) -> None:
        self._phase = _BODY
        self._client.write(self._final_head(head, status, body_bytes))
        if self._request.upgrade:
            self.leg.finish()

    def _final_head(self, head: bytes, status: int, body_bytes: int) -> bytes:
        self._status = status
        request = self._head
        if self.request_id:
            head = self._client.with_request_id(head, self.request_id)
        bodiless = request.head_only or status == 204 or status == 304
        # Who was refused while waiting for 100 may send the body or not: nobody can tell which.
        unclear = request.expects and not self._continued and not self.body_bytes_seen
        until_close = request.old and body_bytes < 0 and not bodiless
        self._close = close = (
            unclear or until_close or not request.keep_alive or self._client.closes_after_this()
        )
        if body_bytes >= 0 and status != 204 and not close and not request.old:
            rendered = render.sized_response(head, body_bytes, self._via)  # The commonest.
        else:
            rendered, self._chunked = render.response_to_client(
                head, status, body_bytes, self._framing(close), self._via
            )
        self._left = 0 if bodiless else body_bytes
        return rendered

    def _answer(self, error: HttpError, *, close: bool) -> None:
        close = close or self._closes()
        self._status = error.status
        self._client.answer(error, self._framing(close))
        self._client.over(error.status, close=close)

    def _tear(self) -> None:
        self._phase = _OVER
        self.leg.abort()
        self._client.torn(self._status)

    def _closes(self) -> bool:
        return not self._head.keep_alive or self._client.closes_after_this()

    def _framing(self, close: bool) -> ClientFraming:
        return ClientFraming(head_only=self._head.head_only, old=self._head.old, close=close)

"""Whole answers of ours on streams of HTTP/2 clients."""

import random

from router.http.http1 import render
from router.http.http1.grammar import HttpError
from router.http.http1.render import ClientFraming
from router.http.http2 import codes
from router.http.http2.answers import own_answer
from router.http.http2.blocks import encoded
from router.http.http2.heads import JudgedRequest
from router.http.http2.stream_states import ALL_HEARD, ENDED
from router.http.http2.streams import FinishedStreamUser, Http2Stream
from router.service.request_ids import RequestIds

SPEAKS_HTTP2 = HttpError(
    505, "version-not-supported", "This service speaks HTTP/2, from the first byte on."
)
ANONYMOUS = JudgedRequest(head=b"", body_bytes=0, idempotent=False, head_only=False, grpc=False)
"""A request that could not be read."""

_CLOSE = ClientFraming(head_only=False, old=False, close=True)


class AnsweredStream(FinishedStreamUser):
    """The user of a stream that was answered without a leg, or no longer has one."""

    __slots__ = ("_stream", "deadline")

    def __init__(self, stream: Http2Stream, deadline: float) -> None:
        self._stream = stream
        self.deadline = deadline

    def judge(self, now: float) -> None:
        """The client has until ``deadline`` to take the answer."""
        if now >= self.deadline:
            self._stream.reset(codes.CANCEL)


class OwnAnswers:
    """Answers with the ids of requests, if the service uses them."""

    __slots__ = ("_request_ids", "_rng")

    def __init__(self, request_ids: RequestIds, rng: random.Random) -> None:
        self._request_ids = request_ids
        self._rng = rng

    def send(
        self,
        stream: Http2Stream,
        error: HttpError,
        asked: JudgedRequest,
        request_id: bytes,
        deadline: float,
    ) -> None:
        """The client has until ``deadline`` to take it. ``request_id`` empty: a fresh one."""
        stream.lead_to(AnsweredStream(stream, deadline))
        fields, text = own_answer(error, self._rng, grpc=asked.grpc)
        name = self._request_ids.name
        if name:
            value = request_id or self._request_ids.fresh()
            fields.append((name.lower().encode("ascii"), value))
        if asked.head_only or not text:
            stream.send_head(encoded(fields), True)
        else:
            stream.send_head(encoded(fields))
            stream.send(text)
        is_all_heard = stream.receiving is ALL_HEARD
        stream.finish(reset_after=-1 if is_all_heard else codes.NO_ERROR)
        if stream.sending is ENDED and not is_all_heard:
            stream.reset(codes.NO_ERROR)

    def to_http1(self) -> bytes:
        """The answer to a client that speaks HTTP/1 where HTTP/2 is required."""
        return render.own_answer(SPEAKS_HTTP2, _CLOSE, self._rng)

"""HTTP/2 clients: one session per connection, one exchange per stream."""

from collections.abc import Callable
from math import inf

import msgspec

from router.exchange.clients.client_deadlines import LastBytes
from router.exchange.clients.http2.caller import Http2Caller
from router.exchange.clients.http2.own_answers import (
    ANONYMOUS,
    SPEAKS_HTTP2,
    AnsweredStream,
    OwnAnswers,
)
from router.exchange.clients.http2.phases import CLOSING, LAST, LEAVING, OVER, PREFACE, SERVING
from router.exchange.clients.http2.requests import RequestReader
from router.http.http1.forwarding import forwarding_of
from router.http.http1.grammar import HttpError
from router.http.http2 import codes, heads
from router.http.http2.blocks import Block
from router.http.http2.connection import Http2Connection
from router.http.http2.heads import JudgedRequest
from router.http.http2.preface import Preface
from router.http.http2.stream_states import ALL_HEARD
from router.http.http2.streams import Http2Stream, StreamUser
from router.model import limits
from router.model.requests import Request
from router.net.ports import Connection, Loss, Timer, is_ours
from router.service.http_frontend import HttpFrontend
from router.service.ports import ClientLeg, LegHandler


def _nobody_asks(leg: ClientLeg, status: int) -> None:
    pass


class Http2Session:
    """`ConnectionHandler` of one client connection.

    ``open_leg`` is called once per request. ``refused`` gets the status of each request that never
    got that far, ``answered`` each leg that is aborted for an answer of ours. One coarse timer
    checks the deadlines: header blocks, settings and the preface after ``timeouts.header_s``,
    exchanges that do not move after ``idle_s``, a connection without any after ``keep_alive_s``. A
    client that finishes with streams open counts as gone, unless ``frontend`` says otherwise, as
    with HTTP/1; after only a GOAWAY its streams are served.
    """

    outlives_client = False  # As in `TcpSession`.

    __slots__ = (
        "_answers",
        "_connection",
        "_deadline",
        "_ended",
        "_frontend",
        "_http2",
        "_last_bytes",
        "_last_id",
        "_open_leg",
        "_preface",
        "_reader",
        "_refused",
        "_request_ids",
        "_terms",
        "_timer",
        "_timers",
        "answered",
        "blocks",
        "body_rate_min",
        "bounds",
        "phase",
        "timeouts",
        "via",
    )

    def __init__(
        self,
        connection: Connection,
        frontend: HttpFrontend,
        *,
        open_leg: Callable[[Request, LegHandler], ClientLeg],
        refused: Callable[[int], None],
        answered: Callable[[ClientLeg, int], None] = _nobody_asks,
    ) -> None:
        self._connection = connection
        self._open_leg = open_leg
        self._timers = timers = frontend.timers
        self._refused = refused
        self.answered = answered
        self._frontend = frontend
        self._follow_terms()
        self._request_ids = frontend.request_ids
        self.bounds = bounds = frontend.limits
        key, host = frontend.key, connection.peer.host
        forwarding = forwarding_of(frontend.site_name, host, frontend.scheme, key, b"2.0")
        self._reader = RequestReader(key, forwarding, bounds)
        self._answers = OwnAnswers(frontend.request_ids, frontend.rng)
        self.via = b"2.0 " + forwarding.site_name
        self.blocks = frontend.heads.blocks
        self.phase = PREFACE
        self._preface: Preface | None = Preface()  # Until it is complete.
        self._http2: Http2Connection | None = None
        self._last_id = codes.LAST_STREAM_ID
        self._last_bytes = LastBytes(connection)
        self._ended = False
        self._deadline = timers.now() + self.timeouts.header_s
        self._timer: Timer | None = None
        self._rearm()

    def drain(self) -> None:
        """Tell the client to open no more streams; close once those under way are done."""
        if self.phase is PREFACE:
            self._close()
        elif self.phase is SERVING and self._http2 is not None:
            # Streams on their way cross this: only the second GOAWAY, with the last id that was
            # seen, excludes the rest (RFC 9113, 6.8).
            self.phase = LEAVING
            self._http2.go_away(codes.LAST_STREAM_ID)
            self._http2.ping()
            self._deadline = self._timers.now() + limits.HTTP2_GOAWAY_S
            self._rearm()

    is_raw = False
    leaves_gently = True
    """As in `TcpSession`."""

    activity: object = None
    """Read only for raw sessions."""

    def leave(self, *, quiet: bool) -> None:
        """As `drain`. ``quiet`` does not matter: its streams are served."""
        self.drain()

    def shed_idle(self) -> bool:
        """Leave if no request is under way, to save memory; False: one is."""
        if self.phase is not SERVING or self._http2 is None or self._http2.streams:
            return False
        self.drain()
        return True

    @property
    def held_bytes(self) -> int:
        """Bytes of responses, besides those in the connection: streams without credit."""
        return self._http2.queued_bytes if self._http2 is not None else 0

    @property
    def legs(self) -> list[ClientLeg]:
        """The legs under way."""
        streams = self._http2.streams.values() if self._http2 is not None else ()
        return [stream.user.leg for stream in streams if hasattr(stream.user, "leg")]

    def abort(self) -> None:
        """End at once, as after the grace of a drain."""
        self._connection.abort()

    # Called by the connection.

    def received(self, data: memoryview) -> None:
        http2 = self._http2
        if self.phase is CLOSING or self.phase is OVER:
            return
        if http2 is not None:
            http2.receive(data)
        elif self._preface is not None:
            self._read_preface(self._preface, data)

    def ended(self) -> None:
        self._ended = True
        http2 = self._http2
        if http2 is None:
            self._close()
            return
        for stream in list(http2.streams.values()):
            if stream.receiving is not ALL_HEARD or self._is_gone(stream.user):
                user = stream.user
                stream.reset(codes.CANCEL)
                user.got_reset(codes.CANCEL)
        if self._terms.serves_half_closed:
            self._close_if_done()
        else:
            http2.flush()  # Whole answers, as far as credit allows: no more will come.
            self._drop_all(is_ours=False)
            self._close()

    def _is_gone(self, user: StreamUser) -> bool:
        """Whether a client that finished counts as gone, with this answer not whole."""
        if self._terms.serves_half_closed or not isinstance(user, Http2Caller):
            return False
        return not user.is_answered

    def writable(self) -> None:
        if self._http2 is not None:
            self._http2.writable()

    def lost(self, cause: Loss | None) -> None:
        self.phase = OVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drop_all(is_ours=is_ours(cause))
        if self._http2 is not None:
            self._http2.let_go()
            self._http2 = None

    # Called by HTTP/2.

    def opened(self, stream: Http2Stream, fields: Block, ended: bool) -> None:
        http2 = self._http2
        assert http2 is not None, "a stream without its connection"
        if stream.id > self._last_id or len(http2.streams) > self.bounds.streams_per_connection:
            stream.reset(codes.REFUSED_STREAM)
            http2.wire.blame()
            return
        if self._frontend.terms is not self._terms:
            self._follow_terms()
        asked, request, _ = self._reader.read(fields, ended)
        if request is not None and type(asked) is JudgedRequest:
            request_id = b""
            if self._request_ids.name:
                head, request_id = self._request_ids.on_request(request.head)
                request = msgspec.structs.replace(request, head=head)
            caller = Http2Caller(self, stream, asked, request_id, ended=ended)
            stream.lead_to(caller)
            if self.phase is SERVING:
                self._deadline = inf
            caller.leg = self._open_leg(request, caller)
        elif isinstance(asked, HttpError):
            self._refused(asked.status)
            self.answer(stream, asked, ANONYMOUS)
        else:
            self._refused(400)
            self.misused(stream)
        if stream.id >= limits.HTTP2_STREAM_ID_LAST:
            self.drain()

    def settled(self) -> None:
        """The connection handles windows itself."""

    def going_away(self, last_id: int, code: int) -> None:
        """The client leaves: it opens no more streams."""
        if self.phase is SERVING or self.phase is LEAVING:
            self.phase = LAST
            self._timers.at_turn_end(self._close_if_done)  # Requests may follow in the same read.

    def released(self) -> None:
        if self._http2 is not None and not self._http2.streams:
            if self.phase is SERVING and not self._ended:
                self._deadline = self._timers.now() + self.timeouts.keep_alive_s
            else:
                self._timers.at_turn_end(self._close_if_done)

    def ponged(self) -> None:
        if self.phase is LEAVING:
            self._say_last()

    def warned(self) -> None:
        if self.phase is SERVING or self.phase is LEAVING:
            self._say_last()  # Without an error: for one, Node's clients break off all streams.

    def failed(self, reason: str) -> None:
        self._drop_all(is_ours=True)  # Because of the client, which may still be there.
        self._close()

    # Called by exchanges.

    def now(self) -> float:
        return self._timers.now()

    def next_deadline(self) -> float:
        return self._timers.now() + self.timeouts.idle_s

    def answer_deadline(self) -> float:
        return self._timers.now() + self._terms.answer_s

    def with_request_id(self, head: bytes, request_id: bytes) -> bytes:
        return self._request_ids.on_response(head, request_id)

    def answer(
        self, stream: Http2Stream, error: HttpError, asked: JudgedRequest, request_id: bytes = b""
    ) -> None:
        if not stream.is_over:
            self._answers.send(stream, error, asked, request_id, self.next_deadline())

    def misused(self, stream: Http2Stream) -> None:
        stream.reset(codes.PROTOCOL_ERROR)
        if self._http2 is not None:
            self._http2.wire.blame()

    # Steps.

    def _follow_terms(self) -> None:
        """Use the settings that the service has now. The limits in ours stay, as the client knows
        them.
        """
        self._terms = terms = self._frontend.terms
        self.timeouts, self.body_rate_min = terms.timeouts, terms.body_rate_min

    def _read_preface(self, preface: Preface, data: memoryview) -> None:
        rest = preface.feed(data)
        if rest is not None:
            self._preface = None
            self.phase = SERVING
            self._deadline = self._timers.now() + self.timeouts.keep_alive_s
            self._http2 = http2 = Http2Connection(
                self._connection,
                self._timers,
                self,
                client=False,
                streams=self.bounds.streams_per_connection,
                header_bytes=heads.header_list_bytes(self.bounds),
            )
            http2.receive(rest)
        elif preface.is_other and preface.is_like_http1:  # Tell such a client what is wrong.
            self._refused(SPEAKS_HTTP2.status)
            self._connection.send(self._answers.to_http1())
            self._close()
        elif preface.is_other:
            self._connection.abort()
            self.phase = OVER

    def _say_last(self) -> None:
        """Exclude all later streams: the client may try them elsewhere."""
        http2 = self._http2
        assert http2 is not None, "leaving before the preface"
        self.phase = LAST
        self._last_id = http2.wire.streams.highest_id
        http2.go_away(self._last_id)
        self._deadline = inf
        self._timers.at_turn_end(self._close_if_done)  # The last stream may be about to end.

    def _close_if_done(self) -> None:
        leaving = self._ended or self.phase is LAST
        if leaving and self._http2 is not None and not self._http2.streams:
            self._close(self.timeouts.keep_alive_s)  # The last answer may still be on its way.

    def _drop_all(self, *, is_ours: bool) -> None:
        """The connection is lost, by our own doing or the client's."""
        if self._http2 is None:
            return
        for exchange in self._http2.drop().values():
            if not isinstance(exchange, Http2Caller):
                continue  # It has been answered.
            if is_ours:
                exchange.dropped()
            else:
                exchange.client_gone()

    def _close(self, linger_s: float = limits.LINGER_DISCARD_S) -> None:
        """FIN, then drop input for a while so that no reset overtakes the last bytes sent."""
        if self.phase is CLOSING or self.phase is OVER:
            return
        self.phase = CLOSING
        self._last_id = 0  # Unread streams are not served: no answer could leave.
        if self._http2 is not None:
            self._http2.flush()
        self._connection.finish()
        self._deadline = self._timers.now() + linger_s
        self._rearm()

    # Deadlines.

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now = self._timers.now()
        when = min(self._deadline, now + min(limits.HTTP2_TICK_S, self.timeouts.header_s))
        self._timer = self._timers.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._timers.now()
        if now >= self._deadline:
            self._overdue()
        http2 = self._http2
        if http2 is not None and self.phase not in (CLOSING, OVER):
            if not http2.tick(now, self.timeouts, self.body_rate_min):
                self.phase = OVER
                self._connection.abort()
                return
            for stream in list(http2.streams.values()):
                user = stream.user
                if isinstance(user, (Http2Caller, AnsweredStream)):
                    user.judge(now)
        if self.phase is not OVER and self._timer is None:
            self._rearm()

    def _overdue(self) -> None:
        now = self._timers.now()
        if self.phase is CLOSING and self._last_bytes.are_taken(now):
            self._deadline = now + limits.LINGER_DISCARD_S
        elif self.phase is CLOSING:
            self.phase = OVER
            self._connection.abort()
        elif self.phase is LEAVING:
            self._say_last()
        elif self.phase is PREFACE:
            self._close()
        else:
            self._deadline = inf
            self.drain()

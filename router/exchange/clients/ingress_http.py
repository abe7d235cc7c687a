"""HTTP clients: one session per connection, one caller per request."""

import enum
import random
from collections.abc import Callable
from math import inf

from router.exchange.clients.caller_http import CLIENT_GONE, HttpCaller
from router.exchange.clients.pace import Pace
from router.exchange.clients.request_ids import RequestIds
from router.exchange.clients.turn_writer import TurnWriter
from router.exchange.http1 import render
from router.exchange.http1.bytes_cache import BytesCache
from router.exchange.http1.grammar import HttpError, bad_request
from router.exchange.http1.memory import Answer
from router.exchange.http1.render import ClientFraming
from router.exchange.http1.request_heads import Forwarding, RequestHead
from router.exchange.http1.requests import BETWEEN, KnownRequests, RequestParser
from router.exchange.http1.terms import DEFAULT_TERMS, HttpTerms
from router.exchange.ports import ClientLeg, LegFailure, LegHandler, Request
from router.model import limits
from router.model.ids import ServiceKey
from router.net.ports import Buffer, Connection, Loss, Timer, Timers, is_ours

_TORN_BODY = bad_request("The request ended before its body was complete.")
_BODILESS = (204, 304)  # What follows such a head is the next answer.
_UNREAD = ClientFraming(head_only=False, old=False, close=True)


class _Phase(enum.Enum):
    SERVING = enum.auto()  # Idle, in a head, or in an exchange.
    DRAINING_BODY = enum.auto()  # Answered before the request's body was complete.
    TUNNEL = enum.auto()
    LEFT = enum.auto()  # A tunnel that we have ended both ways; input is dropped.
    CLOSING = enum.auto()  # FIN is sent; input is dropped.
    OVER = enum.auto()


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_SERVING = _Phase.SERVING
_DRAINING_BODY = _Phase.DRAINING_BODY
_TUNNEL = _Phase.TUNNEL
_LEFT = _Phase.LEFT
_CLOSING = _Phase.CLOSING
_OVER = _Phase.OVER


def _nobody() -> None:
    pass


class HttpSession:
    """`ConnectionHandler` of one client connection.

    ``open_leg`` is asked once per request. ``refused`` is told the status of each that was answered
    before a leg was opened.
    How long the client may take is judged by its `Pace`. One that finishes before its answer is
    gone, with all that it pipelined, unless ``terms`` say otherwise: so do nginx and Envoy, since a
    client with a time-out that closes its socket looks just the same. A tunnel is like tcp.
    ``terms`` are those of the service when the connection was accepted. ``over`` is called when a
    tunnel has ended that lasted beyond `lost`.
    """

    __slots__ = (
        "_answers",
        "_caller",
        "_connection",
        "_draining",
        "_ended",
        "_held",
        "_idle_s",
        "_is_paused",
        "_key",
        "_next_waits",
        "_open_leg",
        "_over",
        "_pace",
        "_parser",
        "_phase",
        "_refused",
        "_request_ids",
        "_requests",
        "_rng",
        "_terms",
        "_timeouts",
        "_timers",
        "_tunnel_timer",
        "_unread_bytes",
        "_via",
        "_waits_for_leg",
        "_writer",
        "answered",
        "flush",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        key: ServiceKey,
        site_name: str,
        open_leg: Callable[[Request, LegHandler], ClientLeg],
        timers: Timers,
        rng: random.Random,
        refused: Callable[[int], None],
        over: Callable[[], None] = _nobody,
        proto: bytes = b"http",
        terms: HttpTerms = DEFAULT_TERMS,
        request_ids: RequestIds | None = None,
        known: KnownRequests | None = None,
        answers: BytesCache[Answer] | None = None,
    ) -> None:
        site = site_name.encode("ascii")
        self._connection = connection
        self._key = key
        self._open_leg = open_leg
        self._timers = timers
        self._rng = rng
        self._refused = refused
        self.answered: Callable[[int], None] | None = None
        """Told the status of each request that had a leg, at its end; 499: nobody was left to
        answer. None, nearly always: nobody wants to know."""
        self._over = over
        self._tunnel_timer: Timer | None = None  # Only while it outlives its client.
        self._terms = terms
        self._timeouts = terms.timeouts
        self._idle_s = terms.timeouts.idle_s  # While something is written; of a tunnel its own.
        self._request_ids = request_ids if request_ids is not None else RequestIds(rng)
        self._via = b"1.1 " + site
        self._answers: BytesCache[Answer] = answers if answers is not None else BytesCache()
        self._writer = TurnWriter(connection, timers)
        self.flush: Callable[[], object] = self._writer.flush
        self._parser = RequestParser(
            self,
            Forwarding(
                site_name=site,
                client=connection.peer.host.encode("ascii"),
                proto=proto,
                host=str(key).encode("ascii"),
            ),
            terms.heads,
            known,
        )
        self._phase = _SERVING
        self._caller: HttpCaller | None = None
        self._requests = 0
        self._ended = False
        self._draining = False
        self._is_paused = False
        self._waits_for_leg = False
        self._next_waits = False  # The last answer has yet to leave.
        self._held = False  # Bytes of a later request wait in the parser.
        self._unread_bytes = 0  # Input dropped after an early answer or our FIN.
        self._pace = Pace(connection, timers, self._look, terms.timeouts.keep_alive_s)

    def drain(self) -> None:
        """Close after the next response, which says ``Connection: close``.

        An idle client may be sending just now, and could not tell whether a request that meets our
        FIN was executed: it has `limits.DRAIN_IDLE_S` to ask once more. Tunnels stay until they end
        or the connection is aborted.
        """
        self._draining = True
        if self._phase is _SERVING and self._caller is None and self._parser.is_idle:
            self._pace.touch(limits.DRAIN_IDLE_S)
            self._pace.rearm(self._timers.now())

    @property
    def is_raw(self) -> bool:
        """As of `TcpSession`: a tunnel."""
        return self._phase is _TUNNEL or self._phase is _LEFT

    @property
    def leaves_gently(self) -> bool:
        """As of `TcpSession`: the next answer says it, or a Close of WebSocket."""
        caller = self._caller
        return not self.is_raw or (caller is not None and caller.can_dismiss)

    @property
    def activity(self) -> object:
        """Another one whenever bytes of a tunnel have moved."""
        return self._pace.deadline

    def leave(self, *, quiet: bool) -> None:
        """Close after the next answer, which says so; one that is idle may stay so.

        A WebSocket gets a Close as soon as a frame ends, if its frames are followed; any other
        tunnel ends both ways if ``quiet``, as tcp does. To be asked again while it is there.
        """
        self._draining = True
        caller = self._caller
        if self._phase is not _TUNNEL or caller is None or caller.dismiss() or not quiet:
            return
        self._phase = _LEFT
        self._unread_bytes = 0
        self._pace.touch(self._timeouts.half_closed_s)
        caller.client_ended()
        self.finish()

    def shed_idle(self) -> bool:
        """Close if no request is under way, to save memory; False: one is."""
        if self._phase is not _SERVING or self._caller is not None or not self._parser.is_idle:
            return False
        self._close(limits.LINGER_DISCARD_S)
        return True

    def abort(self) -> None:
        """End at once, as after the grace of a drain."""
        if self._tunnel_timer is not None and self._caller is not None:
            self._caller.leg.abort()
        else:
            self._connection.abort()

    @property
    def outlives_client(self) -> bool:
        """The client's connection is lost, and bytes of its tunnel are still on their way."""
        return self._tunnel_timer is not None

    @property
    def legs(self) -> list[ClientLeg]:
        """What is under way."""
        caller = self._caller
        return [caller.leg] if caller is not None and hasattr(caller, "leg") else []

    # What the connection tells.

    def received(self, data: memoryview) -> None:
        if self._phase is _SERVING or self._phase is _DRAINING_BODY:
            parser = self._parser
            was_in_head = parser.is_in_head
            parser.feed(data)
            if parser.held_bytes or parser.is_in_head:
                self._parsed(was_in_head)
        elif self._phase is _TUNNEL:
            self._pace.touch(self._timeouts.tunnel_s)
            assert self._caller is not None, "a tunnel without its caller"
            if not self._caller.body(data):
                self._wait_for_leg()
        elif self._phase is _CLOSING or self._phase is _LEFT:
            self._unread_bytes += len(data)
            if self._unread_bytes > limits.LINGER_DISCARD_BYTES_MAX:
                self._connection.abort()

    def ended(self) -> None:
        self._ended = True
        caller = self._caller
        if self.is_raw:
            assert caller is not None, "a tunnel without its caller"
            caller.client_ended()
        elif self._phase is _DRAINING_BODY or caller is None:
            if not self._next_waits:
                self._close(limits.LINGER_DISCARD_S)
        elif not caller.is_request_complete:
            self._parser.close()
            caller.refuse(_TORN_BODY, is_gone=True)
        elif not self._terms.serves_half_closed:
            self._client_left()

    def _ended_unread(self) -> None:
        """The client finished, and what it sent last is unread: part of a body, or a next request.

        A tunnel and a client that is served all the same hear of it by `ended`, in its turn.
        """
        if self._phase is _SERVING and not self._terms.serves_half_closed:
            self._ended = True
            self._client_left()

    def _client_left(self) -> None:
        """Nobody waits for the answer, nor for those of requests behind it."""
        caller, self._caller = self._caller, None
        if caller is None:
            return  # The last answer has yet to leave: `_next`.
        status = caller.client_gone()
        self._tell_answered(status)
        if status == CLIENT_GONE:
            self._close(limits.LINGER_DISCARD_S)  # Earlier answers may be on their way.
        else:
            self._abort()  # What left of this one must not be taken for the whole.

    def writable(self) -> None:
        self._writer.drained()
        self._pace.untaken_bytes = 0
        if self._next_waits:
            self._next()
        caller = self._caller
        if caller is not None:
            if not caller.awaits_answer:
                timeouts = self._timeouts
                self._pace.touch(timeouts.tunnel_s if caller.is_tunnel else timeouts.idle_s)
            caller.client_writable()

    def lost(self, cause: Loss | None) -> None:
        self._phase = _OVER
        self._parser.detach()
        self._pace.stop()
        caller = self._caller
        if caller is None:
            return
        if cause is None and caller.is_tunnel:
            # Both ends finished towards the client: its last bytes may still go to the target.
            half_closed_at = self._timers.now() + self._timeouts.half_closed_s
            self._tunnel_timer = self._timers.call_at(half_closed_at, self.abort)
        else:
            self._caller = None
            gone = caller.dropped() if is_ours(cause) else caller.client_gone()
            self._tell_answered(gone)

    # What the parser tells.

    def request(self, head: RequestHead) -> None:
        self._requests += 1
        pace, terms, now = self._pace, self._terms, self._timers.now()
        is_whole = head.body_bytes == 0
        if not is_whole:
            floor = pace.floor
            floor.seen_bytes = 0
            floor.since = now
        waits = is_whole or head.expects  # For an answer, or for 100.
        allowance_s = terms.answer_s if waits else terms.timeouts.idle_s
        pace.deadline = deadline = now + allowance_s
        if deadline < pace.armed_at:
            pace.rearm(now)
        known, request_id = self._parser.known, b""
        request = known.made if known is not None else None
        if self._request_ids.name:
            canonical, request_id = self._request_ids.on_request(head.head)
            request = self._request_of(head, canonical)
        elif request is None:
            request = self._request_of(head, head.head)
            if known is not None:
                known.made = request
        self._caller = caller = HttpCaller(self, head, request, self._via, request_id)
        caller.is_request_complete = is_whole
        caller.leg = self._open_leg(request, caller)

    def _request_of(self, head: RequestHead, canonical: bytes) -> Request:
        return Request(
            key=self._key,
            protocol="http",
            head=canonical,
            body_bytes=head.body_bytes,
            idempotent=head.idempotent,
            head_only=head.head_only,
            upgrade=head.upgrade,
        )

    def body(self, data: memoryview) -> None:
        if self._phase is _DRAINING_BODY:
            self._unread_bytes += len(data)
            if self._unread_bytes > limits.LINGER_DISCARD_BYTES_MAX:
                self._close(limits.LINGER_DISCARD_S)
        elif self._caller is not None:
            self._pace.touch(self._timeouts.idle_s)
            if not self._caller.body(data):
                self._wait_for_leg()

    def trailers(self, block: bytes) -> None:
        if self._caller is not None:
            self._caller.request_trailers(block)

    def complete(self) -> None:
        if self._phase is _DRAINING_BODY:
            self._phase = _SERVING
            self._next()
        elif self._caller is not None:
            caller = self._caller
            caller.is_request_complete = True
            if caller.awaits_answer:
                self._pace.touch(self._terms.answer_s)
            caller.request_complete()

    def failed(self, error: HttpError) -> None:
        if self._phase is _DRAINING_BODY:
            self._close(limits.LINGER_DISCARD_S)
        elif self._caller is not None:
            self._caller.refuse(error)
        else:
            self._refuse(error)

    # What the caller tells.

    def write(self, *parts: Buffer) -> bool:
        now, pace = self._timers.now(), self._pace
        pace.deadline = deadline = now + self._idle_s
        if deadline < pace.armed_at:
            pace.rearm(now)
        if self._writer.write(*parts):
            return True
        pace.note_untaken()
        return False

    def deliver(self, head: bytes, size_bytes: int, body: Buffer) -> bool:
        """The commonest answer by far: what `write`, `flush` and `over` do, in one step."""
        if self._draining or self._ended or self._requests >= self._terms.requests:
            return False  # `closes_after_this`.
        answer = self._answers.get(head)
        if answer is None or answer[0] != size_bytes:
            status = int(head[9:12])
            if status in _BODILESS:
                return False
            rendered = render.sized_response(head, size_bytes, self._via)
            answer = (size_bytes, status, rendered)
            self._answers.note(head, answer)
        _, status, rendered = answer
        writer = self._writer
        if size_bytes > limits.COALESCE_BYTES_MAX or writer.waiting:
            writer.flush(rendered, body)
        elif not self._connection.send(rendered + body):
            writer.is_full = True
        if writer.is_full:
            self._pace.note_untaken()
        self._caller = None
        if self.answered is not None:
            self.answered(status)
        self._waits_for_leg = False
        parser = self._parser
        if writer.is_full or parser.held_bytes or self._is_paused or self._held:
            self._next()
        else:  # The same, in place: nothing is here yet that could be next.
            parser.state = BETWEEN
            pace, now = self._pace, self._timers.now()
            pace.deadline = deadline = now + self._timeouts.keep_alive_s
            if deadline < pace.armed_at:
                pace.rearm(now)
        return True

    def write_interim(self, head: bytes) -> None:
        caller = self._caller
        if caller is not None and not caller.is_request_complete:
            self._pace.touch(self._timeouts.idle_s)
        self._writer.write(head)

    def allow(self) -> None:
        self._waits_for_leg = False
        floor = self._pace.floor
        floor.since = self._timers.now()
        floor.seen_bytes = self._caller.body_bytes_seen if self._caller is not None else 0
        self._set_paused()

    def closes_after_this(self) -> bool:
        return self._draining or self._ended or self._requests >= self._terms.requests

    @property
    def follows_frames(self) -> bool:
        return self._terms.ends_connections

    def switched(self) -> None:
        self._phase = _TUNNEL
        self._idle_s = self._timeouts.tunnel_s
        self._pace.touch(self._idle_s)
        self._writer.flush()
        held = self._parser.take_held()
        self._held = False
        caller = self._caller
        assert caller is not None, "a tunnel without its caller"
        if held and not caller.body(memoryview(held)):
            self._waits_for_leg = True
        if self._ended:
            caller.client_ended()
        self._set_paused()

    def finish(self) -> None:
        self._writer.flush()
        self._connection.finish()

    def answer(self, error: HttpError, framing: ClientFraming) -> None:
        whole = render.own_answer(error, framing, self._rng)
        if self._request_ids.name:
            caller = self._caller
            request_id = caller.request_id if caller is not None else b""
            whole = self.with_request_id(whole, request_id or self._request_ids.fresh())
        self._writer.write(whole)
        self._writer.flush()

    def with_request_id(self, head: bytes, request_id: bytes) -> bytes:
        return self._request_ids.on_response(head, request_id)

    def over(self, status: int, *, close: bool) -> None:
        caller, self._caller = self._caller, None
        assert caller is not None, "the end of no caller"
        self._tell_answered(status)
        self._waits_for_leg = False
        if self._tunnel_timer is not None:
            self._delivered()
        elif close:
            whole = caller.is_request_complete and not self._held
            self._close(limits.KEEP_ALIVE_IDLE_S if whole else limits.LINGER_DISCARD_S)
        elif caller.is_request_complete:
            self._next()
        else:
            self._phase = _DRAINING_BODY
            self._unread_bytes = 0
            self._pace.touch(limits.BODY_GRACE_S)
            self._set_paused()

    def torn(self, status: int) -> None:
        self._caller = None
        self._tell_answered(status or CLIENT_GONE)
        self._writer.flush()
        self._abort()
        if self._tunnel_timer is not None:
            self._delivered()

    # Steps.

    def _tell_answered(self, status: int) -> None:
        if self.answered is not None:
            self.answered(status)

    def _parsed(self, was_in_head: bool) -> None:
        """After the parser has seen bytes: pause for what is held, watch a head that has begun."""
        parser = self._parser
        if parser.held_bytes:
            self._held = True
            self._set_paused()
        elif parser.is_in_head and not was_in_head:
            self._pace.touch(self._timeouts.header_s)

    def _next(self) -> None:
        """Begin the next request, which may have been received already.

        Not while the client reads too slowly: answers would pile up without end.
        """
        self._next_waits = self._writer.is_full
        if self._next_waits:
            self._pace.touch(self._timeouts.idle_s)
            return
        pace, now = self._pace, self._timers.now()  # `Pace.touch`, in place.
        pace.deadline = deadline = now + self._timeouts.keep_alive_s
        if deadline < pace.armed_at:
            pace.rearm(now)
        if self._ended and not self._terms.serves_half_closed:
            self._close(limits.LINGER_DISCARD_S)
            return
        self._held = False
        parser = self._parser
        parser.proceed()
        if self._phase is not _SERVING:
            return
        if parser.held_bytes or parser.is_in_head:
            self._parsed(was_in_head=False)
        if self._caller is None and (self._ended or (self._draining and parser.is_idle)):
            self._close(limits.LINGER_DISCARD_S)
        elif self._is_paused or self._held or self._waits_for_leg:
            self._set_paused()

    def _refuse(self, error: HttpError) -> None:
        """Answer what was no request, and close."""
        self._refused(error.status)
        self.answer(error, _UNREAD)
        self._close(limits.LINGER_DISCARD_S)

    def _close(self, linger_s: float) -> None:
        """FIN, then drop input for a while so that no reset overtakes our last answer."""
        if self._phase in (_CLOSING, _OVER):
            return
        self._phase = _CLOSING
        self._parser.close()
        self._held = self._waits_for_leg = self._next_waits = False
        self._unread_bytes = 0
        self._set_paused()
        self._writer.flush()
        self._connection.finish()
        self._pace.close(linger_s)

    def _abort(self) -> None:
        self._phase = _OVER
        self._pace.stop()
        self._parser.close()
        self._writer.drop()
        self._connection.abort()

    def _delivered(self) -> None:
        """The end of a tunnel whose client was gone already."""
        timer, self._tunnel_timer = self._tunnel_timer, None
        assert timer is not None, "it outlives its client"
        timer.cancel()
        self._over()

    def _wait_for_leg(self) -> None:
        self._waits_for_leg = True
        self._set_paused()

    def _set_paused(self) -> None:
        wanted = self._waits_for_leg or self._held
        if wanted != self._is_paused:
            self._is_paused = wanted
            if wanted:
                self._connection.pause(self._ended_unread)
            else:
                self._connection.resume()

    # Deadlines.

    def _look(self, now: float) -> None:
        """Its deadline has come, or it is time for a look at how fast the client sends."""
        if now >= self._pace.deadline:
            self._overdue(now)
        elif self._is_too_slow(now) and self._caller is not None:
            self._parser.close()
            self._caller.refuse(render.REQUEST_TIMEOUT)

    def _is_too_slow(self, now: float) -> bool:
        """The client sends its body below the floor, and has nobody else to wait for."""
        caller, floor = self._caller, self._pace.floor
        if caller is None or self._is_paused or not caller.awaits_client:
            floor.since = now
            floor.seen_bytes = caller.body_bytes_seen if caller is not None else 0
            return False
        return floor.is_missed(now, caller.body_bytes_seen, self._terms.body_rate_min)

    def _overdue(self, now: float) -> None:
        caller, pace = self._caller, self._pace
        idle_s = self._timeouts.idle_s
        pace.deadline = inf
        if self._phase is _CLOSING:
            # Its time to close is over; but a slow reader gets the rest while it takes any of it.
            if pace.still_reads(now):
                pace.touch(limits.LINGER_DISCARD_S)
            else:
                self._abort()
        elif pace.untaken_bytes and pace.takes_at_least(self._terms.body_rate_min * idle_s):
            pace.touch(idle_s)
        elif self.is_raw:
            self._connection.abort()
        elif caller is not None:
            self._parser.close()
            waits = caller.awaits_client and not self._is_paused
            timeout = render.failure_error(LegFailure("target-timeout"))
            caller.refuse(render.REQUEST_TIMEOUT if waits else timeout)
        elif self._parser.is_in_head:
            self._refuse(render.REQUEST_TIMEOUT)
        else:
            self._close(self._terms.linger_s)

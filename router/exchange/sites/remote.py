"""A leg over a stream to another site's targets: what comes over a link is checked here."""

from typing import Protocol

from router.balance.sites.remote_site import RemoteSite
from router.balance.targets.ejection import Cause
from router.exchange.exchange import LENGTH_NOT_KNOWN
from router.exchange.exchange_states import RemoteState
from router.http.http1.canonical import check_trailers
from router.http.http1.grammar import is_upgrade
from router.link.ports import OpenRequest, Refusal, ResetCode
from router.model import limits
from router.model.ids import SiteId
from router.model.paths import Path
from router.model.requests import Request
from router.net.ports import Buffer
from router.service.ports import LegCode, LegFailure, LegHandler
from router.service.service import Service
from router.service.sites.refused_messages import BY_FAILURE

_FAILURES: dict[ResetCode, LegCode] = {
    "cancelled": "link-lost",  # Not by us: somebody on the way gave it up.
    "target-reset": "target-reset",
    "target-timeout": "target-timeout",
    "bad-message": "bad-message",
    "bad-response": "bad-response",
    "stalled": "stalled",
    "link-lost": "link-lost",
    "internal": "internal",
}

_BLAMES: dict[ResetCode, Cause] = {
    "cancelled": "lost",
    "link-lost": "lost",
    "target-timeout": "timeout",
    "bad-response": "malformed",
}
"""What a reset says of the site that a stream led to; any other one is just a reset."""

_WEBSOCKET, _WEBSOCKET_FLAG = "websocket", 1
"""The one upgrade that every version knows from the flags of OPEN."""

NO_BODY_STATUS = (204, 304)
SWITCHING_PROTOCOLS = 101


def upgrade_of(offer: OpenRequest) -> str | None:
    """The protocol that ``offer`` asks to switch to; empty: none; None: nothing that may be."""
    asked = offer.upgrade
    if offer.flags & _WEBSOCKET_FLAG:
        return _WEBSOCKET if asked in ("", _WEBSOCKET) else None
    return asked if not asked or is_upgrade(asked.encode("utf-8", "replace")) else None


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_ASKED = RemoteState.ASKED
_STANDING = RemoteState.STANDING
_HELD = RemoteState.HELD
_ANSWERING = RemoteState.ANSWERING
_RAW = RemoteState.RAW
_GIVEN_UP = RemoteState.GIVEN_UP
_OVER = RemoteState.OVER


class RemoteHandler(LegHandler, Protocol):
    """Who opened a `RemoteLeg`, a `ServerLeg` that says nothing of targets."""

    def opened(self, held_at: float | None = None) -> None:
        """See `LegHandler`; ``held_at``: since when, None: now. The egress may tell it late."""

    def whole(
        self, head: bytes, body_bytes: int, body: Buffer, held_at: float | None = None
    ) -> None:
        """See `LegHandler`; with ``held_at`` it stands for `opened` as well."""

    def can_leave(self) -> bool:
        """The request may be sent to another place, and one has room for it."""


class RemoteLeg:
    """An attempt elsewhere: one stream along ``path``, and all that it says of that site.

    It opens as it is made: see `is_begun`.
    ``wait_ms`` > 0 lets the egress keep it waiting for a slot. For http a response must be
    canonical, and its body as long as its head says; otherwise the stream is reset and the failure
    is ``bad-answer``. An http leg is done with its response; one that came before the end of the
    request resets the stream, so that nobody goes on reading the rest.

    ``egress`` hears of its load, its ejections whether the site serves, and the service's `Remotes`
    how long the site took to let it in. It stands in `Service.unanswered` from ``begun_at`` until
    the site has answered OPEN; one that may wait there does not. ``is_demand``: a request for which
    this site had no room or no target, and counts as its demand unless it waits; ``lacks_target``:
    it had no target.
    """

    wire = None
    status = 0
    blames_target = False
    lingers = None

    __slots__ = (
        "_begun_at",
        "_body_left",
        "_during",
        "_egress",
        "_finished",
        "_handler",
        "_interim_bytes",
        "_is_counted",
        "_is_demand",
        "_lacks_target",
        "_request",
        "_serves",
        "_service",
        "_state",
        "_stream",
        "is_begun",
    )

    _serves: bool
    """Once it has a target, like the two that follow. Tcp: something came, which was told, so its
    end says nothing."""
    _body_left: int
    """Of the answer."""
    _interim_bytes: int
    """Of its heads before the last."""

    def __init__(
        self,
        request: Request,
        handler: RemoteHandler,
        service: Service,
        egress: RemoteSite,
        path: Path,
        wait_ms: int,
        begun_at: float,
        is_demand: bool,
        lacks_target: bool,
    ) -> None:
        self._request = request
        self._handler = handler
        self._service = service
        self._egress = egress
        self._during = during = egress.ejection
        self._state = _STANDING if wait_ms else _ASKED
        self._is_counted = True  # Among those that are over there.
        self._is_demand = is_demand
        self._lacks_target = lacks_target
        self._begun_at = begun_at
        key, upgrade, flags = request.key, request.upgrade, 0
        # Such a request is complete as it stands.
        self._finished = ends = not (request.body_bytes or upgrade)
        if upgrade == _WEBSOCKET:
            upgrade, flags = "", _WEBSOCKET_FLAG
        self._stream = stream = service.streams.open_stream(
            OpenRequest(  # By position: with keywords it takes three times as long.
                path,
                key.name,
                key.port,
                request.protocol,
                service.site,
                wait_ms,
                flags,
                request.body_bytes,
                request.head,
                request.client,
                request.session,
                request.local,
                upgrade,
            ),
            self,
            ends=ends,
        )
        self.is_begun = stream is not None
        """False: there is no adjacency that way now, and this leg is nothing."""
        if stream is None:
            return
        if during is not None:
            during.under_way += 1
        if wait_ms:
            egress.stand()
            return
        if is_demand:
            service.demand.overflowed += 1
            if lacks_target:
                service.demand.without_target += 1
        egress.open()
        unanswered = service.unanswered
        unanswered.since[self] = begun_at
        if not unanswered.is_watched:
            unanswered.watch()

    # Unanswered

    @property
    def egress_site(self) -> SiteId:
        return self._egress.site

    @property
    def is_probe(self) -> bool:
        during = self._during
        return during is not None and not during.is_back

    def unanswered(self) -> None:
        """The site is silent. If nothing better can be done for the request, it waits on."""
        stream = self._stream
        if self._state is _OVER:
            return
        self._blame("unanswered")
        if self._state is _GIVEN_UP or not self._handler.can_leave():
            return
        self._done(LegFailure("unanswered", "the other site did not take the request in time"))
        if stream is not None:
            stream.reset("cancelled")

    def overdue(self) -> None:
        """Its time for an answer was up, and `abort` follows: a failure unless one has begun."""
        if self._request.protocol != "tcp" and self._state not in (_ANSWERING, _RAW):
            self._blame("timeout")

    # Leg

    def send(self, data: Buffer) -> bool:
        stream = self._stream
        return stream is None or stream.send(data)

    def send_trailers(self, block: bytes) -> None:
        if self._stream is not None and not self._finished:
            self._stream.send_trailers(block)

    def finish(self) -> None:
        if not self._finished:
            self._finished = True
            if self._stream is not None:
                self._stream.finish()

    def abort(self) -> None:
        if self._state is _OVER:
            return
        if self._state is _ASKED or self._state is _STANDING:
            self._wait_no_more()
        self._state = _GIVEN_UP
        if self._stream is not None:
            self._stream.reset("cancelled")

    def break_off(self) -> None:
        """As if the link to the egress were lost."""
        if self._stream is not None:
            self._stream.reset("link-lost")

    def pause(self) -> None:
        if self._stream is not None:
            self._stream.pause()

    def resume(self) -> None:
        if self._stream is not None:
            self._stream.resume()

    # StreamHandler: after we have reset the stream only `lost` comes.

    def accepted(self, in_flight: int) -> None:
        stream = self._stream
        assert stream is not None, "it was accepted"
        egress, during, now = self._egress, self._during, self._service.now()
        held_at = self._let_in(now - stream.held_s)
        self._serves = False
        self._body_left = LENGTH_NOT_KNOWN
        self._interim_bytes = 0
        egress.hear(in_flight, now)
        if self._request.protocol != "tcp":
            self._state = _HELD
        else:
            self._state = _RAW
            if during is not None and during.is_woken:
                egress.ejections.answered(egress.site, during, now)
        self._handler.opened(held_at)

    def refused(self, reason: Refusal, in_flight: int) -> None:
        egress, service = self._egress, self._service
        now = service.now()
        is_busy = reason == "busy"
        if is_busy and self._state is _ASKED:
            service.remotes.note_round_trip(egress.site, now - self._begun_at)
        self._wait_no_more()
        if is_busy:
            rule = service.sheddable
            if rule is not None and rule.covers(self._request.head):
                egress.refuse_sheddable(in_flight, now)
            else:
                egress.refuse(in_flight, now)
            if self._during is not None:
                egress.ejections.answered(egress.site, self._during, now, is_full=True)
        else:
            self._is_counted = False
            egress.end(in_flight, now, False)
            if reason == "connect-failed":
                self._blame("connect")
        self._done(LegFailure(reason))

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        status = self._service.heads.status_of(head) if self._state is _HELD else None
        if status is None or body_bytes < LENGTH_NOT_KNOWN:
            self._broken("response head is not canonical")
            return
        if status == SWITCHING_PROTOCOLS:
            if not self._request.upgrade:
                self._broken("101 without having asked for it")
                return
            self._state = _RAW
        elif status >= 200:
            self._state = _ANSWERING
            bodiless = self._request.head_only or status in NO_BODY_STATUS
            self._body_left = 0 if bodiless else body_bytes
        else:
            self._interim_bytes += len(head)
            if self._interim_bytes > limits.INTERIM_BYTES_MAX:
                self._broken("interim responses without end")
                return
        if self._during is not None:
            self._egress.ejections.answered(self._egress.site, self._during, self._service.now())
        self._handler.head(head, body_bytes)

    def received(self, data: memoryview) -> bool:
        if self._state is _ANSWERING:
            left = self._body_left
            if left != LENGTH_NOT_KNOWN:
                left -= len(data)
                if left < 0:
                    self._broken("body longer than its head says")
                    return True
                self._body_left = left
        elif self._state is not _RAW:
            self._broken("body before the response head")
            return True
        else:
            self._goes_raw()
        self._handler.received(data)
        return True  # Its caller pauses it.

    def _goes_raw(self) -> None:
        """The first raw bytes came. Nothing is left to check: the stream gives the next ones
        straight to the client."""
        self._serves = True
        if self._egress.ejections.suspects:
            self._praise()
        if self._stream is not None:
            self._stream.hand_to(self._handler.received)

    def trailers(self, block: bytes) -> None:
        if self._state is not _ANSWERING or not check_trailers(block):
            self._broken("trailers are not canonical")
            return
        self._handler.trailers(block)

    def ended(self, in_flight: int) -> None:
        is_whole = self._state is _RAW or (self._state is _ANSWERING and self._body_left <= 0)
        if in_flight >= 0:
            self._is_counted = False
            self._egress.end(in_flight, self._service.now(), is_whole)
        if not is_whole:
            self._broken("response shorter than its head says")
            return
        if self._egress.ejections.suspects and not self._serves:
            self._praise()
        self._handler.ended()
        stream = self._stream
        if self._state is _ANSWERING:
            self._done(None)
            if not self._finished and stream is not None:
                stream.reset("cancelled")

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        stream, state, service = self._stream, self._state, self._service
        now = service.now()
        assert stream is not None, "it was answered"
        held_at = None
        if state is _ASKED or state is _STANDING:
            held_at = self._let_in(now - stream.held_s)
        # As `head`, `received` and `ended`, of a final response.
        fault = ""
        status = service.heads.status_of(head)
        if (
            status is None
            or status < 200
            or (held_at is None and state is not _HELD)
            or body_bytes < LENGTH_NOT_KNOWN
            or self._request.protocol == "tcp"
        ):
            fault = "response head is not canonical"
        else:
            bodiless = self._request.head_only or status in NO_BODY_STATUS
            if len(body) != (0 if bodiless else body_bytes) and (bodiless or body_bytes >= 0):
                fault = "response longer or shorter than its head says"
        egress, during = self._egress, self._during
        self._is_counted = False
        egress.end(in_flight, now, not fault)
        if fault:
            if held_at is not None:
                self._state = _HELD
                self._handler.opened(held_at)
            self._broken(fault)
            return
        if during is not None:
            self._praise()
            self._during = None
            egress.ejections.ended(during, now)
        elif egress.ejections.suspects:
            self._praise()
        self._state = _OVER
        if self._is_demand:
            service.demand.overflowed -= 1
            if self._lacks_target:
                service.demand.without_target -= 1
        if not self._finished and self._request.upgrade:
            self.finish()  # It was not granted: the request is complete as it stands.
        self._handler.whole(head, body_bytes, body, held_at)
        if not self._finished:
            stream.reset("cancelled")

    def writable(self) -> None:
        if self._state is not _OVER:
            self._handler.writable()

    def lost(self, cause: ResetCode | None) -> None:
        self._stream = None
        egress, state = self._egress, self._state
        if state is _ASKED or state is _STANDING:
            self._wait_no_more()
        is_news = state is not _OVER and state is not _GIVEN_UP
        if cause is not None and is_news:
            self._reset_there(cause)
        if self._during is not None:
            egress.ejections.ended(self._during, self._service.now())
        if self._is_counted:
            self._is_counted = False
            egress.end(-1)
        if state is _GIVEN_UP:
            self._done(LegFailure("cancelled"))
        elif not is_news:
            return
        elif cause is not None:
            self._done(LegFailure(_FAILURES[cause], f"reset by the other site: {cause}"))
        elif state is _RAW:
            self._done(None)
        else:  # A clean end without a response is none.
            self._done(LegFailure("bad-answer", "the stream ended before the response"))

    # What an answer to OPEN, or none, says of the way there.

    def _let_in(self, held_at: float) -> float:
        """The site has a target for it, since ``held_at`` as it says; since when."""
        service, egress, begun_at = self._service, self._egress, self._begun_at
        if held_at < begun_at:  # The past that another site tells of is not before we asked it.
            held_at = begun_at
        if self._state is _STANDING:
            egress.stood()
            if self._is_demand:
                service.demand.overflowed += 1
                if self._lacks_target:
                    service.demand.without_target += 1
        else:
            since = service.unanswered.since
            if self in since:
                del since[self]
            service.remotes.note_round_trip(egress.site, held_at - begun_at)
        return held_at

    def _wait_no_more(self) -> None:
        """OPEN will not be answered, or was refused."""
        if self._state is _STANDING:
            self._egress.stood()
            self._is_demand = False
        else:
            self._service.unanswered.since.pop(self, None)

    # What its end says of the site.

    def _reset_there(self, cause: ResetCode) -> None:
        """By the other site, or on the way there."""
        if self._request.protocol != "tcp":
            if self._state is _RAW:
                return  # A tunnel may end so.
        else:
            has_served = self._state is _RAW and self._serves
            if has_served or self._service.now() - self._begun_at >= limits.EJECT_TCP_RESET_S:
                return
        self._blame(_BLAMES.get(cause, "reset"))

    def _blame(self, cause: Cause) -> None:
        egress = self._egress
        egress.ejections.failed(egress.site, self._during, cause, self._service.now())

    def _praise(self) -> None:
        egress = self._egress
        egress.ejections.succeeded(egress.site, self._during, self._service.now())

    def _broken(self, reason: str) -> None:
        self._blame("malformed")
        stream = self._stream
        self._done(LegFailure("bad-answer", reason))
        if stream is not None:
            stream.reset("bad-message")

    def _done(self, failure: LegFailure | None) -> None:
        service = self._service
        self._state = _OVER
        if self._is_demand:
            service.demand.overflowed -= 1
            if self._lacks_target:
                service.demand.without_target -= 1
        if failure is not None and failure.code in BY_FAILURE:
            service.refused_messages.note(BY_FAILURE[failure.code], service.key, self._egress.site)
        self._handler.done(failure)

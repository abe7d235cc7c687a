"""A leg over a stream to another site's targets: what comes over a link is checked here."""

from collections.abc import Callable
from typing import Protocol

from router.balance.ejection import Cause
from router.balance.remote_site import RemoteSite
from router.forward.http1.canonical import check_response_head, check_trailers
from router.forward.http1.grammar import is_upgrade
from router.forward.ports import LegCode, LegFailure, LegHandler, Request
from router.forward.unanswered import UnansweredStreams
from router.link.ports import OpenRequest, Refusal, ResetCode, Stream, StreamOpener
from router.model import limits
from router.model.ids import SiteId
from router.model.paths import Path
from router.net.ports import Buffer

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

LENGTH_NOT_KNOWN = -1
NO_BODY_STATUS = (204, 304)
SWITCHING_PROTOCOLS = 101


def upgrade_of(offer: OpenRequest) -> str | None:
    """The protocol that ``offer`` asks to switch to; empty: none; None: nothing that may be."""
    asked = offer.upgrade
    if offer.flags & _WEBSOCKET_FLAG:
        return _WEBSOCKET if asked in ("", _WEBSOCKET) else None
    return asked if not asked or is_upgrade(asked.encode("utf-8", "replace")) else None


class RemoteHandler(LegHandler, Protocol):
    """Who opened a `RemoteLeg`, a `ServerLeg` that says nothing of targets."""

    def opened(self, held_s: float = 0.0) -> None:
        """See `LegHandler`; for ``held_s`` already, which the egress kept to itself."""

    def whole(
        self, head: bytes, body_bytes: int, body: Buffer, held_s: float | None = None
    ) -> None:
        """See `LegHandler`; with ``held_s`` it stands for `opened` as well."""

    def can_leave(self) -> bool:
        """The request may be sent to another place, and one has room for it."""


class RemoteLeg:
    """One stream along ``path``, which tells ``egress`` at its end what it hears of its load.

    It opens as it is made: see `is_begun`.
    ``wait_ms`` > 0 lets the egress keep it waiting for a slot. For http a response must be
    canonical, and its body as long as its head says; otherwise the stream is reset and the failure
    is ``bad-answer``. An http leg is done with its response; one that came before the end of the
    request resets the stream, so that nobody goes on reading the rest.

    It reports to the ejections of ``egress`` whether the site serves, and stands in ``unanswered``
    from ``begun_at`` until the site has answered OPEN. One that may wait there does not.
    """

    wire = None
    status = 0
    blames_target = False
    lingers = None

    __slots__ = (
        "_aborted",
        "_begun_at",
        "_body_left",
        "_during",
        "_egress",
        "_final",
        "_finished",
        "_handler",
        "_interim_bytes",
        "_now",
        "_opened",
        "_over",
        "_raw",
        "_request",
        "_serves",
        "_site",
        "_stands",
        "_stream",
        "_unanswered",
        "is_begun",
    )

    def __init__(
        self,
        request: Request,
        handler: RemoteHandler,
        egress: RemoteSite,
        now: Callable[[], float],
        path: Path,
        wait_ms: int,
        opener: StreamOpener,
        ingress: SiteId,
        begun_at: float,
        unanswered: UnansweredStreams,
    ) -> None:
        self._request = request
        self._handler = handler
        self._egress: RemoteSite | None = egress  # None: ours is over there.
        self._site = egress
        self._during = during = egress.ejection
        self._serves = False  # Tcp: something came, which was told, so its end says nothing.
        self._begun_at = begun_at
        self._unanswered: UnansweredStreams | None = None
        self._now = now
        self._stream: Stream | None = None
        self._body_left = LENGTH_NOT_KNOWN
        self._final = False  # The final response head was passed on.
        self._raw = request.protocol == "tcp"
        self._aborted = False
        self._opened = False
        self._over = False
        self._interim_bytes = 0
        self._stands = wait_ms > 0  # Its egress has not said yet that it has a slot, or none.
        key = request.key
        by_flag = request.upgrade == _WEBSOCKET
        # Such a request is complete as it stands.
        self._finished = ends = not (self._raw or request.body_bytes or request.upgrade)
        self._stream = opener.open_stream(
            OpenRequest(
                path=path,
                service=key.name,
                port=key.port,
                protocol=request.protocol,
                ingress=ingress,
                wait_ms=wait_ms,
                flags=_WEBSOCKET_FLAG if by_flag else 0,
                body_bytes=request.body_bytes,
                head=request.head,
                client=request.client,
                local=request.local,
                session=request.session,
                upgrade="" if by_flag else request.upgrade,
            ),
            self,
            ends=ends,
        )
        self.is_begun = begun = self._stream is not None
        """False: there is no adjacency that way now, and this leg is nothing."""
        if not begun:
            return
        if during is not None:
            during.under_way += 1
        if wait_ms > 0:
            egress.stand()
        else:
            egress.open()
            self._unanswered = unanswered
            unanswered.since[self] = begun_at
            if not unanswered.is_watched:
                unanswered.watch()

    # Unanswered

    @property
    def egress_site(self) -> SiteId:
        return self._site.site

    @property
    def is_probe(self) -> bool:
        during = self._during
        return during is not None and not during.is_back

    def unanswered(self) -> None:
        """The site is silent. If nothing better can be done for the request, it waits on."""
        stream = self._stream
        self._unanswered = None
        if self._over:
            return
        self._blame("unanswered")
        if self._aborted or not self._handler.can_leave():
            return
        self._done(LegFailure("unanswered", "the other site did not take the request in time"))
        if stream is not None:
            stream.reset("cancelled")

    def overdue(self) -> None:
        """Its time for an answer was up, and `abort` follows: a failure unless one has begun."""
        if not self._final and not self._raw:
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
        self._aborted = True
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

    # StreamHandler

    def accepted(self, in_flight: int) -> None:
        if self._unanswered is not None:  # `_heard`, in place.
            del self._unanswered.since[self]
            self._unanswered = None
        if self._egress is not None:
            if self._stands:
                self._stood()
            self._egress.hear(in_flight, self._now())
        if not self._over:
            self._opened = True
            assert self._stream is not None, "it was accepted"
            self._handler.opened(self._stream.held_s)

    def refused(self, reason: Refusal, in_flight: int) -> None:
        self._heard()
        if self._stands:
            self._stood()
        if reason == "busy" and self._egress is not None:
            self._egress.refuse(in_flight, self._now())
        else:
            self._count_end(in_flight, served=False)
        if reason == "connect-failed":
            self._blame("connect")
        elif reason == "busy" and self._during is not None:
            self._site.ejections.answered(self._site.site, self._during, self._now())
        self._done(LegFailure("cancelled") if self._aborted else LegFailure(reason))

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        if self._over:
            return
        status = None if self._raw or self._final else check_response_head(head)
        if status is None or body_bytes < LENGTH_NOT_KNOWN:
            self._broken("response head is not canonical")
            return
        if status == SWITCHING_PROTOCOLS:
            if not self._request.upgrade:
                self._broken("101 without having asked for it")
                return
            self._raw = True
        elif status >= 200:
            self._final = True
            bodiless = self._request.head_only or status in NO_BODY_STATUS
            self._body_left = 0 if bodiless else body_bytes
        else:
            self._interim_bytes += len(head)
            if self._interim_bytes > limits.INTERIM_BYTES_MAX:
                self._broken("interim responses without end")
                return
        if self._during is not None:
            self._site.ejections.answered(self._site.site, self._during, self._now())
        self._handler.head(head, body_bytes)

    def received(self, data: memoryview) -> None:
        if self._over:
            return
        if not self._raw:
            if not self._final:
                self._broken("body before the response head")
                return
            left = self._body_left
            if left != LENGTH_NOT_KNOWN:
                left -= len(data)
                if left < 0:
                    self._broken("body longer than its head says")
                    return
                self._body_left = left
        elif not self._serves:
            self._serves = True
            if self._site.ejections.suspects:
                self._praise()
        self._handler.received(data)

    def trailers(self, block: bytes) -> None:
        if self._over:
            return
        if self._raw or not self._final or not check_trailers(block):
            self._broken("trailers are not canonical")
            return
        self._handler.trailers(block)

    def ended(self, in_flight: int) -> None:
        is_whole = self._raw or (self._final and self._body_left <= 0)
        if in_flight >= 0:
            self._count_end(in_flight, served=is_whole)
        if self._over:
            return
        if not is_whole:
            self._broken("response shorter than its head says")
            return
        if self._site.ejections.suspects and not self._serves:
            self._praise()
        if self._raw:
            self._handler.ended()
            return
        self._handler.ended()
        stream = self._stream
        self._done(None)
        if not self._finished and stream is not None:
            stream.reset("cancelled")

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        egress, stream = self._egress, self._stream
        if self._unanswered is not None:  # `_heard`, in place.
            del self._unanswered.since[self]
            self._unanswered = None
        # As `head`, `received` and `ended`, of a final response.
        fault = ""
        status = None if self._raw or self._final else check_response_head(head)
        if status is None or status < 200 or body_bytes < LENGTH_NOT_KNOWN:
            fault = "response head is not canonical"
        else:
            bodiless = self._request.head_only or status in NO_BODY_STATUS
            if len(body) != (0 if bodiless else body_bytes) and (bodiless or body_bytes >= 0):
                fault = "response longer or shorter than its head says"
        if in_flight >= 0 and egress is not None:  # `_count_end`, in place.
            if self._stands:
                self._stood()
            self._egress = None
            egress.end(in_flight, self._now(), not fault)
        if self._over:
            return
        held_s = None
        if not self._opened:
            self._opened = True
            assert stream is not None, "it was answered"
            held_s = stream.held_s
        if fault:
            self._broken(fault, held_s)
            return
        if self._site.ejections.suspects:
            self._praise()
        self._over = True
        if self._request.upgrade:
            self.finish()  # It was not granted: the request is complete as it stands.
        self._handler.whole(head, body_bytes, body, held_s)
        if not self._finished and stream is not None:
            stream.reset("cancelled")

    def writable(self) -> None:
        if not self._over:
            self._handler.writable()

    def lost(self, cause: ResetCode | None) -> None:
        self._stream = None
        if self._unanswered is not None:
            self._heard()
        if cause is not None and not self._over and not self._aborted:
            self._reset_there(cause)
        if self._during is not None:
            self._site.ejections.ended(self._during, self._now())
        egress = self._egress
        if egress is not None:  # `_count_end`, in place.
            if self._stands:
                self._stood()
            self._egress = None
            egress.end(-1)
        if self._over:
            return
        if self._aborted:
            self._done(LegFailure("cancelled"))
        elif cause is not None:
            self._done(LegFailure(_FAILURES[cause], f"reset by the other site: {cause}"))
        elif self._raw:
            self._done(None)
        else:  # A clean end without a response is none.
            self._done(LegFailure("bad-answer", "the stream ended before the response"))

    def _count_end(self, in_flight: int, *, served: bool) -> None:
        """Ours is over there; ``in_flight`` is then the egress's count without it, -1 not told."""
        if self._stands:
            self._stood()
        egress, self._egress = self._egress, None
        if egress is not None:
            egress.end(in_flight, self._now(), served)

    def _stood(self) -> None:
        """It waits no more, whatever came of it."""
        self._stands = False
        if self._egress is not None:
            self._egress.stood()

    # What its end says of the site.

    def _heard(self) -> None:
        """OPEN was answered, or never will be."""
        if self._unanswered is not None:
            del self._unanswered.since[self]
            self._unanswered = None

    def _reset_there(self, cause: ResetCode) -> None:
        """By the other site, or on the way there."""
        if self._request.protocol != "tcp":
            if self._raw:
                return  # A tunnel may end so.
        elif self._serves or self._now() - self._begun_at >= limits.EJECT_TCP_RESET_S:
            return
        self._blame(_BLAMES.get(cause, "reset"))

    def _blame(self, cause: Cause) -> None:
        site = self._site
        site.ejections.failed(site.site, self._during, cause, self._now())

    def _praise(self) -> None:
        site = self._site
        site.ejections.succeeded(site.site, self._during, self._now())

    def _broken(self, reason: str, held_s: float | None = None) -> None:
        """``held_s``: it is to be told first that it was opened, so long ago."""
        self._blame("malformed")
        stream = self._stream
        if held_s is not None:
            self._handler.opened(held_s)
        self._done(LegFailure("bad-answer", reason))
        if stream is not None:
            stream.reset("bad-message")

    def _done(self, failure: LegFailure | None) -> None:
        if self._over:
            return
        self._over = True
        self._handler.done(failure)

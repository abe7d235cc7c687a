"""An attempt at another site: its stream, how it counts here, and how it affects that site's
record.
"""

from abc import ABC
from typing import Protocol

from router.balance.learning.demand import SpillCause
from router.balance.sites.remote_site import RemoteSite
from router.balance.targets.ejection import Cause
from router.exchange.exchange_states import RemoteState
from router.exchange.sites.reset_causes import BLAMES
from router.exchange.sites.upgrades import WEBSOCKET, WEBSOCKET_FLAG
from router.link.ports import OpenRequest, ResetCode, StreamHandler
from router.model import limits
from router.model.ids import SiteId
from router.model.paths import Path
from router.model.requests import Request
from router.net.ports import Buffer
from router.service.ports import LegFailure, LegHandler
from router.service.service import Service
from router.service.sites.refused_messages import BY_FAILURE

# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_NOT_BEGUN = RemoteState.NOT_BEGUN
_ASKED = RemoteState.ASKED
_STANDING = RemoteState.STANDING
_HELD = RemoteState.HELD
_ANSWERING = RemoteState.ANSWERING
_RAW = RemoteState.RAW
_RAW_SERVED = RemoteState.RAW_SERVED
_GIVEN_UP = RemoteState.GIVEN_UP
_OVER = RemoteState.OVER
_ANSWERED = (_ANSWERING, _RAW, _RAW_SERVED)


class RemoteHandler(LegHandler, Protocol):
    """The opener of a `RemoteLeg`, which is a `ServerLeg` without information about targets."""

    def opened(self, held_at: float | None = None) -> None:
        """See `LegHandler`; ``held_at``: since when, None: now. The egress may report it late."""

    def whole(
        self, head: bytes, body_bytes: int, body: Buffer, held_at: float | None = None
    ) -> None:
        """See `LegHandler`; with ``held_at`` it also replaces `opened`."""

    def can_leave(self) -> bool:
        """The request may be sent to another place, and one has room for it."""


class RemoteAttempt(StreamHandler, ABC):
    """A stream along ``path``, begun in the constructor, and its counting at this site.

    ``state`` NOT_BEGUN afterwards: there is no adjacency that way now, and this attempt has no
    effect. ``wait_ms`` > 0 lets the egress keep it waiting for a slot.

    It reports the load to ``egress``, whether the site serves to its ejections, and how long the
    site took to admit it to the service's `Remotes`. It is in `Service.unanswered` from
    ``begun_at`` until the site has answered OPEN; an attempt that may wait there is not.
    ``sent_for``: why it leaves this site, for counting, unless it waits.
    """

    wire = None
    status = 0
    blames_target = False
    lingers = None

    __slots__ = (
        "_begun_at",
        "_during",
        "_egress",
        "_finished",
        "_handler",
        "_is_counted",
        "_request",
        "_sent_for",
        "_service",
        "_stream",
        "state",
    )

    @property
    def undelivered_bytes(self) -> int:
        """Bytes in the other site's kernel are not known here."""
        return 0 if self._stream is None else self._stream.queued_bytes

    def __init__(
        self,
        request: Request,
        handler: RemoteHandler,
        service: Service,
        egress: RemoteSite,
        path: Path,
        wait_ms: int,
        begun_at: float,
        sent_for: SpillCause,
    ) -> None:
        self._request = request
        self._handler = handler
        self._service = service
        self._egress = egress
        self._during = during = egress.ejection
        self.state = _NOT_BEGUN
        self._is_counted = True  # Counted among those that are under way there.
        self._sent_for = sent_for
        self._begun_at = begun_at
        key, upgrade, flags = request.key, request.upgrade, 0
        # Such a request is complete with its head.
        self._finished = ends = not (request.body_bytes or upgrade)
        if upgrade == WEBSOCKET:
            upgrade, flags = "", WEBSOCKET_FLAG
        self._stream = stream = service.streams.open_stream(
            OpenRequest(  # By position: keywords take three times as long.
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
        if stream is None:
            return
        if during is not None:
            during.begin()
        if wait_ms:
            self.state = _STANDING
            egress.stand()
            return
        self.state = _ASKED
        service.demand.elsewhere[sent_for] += 1
        egress.open()
        unanswered = service.unanswered
        unanswered.since[self] = begun_at
        if not unanswered.is_watched:
            unanswered.watch()

    @property
    def is_awaited(self) -> bool:
        """The site has a target for it and all of it, and no head of an answer came."""
        return self._finished and self.state is _HELD

    # Unanswered

    @property
    def egress_site(self) -> SiteId:
        return self._egress.site

    @property
    def is_probe(self) -> bool:
        during = self._during
        return during is not None and not during.is_back

    def unanswered(self) -> None:
        """The site is silent. If nothing better can be done for the request, it keeps waiting."""
        stream = self._stream
        if self.state is _OVER:
            return
        self._blame("unanswered")
        if self.state is _GIVEN_UP or not self._handler.can_leave():
            return
        self._wait_no_more()
        self._done(LegFailure("unanswered", "the other site did not take the request in time"))
        if stream is not None:
            stream.reset("cancelled")

    def overdue(self) -> None:
        """The time for an answer is up, and `abort` follows: a failure unless an answer
        has begun.
        """
        if self._request.protocol != "tcp" and self.state not in _ANSWERED:
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
        if self.state is _OVER:
            return
        if self.state is _ASKED or self.state is _STANDING:
            self._wait_no_more()
        self.state = _GIVEN_UP
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

    # The answer to OPEN, or its absence.

    def _let_in(self, held_at: float) -> float:
        """The site has a target for it, since ``held_at`` by its own report; returns since when."""
        service, egress, begun_at = self._service, self._egress, self._begun_at
        if held_at < begun_at:  # Another site may not report a time before the OPEN.
            held_at = begun_at
        if self.state is _STANDING:
            egress.stood()
            service.demand.elsewhere[self._sent_for] += 1
        else:
            since = service.unanswered.since
            if self in since:
                del since[self]
            service.remotes.note_round_trip(egress.site, held_at - begun_at)
        return held_at

    def _wait_no_more(self) -> None:
        """OPEN will not be answered, or was refused."""
        if self.state is _STANDING:
            self._egress.stood()
            self._sent_for = SpillCause.NO_DEMAND
            self._service.demand.elsewhere[SpillCause.NO_DEMAND] += 1  # Until it is over.
        else:
            self._service.unanswered.since.pop(self, None)

    # How its end affects the site's record.

    def _reset_there(self, cause: ResetCode) -> None:
        """Reset by the other site, or on the way there."""
        if self._request.protocol != "tcp":
            if self.state is _RAW or self.state is _RAW_SERVED:
                return  # A tunnel may end so.
        elif (
            self.state is _RAW_SERVED
            or self._service.now() - self._begun_at >= limits.EJECT_TCP_RESET_S
        ):
            return
        self._blame(BLAMES.get(cause, "reset"))

    def _blame(self, cause: Cause) -> None:
        egress = self._egress
        egress.ejections.failed(egress.site, self._during, cause, self._service.now())

    def _praise(self) -> None:
        egress = self._egress
        egress.ejections.succeeded(egress.site, self._during, self._service.now())

    def _done(self, failure: LegFailure | None) -> None:
        service = self._service
        self.state = _OVER
        service.demand.elsewhere[self._sent_for] -= 1
        if failure is not None and failure.code in BY_FAILURE:
            service.refused_messages.note(BY_FAILURE[failure.code], service.key, self._egress.site)
        self._handler.done(failure)

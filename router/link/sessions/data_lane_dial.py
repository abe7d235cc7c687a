"""The data lane of a link that this site dials: opened to the control lane's address, and again if
lost.

The link works without it: its control lane carries the streams meanwhile.
"""

import random

from router.link.sessions.back_off import delay_s
from router.link.sessions.session import LinkSession
from router.link.sessions.succession import DialPlace
from router.link.streams.mux import LaneMux
from router.model import limits
from router.net.ports import Connection, Dial, DialFailure, Timer, Timers, Tls


class DataLaneDial:
    """Dials for one session at a time: the one that is up."""

    __slots__ = (
        "_certificate",
        "_dial",
        "_dial_place",
        "_failures",
        "_rng",
        "_session",
        "_timer",
        "_timers",
    )

    def __init__(self, timers: Timers, rng: random.Random, dial_place: DialPlace) -> None:
        self._timers = timers
        self._rng = rng
        self._dial_place = dial_place
        self._session: LinkSession | None = None
        self._certificate = b""  # The one we showed on the newest data lane.
        self._dial: Dial | None = None
        self._timer: Timer | None = None
        self._failures = 0

    def begin(self, session: LinkSession) -> None:
        """``session`` is up, and has no data lane yet."""
        self._session = session
        self._failures = 0
        self._begin_dial()

    def follow(self, session: LinkSession) -> None:
        """``session`` is the link from now on, and already has its data lane."""
        self.cancel()
        self._session = session
        self._certificate = session.config.certificate

    def changed(self) -> None:
        """The data lane came or went."""
        if self._session is not None and self._session.lanes.data.current is not None:
            self._failures = 0
        else:
            self._try_later()

    def renew(self, certificate: bytes) -> None:
        """Show ``certificate`` from now on: on another data lane, if the present one did not."""
        session = self._session
        if (
            session is not None
            and session.lanes.data.current is not None
            and certificate != self._certificate
            and not session.link_drain.is_draining
            and self._dial is None
        ):
            self._begin_dial()

    def cancel(self) -> None:
        """Dial no more for this session."""
        for pending in (self._dial, self._timer):
            if pending is not None:
                pending.cancel()
        self._dial = self._timer = self._session = None

    def _try_later(self) -> None:
        session = self._session
        if (
            session is None
            or not session.is_up
            or session.lanes.is_joining
            or session.link_drain.is_draining
        ):
            return
        if self._dial is None and self._timer is None:
            pause_s = delay_s(self._rng, self._failures, limits.RECONNECT_MAX_S)
            self._failures += 1
            self._timer = self._timers.call_at(self._timers.now() + pause_s, self._begin_dial)

    def _begin_dial(self) -> None:
        self._timer = None
        self._dial = self._dial_place(self._connected, self._failed)

    def _connected(self, connection: Connection, tls: Tls) -> LaneMux:
        self._dial = None
        assert self._session is not None
        lane = self._session.new_lane(connection)
        self._certificate = tls.certificate
        self._session.join(lane, tls.certificate)
        return lane

    def _failed(self, failure: DialFailure) -> None:
        self._dial = None
        self._try_later()

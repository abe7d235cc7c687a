"""A link that this site dials: a race of its endpoints, and back-off.

Newer certificates: `succession`; its data lane: `data_lane_dial`.
"""

import enum
import random
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from router.link.fault import Fault
from router.link.neighbour import Neighbour
from router.link.sessions.back_off import delay_s
from router.link.sessions.data_lane_dial import DataLaneDial
from router.link.sessions.lost_races import COPY, LinkErrorCode, LinkState, judge, state_after
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.link.sessions.race import DialOutcome, EndpointAddress, Race, dial_place
from router.link.sessions.session import LinkSession
from router.link.sessions.session_owner import SessionConfig
from router.link.sessions.succession import Connected, Succession
from router.link.streams.mux import LaneMux
from router.model import limits
from router.net.ports import Connection, Dial, DialFailure, FarNetwork, Timer, Tls


class LinkDialing(enum.Enum):
    """Whether a configured link is dialed."""

    NOT_YET = enum.auto()  # Another link of its name comes first, or it is new.
    ON = enum.auto()  # Until it is up, and again whenever it is down.
    OVER = enum.auto()  # Its sessions end, at once or with their streams.


AFTER_DIALING: Final[Mapping[LinkDialing, frozenset[LinkDialing]]] = {
    LinkDialing.NOT_YET: frozenset((LinkDialing.ON, LinkDialing.OVER)),
    LinkDialing.ON: frozenset((LinkDialing.OVER,)),
    LinkDialing.OVER: frozenset(),
}


class OutgoingOwner(Protocol):
    """Callbacks of an outgoing link to its owner."""

    def make_session(self, link: "OutgoingLink", config: SessionConfig) -> LinkSession:
        """A session whose events come back to this link."""

    def link_changed(self, name: str) -> None:
        """Something that `link status` shows has changed."""


class OutgoingLink:
    """One configured link. `stop`, `drain` and `retire` end it permanently."""

    def __init__(
        self,
        name: str,
        spec: OutgoingSpec,
        network: FarNetwork,
        owner: OutgoingOwner,
        rng: random.Random,
        *,
        down_since: float | None = None,
        predecessor: "OutgoingLink | None" = None,
    ) -> None:
        """``down_since``: since when it was down before this process began. ``predecessor``: the
        link to a stopping neighbor that this one will replace."""
        self.name = name
        self.spec = spec
        self.state: LinkState = "connecting"
        self.dialing = LinkDialing.NOT_YET
        self.since = network.now() if down_since is None else down_since
        self.error = ""
        self.error_code: LinkErrorCode = ""
        self.session: LinkSession | None = None
        self.neighbour: Neighbour | None = None  # Since it was first up.
        self._network = network
        self._owner = owner
        self._rng = rng
        self._race: Race | None = None  # Until the link is up.
        self._timer: Timer | None = None
        self._succession = Succession(
            network,
            rng,
            dial=self._dial_place,
            new_session=self._new_session,
            again=self.succeed,
        )
        self._bytes_in_past = self._bytes_out_past = 0  # Of sessions that are over.
        self._failures = 0
        self._away_since = network.now()  # When it was last up for long, or made.
        self._place: EndpointAddress | None = None  # Where it is connected, or was last.
        self._shown = (b"", "")  # At that place, or at the last dial: see `_to_show`.
        self._last_good: EndpointAddress | None = None
        self._data_lane = DataLaneDial(network, rng, self._dial_place)
        self.predecessor = predecessor
        # The neighbor stopped after draining; False again once the link is up.
        self.has_stopped = False

    @property
    def sessions(self) -> tuple[LinkSession, ...]:
        """The session in use, and older ones that still drain."""
        return (*self._succession.older, *([self.session] if self.session is not None else []))

    @property
    def is_ending(self) -> bool:
        """The link is no longer wanted, and sessions of it are still open."""
        return self.dialing is LinkDialing.OVER and bool(self.sessions)

    @property
    def bytes_in_before(self) -> int:
        """Bytes of sessions before the one in use, including those that still drain."""
        return self._bytes_in_past + sum(one.lanes.bytes_in for one in self._succession.older)

    @property
    def bytes_out_before(self) -> int:
        """Bytes of sessions before the one in use, including those that still drain."""
        return self._bytes_out_past + sum(one.lanes.bytes_out for one in self._succession.older)

    @property
    def older_stream_count(self) -> int:
        """Streams of sessions that were replaced."""
        return self._succession.stream_count

    def start(self) -> None:
        """Dial, and continue until stopped."""
        if self.dialing is not LinkDialing.OVER:
            self.dialing = LinkDialing.ON
            self._dial_endpoints()

    def update(self, spec: OutgoingSpec) -> None:
        """Take a newer spec with the same destination. A new leaf applies to streams at once."""
        self.spec = spec
        session = self.session
        if session is None:
            if self.spec.endpoints and self._shown != self._to_show(self._tls()):
                if self.state == "refused":  # Perhaps only because of what it showed.
                    self._change("connecting", "")
                self.retry_now()
            return
        session.set_cost(spec.cost)
        self._succession.set_cost(spec.cost)
        if session.greeting.peer_renews:
            if session.config.certificate != self._tls().certificate:
                self.succeed()
            return
        self._data_lane.renew(self._tls().certificate)

    def succeed(self) -> None:
        """Dial the link again beside the session that is up, with the present certificates.

        Once the new session is up, the old one opens nothing more and goes with its last stream.
        """
        session = self.session
        if (
            session is not None
            and session.is_up
            and not session.link_drain.is_draining
            and self.dialing is LinkDialing.ON
        ):
            self._succession.begin()

    def retry_now(self) -> None:
        """End the current pause: the cause of a refusal may be gone."""
        if self._timer is not None:
            self._cancel()
            self.start()

    def stop(self, fault: Fault) -> None:
        """Dial no more and close all sessions."""
        self.retire()
        for session in self.sessions:
            session.close(fault)

    def drain(self, fault: Fault, deadline: float | None = None) -> None:
        """Dial no more, and close all sessions with their last stream, or at ``deadline``."""
        self.retire()
        for session in self.sessions:
            session.drain(fault, wholly=True, deadline=deadline)

    def retire(self) -> None:
        """Dial no more. Sessions end when the neighbor ends them."""
        self.dialing = LinkDialing.OVER
        self._cancel()

    def stand_alone(self) -> None:
        """Its predecessor is gone: unless this link is up, the neighbor is away from now on."""
        self.predecessor = None
        if self.state != "up":
            self.since = self._network.now()

    def neighbour_stopped(self) -> None:
        """The neighbor of its predecessor drained and stopped: usually it is back in a moment."""
        self.has_stopped = self.state != "up"
        self.expect_soon()

    def expect_soon(self) -> None:
        """The neighbor said goodbye: it, or its successor, will be there in a moment."""
        self._failures = -limits.RECONNECT_SOON_TRIES
        self.retry_now()

    @property
    def endpoint(self) -> str:
        """Where the link is connected, ``HOST:PORT``; empty: nowhere."""
        return str(self._place) if self.session is not None and self._place is not None else ""

    # Events of the session, passed on by `Links`.

    def session_up(self, session: LinkSession) -> None:
        """The handshake is done; the data lane is next."""
        assert self.session is session
        self.neighbour = self.session.neighbour
        self.has_stopped = False
        self._last_good = self._place
        self._end_race()
        self._change("up", "")
        self._data_lane.begin(session)
        self.update(self.spec)  # A certificate may have been renewed meanwhile.

    def is_to_succeed(self, session: LinkSession) -> bool:
        """Whether ``session`` waits to replace the one that is up."""
        return self._succession.is_next(session)

    def next_up(self) -> None:
        """The handshake of the next session is done."""
        self._succession.next_up()

    def next_changed(self) -> bool:
        """A data lane of the next session came or went. True: call `take_over`."""
        return self._succession.next_changed()

    def take_over(self, session: LinkSession) -> None:
        """``session`` is the link from now on, and the previous one drains."""
        before, self.session = self.session, session
        assert before is not None, "without one that is up there is nothing to succeed"
        self.neighbour = session.neighbour
        self._data_lane.follow(session)
        self._shown = session.config.certificate, self._shown[1]
        self._succession.take_over(before)
        self._owner.link_changed(self.name)
        self.update(self.spec)  # A certificate may have been renewed meanwhile.

    def session_changed(self, session: LinkSession) -> None:
        """The data lane of the session came or went."""
        if session is not self.session:
            return
        self._data_lane.changed()
        self._owner.link_changed(self.name)

    def session_down(self, session: LinkSession, fault: Fault) -> None:
        """The link ended, or never came up."""
        self._bytes_in_past += session.lanes.bytes_in
        self._bytes_out_past += session.lanes.bytes_out
        if self._succession.session_down(session) or session is not self.session:
            return
        self.session = None
        race, self._race = self._race, None
        self._cancel()
        if self.dialing is LinkDialing.OVER:
            if race is not None:
                race.cancel()
            if self.state == "up":  # Not `_change`: link-down reported it, and it is not missed.
                self.state, self.since = "down", self._network.now()
        elif session.up_at is None:
            assert race is not None and self._place is not None
            self._race = race
            race.go_on(self._place, fault)
        elif fault.kind != "lost":
            is_copy = fault.code == COPY
            self._change(state_after(fault), str(fault), "copy" if is_copy else "")
            pause_s = limits.COPY_RETRY_S if is_copy else self.spec.retry_after_error_s
            self._wait(pause_s if self._shown == self._to_show(self._tls()) else 0.0)
        else:
            self.has_stopped = fault.code == "shutdown" and session.link_drain.is_draining
            self._change("down", str(fault))
            was_stable = self._network.now() - session.up_at >= limits.RECONNECT_STABLE_S
            if fault.code == "shutdown":  # A neighbor that says goodbye will be back soon.
                self._failures = -limits.RECONNECT_SOON_TRIES
            elif was_stable:
                self._failures = 0
            if was_stable:
                self._away_since = self._network.now()
            self._back_off()

    # Dialing the link.

    def _tls(self) -> Tls:
        tls = self.spec.tls
        return tls if isinstance(tls, Tls) else tls()

    def _to_show(self, tls: Tls) -> tuple[bytes, str]:
        """Our certificate and a proxy's password: a peer that refused these may accept others."""
        return tls.certificate, "" if self.spec.via is None else self.spec.via.authorization

    def _dial_endpoints(self) -> None:
        self._timer = None
        if not self.spec.endpoints:
            self._change("refused", "the link has no endpoint. Create it again with a new token")
            return
        tls = self._tls()
        self._shown = self._to_show(tls)
        self._race = Race(
            self._network,
            self.spec.endpoints,
            tls,
            lambda place, connection: self._connected(place, connection, tls),
            self._all_failed,
            first=self._last_good,
            via=self.spec.via,
        )

    def _connected(self, place: EndpointAddress, connection: Connection, tls: Tls) -> LaneMux:
        self._place = place
        self.session = self._new_session(tls)
        lane = self.session.new_lane(connection)
        self.session.start(lane)
        return lane

    def _new_session(self, tls: Tls) -> LinkSession:
        config = SessionConfig(
            "dialler", self.name, self.spec.cost, tls.certificate, self.spec.expected_site
        )
        return self._owner.make_session(self, config)

    def _all_failed(self, tried: tuple[DialOutcome, ...]) -> None:
        self._race = None
        verdict = judge(tried)
        self._change(verdict.state, verdict.error, verdict.code)
        if self._shown != self._to_show(self._tls()):  # Renewed meanwhile.
            self._wait(0.0)
        elif verdict.code == "copy":
            self._wait(limits.COPY_RETRY_S)
        elif verdict.is_final:
            self._wait(self.spec.retry_after_error_s)
        else:
            self._back_off()

    def _back_off(self) -> None:
        is_recent = self._network.now() - self._away_since < limits.RECONNECT_LATELY_S
        most_s = limits.RECONNECT_LATELY_MAX_S if is_recent else limits.RECONNECT_MAX_S
        self._wait(delay_s(self._rng, self._failures, most_s))
        self._failures += 1

    def _wait(self, delay_s: float) -> None:
        self._timer = self._network.call_at(self._network.now() + delay_s, self._dial_endpoints)

    def _dial_place(self, connected: Connected, failed: Callable[[DialFailure], None]) -> Dial:
        """Dial the place of the control lane: another router cannot use a lane of this link."""
        assert self._place is not None
        tls = self._tls()
        return dial_place(
            self._network,
            self._place,
            lambda connection: connected(connection, tls),
            failed,
            tls=tls,
            via=self.spec.via,
        )

    # Helpers.

    def _change(self, state: LinkState, error: str, code: LinkErrorCode = "") -> None:
        self.error_code = code
        if (state, error) == (self.state, self.error):
            return
        if state != self.state and "up" in (state, self.state):
            self.since = self._network.now()  # The time of the loss, whatever later attempts do.
        self.state, self.error = state, error
        self._owner.link_changed(self.name)

    def _cancel(self) -> None:
        self._end_race()
        self._data_lane.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._succession.cancel()

    def _end_race(self) -> None:
        if self._race is not None:
            self._race.cancel()
            self._race = None

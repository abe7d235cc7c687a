"""A link that this site dials: endpoints in turn, back-off, redial of its data lane."""

import random
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from router.link.lane import Fault
from router.link.mux import LaneMux
from router.link.ports import Neighbour
from router.link.session import LinkSession, SessionConfig
from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Connection, Dial, DialFailure, Network, Timer, Tls

COPY = "identity-conflict"
"""The code of the refusal of who has the identity of another that is linked."""

LinkState = Literal["up", "draining", "connecting", "down", "refused"]
LinkErrorCode = Literal["", "clock"]
"""What kind of error it is, where more than its words counts."""
Endpoint = tuple[str, int]


class OutgoingSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A link to dial. ``endpoints`` (host, port) are tried in order.

    ``tls`` may be a function: it is asked at each dial, so that renewed credentials count from
    then on. ``expected_site``: the only one that may answer; None: whoever TLS admits.
    ``retry_after_error_s`` is the pause after a refusal or a broken protocol. ``is_sibling``: to
    another router of our own site, at no cost.
    """

    endpoints: tuple[Endpoint, ...]
    tls: Tls | Callable[[], Tls]
    cost: int = 1
    expected_site: SiteId | None = None
    retry_after_error_s: float = limits.RECONNECT_MAX_S
    is_sibling: bool = False

    def needs_reconnect(self, newer: "OutgoingSpec") -> bool:
        """Whether ``newer`` leads elsewhere. A new cost or credential does not."""
        return (self.endpoints, self.expected_site) != (newer.endpoints, newer.expected_site)


class OutgoingOwner(Protocol):
    """What an outgoing link asks of `Links`."""

    def make_session(self, link: "OutgoingLink", config: SessionConfig) -> LinkSession:
        """A session whose events come back to this link."""

    def link_changed(self, name: str) -> None:
        """Something that `link status` shows is different."""


class OutgoingLink:
    """One configured link. `stop` and `drain` end it for good."""

    def __init__(
        self,
        name: str,
        spec: OutgoingSpec,
        network: Network,
        owner: OutgoingOwner,
        rng: random.Random,
    ) -> None:
        self.name = name
        self.spec = spec
        self.state: LinkState = "connecting"
        self.since = network.now()
        self.error = ""
        self.error_code: LinkErrorCode = ""
        self.session: LinkSession | None = None
        self.neighbour: Neighbour | None = None  # Since it was up first.
        self.bytes_in_before = self.bytes_out_before = 0  # Of sessions that are over.
        self._network = network
        self._owner = owner
        self._rng = rng
        self._dial: Dial | None = None
        self._timer: Timer | None = None
        self._failures = 0
        self._at = 0  # Which endpoint is dialled, or connected.
        self._data_dial: Dial | None = None
        self._data_certificate = b""  # What we showed on the newest data lane.
        self._data_timer: Timer | None = None
        self._data_failures = 0
        self._stopped = False
        self.is_refused_as_copy = False
        self.has_started = False
        self.predecessor: OutgoingLink | None = None  # To a neighbour that stops.

    def start(self) -> None:
        """Dial, and go on until stopped."""
        if not self._stopped:
            self.has_started = True
            self._at = 0
            self._dial_endpoint()

    def update(self, spec: OutgoingSpec) -> None:
        """Take a newer spec that leads the same way. A new leaf counts for streams at once."""
        self.spec = spec
        session = self.session
        if session is None:
            return
        session.set_cost(spec.cost)
        renewed = (
            session.data_lane is not None and self._tls().certificate != self._data_certificate
        )
        if renewed and not session.is_draining and self._data_dial is None:
            self._dial_data()

    def retry_now(self) -> None:
        """End the current pause: the cause of a refusal may be gone."""
        if self._timer is not None:
            self._cancel()
            self.start()

    def stop(self, fault: Fault) -> None:
        """Dial no more and close what is up."""
        self._stopped = True
        self._cancel()
        if self.session is not None:
            self.session.close(fault)

    def drain(self, fault: Fault, deadline: float | None = None) -> None:
        """Dial no more, and close what is up with its last stream, or at ``deadline``."""
        self._stopped = True
        self._cancel()
        if self.session is not None:
            self.session.drain(fault, wholly=True, deadline=deadline)

    def retire(self) -> None:
        """Dial no more: the neighbour stops. What is up ends when the neighbour says so."""
        self._stopped = True
        self._cancel()

    def expect_soon(self) -> None:
        """The neighbour said goodbye: it, or its successor, is there in a moment."""
        self._failures = -limits.RECONNECT_SOON_TRIES
        self.retry_now()

    # What `Links` passes on from the session.

    def session_up(self) -> None:
        """The handshake is done; the data lane is next."""
        assert self.session is not None
        self.neighbour = self.session.neighbour
        self.is_refused_as_copy = False
        self._change("up", "")
        self._data_failures = 0
        self._dial_data()

    def session_changed(self) -> None:
        """Its data lane came or went."""
        if self.session is not None and self.session.data_lane is not None:
            self._data_failures = 0
        else:
            self._retry_data()
        self._owner.link_changed(self.name)

    def session_down(self, fault: Fault) -> None:
        """The link ended, or never came up."""
        session, self.session = self.session, None
        self._cancel()
        assert session is not None
        self.bytes_in_before += session.bytes_in
        self.bytes_out_before += session.bytes_out
        if self._stopped:
            return
        self.is_refused_as_copy = fault.code == COPY
        if fault.kind != "lost":
            self._change("refused" if fault.kind == "refused" else "down", str(fault))
            as_usual_s = self.spec.retry_after_error_s
            self._wait(limits.COPY_RETRY_S if self.is_refused_as_copy else as_usual_s)
        elif session.up_at is None:
            self._endpoint_failed("down", str(fault))
        else:
            self._change("down", str(fault))
            was_stable = self._network.now() - session.up_at >= limits.RECONNECT_STABLE_S
            if fault.code == "shutdown":  # Who says goodbye is coming back soon.
                self._failures = -limits.RECONNECT_SOON_TRIES
            elif was_stable:
                self._failures = 0
            self._back_off()

    # Dialling.

    def _tls(self) -> Tls:
        tls = self.spec.tls
        return tls if isinstance(tls, Tls) else tls()

    def _dial_endpoint(self) -> None:
        self._timer = None
        if not self.spec.endpoints:
            self._change("refused", "the link has no endpoint. Create it again with a new token")
            return
        host, port = self.spec.endpoints[self._at % len(self.spec.endpoints)]
        tls = self._tls()
        self._dial = self._network.dial(
            host,
            port,
            lambda connection: self._connected(connection, tls),
            self._dial_failed,
            timeout_s=limits.LINK_DIAL_TIMEOUT_S,
            tls=tls,
            essential=True,
        )

    def _connected(self, connection: Connection, tls: Tls) -> LaneMux:
        self._dial = None
        config = SessionConfig(
            "dialler", self.name, self.spec.cost, tls.certificate, self.spec.expected_site
        )
        self.session = self._owner.make_session(self, config)
        lane = self.session.new_lane(connection)
        self.session.start(lane)
        return lane

    def _dial_failed(self, failure: DialFailure) -> None:
        self._dial = None
        if failure.code == "self":
            hint = "Delete the link and create it with the token of another site"
            self._endpoint_failed("refused", f"the endpoint is this router itself. {hint}")
        elif failure.code == "clock":
            self._endpoint_failed("refused", failure.reason, "clock")
        elif failure.code == "tls":
            hint = "Create the link again with a new token of that site"
            self._endpoint_failed("refused", f"{failure.reason}. {hint}")
        else:
            hint = "Is the neighbour running, and may this host reach it?"
            self._endpoint_failed("down", f"{failure.reason}. {hint}")

    def _endpoint_failed(self, state: LinkState, error: str, code: LinkErrorCode = "") -> None:
        self._change(state, error, code)
        self._at += 1
        if self._at % max(1, len(self.spec.endpoints)):
            self._wait(0.0)
        elif state == "refused":
            self._wait(self.spec.retry_after_error_s)
        else:
            self._back_off()

    def _back_off(self) -> None:
        self._wait(self._delay_s(self._failures))
        self._failures += 1

    def _delay_s(self, failures: int) -> float:
        """Exponential with full jitter, so that many sites do not come back at once."""
        ceiling = limits.RECONNECT_MIN_S * 2 ** min(max(failures, 0), 16)
        return self._rng.uniform(0.0, min(limits.RECONNECT_MAX_S, ceiling))

    def _wait(self, delay_s: float) -> None:
        self._timer = self._network.call_at(self._network.now() + delay_s, self._dial_endpoint)

    # The data lane.

    def _retry_data(self) -> None:
        session = self.session
        if session is None or not session.is_up or session.is_joining or session.is_draining:
            return
        if self._data_dial is None and self._data_timer is None:
            delay_s = self._delay_s(self._data_failures)
            self._data_failures += 1
            self._data_timer = self._network.call_at(self._network.now() + delay_s, self._dial_data)

    def _dial_data(self) -> None:
        self._data_timer = None
        host, port = self.spec.endpoints[self._at % len(self.spec.endpoints)]
        tls = self._tls()
        self._data_dial = self._network.dial(
            host,
            port,
            lambda connection: self._data_connected(connection, tls),
            self._data_failed,
            timeout_s=limits.LINK_DIAL_TIMEOUT_S,
            tls=tls,
            essential=True,
        )

    def _data_connected(self, connection: Connection, tls: Tls) -> LaneMux:
        self._data_dial = None
        assert self.session is not None
        lane = self.session.new_lane(connection)
        self._data_certificate = tls.certificate
        self.session.join(lane, tls.certificate)
        return lane

    def _data_failed(self, failure: DialFailure) -> None:
        """The link works without: its control lane carries the streams meanwhile."""
        self._data_dial = None
        self._retry_data()

    # Helpers.

    def _change(self, state: LinkState, error: str, code: LinkErrorCode = "") -> None:
        self.error_code = code
        if (state, error) == (self.state, self.error):
            return
        if state != self.state:
            self.since = self._network.now()
        self.state, self.error = state, error
        self._owner.link_changed(self.name)

    def _cancel(self) -> None:
        for pending in (self._dial, self._timer, self._data_dial, self._data_timer):
            if pending is not None:
                pending.cancel()
        self._dial = self._timer = self._data_dial = self._data_timer = None

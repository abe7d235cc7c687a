"""Race of a link's endpoints: happy eyeballs over all their addresses (RFC 8305).

Attempts begin `limits.RACE_STAGGER_S` apart, or as soon as one fails. The first with TLS done ends
the others without a trace: no end hears from us twice. If that connection comes to nothing,
`Race.go_on` tries the rest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest

import msgspec

from router.link.fault import Fault
from router.model import limits
from router.net.ports import (
    Address,
    Connection,
    ConnectionHandler,
    Dial,
    DialFailure,
    FarNetwork,
    Proxy,
    Timer,
    Tls,
)

Endpoint = tuple[str, int]


class EndpointAddress(msgspec.Struct, frozen=True):
    """One address of an endpoint. Through a proxy, which resolves the name, the endpoint's own
    host."""

    endpoint: Endpoint
    host: str

    @property
    def address(self) -> str:
        """``HOST:PORT`` as dialed."""
        return str(Address(host=self.host, port=self.endpoint[1]))

    def __str__(self) -> str:
        host, port = self.endpoint
        named = str(Address(host=host, port=port))
        return named if host == self.host else f"{named} ({self.host})"


class DialOutcome(msgspec.Struct, frozen=True):
    """The failure of one place, or of an endpoint without addresses."""

    place: EndpointAddress
    trouble: DialFailure | Fault

    def __str__(self) -> str:
        if isinstance(self.trouble, Fault):
            return f"{self.place}: {self.trouble}"
        return self.trouble.reason


SHOWN_MAX = 8
"""The most places that a sentence names."""


def listed(tried: Sequence[DialOutcome]) -> str:
    """All failures as one sentence without a period, each reason once."""
    reasons = list(dict.fromkeys(str(one).rstrip(".") for one in tried))
    more = len(reasons) - SHOWN_MAX
    return "; ".join(reasons[:SHOWN_MAX]) + (f"; and {more} more" if more > 0 else "")


Connected = Callable[[EndpointAddress, Connection], ConnectionHandler]
Failed = Callable[[tuple[DialOutcome, ...]], None]


def in_order(
    endpoints: Sequence[Endpoint],
    found: Mapping[str, tuple[str, ...]],
    first: EndpointAddress | None,
) -> list[EndpointAddress]:
    """Each address once: ``first``, then the endpoints in turn, families alternating (8305, 4)."""
    of_each = [
        _alternating([EndpointAddress(one, a) for a in found.get(one[0], ())]) for one in endpoints
    ]
    rounds = [place for turn in zip_longest(*of_each) for place in turn if place is not None]
    places = list(dict.fromkeys(_alternating(rounds)))
    if first in places:
        places.remove(first)
        places.insert(0, first)
    return places[: limits.RACE_ADDRESSES_MAX]


def _alternating(places: Iterable[EndpointAddress]) -> list[EndpointAddress]:
    """The same places, alternating between the first one's family and the other while both last."""
    all_ = list(places)
    is_v6 = bool(all_) and ":" in all_[0].host
    ours = [place for place in all_ if (":" in place.host) == is_v6]
    others = [place for place in all_ if (":" in place.host) != is_v6]
    pairs = zip_longest(ours, others)
    return [place for pair in pairs for place in pair if place is not None]


def dial_place(
    network: FarNetwork,
    place: EndpointAddress,
    connected: Callable[[Connection], ConnectionHandler],
    failed: Callable[[DialFailure], None],
    *,
    tls: Tls,
    via: Proxy | None,
) -> Dial:
    """Start one attempt. TLS and error texts use the endpoint's name, not its address."""
    host, port = place.endpoint
    if place.host != host and not tls.server_name:
        tls = msgspec.structs.replace(tls, server_name=host)

    def named(failure: DialFailure) -> None:
        reason = failure.reason.replace(place.address, str(place), 1)
        failed(DialFailure(code=failure.code, reason=reason))

    timeout_s = limits.LINK_DIAL_TIMEOUT_S
    if via is None:
        return network.dial(
            place.host, port, connected, named, timeout_s=timeout_s, tls=tls, essential=True
        )
    timeout_s += limits.PROXY_ANSWER_TIMEOUT_S
    return network.dial(
        place.host, port, connected, named, timeout_s=timeout_s, tls=tls, essential=True, via=via
    )


class Race:
    """One run over all places. ``failed`` is called at most once, and later; `cancel` stops it."""

    def __init__(
        self,
        network: FarNetwork,
        endpoints: Sequence[Endpoint],
        tls: Tls,
        connected: Connected,
        failed: Failed,
        *,
        first: EndpointAddress | None = None,
        via: Proxy | None = None,
    ) -> None:
        """``first``: the place that worked last time, tried first if it is still one."""
        self._network = network
        self._endpoints = endpoints
        self._tls = tls
        self._connected = connected
        self._failed = failed
        self._first = first
        self._via = via
        self._found: dict[str, tuple[str, ...]] = {}
        self._questions: dict[str, Dial] = {}
        self._started: set[EndpointAddress] = set()
        self._dials: dict[EndpointAddress, Dial] = {}
        self._tried: list[DialOutcome] = []
        self._timer: Timer | None = None  # First until the first attempt, then until the next one.
        self._first_again: Timer | None = None  # Until the next attempt at ``first``.
        self._is_ready = False  # The time for resolving names is over.
        self._won = False
        self._over = False
        hosts = dict.fromkeys(host for host, _ in endpoints)
        if via is not None:
            self._found = {host: (host,) for host in hosts}
            self._timer = network.call_at(network.now(), self._begin)
            return
        for host in hosts:
            self._questions[host] = self._ask(host)

    def cancel(self) -> None:
        """Make neither callback from now on. A connection that was handed over stays.
        Idempotent."""
        self._over = True
        self._pause()
        for question in self._questions.values():
            question.cancel()
        self._questions.clear()

    def go_on(self, place: EndpointAddress, trouble: Fault) -> None:
        """The connection to ``place`` came to nothing: try the remaining places."""
        self._tried.append(DialOutcome(place, trouble))
        self._won = False
        self._next()

    # Names.

    def _ask(self, host: str) -> Dial:
        return self._network.resolve(host, lambda addresses: self._resolved(host, addresses))

    def _resolved(self, host: str, addresses: tuple[str, ...]) -> None:
        del self._questions[host]
        self._found[host] = addresses
        if not addresses:
            for endpoint in self._endpoints:
                if endpoint[0] == host:
                    self._no_address(EndpointAddress(endpoint, host))
        if not self._questions:
            self._begin()
        elif self._is_ready:
            self._join_late()
        elif addresses and self._timer is None:
            due = self._network.now() + limits.RACE_RESOLVE_S
            self._timer = self._network.call_at(due, self._begin)

    def _no_address(self, place: EndpointAddress) -> None:
        words = f"{place} has no address: the name cannot be resolved"
        self._tried.append(DialOutcome(place, DialFailure(code="name", reason=words)))

    def _begin(self) -> None:
        if not self._is_ready:
            self._is_ready = True
            self._next()
        else:
            self._join_late()

    def _join_late(self) -> None:
        """A name was resolved late. Without a timer there was nothing left to begin: attempts under
        way may be silent until their timeout."""
        if self._timer is None:
            self._next()

    # Attempts.

    def _next(self) -> None:
        """Begin the next attempt, or fail when none is left and none is under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._won or self._over:
            return
        places = in_order(self._endpoints, self._found, self._first)
        left = [place for place in places if place not in self._started]
        if not left:
            if not self._dials and not self._questions:
                self.cancel()
                self._failed(tuple(self._tried))
            return
        if len(self._dials) >= limits.RACE_ATTEMPTS_MAX:
            return  # The next failure makes room.
        self._start(left[0])
        due = self._network.now() + limits.RACE_STAGGER_S
        self._timer = self._network.call_at(due, self._next)

    def _start(self, place: EndpointAddress) -> None:
        self._started.add(place)
        self._dials[place] = dial_place(
            self._network,
            place,
            lambda connection: self._take(place, connection),
            lambda failure: self._attempt_failed(place, failure),
            tls=self._tls,
            via=self._via,
        )

    def _attempt_failed(self, place: EndpointAddress, failure: DialFailure) -> None:
        del self._dials[place]
        self._tried.append(DialOutcome(place, failure))
        if place == self._first:  # Others may be silent until their timeout.
            due = self._network.now() + limits.RACE_AGAIN_S
            self._first_again = self._network.call_at(due, self._try_first_again)
        self._next()

    def _try_first_again(self) -> None:
        self._first_again = None
        if self._first is not None:
            self._started.discard(self._first)
        self._next()

    def _take(self, place: EndpointAddress, connection: Connection) -> ConnectionHandler:
        del self._dials[place]
        self._won = True
        self._pause()
        return self._connected(place, connection)

    def _pause(self) -> None:
        """Cancel the attempts under way; they may start again."""
        for timer in (self._timer, self._first_again):
            if timer is not None:
                timer.cancel()
        self._timer = self._first_again = None
        for place, dial in self._dials.items():
            dial.cancel()
            self._started.discard(place)
        self._dials.clear()

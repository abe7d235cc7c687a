"""Which service ports get a listener here, whatever other sites declare. Pure.

This site's own declarations come first. Every other site has a budget, and all listeners together
have one: no member of a network can use up the descriptors of another. A port that several services
declare goes to the one that had it last: no member, and no command, can take it from that one.
"""

import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from enum import Enum

import msgspec

from router.exchange.clients.listeners import EVERYWHERE, Where
from router.model import limits
from router.model.errors import PORT_TAKEN
from router.model.ids import ServiceKey, SiteId


class ListenerRefusal(Enum):
    """Why a service port has no listener here."""

    LOW_PORT = "ports below 1024 need a Listener of this site"
    TAKEN = "that address is one of this site's own"
    PLACE = PORT_TAKEN
    SITE = "its site has as many listeners here as listenersPerSite allows"
    TOTAL = "this router has as many listeners as its limit of open files allows"
    UNPLANNED = (
        "of services that no document here names, a router has room for "
        f"{limits.SERVICE_PORTS_OF_SITE_MAX:,} ports of one other site and "
        f"{limits.SERVICE_PORTS_OF_SITES_MAX:,} of all"
    )


class ListenerRequest(msgspec.Struct, frozen=True):
    """A service port that should listen here. ``origin`` None: this site's operator asks for it.

    ``place`` None: behind a Kubernetes Service, at a port that this site chooses. ``is_given``:
    this site's operator named its address, whose port may be below 1024 then.
    """

    key: ServiceKey
    origin: SiteId | None = None
    place: Where | None = None
    is_given: bool = False


class ListenerBudget(msgspec.Struct, frozen=True):
    """``per_site``: the budget of each other site. ``total``: of all listeners, this site's
    included.

    ``doors``: where this site listens for links and its operator; free while it starts.
    ``holders``: by other site, its holder, see `routing.sites_behind.holders`.
    """

    per_site: int = limits.LISTENERS_PER_SITE
    total: int = limits.LISTENERS_MAX
    doors: tuple[Where, ...] = ()
    holders: Mapping[SiteId, str] = {}


class Tenure(msgspec.Struct, frozen=True):
    """The state that decides between services that declare the same port.

    ``held``: service ports that have a listener now, or had one when the router ended. ``moved``:
    those of them that now ask for another address, which another service may have. ``rank``: of
    names, lower for those whose owner this site has known for longer. ``kept``: by port, the site
    of a service that held it and is away.
    """

    held: Container[ServiceKey] = frozenset()
    moved: Container[ServiceKey] = frozenset()
    rank: Mapping[str, int] = {}
    kept: Mapping[int, SiteId] = {}

    def turn(self, key: ServiceKey) -> int:
        """The order: first services that stay at their address, then those that move, then new
        ones."""
        return int(key in self.moved) if key in self.held else 2


def refusals(
    requests: Sequence[ListenerRequest], tenure: Tenure, budget: ListenerBudget
) -> dict[ServiceKey, ListenerRefusal]:
    """The requests that get no listener.

    A listener stays while its own site and this one ask for no more: a site that joins takes no
    listener from another. New ones share the room: holders take turns, and so do the sites of each.
    """
    own = [request for request in requests if request.origin is None]
    refused, own_hosts = _own_refusals(own, tenure, budget.total)
    room = budget.total - (len(own) - len(refused))
    doors = _hosts(budget.doors)
    foreign: list[tuple[int, float, SiteId, ServiceKey, Where | None]] = []
    for request in requests:
        if request.origin is None:
            continue
        key = request.key
        why = _barred(request, doors, own_hosts, tenure.kept)
        if why is not None:
            refused[key] = why
        else:
            rank = tenure.rank.get(key.name, math.inf)
            foreign.append((tenure.turn(key), rank, request.origin, key, request.place))
    foreign.sort()
    by_site: dict[SiteId, list[tuple[int, ServiceKey]]] = {}
    taken: set[Where] = set()
    beyond: list[tuple[ServiceKey, Where | None]] = []
    for turn, _, site, key, place in foreign:
        theirs = by_site.setdefault(site, [])
        if len(theirs) >= budget.per_site or place in taken:
            beyond.append((key, place))
            continue
        theirs.append((turn, key))
        if place is not None:
            taken.add(place)
    for key, place in beyond:
        refused[key] = ListenerRefusal.PLACE if place in taken else ListenerRefusal.SITE
    ranked = sorted(
        (turn, number, site, key)
        for site, theirs in by_site.items()
        for number, (turn, key) in enumerate(theirs)
    )
    in_turn = _by_holder(ranked, budget.holders)
    return refused | {key: ListenerRefusal.TOTAL for key in in_turn[room:]}


def _by_holder(
    ranked: Sequence[tuple[int, int, SiteId, ServiceKey]], holders: Mapping[SiteId, str]
) -> list[ServiceKey]:
    """Within each turn, holders alternate: a member can invent any number of sites, but one
    neighbor or one token lets in all of them."""
    counts: Counter[tuple[int, str]] = Counter()
    places = []
    for place, (turn, _, site, key) in enumerate(ranked):
        holder = holders.get(site, site)
        places.append((turn, counts[turn, holder], place, key))
        counts[turn, holder] += 1
    return [key for *_, key in sorted(places)]


def _own_refusals(
    own: Sequence[ListenerRequest], tenure: Tenure, total: int
) -> tuple[dict[ServiceKey, ListenerRefusal], dict[int, set[str]]]:
    """The requests of this site that get no listener, and by port the hosts of the others."""
    refused: dict[ServiceKey, ListenerRefusal] = {}
    taken: dict[int, set[str]] = {}
    room = total
    for one in sorted(own, key=lambda one: tenure.turn(one.key)):
        if one.place is not None and _is_among(one.place[0], taken.get(one.place[1], set())):
            refused[one.key] = ListenerRefusal.PLACE
        elif not room:
            refused[one.key] = ListenerRefusal.TOTAL
        else:
            room -= 1
            if one.place is not None:
                host, port = one.place
                taken.setdefault(port, set()).add(host)
    return refused, taken


def _hosts(places: Sequence[Where]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for host, port in places:
        found.setdefault(port, set()).add(host)
    return found


def _barred(
    request: ListenerRequest,
    doors: Mapping[int, set[str]],
    own: Mapping[int, set[str]],
    kept: Mapping[int, SiteId],
) -> ListenerRefusal | None:
    if request.place is None:
        return None
    host, port = request.place
    if port < limits.UNPRIVILEGED_PORT_MIN and not request.is_given:
        return ListenerRefusal.LOW_PORT
    if _is_among(host, doors.get(port, set())):
        return ListenerRefusal.TAKEN
    if _is_among(host, own.get(port, set())) or kept.get(port, request.origin) != request.origin:
        return ListenerRefusal.PLACE
    return None


def collide(one: Where, other: Where) -> bool:
    """Whether only one of two listeners can have its address."""
    return one[1] == other[1] and _is_among(one[0], {other[0]})


def _is_among(host: str, hosts: set[str]) -> bool:
    """Whether listeners at ``hosts``, all on one port, leave no room for one at ``host``."""
    return bool(hosts) and (host in EVERYWHERE or host in hosts or not hosts.isdisjoint(EVERYWHERE))

"""Applies `budget` to all declarations in force at a site. Pure."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from router.documents import Wanted, listening_addresses
from router.exchange.clients.listeners import Where
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import Declaration
from router.model.persisted import HeldListener
from router.model.rights.owners import Owner
from router.model.specs import ServiceSpec
from router.node.services.listeners.budget import (
    ListenerBudget,
    ListenerRefusal,
    ListenerRequest,
    Tenure,
    collide,
    refusals,
)
from router.node.services.listeners.places import not_asked, override_of, place_of
from router.node.services.listeners.shown_ports import shown_ports
from router.node.services.ports import Keeper

KEYS_SHOWN = 3
HERE = SiteId("")
"""This site, in the memory of which service had which port."""
FORMER = SiteId("before the restart")
"""The sites of remembered declarations, where neither the listeners nor the owners name them."""


class PortHolder(msgspec.Struct, frozen=True):
    """The service that has a port that another service declares too. ``site`` None: this site.

    ``is_away``: the service has no declaration now, and its port is kept for it. ``is_given``: as
    in `ListenerRequest`; another site may declare it.
    """

    service: str
    site: SiteId | None
    is_away: bool = False
    is_given: bool = False


class MissingListeners(msgspec.Struct, frozen=True):
    """Service ports of one site without a listener for one reason. ``origin`` None: this site.

    ``holders``: for each in ``first``, the service that has its port; None: no service, or not
    known. ``places``: where each in ``first`` should listen; None: at its own port and the site's
    address.
    """

    origin: SiteId | None
    refusal: ListenerRefusal
    count: int
    first: tuple[ServiceKey, ...]
    holders: tuple[PortHolder | None, ...] = ()
    places: tuple[Where | None, ...] = ()


class ListenerGrants(msgspec.Struct, frozen=True):
    """``refused`` by service and port. ``shown``: how many ports of a service are planned at all.

    All ports are planned of services missing in ``shown``.
    """

    refused: Mapping[str, Mapping[int, ListenerRefusal]] = {}
    shown: Mapping[str, int] = {}
    unlistened: tuple[MissingListeners, ...] = ()

    def listened(self, name: str, spec: ServiceSpec) -> ServiceSpec | None:
        """``spec`` with only those ports that may have a listener; None: no port may."""
        refused, count = self.refused.get(name, {}), self.shown.get(name)
        if not refused and count is None:
            return spec
        ports = tuple(port for port in spec.ports[:count] if port not in refused)
        return msgspec.structs.replace(spec, ports=ports) if ports else None


class ListenerOffice:
    """Grants listeners after each change; returns the same object while nothing changed.

    Owns the memory of which service had which port, which survives a restart.
    """

    __slots__ = (
        "_declared",
        "_grants",
        "_held",
        "_holders",
        "_keeper",
        "_kept",
        "_origins",
        "_owners",
        "_places",
        "_present",
        "_total",
        "_wanted",
    )

    def __init__(self, total: int, keeper: Keeper) -> None:
        """``total``: the most listeners of all services."""
        self._total = total
        self._keeper = keeper
        self._wanted: Wanted | None = None
        self._declared: Mapping[str, Declaration] = {}
        self._origins: Mapping[str, SiteId] = {}
        self._owners: Mapping[str, Owner] = {}
        self._holders: Mapping[SiteId, str] | None = None  # None: not needed, there is room.
        self._kept = self._present = keeper.listeners()
        self._held = {ServiceKey(one.service, one.port): one.site for one in self._kept}
        self._places: dict[ServiceKey, Where | None] = {  # Where each listens, or last did.
            ServiceKey(one.service, one.port): (one.host, one.listens_at)
            for one in self._kept
            if one.listens_at
        }
        self._grants = ListenerGrants()

    def grants(
        self,
        wanted: Wanted,
        declared: Mapping[str, Declaration],
        origins: Mapping[str, SiteId],
        owners: Mapping[str, Owner],
        holders: Callable[[], Mapping[SiteId, str]] = dict,
    ) -> ListenerGrants:
        """``origins``: by service, the other site whose declaration is in force; see `origins_of`.

        ``owners``: of names, the longest known first. ``holders``: by site, its holder, see
        `routing.sites_behind.holders`.
        """
        if (
            wanted is not self._wanted
            or owners is not self._owners
            or declared != self._declared
            or origins != self._origins
            or (self._holders is not None and holders() != self._holders)
        ):
            self._wanted, self._declared = wanted, declared
            self._origins, self._owners = origins, owners
            self._holders = None
            self._grants = self._granted(
                wanted, declared, origins, owners, lambda: self._asked(holders)
            )
        return self._grants

    def _asked(self, holders: Callable[[], Mapping[SiteId, str]]) -> Mapping[SiteId, str]:
        if self._holders is None:
            self._holders = holders()
        return self._holders

    def origins_of(
        self, remembered: Iterable[str], owners: Mapping[str, Owner]
    ) -> dict[str, SiteId]:
        """By service, the site whose declaration is remembered but has not come again yet."""
        listening = {key.name: site for key, site in self._held.items() if site != HERE}
        return {name: listening.get(name) or _only_owner(owners.get(name)) for name in remembered}

    def keep(self) -> None:
        """Store which service has which port, if that changed."""
        if self._present != self._kept:
            self._keeper.keep_listeners(self._present)
            self._kept = self._present

    def _granted(
        self,
        wanted: Wanted,
        declared: Mapping[str, Declaration],
        origins: Mapping[str, SiteId],
        owners: Mapping[str, Owner],
        holders: Callable[[], Mapping[SiteId, str]],
    ) -> ListenerGrants:
        ranks = {name: rank for rank, name in enumerate(owners) if name in origins}
        shown = shown_ports(wanted, declared, origins, ranks, holders)
        requests = [
            request
            for name, told in sorted(declared.items())
            for request in _requests(told, shown.get(name), wanted, origins.get(name))
        ]
        doors = tuple((door.host, door.port) for door in listening_addresses(wanted.site, {}, {}))
        budget = ListenerBudget(
            wanted.site.listeners_per_site,
            self._total,
            doors,
            holders() if len(requests) > self._total else {},
        )
        away = {
            key: site
            for key, site in self._held.items()
            if site != HERE and key.name not in declared and key.name in owners
        }
        kept = {key.port: site for key, site in away.items()}
        places = {one.key: one.place for one in requests}
        moved = {key for key, at in self._places.items() if places.get(key) != at}
        refused = refusals(requests, Tenure(self._held, moved, ranks, kept), budget)
        self._places = {key: at for key, at in places.items() if key not in refused}
        self._hold(requests, refused, away, budget.per_site)
        by_name: dict[str, dict[int, ListenerRefusal]] = {}
        for key, refusal in refused.items():
            by_name.setdefault(key.name, {})[key.port] = refusal
        asked = {one.key: one for one in requests}
        found = _unlistened(asked, refused, away, wanted.site.bind_ip)
        return ListenerGrants(by_name, shown, (*found, *_unplanned(shown, declared, origins)))

    def _hold(
        self,
        requests: Sequence[ListenerRequest],
        refused: Mapping[ServiceKey, ListenerRefusal],
        away: Mapping[ServiceKey, SiteId],
        per_site: int,
    ) -> None:
        """Remember the present listeners, the longest held first, and those of services ``away``.

        Ports kept for a site that is away count in its budget too.
        """
        granted = {one.key: one.origin or HERE for one in requests if one.key not in refused}
        counts = Counter(granted.values())
        room = limits.LISTENERS_REMEMBERED_MAX - len(granted)
        before, self._held = self._held, {}
        for key in before:
            if key in granted:
                self._held[key] = granted[key]
            elif key in away and room > 0 and counts[away[key]] < per_site:
                self._held[key] = away[key]
                counts[away[key]] += 1
                room -= 1
        for key, site in granted.items():
            self._held.setdefault(key, site)
        self._present = tuple(
            HeldListener(key.name, key.port, site, *(self._places.get(key) or ("", 0)))
            for key, site in islice(self._held.items(), limits.LISTENERS_REMEMBERED_MAX)
        )


def _only_owner(owner: Owner | None) -> SiteId:
    return owner.sites[0] if owner is not None and len(owner.sites) == 1 else FORMER


def _requests(
    told: Declaration, count: int | None, wanted: Wanted, origin: SiteId | None
) -> Iterator[ListenerRequest]:
    own = wanted.services.get(told.name)
    for index, port in enumerate(told.spec.ports[:count]):
        key = ServiceKey(told.name, port)
        if not_asked(key, told, wanted):
            continue
        place = place_of(key, told, wanted)[0] if wanted.inner_ports is None else None
        override = override_of(key, told, wanted)
        # The operator named the service, but another site says how many ports it has.
        is_named = override is not None and index < limits.PORTS_PER_SERVICE_MAX
        is_own = is_named or (own is not None and port in own.ports)
        yield ListenerRequest(key, None if is_own else origin, place, override is not None)


def _holder_of(
    request: ListenerRequest, granted: Sequence[ListenerRequest], away: Mapping[ServiceKey, SiteId]
) -> PortHolder | None:
    """The service that has the address of ``request`` here."""
    place = request.place
    if place is None:
        return None
    for one in granted:
        if one.place is not None and collide(one.place, place):
            return PortHolder(one.key.name, one.origin, is_given=one.is_given)
    kept = (PortHolder(key.name, site, True) for key, site in away.items() if key.port == place[1])
    return next(kept, None)


def _elsewhere(request: ListenerRequest, host: str) -> Where | None:
    """Where the service port should listen, if not at its own port of ``host``."""
    return None if request.place == (host, request.key.port) else request.place


def _unlistened(
    asked: Mapping[ServiceKey, ListenerRequest],
    refused: Mapping[ServiceKey, ListenerRefusal],
    away: Mapping[ServiceKey, SiteId],
    host: str,
) -> tuple[MissingListeners, ...]:
    """``host``: where services without a Listener document listen."""
    granted = [request for key, request in asked.items() if key not in refused]
    found: dict[tuple[str, ListenerRefusal], list[ServiceKey]] = {}
    for key, request in asked.items():
        if (why := refused.get(key)) is not None:
            found.setdefault((request.origin or "", why), []).append(key)
    return tuple(
        MissingListeners(
            SiteId(site) if site else None,
            refusal,
            len(keys),
            (first := tuple(sorted(keys)[:KEYS_SHOWN])),
            tuple(_holder_of(asked[key], granted, away) for key in first)
            if refusal is ListenerRefusal.PLACE
            else (),
            tuple(_elsewhere(asked[key], host) for key in first),
        )
        for (site, refusal), keys in sorted(
            found.items(), key=lambda one: (one[0][0], one[0][1].name)
        )
    )


def _unplanned(
    shown: Mapping[str, int], declared: Mapping[str, Declaration], origins: Mapping[str, SiteId]
) -> tuple[MissingListeners, ...]:
    """For each site, the ports that are not planned at all."""
    found: dict[SiteId, list[ServiceKey]] = {}
    for name, count in shown.items():
        ports = declared[name].spec.ports[count:]
        found.setdefault(origins[name], []).extend(ServiceKey(name, port) for port in ports)
    return tuple(
        MissingListeners(
            site, ListenerRefusal.UNPLANNED, len(keys), tuple(heapq.nsmallest(KEYS_SHOWN, keys))
        )
        for site, keys in sorted(found.items())
    )

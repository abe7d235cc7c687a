"""`listener_budget`, asked for all declarations in force at a site. Pure."""

from collections.abc import Iterator, Mapping

import msgspec

from router.documents import Wanted, listening_addresses
from router.main.listener_budget import ListenerBudget, ListenerRequest, Refusal, refusals
from router.main.listener_places import not_asked, override_of, place_of
from router.model import limits
from router.model.adverts import Declaration
from router.model.ids import ServiceKey, SiteId
from router.model.specs import ServiceSpec

KEYS_SHOWN = 3
FORMER = SiteId("before the restart")
"""Stands for all sites whose declarations this router remembers and has not heard again yet."""


class Unlistened(msgspec.Struct, frozen=True):
    """Service ports of one site without a listener for one reason. ``origin`` None: this site."""

    origin: SiteId | None
    refusal: Refusal
    count: int
    first: tuple[ServiceKey, ...]


class ListenerGrants(msgspec.Struct, frozen=True):
    """``refused`` by service and port. ``shown``: how many ports of a service are planned at all.

    Services that are not in ``shown`` are planned whole.
    """

    refused: Mapping[str, Mapping[int, Refusal]] = {}
    shown: Mapping[str, int] = {}
    unlistened: tuple[Unlistened, ...] = ()

    def listened(self, name: str, spec: ServiceSpec) -> ServiceSpec | None:
        """``spec`` with only those ports that may have a listener; None: it has none."""
        refused, count = self.refused.get(name, {}), self.shown.get(name)
        if not refused and count is None:
            return spec
        ports = tuple(port for port in spec.ports[:count] if port not in refused)
        return msgspec.structs.replace(spec, ports=ports) if ports else None


class ListenerOffice:
    """Grants again and again; the very value of before while nothing changed."""

    __slots__ = ("_declared", "_grants", "_held", "_origins", "_total", "_wanted")

    def __init__(self, total: int) -> None:
        """``total``: of all listeners."""
        self._total = total
        self._wanted: Wanted | None = None
        self._declared: Mapping[str, Declaration] = {}
        self._origins: Mapping[str, SiteId] = {}
        self._held: frozenset[ServiceKey] = frozenset()
        self._grants = ListenerGrants()

    def grants(
        self, wanted: Wanted, declared: Mapping[str, Declaration], origins: Mapping[str, SiteId]
    ) -> ListenerGrants:
        """``origins``: by service, the other site whose declaration is in force."""
        if wanted is not self._wanted or declared != self._declared or origins != self._origins:
            self._wanted, self._declared, self._origins = wanted, declared, origins
            self._grants = self._granted(wanted, declared, origins)
        return self._grants

    def _granted(
        self, wanted: Wanted, declared: Mapping[str, Declaration], origins: Mapping[str, SiteId]
    ) -> ListenerGrants:
        shown, beyond = _shown(wanted, declared, origins)
        requests = [
            request
            for name, told in sorted(declared.items())
            for request in _requests(told, shown.get(name), wanted, origins.get(name))
        ]
        doors = tuple((door.host, door.port) for door in listening_addresses(wanted.site, {}, {}))
        budget = ListenerBudget(wanted.site.listeners_per_site, self._total, doors)
        refused = refusals(requests, self._held, budget)
        self._held = frozenset(one.key for one in requests if one.key not in refused)
        by_name: dict[str, dict[int, Refusal]] = {}
        for key, refusal in refused.items():
            by_name.setdefault(key.name, {})[key.port] = refusal
        return ListenerGrants(by_name, shown, _unlistened(requests, refused, beyond))


def _shown(
    wanted: Wanted, declared: Mapping[str, Declaration], origins: Mapping[str, SiteId]
) -> tuple[dict[str, int], dict[SiteId, int]]:
    """How many ports are planned where not all are, and how many of a site are left out so.

    Ports without a listener or a target here cost memory in every part of the router.
    """
    used = {*wanted.services, *(connector.service for connector in wanted.connectors.values())}
    used.update(listener.service for listener in wanted.listeners.values())
    left: dict[SiteId, int] = {}
    shown: dict[str, int] = {}
    beyond: dict[SiteId, int] = {}
    for name, site in sorted(origins.items()):
        if name in used:
            continue
        count = len(declared[name].spec.ports)
        room = left.get(site, limits.SERVICE_PORTS_OF_SITE_MAX)
        left[site] = max(0, room - count)
        if count > room:
            shown[name] = room
            beyond[site] = beyond.get(site, 0) + count - room
    return shown, beyond


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


def _unlistened(
    requests: list[ListenerRequest],
    refused: Mapping[ServiceKey, Refusal],
    beyond: Mapping[SiteId, int],
) -> tuple[Unlistened, ...]:
    found: dict[tuple[str, Refusal], list[ServiceKey]] = {
        (site, Refusal.SITE): [] for site in beyond
    }
    for request in requests:
        if (why := refused.get(request.key)) is not None:
            found.setdefault((request.origin or "", why), []).append(request.key)
    return tuple(
        Unlistened(
            SiteId(site) if site else None,
            refusal,
            len(keys) + (beyond.get(SiteId(site), 0) if refusal is Refusal.SITE else 0),
            tuple(sorted(keys)[:KEYS_SHOWN]),
        )
        for (site, refusal), keys in sorted(
            found.items(), key=lambda one: (one[0][0], one[0][1].name)
        )
    )

"""The way to a site as this router knows it: each router on it, and where it breaks."""

from collections.abc import Callable
from typing import Final

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.limits import PATH_ROUTERS_MAX
from router.model.paths import Path
from router.routing.broken_path import Fault, WayStep
from router.routing.core import RoutingCore
from router.routing.edges.edge import Routing
from router.routing.table import RouteTable, SiteRoute


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """A router on the way. ``cost``: of the link into it. ``path_cost``: of the path to it.

    Either is None if unknown. ``broken``: why no traffic reaches this router; empty: no known
    reason.
    """

    router: RouterId
    site: SiteId
    name: str
    cost: int | None
    path_cost: int | None
    version: str
    broken: str = ""


class NetworkWay(msgspec.Struct, frozen=True, kw_only=True):
    """``hops`` in order, ending with the requested site. ``paths``: number of equally cheap
    paths."""

    site: SiteId
    name: str
    hops: tuple[Hop, ...]
    path_cost: int | None
    paths: int
    reason: str

    @property
    def path(self) -> Path:
        """The routers up to the break."""
        whole: list[RouterId] = []
        for hop in self.hops:
            if hop.broken:
                break
            whole.append(hop.router)
        return tuple(whole)


def way_to(
    route: SiteRoute,
    routing: Routing,
    first_hops: frozenset[RouterId] | None,
    why_down: Callable[[SiteId], str],
) -> NetworkWay | None:
    """The cheapest way of ``route`` to another site; if there is none now, the last known one.

    ``first_hops``: routers the way may begin with; None: any. The result is None if no cheapest way
    begins with one of them. ``why_down``: the fault of our links to a neighbor.
    """
    table = routing.table
    if not route.reachable:
        steps = routing.broken_path(route.site) if isinstance(routing, RoutingCore) else ()
        return _remembered(route, steps, table, why_down)
    paths = [path for path in route.paths if first_hops is None or path[0] in first_hops]
    if not paths:
        return None
    return NetworkWay(
        site=route.site,
        name=route.name,
        hops=_hops(paths[0], route, table),
        path_cost=route.path_cost,
        paths=len(route.paths),
        reason="",
    )


def _hops(path: Path, route: SiteRoute, table: RouteTable) -> tuple[Hop, ...]:
    """The hops of a path to the site. An edge does not know the sites of the routers between."""
    hops: list[Hop] = []
    before, path_cost = table.site, 0 if route.path_cost is not None else None
    known = {one.router: one.site for one in table.sites.values()} | table.routers
    for router in path:
        site = known.get(router, SiteId(""))
        found = table.sites.get(site)
        cost = _cost(before, site, table)
        path_cost = None if cost is None or path_cost is None else path_cost + cost
        is_last = router == path[-1]
        hops.append(
            Hop(
                router=router,
                site=site,
                name=found.name if found else str(router),
                cost=cost,
                path_cost=route.path_cost if is_last else path_cost,
                version=found.version if found else "",
            )
        )
        before = site
    return tuple(hops)


def _cost(here: SiteId, there: SiteId, table: RouteTable) -> int | None:
    if here == there:
        return 0
    found = table.sites.get(here)
    return dict(found.neighbours).get(there) if found else None


def _remembered(
    route: SiteRoute,
    steps: tuple[WayStep, ...],
    table: RouteTable,
    why_down: Callable[[SiteId], str],
) -> NetworkWay:
    hops: list[Hop] = []
    broken, reason, path_cost = "", "", 0

    def name_of(site: SiteId) -> str:
        found = table.sites.get(site)
        return found.name if found else str(site)

    for step in steps:
        here, there = name_of(step.here.site), name_of(step.there.site)
        path_cost += step.cost
        if broken:
            broken = "beyond the break"
        elif step.fault:
            broken = reason = _FAULTS[step.fault].format(here=here, there=there)
            ours = why_down(step.there.site) if step.here.site == table.site else ""
            reason += f" ({ours})" if ours else ""
        found = table.sites.get(step.there.site)
        hops.append(
            Hop(
                router=step.there.router,
                site=step.there.site,
                name=there,
                cost=step.cost,
                path_cost=None if broken else path_cost,
                version=found.version if found else "",
                broken=broken,
            )
        )
    if not hops:
        broken = reason = f"no way to {route.name} is known: nothing that is heard of links to it"
        hops = [
            Hop(
                router=route.router,
                site=route.site,
                name=route.name,
                cost=None,
                path_cost=None,
                version=route.version,
                broken=broken,
            )
        ]
    reason = reason or _unbroken(route)
    by = table.bar_names(route.site) if route.site in table.put_out else ()
    return NetworkWay(
        site=route.site,
        name=route.name,
        hops=tuple(hops),
        path_cost=None,
        paths=0,
        reason=f"barred by {', '.join(by)}, and {reason}" if by else reason,
    )


def _unbroken(route: SiteRoute) -> str:
    """The reason why a site is unreachable although its links look intact from here."""
    if route.is_too_far:
        return f"{route.name} is {TOO_FAR}"
    return f"no way leads to {route.name} now, though its links look whole from here"


TOO_FAR: Final = f"farther than {PATH_ROUTERS_MAX} routers"
"""Why a site in the LSAs is unreachable: no stream may have a longer path."""

_FAULTS: dict[Fault, str] = {
    "here-silent": "nothing goes over the link between {here} and {there}: "
    "{here} does not report it, {there} was last heard with it",
    "there-silent": "nothing goes over the link between {here} and {there}: "
    "{there} does not report it, {here} was last heard with it",
    "no-transit": "nothing leads across {here} to {there}: {here} drains, or is an edge",
    "on-terms": "nothing leads across {here} to {there}: the link is on terms",
}

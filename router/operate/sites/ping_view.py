"""`ping SITE` for an operator: finds the path, has it measured, and says where it breaks."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from router.admin.ports import BadQuestion
from router.admin.views.links import LinkView
from router.admin.views.ping import HopView, PingView
from router.asking.ping import HopFigures
from router.asking.site_path import Hop, NetworkWay, way_to
from router.link.sessions.link_status import in_words
from router.model.ids import RouterId, SiteId
from router.node.site_router import SiteRouter
from router.routing.table import SiteRoute

Told = Callable[[PingView], None]


class Pings:
    """Implements `router.admin.endpoints.ping.Pinging`."""

    def __init__(self, router: SiteRouter, links: Callable[[], Sequence[LinkView]]) -> None:
        self._router = router
        self._links = links

    def ping(self, site: str, rounds: int, via: str, done: Told) -> bool | None:
        """Ask each router on the path to ``site``. None: no such site; False: too many pings now.

        ``via``: the first link of the path; empty: any. ``done`` is called once, later. Raises
        BadQuestion.
        """
        route = find_site(self._router.routing.table.sites.values(), site)
        if route is None:
            return None
        if route.site == self._router.identity.site:
            raise BadQuestion(f"{route.name} is this site itself.", "sitectl network status")
        links = self._links()
        way = way_to(
            route,
            self._router.routing,
            self._first_hops(links, via) if via else None,
            lambda neighbour: _why_down(links, neighbour),
        )
        if way is None:
            raise BadQuestion(
                f"No cheapest way to {route.name} begins with link {via}.",
                f"Without it: sitectl ping {route.name}; which sites it leads to: "
                f"sitectl link status {via}",
            )
        return self._router.questions.pinger.ping(
            way.path, rounds, lambda figures: done(_view(way, figures, links))
        )

    def _first_hops(self, links: Sequence[LinkView], via: str) -> frozenset[RouterId]:
        if not any(link.name == via for link in links):
            raise BadQuestion(f"There is no link {via!r} here.", "sitectl link status")
        return frozenset(
            RouterId(link.neighbour_router)
            for link in self._router.links.status()
            if link.name == via
        )


def find_site(routes: Iterable[SiteRoute], asked: str) -> SiteRoute | None:
    """The site with that name, as `network status` shows it, or with that id."""
    found = [route for route in routes if asked in (route.name, route.site)]
    return found[0] if found else None


def _why_down(links: Sequence[LinkView], neighbour: SiteId) -> str:
    """The states of our links to ``neighbour``; empty: there are none."""
    told = [
        f"{in_words(link.name, link.direction, link.neighbour.name)} is {link.state}"
        + (f": {link.error}" if link.error else "")
        for link in links
        if link.neighbour.id == neighbour
    ]
    return "; ".join(told)


def _view(way: NetworkWay, figures: Sequence[HopFigures], links: Sequence[LinkView]) -> PingView:
    measured = dict(zip(way.path, figures, strict=True))
    hops = [_hop(hop, measured.get(hop.router)) for hop in way.hops]
    if way.hops:
        expires = [
            link.certificate_expires
            for link in links
            if link.neighbour.id == way.hops[0].site and link.state == "up"
        ]
        expiry = next(iter(expires), None)
        hops[0] = msgspec.structs.replace(hops[0], certificate_expires=expiry)
    answered = [hop for hop in hops if hop.answered]
    reachable = bool(hops) and hops[-1].answered > 0
    return PingView(
        site=way.name,
        id=way.site,
        reachable=reachable,
        path_cost=way.path_cost,
        hops=tuple(hops),
        reason="" if reachable else way.reason or _silent(hops, answered),
        paths=way.paths,
    )


def _silent(hops: Sequence[HopView], answered: Sequence[HopView]) -> str:
    """Why a path that should be complete is not."""
    furthest = hops.index(answered[-1]) + 1 if answered else 0
    before = hops[furthest - 1].site if furthest else "this site"
    return f"{before} answered and {hops[furthest].site} did not: {hops[furthest].error}"


def _hop(hop: Hop, figures: HopFigures | None) -> HopView:
    rtts_ms = [1_000 * rtt for rtt in figures.rtts_s] if figures is not None else []
    return HopView(
        site=hop.name,
        id=hop.site,
        cost=hop.cost,
        path_cost=hop.path_cost,
        sent=figures.sent if figures is not None else 0,
        answered=len(rtts_ms),
        rtt_ms=(
            round(min(rtts_ms), 3),
            round(sum(rtts_ms) / len(rtts_ms), 3),
            round(max(rtts_ms), 3),
        )
        if rtts_ms
        else None,
        certificate_expires=None,
        version=(figures.version if figures is not None else "") or hop.version,
        error=hop.broken if figures is None else figures.error,
    )

"""Sites for an operator: this one from its own figures, others over the links."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain, groupby

import msgspec

from router.admin.views.history import ServiceHistory
from router.admin.views.links import SiteName
from router.admin.views.services import TargetView
from router.admin.views.site import SiteDetail, SiteLink, SiteProblem, SiteServed, SiteService
from router.asking.disclosure import Disclosure
from router.asking.history_answer import read_histories
from router.asking.site_answer import ServiceAnswer, SiteAnswer, SiteQuestion, read_site
from router.asking.sites import SiteReply
from router.asking.targets import RouterTargets, TargetAnswer, TargetRate
from router.model.ids import RouterId, ServiceKey, SiteId
from router.node.rate_text import kind_of, rate_told
from router.node.site_router import SiteRouter
from router.node.time_text import ago
from router.operate.sites.ping_view import find_site
from router.routing.table import SiteRoute

THE_SITE = SiteQuestion("site")

Histories = Callable[[tuple[ServiceHistory, ...], str], None]


class SitesView:
    """Implements `Sites` and `Elsewhere` of `router.admin.endpoints`."""

    def __init__(self, router: SiteRouter, disclosure: Disclosure) -> None:
        self._router = router
        self._disclosure = disclosure

    def detail(self, site: str, done: Callable[[SiteDetail], None]) -> bool | None:
        """One whole site. None: no such site; False: too many questions are in progress."""
        route = find_site(self._router.routing.table.sites.values(), site)
        if route is None:
            return None
        if route.site == self._router.identity.site:
            now = self._disclosure.now
            self._disclosure.whole(
                lambda service: True,
                lambda content: done(self._read(route, SiteReply(content, "", now()))),
            )
            return True
        if (why_not := self._why_not(route)) != "":
            done(_untold(route, why_not))
            return True
        return self._router.questions.sites.ask(
            route.site, route.paths[0], THE_SITE, lambda reply: done(self._read(route, reply))
        )

    def is_here(self, site: str) -> bool:
        """Whether ``site`` is the name or the id of this site."""
        return site in (self._router.identity.name, self._router.identity.site)

    def history(self, site: str, service: str, port: int | None, done: Histories) -> bool | None:
        """Another site's history of a service; ``done`` gets it, or nothing and why.

        None: there is no such site; False: too many questions are in progress.
        """
        route = find_site(self._router.routing.table.sites.values(), site)
        if route is None:
            return None
        if (why_not := self._why_not(route)) != "":
            done((), why_not)
            return True

        def read(reply: SiteReply) -> None:
            if reply.content is None:
                done((), reply.error)
                return
            found = read_histories(reply.content, route.name)
            done(found or (), "" if found is not None else "its answer cannot be read")

        question = SiteQuestion("history", service, port or 0)
        return self._router.questions.sites.ask(route.site, route.paths[0], question, read)

    def _why_not(self, route: SiteRoute) -> str:
        """Why asking it is useless; empty: it may answer."""
        if not route.reachable:
            return f"it is not reachable (sitectl ping {route.name})"
        neighbour = self._router.links.adjacencies.neighbour(RouterId(route.paths[0][0]))
        is_next = neighbour is not None and neighbour.site == route.site
        if self._router.routing.table.is_leaf and not is_next:
            return "this site is in on terms, and only its neighbors tell it of themselves"
        return ""

    def _read(self, route: SiteRoute, reply: SiteReply) -> SiteDetail:
        if reply.content is None:
            return _untold(route, reply.error)
        answer = read_site(reply.content)
        if answer is None:
            return _untold(route, "its answer cannot be read")
        if answer.site != route.site:
            return _untold(route, "another site answered in its place")
        return self._told(route, answer, max(0.0, self._disclosure.now() - reply.at))

    def _told(self, route: SiteRoute, answer: SiteAnswer, age_s: float) -> SiteDetail:
        return SiteDetail(
            name=route.name,
            id=route.site,
            local=route.site == self._router.identity.site,
            reachable=route.reachable,
            path_cost=route.path_cost,
            told=True,
            error="",
            age_s=round(age_s, 3),
            version=answer.version,
            mode=answer.mode,
            ready=answer.ready,
            uptime_s=round(answer.uptime_s + age_s, 3),
            replicas=answer.replicas,
            problems=tuple(SiteProblem(one.code, one.message) for one in answer.problems),
            links=tuple(
                SiteLink(
                    neighbour=SiteName(link.neighbour, link.neighbour_id),
                    direction=link.direction,
                    cost=link.cost,
                    state=link.state,
                    rtt_ms=link.rtt_ms,
                    streams=link.streams,
                    certificate_expires=link.certificate_expires or None,
                )
                for link in answer.links
            ),
            services=tuple(self._service(route.name, one, age_s) for one in answer.services),
            services_left_out=answer.left_out,
        )

    def _service(self, site: str, service: ServiceAnswer, age_s: float) -> SiteService:
        return SiteService(
            name=service.name,
            port=service.port,
            protocol=service.protocol,
            policy=service.policy,
            requests_total=service.requests_total,
            overflow_total=service.overflow_total,
            queued=service.queued,
            in_flight=service.in_flight,
            targets_ready=service.targets_ready,
            capacity=service.capacity,
            rate_per_s=service.rate_per_s,
            served=tuple(
                SiteServed(one.site, one.requests, one.overflow) for one in service.served
            ),
            targets=tuple(target_view(site, one, age_s) for one in service.targets),
        )


def target_view(site: str, target: TargetAnswer, age_s: float = 0.0) -> TargetView:
    """A target of another site, as that site reported it ``age_s`` ago."""
    return TargetView(
        site=site,
        name=target.name,
        host="",
        port=target.port,
        ready=target.ready,
        in_flight=target.in_flight,
        capacity=target.capacity,
        requests_total=target.requests_total,
        error=target.error or ("" if target.ready else "not ready"),
        error_kind=target.error_kind,
        since=None if target.state_s is None else ago(age_s + target.state_s),
        capacity_kind=kind_of(target.capacity, target.rate),
        rate=rate_told(target.rate),
    )


def targets_by_port(
    told: Sequence[RouterTargets], site_name: Callable[[SiteId], str]
) -> dict[int, list[TargetView]]:
    """The targets that other sites reported, by the port of the service."""
    targets: dict[int, list[TargetView]] = {}
    for (key, site), parts in groupby(sorted(told, key=_whose), _whose):
        each = as_one(list(parts))
        views = targets.setdefault(key.port, [])
        views += [target_view(site_name(site), one) for one in each]
    return targets


def _whose(told: RouterTargets) -> tuple[ServiceKey, SiteId]:
    return told.key, told.site


def as_one(parts: Sequence[RouterTargets]) -> list[TargetAnswer]:
    """Merge the answers of routers of one site about their shares of the same targets.

    If targets are not shared, this is the list of all answers. A target that only some routers
    have, such as a removed one that is still finishing, gets their figures. Among targets with the
    same name and port, the first of each router is the same, and so on: `public_targets` are in a
    fixed order.
    """
    if not all(part.shares_targets for part in parts):
        return list(chain.from_iterable(part.targets for part in parts))
    same: dict[tuple[str, int, int], list[TargetAnswer]] = {}
    for part in parts:
        seen = Counter[tuple[str, int]]()
        for one in part.targets:
            place = one.name, one.port
            same.setdefault((*place, seen[place]), []).append(one)
            seen[place] += 1
    return [_one_target(each) for each in same.values()]


def _one_target(each: Sequence[TargetAnswer]) -> TargetAnswer:
    first = next((one for one in each if one.ready), each[0])
    stated = [one.capacity for one in each if one.capacity is not None]
    rates = [one.rate for one in each if one.rate is not None]
    rate = None
    if rates:
        rate = TargetRate(
            per_s=sum(one.per_s for one in rates),
            admitted_per_s=sum(one.admitted_per_s for one in rates),
            is_over=any(one.is_over for one in rates),
        )
    lasted = [one.state_s for one in each if one.ready == first.ready and one.state_s is not None]
    return msgspec.structs.replace(
        first,
        state_s=max(lasted, default=None),  # A router that started since knows less.
        in_flight=sum(one.in_flight for one in each),
        capacity=sum(stated) if stated else None,
        requests_total=sum(one.requests_total for one in each),
        rate=rate,
    )


def _untold(route: SiteRoute, error: str) -> SiteDetail:
    return SiteDetail(
        name=route.name,
        id=route.site,
        local=False,
        reachable=route.reachable,
        path_cost=route.path_cost,
        told=False,
        error=error,
        version=route.version,
    )

"""Candidates of a service by site: what several routers of one site are together. Pure.

Routers of one site lead to the same targets, and while one is replaced by another both are there.
A site costs what its cheapest router costs that takes requests; who drains or has no target counts
only when all do.
"""

from collections.abc import Callable, Iterable

import msgspec

from router.model.adverts import LoadReport, RemoteCandidate
from router.model.ids import RouterId, SiteId
from router.model.limits import EQUAL_PATHS_MAX


def by_site(candidates: Iterable[RemoteCandidate], own: SiteId) -> tuple[RemoteCandidate, ...]:
    """One candidate per site, in the order of ``candidates`` (by cost); none of ``own``.

    Our own site's other routers have the targets that we have: a way to them is none to more.
    """
    sites: dict[SiteId, list[RemoteCandidate]] = {}
    for candidate in candidates:
        if candidate.site != own:
            sites.setdefault(candidate.site, []).append(candidate)
    merged = [found[0] if len(found) == 1 else _merged(found) for found in sites.values()]
    return tuple(sorted(merged, key=lambda one: (one.path_cost, one.site)))


def site_load(
    report: LoadReport,
    routers: Iterable[RemoteCandidate],
    last: Callable[[RouterId], LoadReport | None],
) -> LoadReport:
    """``report`` as that of its whole site. ``routers`` are the site's, ``last`` is of any of them.

    What is in flight adds up; targets and capacity are those that the routers have in common.
    """
    found = list(routers)
    if len(found) == 1:
        return report
    alive = {one.router for one in _alive(found)}
    reports = {one.router: last(one.router) for one in found} | {report.router: report}
    heard = [each for each in reports.values() if each is not None]
    counted = [each for each in heard if each.router in alive]
    targets = [each.targets_ready for each in counted]
    targets += [one.targets_ready for one in found if one.router in alive - set(_routers(heard))]
    capacities = [each.capacity for each in counted if each.capacity is not None]
    return msgspec.structs.replace(
        report,
        in_flight=sum(each.in_flight for each in heard),
        targets_ready=max(targets, default=0),
        capacity=max(capacities, default=None),
    )


def _routers(reports: Iterable[LoadReport]) -> Iterable[RouterId]:
    return (each.router for each in reports)


def _alive(found: list[RemoteCandidate]) -> list[RemoteCandidate]:
    """Those that take requests; all, when none does."""
    return [one for one in found if one.targets_ready and not one.draining] or found


def _merged(found: list[RemoteCandidate]) -> RemoteCandidate:
    alive = _alive(found)
    nearest = min(alive, key=lambda one: (one.path_cost, one.router))
    paths = [path for one in alive if one.path_cost == nearest.path_cost for path in one.paths]
    capacities = [one.capacity for one in alive if one.capacity is not None]
    return msgspec.structs.replace(
        nearest,
        paths=tuple(sorted(paths)[:EQUAL_PATHS_MAX]),
        targets_ready=max(one.targets_ready for one in alive),
        capacity=max(capacities, default=None),
    )

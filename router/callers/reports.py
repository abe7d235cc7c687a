"""Figures of a router's callers; merges those of several workers. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from operator import add
from typing import Any, NamedTuple, TypeVar

import msgspec

from router.callers.callers import Callers
from router.callers.edges import Edge
from router.callers.names import CallerName
from router.callers.target_calls import TargetEdge, TargetKey
from router.model import limits
from router.model.ids import ServiceKey, SiteId


class EdgeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Requests since the router started, and ``lately``: in the last ``lately_s`` seconds, by
    latency in fine buckets.

    ``open``: in flight now. ``past``: requests and failures by step of the last day, the current
    one last.
    """

    requests: int = 0
    failed: int = 0
    counts: tuple[int, ...] = ()
    lately: int = 0
    lately_failed: int = 0
    lately_counts: tuple[int, ...] = ()
    open: int = 0
    past: tuple[int, ...] = ()
    past_failed: tuple[int, ...] = ()


class EdgeReport(EdgeFigures, frozen=True, kw_only=True):
    """One caller's requests to one service port that one site served; empty site: no site did."""

    caller: CallerName
    key: ServiceKey
    site: SiteId


class ClientSiteReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Requests at one target from clients of one site; `OTHER_SITES`: of several."""

    site: SiteId
    requests: int
    failed: int
    lately: int
    lately_failed: int


class TargetCallsReport(EdgeFigures, frozen=True, kw_only=True):
    """Requests to one service port that one target (``host:port``) of this site handled, from any
    site.

    ``target`` and ``name`` empty: several targets that are not kept apart. ``ready`` None: for
    these, and for a removed target. ``by_client_site``: the same requests, in order of sites,
    without sites that were dropped to make room.
    """

    key: ServiceKey
    target: str
    name: str
    ready: bool | None = None
    by_client_site: tuple[ClientSiteReport, ...] = ()


class CallersReport(msgspec.Struct, frozen=True, kw_only=True):
    """``named``: connections whose caller was found; ``unnamed``: those of which only an address is
    known. ``waiting``: addresses whose caller is not settled yet."""

    is_on: bool
    lately_s: float
    named: int
    unnamed: int
    waiting: int
    edges: tuple[EdgeReport, ...]
    targets: tuple[TargetCallsReport, ...] = ()


Open = Iterable[tuple[ServiceKey, SiteId, object]]
"""Requests and connections in flight: service port, site, and the origin of the connection."""


class TargetNow(NamedTuple):
    """A target of this site as it is now. ``ready`` None: it was removed and still serves."""

    name: str
    ready: bool | None
    open: int


def report(
    callers: Callers,
    open_now: Open,
    targets_now: Mapping[TargetKey, TargetNow],
    *,
    is_on: bool,
    with_past: bool,
) -> CallersReport:
    """The report of this process."""
    under_way: dict[tuple[CallerName, ServiceKey, SiteId], int] = {}
    names: dict[int, CallerName | None] = {}
    for key, site, origin in open_now:
        if id(origin) not in names:
            names[id(origin)] = callers.name_of(origin)
        if (name := names[id(origin)]) is not None:
            under_way[name, key, site] = under_way.get((name, key, site), 0) + 1
    edges = [
        EdgeReport(
            caller=name,
            key=key,
            site=site,
            open=under_way.pop((name, key, site), 0),
            **_figures(edge, with_past=with_past),
        )
        for name, (key, site), edge in callers.edges()
    ]
    edges += [  # Edges without any finished request: long-lived connections.
        EdgeReport(caller=name, key=key, site=site, open=count)
        for (name, key, site), count in under_way.items()
    ]
    return CallersReport(
        is_on=is_on,
        lately_s=callers.lately_s,
        named=callers.named,
        unnamed=callers.unnamed,
        waiting=callers.waiting,
        edges=tuple(edges),
        targets=tuple(_targets(callers, targets_now, with_past=with_past)),
    )


def _targets(
    callers: Callers, targets_now: Mapping[TargetKey, TargetNow], *, with_past: bool
) -> Iterator[TargetCallsReport]:
    """The targets that had a request or have one in flight."""
    asked = dict(callers.targets.edges())
    for (key, target), edge in asked.items():
        now = targets_now.get((key, target))
        yield TargetCallsReport(
            key=key,
            target=target,
            name=edge.name if now is None else now.name,
            ready=None if now is None else now.ready,
            open=0 if now is None else now.open,
            by_client_site=_by_client_site(edge),
            **_figures(edge, with_past=with_past),
        )
    for (key, target), now in targets_now.items():
        if now.open and (key, target) not in asked:
            yield TargetCallsReport(
                key=key, target=target, name=now.name, ready=now.ready, open=now.open
            )


def _by_client_site(edge: TargetEdge) -> tuple[ClientSiteReport, ...]:
    found = []
    for site, tally in sorted(edge.by_client_site.items()):
        lately, lately_failed = tally.lately()
        one = ClientSiteReport(
            site=site,
            requests=tally.requests,
            failed=tally.failed,
            lately=lately,
            lately_failed=lately_failed,
        )
        found.append(one)
    return tuple(found)


def _figures(edge: Edge, *, with_past: bool) -> dict[str, Any]:
    """The fields of `EdgeFigures` for an edge."""
    lately, lately_failed, lately_counts = edge.lately()
    past, past_failed = edge.past() if with_past else ((), ())
    return {
        "requests": edge.requests,
        "failed": edge.failed,
        "counts": tuple(edge.counts),
        "lately": lately,
        "lately_failed": lately_failed,
        "lately_counts": lately_counts,
        "past": past,
        "past_failed": past_failed,
    }


def added(reports: Iterable[CallersReport]) -> CallersReport:
    """Merge the reports of several workers of a router. There must be at least one."""
    every = list(reports)
    edges: dict[tuple[CallerName, ServiceKey, SiteId], EdgeReport] = {}
    for edge in (edge for one in every for edge in one.edges):
        place = (edge.caller, edge.key, edge.site)
        edges[place] = _both(edges[place], edge) if place in edges else edge
    targets: dict[TargetKey, TargetCallsReport] = {}
    for target in (target for one in every for target in one.targets):
        known = targets.get((target.key, target.target))
        if known is not None:
            states = {known.ready, target.ready} - {None}
            target = msgspec.structs.replace(
                _both(known, target),
                ready=any(states) if states else None,
                by_client_site=_sites_added(known.by_client_site, target.by_client_site),
            )
        targets[target.key, target.target] = target
    return CallersReport(
        is_on=any(one.is_on for one in every),
        lately_s=max(one.lately_s for one in every),
        named=sum(one.named for one in every),
        unnamed=sum(one.unnamed for one in every),
        waiting=sum(one.waiting for one in every),
        edges=tuple(edges.values()),
        targets=tuple(targets.values()),
    )


def pieces(whole: CallersReport) -> Iterator[CallersReport]:
    """Split ``whole`` into parts of some edges and targets; `added` merges them again."""
    at_once = limits.WORKER_ITEMS_AT_ONCE
    part = msgspec.structs.replace(whole, edges=(), targets=())
    longest = max(len(whole.edges), len(whole.targets))
    for first in range(0, max(1, longest), at_once):
        yield msgspec.structs.replace(
            part,
            edges=whole.edges[first : first + at_once],
            targets=whole.targets[first : first + at_once],
        )
        part = msgspec.structs.replace(part, named=0, unnamed=0, waiting=0)


_EdgeT = TypeVar("_EdgeT", EdgeReport, TargetCallsReport)


def _both(one: _EdgeT, other: _EdgeT) -> _EdgeT:
    return msgspec.structs.replace(
        one,
        requests=one.requests + other.requests,
        failed=one.failed + other.failed,
        counts=_sums(one.counts, other.counts),
        lately=one.lately + other.lately,
        lately_failed=one.lately_failed + other.lately_failed,
        lately_counts=_sums(one.lately_counts, other.lately_counts),
        open=one.open + other.open,
        past=_sums(one.past, other.past),
        past_failed=_sums(one.past_failed, other.past_failed),
    )


def _sites_added(
    one: tuple[ClientSiteReport, ...], other: tuple[ClientSiteReport, ...]
) -> tuple[ClientSiteReport, ...]:
    found: dict[SiteId, ClientSiteReport] = {}
    for told in (*one, *other):
        known = found.get(told.site)
        found[told.site] = (
            told
            if known is None
            else ClientSiteReport(
                site=told.site,
                requests=known.requests + told.requests,
                failed=known.failed + told.failed,
                lately=known.lately + told.lately,
                lately_failed=known.lately_failed + told.lately_failed,
            )
        )
    return tuple(found[site] for site in sorted(found))


def _sums(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Elementwise sums of two tuples of equal length; an empty one counts as zeros."""
    return tuple(map(add, one, other)) if one and other else one or other

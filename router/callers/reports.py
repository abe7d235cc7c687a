"""The figures of the callers of a router; those of several workers are added. Pure."""

from collections.abc import Iterable, Iterator
from operator import add

import msgspec

from router.callers.callers import Callers
from router.callers.names import CallerName
from router.model import limits
from router.model.ids import ServiceKey, SiteId


class EdgeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One caller's requests of one service port that one site served; empty site: none did.

    Since the router started, and ``lately``: in the last ``lately_s`` seconds, by latency in fine
    buckets. ``open``: under way now. ``past``: requests and failures by step of the last day, the
    current one last.
    """

    caller: CallerName
    key: ServiceKey
    site: SiteId
    requests: int
    failed: int
    counts: tuple[int, ...]
    lately: int
    lately_failed: int
    lately_counts: tuple[int, ...]
    open: int = 0
    past: tuple[int, ...] = ()
    past_failed: tuple[int, ...] = ()


class CallersReport(msgspec.Struct, frozen=True, kw_only=True):
    """``named``: connections whose caller was found; ``unnamed``: of which an address is all that
    is known. ``waiting``: addresses whose caller is not settled yet."""

    is_on: bool
    lately_s: float
    named: int
    unnamed: int
    waiting: int
    edges: tuple[EdgeReport, ...]


Open = Iterable[tuple[ServiceKey, SiteId, object]]
"""Requests and connections under way: service port, site, and the origin of its connection."""


def report(callers: Callers, open_now: Open, *, is_on: bool, with_past: bool) -> CallersReport:
    """Of this process."""
    under_way: dict[tuple[CallerName, ServiceKey, SiteId], int] = {}
    names: dict[int, CallerName | None] = {}
    for key, site, origin in open_now:
        if id(origin) not in names:
            names[id(origin)] = callers.name_of(origin)
        if (name := names[id(origin)]) is not None:
            under_way[name, key, site] = under_way.get((name, key, site), 0) + 1
    edges: list[EdgeReport] = []
    for name, (key, site), edge in callers.edges():
        lately, lately_failed, lately_counts = edge.lately()
        past, past_failed = edge.past() if with_past else ((), ())
        edges.append(
            EdgeReport(
                caller=name,
                key=key,
                site=site,
                requests=edge.requests,
                failed=edge.failed,
                counts=tuple(edge.counts),
                lately=lately,
                lately_failed=lately_failed,
                lately_counts=lately_counts,
                open=under_way.pop((name, key, site), 0),
                past=past,
                past_failed=past_failed,
            )
        )
    edges += [_begun(name, key, site, count) for (name, key, site), count in under_way.items()]
    return CallersReport(
        is_on=is_on,
        lately_s=callers.lately_s,
        named=callers.named,
        unnamed=callers.unnamed,
        waiting=callers.waiting,
        edges=tuple(edges),
    )


def _begun(name: CallerName, key: ServiceKey, site: SiteId, count: int) -> EdgeReport:
    """Of which nothing has ended yet: a connection that lasts."""
    return EdgeReport(
        caller=name,
        key=key,
        site=site,
        requests=0,
        failed=0,
        counts=(),
        lately=0,
        lately_failed=0,
        lately_counts=(),
        open=count,
    )


def added(reports: Iterable[CallersReport]) -> CallersReport:
    """Several workers as one router. There is at least one."""
    every = list(reports)
    edges: dict[tuple[CallerName, ServiceKey, SiteId], EdgeReport] = {}
    for edge in (edge for one in every for edge in one.edges):
        place = (edge.caller, edge.key, edge.site)
        edges[place] = _both(edges[place], edge) if place in edges else edge
    return CallersReport(
        is_on=any(one.is_on for one in every),
        lately_s=max(one.lately_s for one in every),
        named=sum(one.named for one in every),
        unnamed=sum(one.unnamed for one in every),
        waiting=sum(one.waiting for one in every),
        edges=tuple(edges.values()),
    )


def pieces(whole: CallersReport) -> Iterator[CallersReport]:
    """The same in parts of some edges; `added` makes one of them again."""
    at_once = limits.WORKER_ITEMS_AT_ONCE
    yield msgspec.structs.replace(whole, edges=whole.edges[:at_once])
    rest = msgspec.structs.replace(whole, named=0, unnamed=0, waiting=0)
    for first in range(at_once, len(whole.edges), at_once):
        yield msgspec.structs.replace(rest, edges=whole.edges[first : first + at_once])


def _both(one: EdgeReport, other: EdgeReport) -> EdgeReport:
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


def _sums(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Of two of one length; one may be empty, which is nothing of each."""
    return tuple(map(add, one, other)) if one and other else one or other

"""Problems and notes of targets of this site that are not ready, while other sites serve."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import msgspec

from router.balance.site.spills import LocalTargets
from router.model.addresses import join
from router.model.events import Note, Problem
from router.model.ids import ServiceKey, by_cost
from router.model.wording.fullness import NO_SITE_HAS_ROOM
from router.model.wording.traffic import REQUEST, noun_of, waiting_count
from router.node.problems.left_out import NOTHING, LeftOut
from router.node.site_router import SiteRouter
from router.node.time_text import ejected_since
from router.operate.problems.spill_reason import per_s_text
from router.service.figures import QueueNow, TargetInfo

SITES_NAMED = 3


class PortTargets(msgspec.Struct, frozen=True, kw_only=True):
    """A service port with targets here that are not ready.

    ``elsewhere``: the other sites with a ready target, the cheapest first. ``spilled_per_s``:
    requests a second that each site serves for this one; empty: none, or unknown. ``costs`` of
    paths to sites. ``queue``: the state of the queue if all of ``elsewhere`` are full; None: one of
    them has room, or it is unknown (then ``knows_room`` is false). ``left_out``: sites with room
    that may not serve it. ``noun``: the unit that the service counts.
    """

    key: ServiceKey
    targets: LocalTargets
    infos: Sequence[TargetInfo]
    elsewhere: Sequence[str]
    spilled_per_s: Mapping[str, float] = {}
    costs: Mapping[str, int | None] = {}
    queue: QueueNow | None = None
    knows_room: bool = True
    left_out: LeftOut = NOTHING
    noun: str = REQUEST


def not_ready(
    router: SiteRouter,
    spilled_to: Callable[[ServiceKey], Mapping[str, float]],
    now: float | None,
    queue_of_all: Callable[[ServiceKey, QueueNow], QueueNow] = lambda key, own: own,
    used_by_others: Callable[[ServiceKey], Collection[str]] = lambda key: (),
) -> Iterator[PortTargets]:
    """Service ports with targets here that are not ready, unless this site stops.

    ``spilled_to``: requests a second of a service port that each other site serves now. ``now``:
    monotonic seconds; None: leave out figures that change with each request. ``queue_of_all``: the
    queue of all workers, given that of this one. ``used_by_others``: addresses of targets that are
    ready at another worker, maybe not at this one, which ejected them.

    A service that no site serves is a different problem and left out; so is one that another router
    of this site serves.
    """
    if router.draining:
        return
    own = router.identity
    for key, planned in router.services.items():
        targets = router.readings.targets.local(key)
        is_drained = not planned.takes
        if is_drained or not planned.has_connector or targets.state not in ("down", "some"):
            continue
        down = [one for one in router.readings.targets.of(key) if not (one.ready or one.leaving)]
        targets, infos = without_used(used_by_others(key), targets, down)
        if targets.state == "all":
            continue
        others = [
            one
            for one in router.routing.table.candidates.get(key, ())
            if one.targets_ready and not one.unused
        ]
        if targets.state == "down" and (not others or any(one.site == own.site for one in others)):
            continue
        explanation = router.readings.explain(key, now) if now is not None else None
        queue = (
            router.readings.queue_now(key, explanation.decision)
            if explanation is not None
            else None
        )
        costs = {site.name: site.path_cost for site in router.routing.table.sites.values()}
        yield PortTargets(
            key=key,
            targets=targets,
            infos=infos,
            elsewhere=by_cost({router.site_name(one.site) for one in others}, costs),
            spilled_per_s=spilled_to(key),
            costs=costs,
            queue=None if queue is None else queue_of_all(key, queue),
            knows_room=now is not None,
            noun=noun_of(router.readings.config_of(key)),
            left_out=NOTHING
            if queue is None or explanation is None
            else router.left_out(key, explanation),
        )


def without_used(
    used: Collection[str], targets: LocalTargets, infos: Sequence[TargetInfo]
) -> tuple[LocalTargets, Sequence[TargetInfo]]:
    """Both without those of ``infos`` that are ``used``."""
    down = [one for one in infos if join(one.host, one.port) not in used]
    ejected = targets.ejected - sum(one.ejected for one in infos if one not in down)
    ready = targets.ready + len(infos) - len(down)
    return LocalTargets(targets.total, ready, ejected), down


def problems_of(
    found: Sequence[PortTargets],
    utc: Callable[[float], str],
    named: Callable[[ServiceKey], str] = str,
) -> list[Problem]:
    """Problems of services without a ready target here. ``utc``: ISO 8601 of monotonic seconds.
    ``named``: see `FigureScope`.
    """
    return [
        Problem(
            code="SW0335",
            message=f"Service {named(one.key)}: {one.targets.shown}; {_goes(one)}."
            f"{_cause(one, utc)} {one.left_out.why}".rstrip(),
            hint=f"{_hint(one)}. {one.left_out.let_in}".removesuffix(". "),
            since=utc(max((info.since for info in one.infos), default=0.0)) if one.infos else "",
        )
        for one in found
        if one.targets.state == "down"
    ]


def notes_of(found: Sequence[PortTargets], utc: Callable[[float], str]) -> list[Note]:
    """Notes on services with some targets here ready and others not. ``utc``: as above."""
    return [
        Note(
            severity="warning",
            code="SW0336",
            message=f"Service {one.key}: {one.targets.shown}.{_cause(one, utc)}",
            hint=_hint(one),
        )
        for one in found
        if one.targets.state == "some"
    ]


def _goes(one: PortTargets) -> str:
    """Where requests go instead, with the figures of the last seconds; or that no site takes them
    now."""
    to = {site: per_s for site, per_s in one.spilled_per_s.items() if per_s > 0}
    sites = by_cost(to, one.costs)
    parts = [f"{per_s_text(to[site])} go to {site}" for site in sites[:SITES_NAMED]]
    if rest := sites[SITES_NAMED:]:
        noun = "other site" if len(rest) == 1 else "other sites"
        parts.append(f"{per_s_text(sum(map(to.__getitem__, rest)))} to {len(rest)} {noun}")
    if one.queue is not None:
        parts.append(f"{NO_SITE_HAS_ROOM}: {_meets(one.queue, one.noun, some_go=bool(parts))}")
    if parts:
        return ", ".join(parts)
    elsewhere = ", ".join(one.elsewhere[:SITES_NAMED])
    return f"{one.noun}s go to {elsewhere}" if one.knows_room else f"other sites serve: {elsewhere}"


def _meets(queue: QueueNow, noun: str, *, some_go: bool) -> str:
    """``3 requests wait``; while none waits, maybe because none comes, what the next one meets."""
    if queue.outlook == "waits":
        return waiting_count(queue.waiting, noun) if queue.waiting else f"the next {noun} waits"
    if some_go:
        return "the rest is refused"
    return f"{noun}s are refused" if queue.waiting else f"the next {noun} is refused"


def _cause(one: PortTargets, utc: Callable[[float], str]) -> str:
    if not one.infos:
        return ""
    last = max(one.infos, key=lambda info: info.since)
    more = f" (and {len(one.infos) - 1} more)" if len(one.infos) > 1 else ""
    error = ejected_since(last.error, utc(last.since)) or "no answer"
    place = join(last.host, last.port)
    return f" {error if place in error else f'{place}: {error}'}{more}."


def _hint(one: PortTargets) -> str:
    return f"See why under ERROR: sitectl service status {one.key.name}"

"""The decisions for the last requests of a service, for an operator (`why --last`)."""

from collections.abc import Callable
from math import inf

from router.admin.views.why import PastDecision, WhyCandidate
from router.balance.deciding.decision_evidence import DecisionReplay, SeenDecision
from router.model.ids import ServiceKey, SiteId, ports_of
from router.model.requests import RequestSelection
from router.model.wording.fullness import KEPT_FOR_OTHERS, NO_SITE_HAS_ROOM, NO_SITE_IS_READY
from router.node.site_router import SiteRouter
from router.operate.figures.metrics_source import takes_part
from router.operate.why.next_request import candidate_view
from router.service.recent_requests import RequestRecord, TurnedAway

_NOBODY = {
    "all-full": NO_SITE_HAS_ROOM,
    "shed": KEPT_FOR_OTHERS,
    "no-route": NO_SITE_IS_READY,
    "no-target": NO_SITE_IS_READY,
    "overloaded": "this router is short of memory",
    "exhausted": "this router has no descriptor or local port left for a connection",
    "client-gone": "its client left",
    "cancelled": "this router gave it up",
}
"""Reason of a request that no site served, by its outcome."""
_OURS = frozenset({"overloaded", "exhausted"})
"""Outcomes caused by a shortage at this router, whatever site was chosen."""


def recalled(
    router: SiteRouter,
    now: float,
    utc: Callable[[float], str],
    service: str,
    port: int | None,
    count: int,
    which: RequestSelection,
) -> tuple[PastDecision, ...] | None:
    """The last ``count`` decisions of those selected, newest first, over all ports of the service;
    None: no such service.

    ``utc`` converts moments of ``now``'s clock to wall-clock time.
    """
    keys = ports_of(router.services, service, port)
    if not keys:
        return None
    kept = [(record, key) for key in keys for record in router.readings.past_of(key, count, which)]
    kept.sort(key=lambda one: one[0].started_at, reverse=True)
    return tuple(decision_of(router, now, utc, key, record) for record, key in kept[:count])


def decision_of(
    router: SiteRouter,
    now: float,
    utc: Callable[[float], str],
    key: ServiceKey,
    record: RequestRecord,
) -> PastDecision:
    """The decision for one request."""
    seen = record.seen
    waited_s, since = record.waited_s, record.waited_since
    if since is not None:
        waited_s += max(0.0, now - since)  # Later than now: on its way to a far site.
    is_over = record.outcome != ""
    total_s, queue_s, *_ = record.times(record.started_at + record.total_s if is_over else now)
    site = record.site if is_over or record.begun_at < inf else None  # It waits for a site.
    is_own = seen is None and not router.is_one_of_several
    service = router.services.get(key)
    return PastDecision(
        service=key.name,
        port=key.port,
        at=utc(record.started_at),
        site=router.site_name(site) if site is not None else None,
        outcome=record.outcome or "under-way",
        answer=record.answer,
        reason=reason_of(record, now, router.site_name),
        overflow_reason=record.overflow_reason,
        spill_reason=record.spill_reason if site is not None else "",
        waited_s=round(waited_s, 6),
        total_s=round(total_s, 6),
        queue_s=round(queue_s, 6),
        attempts=record.attempts,
        retried_for=record.retried_for or None,
        held_by=_held_by(router, key, record, waited_s),
        departs_for=record.departs_for or None,
        session=f"{record.session:016x}" if record.session else None,
        policy=seen.policy.name if seen is not None else None,
        decided_at=utc(seen.at) if seen is not None else None,
        in_flight=record.in_flight if is_own and record.attempts else None,
        capacity=record.capacity if is_own else None,
        candidates=_candidates(router, key, seen) if seen is not None else (),
        further=seen.further if seen is not None else 0,
        routing_key=router.readings.routing_key_of(key.name),
        protocol=service.declaration.spec.protocol if service is not None else "",
    )


def _held_by(
    router: SiteRouter, key: ServiceKey, record: RequestRecord, waited_s: float
) -> str | None:
    """The hook for whose site the request waited longer than for a slot."""
    config = router.readings.config_of(key)
    is_held = record.held_by and config is not None and waited_s > config.queue_wait_s
    return record.held_by if is_held else None


def reason_of(record: RequestRecord, now: float, site_name: Callable[[SiteId], str]) -> str:
    """The reason of the last decision; for a request that no site served, its outcome."""
    if record.waited_since is not None and now >= record.waited_since:
        if record.site is not None and record.begun_at < inf:  # An attempt is in progress.
            return f"it waits at {site_name(record.site)} until a slot is free there"
        return f"it waits: {_NOBODY['all-full']}"
    found_nobody = record.seen is None or record.seen.chosen is None or record.outcome in _OURS
    if record.site is None and found_nobody and record.outcome not in ("", "ok"):
        why = _NOBODY.get(record.outcome, record.reason)
        if isinstance(record.grounds, TurnedAway) and record.outcome in ("all-full", "shed"):
            return f"{why}, and {record.reason}"
        if record.waited_s and record.outcome in ("all-full", "shed"):
            return f"{why}, and no slot came free in time"
        return f"{why} while it waited" if record.waited_s else why
    return record.reason


def _candidates(
    router: SiteRouter, key: ServiceKey, seen: SeenDecision
) -> tuple[WhyCandidate, ...]:
    return tuple(
        candidate_view(router, report, None)
        for report in DecisionReplay(seen).reports()
        if takes_part(router, key, report)
    )

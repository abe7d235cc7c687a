"""The decision for the next request of a service, for `sitectl why`."""

import math
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from router.admin.ports import BadQuestion
from router.admin.views.services import AffinityView
from router.admin.views.why import (
    WhyCandidate,
    WhyDecision,
    WhyQueue,
    WhySession,
    WhyTarget,
    WhyView,
)
from router.balance.deciding.candidates import Verdict
from router.balance.deciding.decisions import CandidateReport, Decision, NoChoice
from router.balance.site_gate import RateState
from router.model.ids import RouterId, ServiceKey, ports_of
from router.model.settings import AffinityBy
from router.model.wording.fullness import NO_SITE_IS_READY, every_site_is_full
from router.node.news.absent_sites import rows
from router.node.news.bar_news import bar_note
from router.node.problems.left_out import NOTHING
from router.node.rate_text import kind_of, rate_of_report
from router.node.services.drain_share import part_note
from router.node.site_router import SiteRouter
from router.node.time_text import short_times, utc_of
from router.operate.figures.metrics_source import takes_part
from router.service.figures import QueueNow
from router.service.sessions import Session, Sessions
from router.workers.site_load import SiteLoad, is_here, reports_with

STOPPING: Final = "this router stops and takes nothing new"
CAPPED: Final = "the site's cap limits it: its targets take more"
SHORT_OF_MEMORY: Final = "this router is short of memory and takes nothing new"


def explained(
    router: SiteRouter,
    now: float,
    service: str,
    port: int | None,
    session: tuple[AffinityBy, str] | None,
    utc: Callable[[float], str],
    rate_of: Callable[[ServiceKey], RateState | None],
    load_of: Callable[[ServiceKey], SiteLoad | None],
    *,
    sheddable: bool = False,
) -> WhyView | None:
    """By the production code; changes nothing. None: no such service port. Raises BadQuestion.

    ``utc``: ISO 8601 of monotonic seconds. ``rate_of``: this site's state against a service's rate.
    ``load_of``: as `RouterFigures.load`. ``sheddable``: for a sheddable request.
    """
    key = next(iter(ports_of(router.services, service, port)), None)
    if key is None:
        return None
    forwarder = router.forwarder
    sessions = forwarder.readings.sessions_of(key)
    of = _asked(sessions, service, session, now) if session is not None else None
    config = forwarder.readings.config_of(key)
    if sheddable and (config is None or not config.sheddable):
        raise BadQuestion(
            f"Service {service!r} has no sheddable requests.",
            f"sitectl service set {service} --sheddable 'x-priority: batch'",
        )
    explanation = forwarder.readings.explain(key, now, of, sheddable=sheddable)
    if explanation is None:
        return None
    refusal = _refusal(router)
    takes_none = isinstance(explanation.decision, NoChoice) and not refusal
    left = router.left_out(key, explanation) if takes_none else NOTHING
    load = load_of(key)
    reports = tuple(
        candidate_view(
            router,
            _refused(router, report, refusal) if refusal else report,
            rate_of(key),
            _note(router, key, report, load),
        )
        for report in reports_with(load, explanation.candidates)
        if takes_part(router, key, report)
    )
    candidates = reports + absent(router, key, utc)
    return WhyView(
        service=key.name,
        port=key.port,
        policy=explanation.policy,
        affinity=affinity_view(sessions),
        session=_session(router, key, of, explanation.decision) if of is not None else None,
        decision=WhyDecision(None, (), refusal, refusal)
        if refusal
        else _decision(router, explanation.decision, candidates),
        candidates=candidates,
        queue=_queue(
            None
            if refusal
            else forwarder.readings.queue_now(key, explanation.decision, sheddable=sheddable),
            router.routing.table.declared_elsewhere(key.name),
        ),
        sheddable=sheddable,
        protocol=router.services[key].declaration.spec.protocol,
        left_out=left.why,
        let_in=left.let_in,
        targets=()
        if refusal or of is not None
        else _targets(router, key, now, explanation.decision),
    )


def _refusal(router: SiteRouter) -> str:
    """Why this router takes no client requests at all; empty: it does."""
    if router.draining:
        return STOPPING
    return SHORT_OF_MEMORY if router.forwarder.memory.is_refusing else ""


def _targets(
    router: SiteRouter, key: ServiceKey, now: float, decision: Decision | NoChoice
) -> tuple[WhyTarget, ...]:
    if isinstance(decision, NoChoice) or not decision.local:
        return ()
    reports = router.readings.targets.reports_of(key, now)
    if len(reports) < 2:
        return ()
    return tuple(
        WhyTarget(
            target=report.target,
            name=report.name,
            in_flight=report.in_flight,
            capacity=report.capacity,
            verdict=report.verdict,
            expected_s=None if report.expected_s is None else round(report.expected_s, 6),
            reason=report.reason,
        )
        for report in reports
    )


def _note(
    router: SiteRouter, key: ServiceKey, report: CandidateReport, load: SiteLoad | None
) -> str:
    notes = []
    if report.verdict != "excluded":  # An unused offer is no news.
        notes.append(router.offer_note(key.name, report.site))
        notes.append(bar_note(router.routing.table, report.site))
    if is_here(report):
        planned = router.services.get(key)
        drained = part_note(planned) if planned is not None else ""
        notes.append(drained or (CAPPED if router.readings.is_capped(key) else ""))
        notes += [one.sentence for one in router.readings.targets.unanswering_of(key).values()]
        notes += [one.sentence for one in router.readings.targets.failing_of(key).values()]
        notes.append(load.note if load is not None else "")
    elif (owes := router.readings.unanswering_sites_of(key).get(report.site)) is not None:
        notes.append(owes.shown)
    return "; ".join(filter(None, notes))


def _queue(now: QueueNow | None, declared_at: str) -> WhyQueue | None:
    if now is None:
        return None
    wake = now.wake
    return WhyQueue(
        outlook=now.outlook,
        waiting=now.waiting,
        limit=now.limit,
        wait_s=round(now.wait_s, 3),
        held_by=wake.hook if wake is not None else "",
        waking_s=now.waking_s,
        again_s=now.again_s,
        woken=now.is_woken,
        declared_at=declared_at,
    )


def _refused(router: SiteRouter, report: CandidateReport, refusal: str) -> CandidateReport:
    """``report`` of a candidate while this router refuses all clients; ``refusal`` as in
    `_refusal`.
    """
    stops_here = router.draining and is_here(report)
    verdict: Verdict = "draining" if stops_here else "excluded"
    free = 0 if stops_here else report.free
    return msgspec.structs.replace(report, verdict=verdict, reason=refusal, level=None, free=free)


def absent(
    router: SiteRouter, key: ServiceKey, utc: Callable[[float], str]
) -> tuple[WhyCandidate, ...]:
    """Absent candidates of the last minutes, except deleted sites: no request can go there again.
    ``utc``: as in `explained`."""
    deleted = router.routing.table.deleted
    gone = [one for one in router.news.absent.of(key) if one.site not in deleted]
    if not gone:
        return ()
    links = router.links.status()
    in_flight = router.readings.in_flight_elsewhere(key)
    rules, time = router.site_services.rules, short_times(utc, utc_of(router.unix()) or "")
    return tuple(rows(key, gone, router.routing.table, links, time, in_flight, rules))


def affinity_view(sessions: Sessions | None) -> AffinityView | None:
    """How a service recognizes sessions; None: it has no affinity."""
    return AffinityView(*msgspec.structs.astuple(sessions.affinity)) if sessions else None


def finite(age_s: float) -> float | None:
    """Rounded to the millisecond; None: never."""
    return None if math.isinf(age_s) else round(age_s, 3)


def _asked(
    sessions: Sessions | None, service: str, asked: tuple[AffinityBy, str], now: float
) -> Session | None:
    """The session that was asked about; None: such a request begins one. Raises BadQuestion."""
    by, value = asked
    if sessions is None:
        raise BadQuestion(
            f"Service {service!r} keeps no sessions.",
            f"sitectl service set {service} --affinity client",
        )
    if by != sessions.affinity.by:
        kept = sessions.affinity.by
        raise BadQuestion(
            f"Service {service!r} keeps sessions by {kept}, not by {by}.",
            f"sitectl why {service} --{kept} VALUE",
        )
    return sessions.look(by, value, now)


def candidate_view(
    router: SiteRouter, report: CandidateReport, own: RateState | None, note: str = ""
) -> WhyCandidate:
    """``own``: the present rate of this site, if the report is current and about this site."""
    return WhyCandidate(
        site=report.site_name,
        path=_path(router, report.path),
        path_cost=report.path_cost,
        targets_ready=report.targets_ready,
        capacity=report.capacity,
        in_flight=report.in_flight,
        free=report.free,
        age_s=finite(report.age_s),
        verdict=report.verdict,
        reason=report.reason,
        capacity_kind=kind_of(report.capacity, report.rate, auto=report.is_learnt),
        rate=rate_of_report(report, own if report.site == router.identity.site else None),
        waiting=report.waiting,
        level=None if report.level is None else round(report.level, 6),
        ejected_s=None if report.ejected_s is None else round(report.ejected_s, 3),
        note=note,
        reserved=report.reserved,
        most_for_one=report.most_for_one,
        refuses=report.refuses,
    )


def _decision(
    router: SiteRouter, decision: Decision | NoChoice, candidates: Sequence[WhyCandidate]
) -> WhyDecision:
    if isinstance(decision, NoChoice):
        is_full = decision.reason == "all-full"
        text = full_text(candidates) if is_full else NO_SITE_IS_READY
        return WhyDecision(None, (), decision.reason, text)
    reason = decision.reason
    return WhyDecision(
        router.site_name(decision.site), _path(router, decision.path), reason, reason
    )


def full_text(candidates: Sequence[WhyCandidate]) -> str:
    """That none of ``candidates`` has room, in the words of every other surface."""

    def named(verdict: str) -> list[str]:
        return [one.site for one in candidates if one.verdict == verdict]

    full = every_site_is_full(
        is_one_away=bool(named("unreachable")),
        unready=named("no-target"),
        draining=named("draining"),
        ejected=named("ejected"),
        refusing=[one.site for one in candidates if one.verdict == "full" and one.refuses],
    )
    return f"{full} or keeps its rest for others" if named("sheddable-share") else full


def _session(
    router: SiteRouter, key: ServiceKey, session: Session, decision: Decision | NoChoice
) -> WhySession:
    is_here = isinstance(decision, Decision) and decision.local
    return WhySession(
        key=f"{session.key:016x}",
        site=router.site_name(session.site) if session.site is not None else None,
        target=router.readings.targets.target_of(key, session) if is_here else None,
    )


def _path(router: SiteRouter, path: tuple[RouterId, ...]) -> tuple[str, ...]:
    return router.names.sites(path)

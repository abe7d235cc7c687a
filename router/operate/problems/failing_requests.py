"""Problems and notes of service ports whose requests failed or waited in the last seconds."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from router.balance.deciding.decisions import CandidateReport, Explanation, NoChoice
from router.balance.deciding.explain import rate_text
from router.history.readings import SHED, IntervalCounts
from router.model import limits
from router.model.events import Note, Problem
from router.model.ids import ServiceKey, SiteId
from router.model.wording.fullness import (
    NO_READY_TARGET,
    NONE_HAD_ROOM,
    WERE_SHED,
    every_site_is_full,
)
from router.model.wording.traffic import REQUEST, noun_of, waiting_count
from router.node.problems.left_out import NOTHING, LeftOut
from router.node.site_router import SiteRouter
from router.operate.problems.spill_reason import (
    draining,
    ejected,
    long_time_text,
    per_s_text,
    refusing,
    unready,
)
from router.workers.recent_port_figures import RecentPortFigures

FULL: Final = "all-full"
NO_ROUTE: Final = "no-route"
NO_TARGET: Final = (NO_ROUTE, "no-target")
SAME: Final = {"busy": FULL, "no-target": NO_ROUTE}
"""Codes of another site's answers, and this site's codes for the same causes."""
ANSWERED: Final = "5xx"
"""The cause of failures that are answers of targets."""
OTHER_HTTP: Final = "version-not-supported"
NO_QUEUE: Final = "No request may wait: the queue of the service is 0."
CAUSES_NAMED: Final = 3
SITES_NAMED: Final = 3
WORDS: Final = {
    FULL: NONE_HAD_ROOM,
    SHED: WERE_SHED,
    ANSWERED: "were answered 5xx by a target",
    NO_ROUTE: NO_READY_TARGET,
    "no-target": NO_READY_TARGET,
    "connect-failed": "could not connect to a target",
    "target-reset": "were reset by a target",
    "target-timeout": "got no answer of a target in time",
    "bad-response": "got an answer that was cut short or is no valid HTTP",
    "link-lost": "lost their link",
    "unanswered": "got no answer of another site in time",
    "busy": NONE_HAD_ROOM,
    "bad-head": "had a head that another site refused",
    "bad-message": "were refused by another site as this site sent them",
    "bad-answer": "got a response of another site that this site refuses",
    "not-allowed": "met a site that does not serve this one",
    "not-processed": "were not processed by a target",
    "stalled": "did not move for too long",
    "client-gone": "were given up by their clients",
    "cancelled": "were given up by this router",
    "internal": "met an error of the router itself",
    "overloaded": "came while this router was short of memory",
    "exhausted": "came while no descriptor or local port was left for a connection to a target",
    "draining": "came while a site drained or their service was removed",
    OTHER_HTTP: "speak another version of HTTP than the service",
    "not-implemented": "ask for what this router does not do (CONNECT, a transfer coding)",
    "loop-detected": "came through this site twice before",
}
"""The phrase for requests that failed, by cause."""


class PortFailures(msgspec.Struct, frozen=True, kw_only=True):
    """A service port with more than `limits.FAILING_SHARE` of its requests failed, not counting
    those shed as configured.

    ``lately``: figures of the last seconds. ``queued``: requests that wait now. ``noun``: the unit
    that the service counts.
    """

    key: ServiceKey
    lately: IntervalCounts
    queued: int = 0
    noun: str = REQUEST

    @property
    def causes(self) -> dict[str, int]:
        """Requests by code (of a `LegFailure`, or of this router's answer to what is no request)
        or `ANSWERED`, the most frequent first; causes found by
        this site and answered by another one are merged."""
        causes: dict[str, int] = {}
        for code, count in self.lately.failed_for.items():
            if code != SHED:
                same = SAME.get(code, code)
                causes[same] = causes.get(same, 0) + count
        answered = self.lately.failures - sum(causes.values())
        if answered > 0:
            causes[ANSWERED] = answered
        return dict(sorted(causes.items(), key=lambda one: (-one[1], one[0])))

    @property
    def whole(self) -> int:
        """The requests that the failures are a part of: all that came, if most failures found no
        room, as those wait a second at most; else all that ended, since what fails otherwise may
        have come long before."""
        lately = self.lately
        is_full = next(iter(self.causes), "") == FULL
        return max(lately.failures, lately.begun) if is_full else lately.seen


class NoRoom(msgspec.Struct, frozen=True, kw_only=True):
    """Findings on a service port for which no site has room.

    ``left_out``: rules that leave out sites with room; ``without_targets``: those that can be why
    requests found no ready target. ``used_up``: rates that are exhausted, in a sentence;
    ``raise_them``: how to raise them, with the command for this site. ``raise_cap``: the command
    that raises this site's cap, if its targets take more. ``reserved``: slots that others do not
    get, in a sentence. ``take_all``: the commands that end an operator's drain of this site.
    ``wants_targets``: some sites are full of requests. ``away``: sites that recently offered the
    service and are out of reach. ``unready``: sites with targets of which none is ready,
    ``unready_there``: those but this one, ``draining``: sites that take nothing new,
    ``drained_there``: those but this one that an operator drained, ``ejected``: those where
    requests fail, ``refusing``: those whose router is short of memory. ``is_over``: a request would
    find room now, which does not mean that the next ones will: a slot is free for a moment also
    while many are turned away. ``none_reached``: of all sites with targets, each is ``away`` by
    now. ``may_wait``: the service has a queue. ``declared_at``: the site that alone may change
    that; empty: this one.
    """

    away: Sequence[str] = ()
    unready: Sequence[str] = ()
    unready_there: Sequence[str] = ()
    draining: Sequence[str] = ()
    drained_there: Sequence[str] = ()
    ejected: Sequence[str] = ()
    refusing: Sequence[str] = ()
    left_out: LeftOut = NOTHING
    without_targets: LeftOut = NOTHING
    used_up: str = ""
    reserved: str = ""
    raise_them: str = ""
    raise_cap: str = ""
    take_all: str = ""
    wants_targets: bool = True
    is_over: bool = False
    none_reached: bool = False
    may_wait: bool = True
    declared_at: str = ""

    @property
    def why(self) -> str:
        """The findings in sentences; empty: none."""
        no_queue = "" if self.may_wait else NO_QUEUE
        return " ".join(filter(None, (no_queue, self.used_up, self.reserved, self.left_out.why)))

    def hint(self, key: ServiceKey) -> str:
        """The steps that make room."""
        targets = f"Add targets, or raise the capacity of those there are: sitectl why {key}"
        links = unready = memory = drained = ""
        if self.refusing:
            memory = f"Give the router more memory at {', '.join(self.refusing[:SITES_NAMED])}"
        if self.away:
            links = f"See why {_named(self.away)} not reached: sitectl ping {self.away[0]}"
        if there := self._there:
            unready = (
                f"See why no target of {there} is ready. At {there}: sitectl service status "
                f"{key.name}"
            )
        if self.drained_there:
            at = ", ".join(self.drained_there[:SITES_NAMED])
            drained = f"At {at}, see the command that ends the drain: sitectl status"
        parts = (
            links,
            unready,
            self.left_out.let_in,
            f"To take all of it here: {self.take_all}" if self.take_all else "",
            drained,
            self.raise_them,
            f"Raise the cap of this site: {self.raise_cap}" if self.raise_cap else "",
            memory,
            targets if self.wants_targets else "",
            "" if self.may_wait else self._let_wait(key),
        )
        return ". ".join(filter(None, parts))

    def in_passing(self, key: ServiceKey) -> str:
        """Steps besides more targets as clauses within another sentence, each with a comma."""
        unready = ""
        if there := self._there:
            see = f"sitectl service status {key.name}"
            unready = f"make targets of {there} ready (at {there}: {see}), "
        cap = f"raise the cap of this site ({self.raise_cap}), " if self.raise_cap else ""
        if self.may_wait:
            return f"{unready}{cap}"
        where = f"at {self.declared_at}: " if self.declared_at else ""
        return f"{unready}{cap}let requests wait ({where}{_with_queue(key)}), "

    @property
    def _there(self) -> str:
        """The other sites without a ready target, in words."""
        return ", ".join(self.unready_there[:SITES_NAMED])

    def _let_wait(self, key: ServiceKey) -> str:
        where = f". At {self.declared_at}" if self.declared_at else ""
        return f"Let requests wait{where}: {_with_queue(key)}"


def no_room(router: SiteRouter, key: ServiceKey, now: float) -> NoRoom:
    """The present findings."""
    explanation = router.readings.explain(key, now)
    if explanation is None:
        return NoRoom()
    own, planned = router.identity.site, router.services.get(key)
    has_targets = planned is not None and planned.has_connector
    is_cap = planned is not None and planned.cap is not None and planned.cap.rate is not None
    serving = [
        one
        for one in explanation.candidates
        if one.targets_ready and one.verdict not in ("excluded", "draining", "unreachable")
    ]
    rated = [one for one in serving if _is_over_rate(one)]
    refused_by = refusing(explanation)
    here = any(one.site == own for one in rated)
    flag = "--site-capacity" if is_cap else "--capacity"
    raise_here = f"Raise the rate: sitectl service set {key.name} {flag} N/s"
    there = ", ".join(one.site_name for one in rated[:SITES_NAMED])
    is_capped = router.readings.is_capped(key)
    take_all = ""
    if planned is not None and (is_capped or not planned.takes):
        take_all = planned.way_back
    by_targets = [one for one in serving if not (is_capped and one.site == own)]
    elsewhere = (
        f"Raise the rate. At {there}: sitectl service set {key.name} --site-capacity N/s, or "
        "--capacity N/s if its targets have the rate"
    )
    away = router.news.absent.unreached(key)
    return NoRoom(
        away=away,
        unready=unready(explanation, own, has_targets=has_targets),
        unready_there=unready(explanation, own, has_targets=False),
        draining=draining(explanation),
        drained_there=[
            router.site_name(site) for site in router.routing.table.taking_nothing(key)[1]
        ],
        ejected=ejected(explanation),
        refusing=refused_by,
        left_out=router.left_out(key, explanation),
        without_targets=router.left_out(key, explanation, lacks="target"),
        used_up=used_up_rates(serving),
        reserved=kept_from_others(serving),
        take_all=take_all,
        raise_them=(raise_here if here else elsewhere) if rated else "",
        raise_cap=f"sitectl service set {key.name} --site-capacity N"
        if is_capped and not take_all
        else "",
        wants_targets=not (rated or refused_by or is_capped)
        or any(map(_is_full_of_requests, by_targets)),
        is_over=is_taken(explanation, router.routing.table.barring),
        none_reached=bool(away)
        and not has_targets
        and all(one.site == own for one in explanation.candidates),
        may_wait=planned is None or planned.declaration.spec.queue != 0,
        declared_at=router.routing.table.declared_elsewhere(key.name),
    )


def is_taken(explanation: Explanation, barring: Collection[SiteId]) -> bool:
    """Whether a site takes the next request. A site in ``barring`` bars this one and may refuse
    it."""
    decision = explanation.decision
    return not isinstance(decision, NoChoice) and decision.site not in barring


def used_up_rates(candidates: Sequence[CandidateReport]) -> str:
    """Sites with only their rate exhausted, in a sentence; empty: there are none."""
    named = ", ".join(
        f"{one.site_name} ({rate_text(one.rate.per_s)})"
        for one in candidates
        if one.rate is not None and _is_over_rate(one)
    )
    return f"The rate is used up at {named}." if named else ""


def ejected_sites(candidates: Sequence[CandidateReport]) -> str:
    """Sites that get no requests because requests fail there, in a sentence; empty: there are none.

    They are not full.
    """
    names = [one.site_name for one in candidates if one.verdict == "ejected"]
    return f"Ejected since requests fail there: {', '.join(names)}." if names else ""


def kept_from_others(candidates: Sequence[CandidateReport]) -> str:
    """Sites with free slots that clients of this site do not get, in a sentence; empty: none."""
    named = ", ".join(
        f"{one.site_name} ({why})" for one in candidates if (why := _why_kept_from_others(one))
    )
    return f"Slots that are free are kept from this site's clients at {named}." if named else ""


def _why_kept_from_others(one: CandidateReport) -> str:
    slots = one.capacity
    if one.verdict != "full" or one.refuses or slots is None or one.in_flight >= slots:
        return ""
    if one.reserved and one.in_flight >= slots - one.reserved:
        return f"{one.reserved} of {slots} reserved"
    if one.most_for_one is not None:
        return f"at most {one.most_for_one} of {slots} for one neighbor"
    return ""


def _is_full_of_requests(one: CandidateReport) -> bool:
    return one.capacity is not None and one.in_flight >= one.capacity - one.reserved


def _is_over_rate(one: CandidateReport) -> bool:
    """Whether only its rate keeps requests out: it has a free slot."""
    return one.rate is not None and one.rate.is_over and not _is_full_of_requests(one)


def failing(
    router: SiteRouter,
    keys: Collection[ServiceKey],
    lately_of: Callable[[ServiceKey], RecentPortFigures],
) -> Iterator[PortFailures]:
    """The service ports among ``keys`` whose requests fail, except those that `SW0309` explains."""
    unserved: Collection[ServiceKey] = router.site_services.unserved if keys else ()
    for key in keys:
        port = lately_of(key)
        lately = port.change
        if lately is None or lately.failures <= limits.FAILING_SHARE * lately.seen:
            continue
        found = PortFailures(
            key=key, lately=lately, queued=port.queued, noun=noun_of(router.readings.config_of(key))
        )
        if key not in unserved or next(iter(found.causes)) != NO_ROUTE:
            yield found


def problems_of(
    found: Sequence[PortFailures],
    no_room_of: Callable[[ServiceKey], NoRoom],
    named: Callable[[ServiceKey], str] = str,
) -> list[Problem]:
    """Service ports that turn requests away for lack of room, and those that fail otherwise.
    ``named``: see `FigureScope`.
    """
    problems = []
    for one in found:
        first = next(iter(one.causes))
        if first == FULL:
            problems.append(_full(one, named(one.key), no_room_of(one.key)))
        else:
            left_out = no_room_of(one.key).without_targets if first == NO_ROUTE else NOTHING
            problems.append(_fails(one, named(one.key), left_out))
    return problems


def waiting(
    router: SiteRouter,
    now: float,
    waits: Mapping[ServiceKey, int],
    told: Collection[ServiceKey],
    no_room_of: Callable[[ServiceKey], NoRoom],
    named: Callable[[ServiceKey], str] = str,
) -> Iterator[Note]:
    """Notes on service ports whose requests wait for a slot at any site, except those ``told``.

    ``waits``: the number of waiting requests, if any. ``named``: see `FigureScope`.
    """
    for key, queued in waits.items():
        explanation = router.readings.explain(key, now) if key not in told else None
        choice = explanation.decision if explanation is not None else None
        if isinstance(choice, NoChoice) and choice.reason == FULL:
            yield Note(
                severity="warning",
                code="SW0339",
                message=_full_text(
                    named(key),
                    waiting_count(queued, noun_of(router.readings.config_of(key))),
                    found := no_room_of(key),
                ),
                hint=found.hint(key),
            )


def _full(one: PortFailures, named: str, found: NoRoom) -> Problem:
    others = {code: count for code, count in one.causes.items() if code != FULL}
    lost = sum(others.values())
    share, long = _share(one, one.lately.failures - lost), long_time_text(one.lately)
    verb = "failed" if long else "fail"
    fail = f"; {per_s_text(one.lately.per_s(lost))} more {verb}: {_met(others)}" if lost else ""
    waits = f"; {waiting_count(one.queued, one.noun)}" if one.queued else ""
    were_turned_away = (
        f"Service {named}: {share} were turned away {long or 'in the last seconds'}: they "
        f"{NONE_HAD_ROOM}{fail}"
    )
    if found.is_over and not one.queued:
        message = f"{were_turned_away}.{'' if found.may_wait else f' {NO_QUEUE}'}"
        hint = (
            f"See them, and why: sitectl why {one.key} --denied. If it goes on: "
            f"{found.in_passing(one.key)}add "
            "targets, or raise the capacity of those there are"
        )
    elif found.none_reached:
        message = f"{were_turned_away}; now {_named(found.away)} not reached{waits}."
        hint = found.hint(one.key)
    else:
        turned_away = f"were turned away {long}" if long else "are turned away"
        message = _full_text(named, f"{share} {turned_away}{fail}{waits}", found)
        hint = found.hint(one.key)
    if lost:
        hint = f"{hint}. Of those that fail: sitectl why {one.key} --failed"
    return Problem(code="SW0337", message=message, hint=hint)


def _full_text(named: str, then: str, found: NoRoom) -> str:
    """``named``: the service port. ``then``: the consequence for requests."""
    full = every_site_is_full(
        is_one_away=bool(found.away),
        unready=found.unready[:SITES_NAMED],
        draining=found.draining[:SITES_NAMED],
        ejected=found.ejected[:SITES_NAMED],
        refusing=found.refusing[:SITES_NAMED],
    )
    if found.away:
        full += f", and {_named(found.away)} not reached"
    return f"Service {named}: {full}: {then}. {found.why}".rstrip()


def _named(away: Sequence[str]) -> str:
    """``hub and far are``."""
    *first, last = away[:SITES_NAMED]
    more = f" and {len(away) - SITES_NAMED} more" if len(away) > SITES_NAMED else ""
    names = f"{', '.join(first)} and {last}" if first and not more else ", ".join((*first, last))
    return f"{names}{more} {'is' if len(away) == 1 else 'are'}"


def _fails(one: PortFailures, named: str, left_out: LeftOut) -> Problem:
    long = long_time_text(one.lately)
    fail = f"failed {long}" if long else "fail"
    message = f"Service {named}: {_share(one, one.lately.failures)} {fail}: {_met(one.causes)}."
    see = f"See which {one.noun}s failed last, and how: sitectl why {one.key} --failed"
    if next(iter(one.causes)) == OTHER_HTTP:  # No site was chosen for these.
        see = f"Its clients must speak its protocol: sitectl service status {one.key.name}"
    return Problem(
        code="SW0338",
        message=f"{message} {left_out.why}".rstrip(),
        hint=". ".join(filter(None, (left_out.let_in, see))),
    )


def _met(causes: Mapping[str, int]) -> str:
    """How requests failed, by their ``causes``, the most frequent first."""
    named = list(causes.items())[:CAUSES_NAMED]
    if len(named) == 1:
        return f"they {WORDS.get(named[0][0], named[0][0])}"
    total = sum(causes.values())
    return ", ".join(f"{count / total:.0%} {WORDS.get(code, code)}" for code, count in named)


def _share(one: PortFailures, failed: int) -> str:
    """``10/s of 20/s requests``."""
    per_s = one.lately.per_s
    return f"{per_s_text(per_s(failed))} of {per_s_text(per_s(one.whole))} {one.noun}s"


def _with_queue(key: ServiceKey) -> str:
    return f"sitectl service set {key.name} --queue default"

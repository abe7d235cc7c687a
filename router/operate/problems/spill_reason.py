"""Why requests go to other sites now, in one sentence, from the balancer's explanation."""

from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Final

from router.balance.deciding.decisions import CandidateReport, Explanation, NoChoice
from router.balance.deciding.explain import rate_text
from router.balance.site.spills import ABSENCES
from router.balance.sites.nearest_site_shortcut import NEAR_FIRST
from router.exchange.clients.observed_leg import OWN_CODES
from router.history.readings import IntervalCounts
from router.model import limits
from router.model.ids import SiteId
from router.model.wording.fullness import NO_SITE_IS_READY, every_site_is_full
from router.model.wording.plural import counted
from router.model.wording.traffic import REQUEST

MOST_NAMED = 3
"""Sites that the sentence names; the rest is a number."""

NOTHING: Final[Mapping[str, int]] = MappingProxyType({})
NOWHERE: Final[Mapping[SiteId, int]] = MappingProxyType({})
UNASKED: Final = frozenset(code for status, code in OWN_CODES.items() if status >= 500)
"""Failures of requests that no site is looked for: what their clients sent is the reason."""
OVERFLOW: Final = frozenset({"full", "above-mark", "sheddable-share", "higher-level", "rate"})
"""Reasons of spills caused by the load of this site."""
DOWN: Final = frozenset({"drained", *ABSENCES})
"""Reasons of spills while no target of this site takes requests."""


def spill_sentence(
    explanation: Explanation,
    lately: IntervalCounts,
    *,
    own: SiteId,
    name_of: Callable[[SiteId], str],
    has_targets: bool,
    is_drained: bool,
    queued: int,
    in_flight_mean: float,
    open_to: Mapping[SiteId, int] = NOWHERE,
    open_for: Mapping[str, int] = NOTHING,
    is_one_away: bool = False,
    stops: str = "",
    noun: str = REQUEST,
    one_of: str = "",
) -> str:
    """Why requests go to other sites; empty: none do.

    ``has_targets``: a connector of this site names some. ``is_drained``: an operator drained this
    site for the service. ``is_one_away``: a site that recently offered the service is out of reach.
    ``stops``: this site, or its router, in words; empty: neither stops. ``open_to``, ``open_for``:
    as in `ServiceNow`. ``noun``: the unit that the service counts. ``one_of``: ``worker`` or
    ``router``, if this site has several of them that share its slots; empty: it has one.
    """
    own_name = name_of(own)
    ours = [one for one in explanation.candidates if one.site == own]
    local = min(ours, key=lambda one: len(one.path), default=None)  # Of any of its routers.
    away = lately.spilled_to
    nobody = ""
    if isinstance(explanation.decision, NoChoice) and not away:
        full = every_site_is_full(
            is_one_away=is_one_away,
            unready=unready(explanation, own, has_targets=has_targets),
            draining=draining(explanation),
            ejected=ejected(explanation),
            refusing=refusing(explanation),
        )
        nobody = _nobody(explanation.decision, lately, queued, full)
    if nobody or not (away or open_to):
        return nobody
    costs = {one.site: one.path_cost for one in explanation.candidates}
    went = _went(away, lately, costs, name_of) if away else _stay(open_to, costs, name_of)
    reasons = lately.spilled or open_for
    policy = _policy(explanation.policy, noun)
    if stops:  # A stopping router withdraws its targets step by step.
        cause = f"{stops} is stopping"
    elif has_targets:
        cause = _cause(policy, local, lately, reasons, own_name, is_drained, in_flight_mean, one_of)
    else:
        cause = f"{own_name} has no target of its own"
    lost = f", {per_s_text(lately.per_s(lately.nowhere))} served nowhere" if lately.nowhere else ""
    return f"{cause}: {went}{lost}"


def unready(explanation: Explanation, own: SiteId, *, has_targets: bool) -> list[str]:
    """Names of sites with targets of which none is ready, this one too if it ``has_targets``."""
    return [
        one.site_name
        for one in explanation.candidates
        if one.verdict == "no-target" and (has_targets or one.site != own)
    ]


def draining(explanation: Explanation) -> list[str]:
    """Names of sites that take nothing new, this one too if an operator drained it."""
    return [one.site_name for one in explanation.candidates if one.verdict == "draining"]


def ejected(explanation: Explanation) -> list[str]:
    """Names of sites that get no request because requests fail there, this one too."""
    return [one.site_name for one in explanation.candidates if one.verdict == "ejected"]


def refusing(explanation: Explanation) -> list[str]:
    """Names of sites whose router is short of memory and takes nothing new."""
    candidates = explanation.candidates
    return [one.site_name for one in candidates if one.verdict == "full" and one.refuses]


def _nobody(choice: NoChoice, lately: IntervalCounts, queued: int, full: str) -> str:
    """No site takes the next request; empty as long as none comes. ``full``: the phrase for full
    sites.
    """
    turned_away = _turned_away(lately)
    if not queued and not turned_away:
        return ""
    why = full
    if choice.reason == "no-route":
        why = NO_SITE_IS_READY
    parts = (
        f"{per_s_text(lately.per_s(turned_away))} served nowhere" if turned_away else "",
        "the queue is in use" if queued else "",
    )
    return f"{why}: {', '.join(filter(None, parts))}"


def _turned_away(lately: IntervalCounts) -> int:
    """Requests that no site served, except those that this router answers before it looks for
    one."""
    unasked = sum(lately.failed_for.get(code, 0) for code in UNASKED)
    return max(0, lately.nowhere - lately.rejected - unasked)


def _cause(
    policy: str,
    local: CandidateReport | None,
    lately: IntervalCounts,
    reasons: Mapping[str, int],
    own_name: str,
    is_drained: bool,
    in_flight_mean: float,
    one_of: str,
) -> str:
    overflows = lately.overflow_begun or (not lately.spilled and not OVERFLOW.isdisjoint(reasons))
    if lately.spilled and _most_frequent(lately.spilled) not in OVERFLOW:
        overflows = False  # Only some of them: another site's turn came while this one was full.
    if local is None:
        return (
            f"{own_name} had no room when they left"
            if overflows
            else _rest(policy, reasons, own_name)
        )
    if not local.targets_ready:
        if not lately.spilled and not DOWN.intersection(reasons):  # Opened before that.
            return _began(policy, reasons, own_name)
        return f"{own_name} is drained" if is_drained else f"no target of {own_name} is ready"
    if not lately.spilled and local.verdict not in _TAKES_NO_MORE:
        return _began(policy, reasons, own_name)
    if local.verdict == "sends-away" and local.rate is not None:
        return f"{own_name} is over its {rate_text(local.rate.per_s)} and set to send all away"
    if overflows:
        return _overflow(local, lately, reasons, own_name, in_flight_mean, one_of)
    return _rest(policy, reasons, own_name)


def _policy(name: str, noun: str) -> str:
    """The cause for requests that spilled although this site had room."""
    if name in NEAR_FIRST:  # Chosen since: it sends none elsewhere while there is room here.
        return f"the policy before {name} sent {noun}s to other sites too"
    return f"policy {name} sends {noun}s to other sites too"


def _overflow(
    local: CandidateReport,
    lately: IntervalCounts,
    reasons: Mapping[str, int],
    own_name: str,
    in_flight_mean: float,
    one_of: str,
) -> str:
    """The cause for requests that spilled because of the load of this site."""
    rate, slots = local.rate, local.capacity
    if rate is not None and (slots is None or local.in_flight < slots):
        rate_of = f"the rate of {own_name}, {rate_text(rate.per_s)}"
        if local.verdict == "full":
            return f"{rate_of}, is used up"
        if _most_frequent(reasons) == "rate":
            return f"{rate_of}, was used up in the last seconds"
        if slots is None:  # The site had slots when they spilled.
            return f"{own_name} had no room when they left"
    if rate is None and _most_frequent(reasons) == "rate":
        return f"the rate of {own_name} was used up when they left"
    if slots is None:
        return (
            f"{own_name} has no configured capacity and was at a higher level than other sites "
            f"when they left ({_mean(in_flight_mean)} in flight on average at "
            f"{counted(local.targets_ready, 'ready target')})"
        )
    if local.in_flight > slots:
        return f"{local.in_flight} in flight at {own_name}, more than its capacity of {slots}"
    if lately.more_slots > 0 and local.verdict != "full":
        return f"{own_name} had no room when they left"  # In terms of the slots at that time.
    busy = f"{_mean(min(in_flight_mean, slots))} of {slots} busy on average"
    if _is_for_mark(reasons):
        return f"{own_name} keeps its last slots in reserve ({busy})"
    if set(reasons) == {"sheddable-share"}:
        return f"{own_name} keeps its last slots from sheddable requests ({busy})"
    return _busy(in_flight_mean, slots, own_name, one_of)


_TAKES_NO_MORE: Final = frozenset({"full", "above-mark", "higher-level", "sends-away"})


def _began(policy: str, reasons: Mapping[str, int], own_name: str) -> str:
    """The cause for requests still in flight: it held when they began, and no longer does."""
    reason = _most_frequent(reasons)
    if reason in OVERFLOW:
        return f"{own_name} had no room when they began"
    if reason == "drained":
        return f"{own_name} was drained when they began"
    if reason in ("no-target", "ejected"):
        return f"no target of {own_name} was ready when they began"
    return _rest(policy, reasons, own_name)


def _most_frequent(reasons: Mapping[str, int]) -> str:
    return max(reasons, key=lambda reason: reasons[reason], default="")


def _is_for_mark(reasons: Mapping[str, int]) -> bool:
    """Whether more requests spilled at the mark than for lack of a slot."""
    return reasons.get("above-mark", 0) > reasons.get("full", 0)


def _rest(policy: str, reasons: Mapping[str, int], own_name: str) -> str:
    """The cause for requests that spilled without load at this site."""
    reason = _most_frequent(reasons)
    if reason == "drained":
        return f"{own_name} was drained when they left"
    if reason in ("no-target", "ejected"):
        return f"no target of {own_name} was ready when they left"
    if reason == "failover":
        return f"attempts at {own_name} failed"
    return "sessions stay at other sites" if reason == "session" else policy


def _busy(in_flight_mean: float, slots: int, own_name: str, one_of: str) -> str:
    """A single moment means little for requests of milliseconds: use the mean of the last
    seconds. One of several workers or routers may have free slots while another has none."""
    shown = _mean(min(in_flight_mean, slots))
    busy = f"{shown} of {slots} slots of {own_name} are busy"
    if shown == str(slots):
        return busy
    none_free = f"the {one_of} they came to had none free" if one_of else "none was free"
    return f"{busy} on average, and {none_free} when they left"


def _mean(in_flight: float) -> str:
    """``2.9``."""
    return f"{in_flight:.1f}".removesuffix(".0")


def _went(
    away: Mapping[SiteId, int],
    lately: IntervalCounts,
    costs: Mapping[SiteId, int],
    name_of: Callable[[SiteId], str],
) -> str:
    """``4.2/s go to east (cost 5), 1.0/s to west (cost 9)``."""
    shown = {site: per_s_text(lately.per_s(count)) for site, count in away.items()}
    return _listed(shown, "go", "to", costs, name_of)


def _stay(
    open_to: Mapping[SiteId, int], costs: Mapping[SiteId, int], name_of: Callable[[SiteId], str]
) -> str:
    """``5 open at east (cost 5), 1 at west (cost 9)``."""
    shown = {site: str(count) for site, count in open_to.items()}
    return _listed(shown, "open", "at", costs, name_of)


def _listed(
    shown: Mapping[SiteId, str],
    verb: str,
    preposition: str,
    costs: Mapping[SiteId, int],
    name_of: Callable[[SiteId], str],
) -> str:
    """The amount for each site, the cheapest first; only the first one has the verb."""
    # By id: a site that is gone and its replacement may have the same name.
    order = sorted(shown, key=lambda site: (costs.get(site, inf), name_of(site)))
    verbs = [f" {verb}", *([""] * MOST_NAMED)]
    parts = [
        f"{shown[site]}{said} {preposition} {name_of(site)}"
        + (f" (cost {costs[site]})" if site in costs else "")
        for said, site in zip(verbs, order[:MOST_NAMED], strict=False)
    ]
    rest = len(order) - MOST_NAMED
    return ", ".join(parts) + (f" and more {preposition} {rest} other sites" if rest > 0 else "")


def per_s_text(per_s: float) -> str:
    """``4.2/s``, ``1,390/s``; ``<0.1/s`` for a few in a minute."""
    if 0 < per_s < 0.1:
        return "<0.1/s"
    return f"{per_s:.1f}/s" if per_s < 10 else f"{per_s:,.0f}/s"


def long_time_text(lately: IntervalCounts) -> str:
    """``in the last 40 s``: after a stall, a router handles the backlog at its end, so all may be
    well now. Empty: the figures cover the last seconds, as usual."""
    if lately.lasted_s <= 2 * limits.HISTORY_STEP_S:
        return ""
    return f"in the last {lately.lasted_s:.0f} s"

"""The rules that order candidates: pure functions over refreshed candidates.

A policy gets the candidates that are alive (reachable, ready targets, neither draining nor
excluded) in order of path cost, the local site first, and those of them with room, in the same
order: the others are marked ``full``. It returns the candidates that tie for the next request, none
when the request has to wait, and marks others that it passes over. The caller picks one of them by
`Candidate.weight`: smooth rotation by ready targets, or by their weights under `split`.

When all are full, every policy does the same: the request waits in the queue for the first free
slot at a site that the policy allows, then ends with 503 and Retry-After, or a reset (tcp).
"""

from collections.abc import Callable, Sequence
from functools import partial

from router.balance.deciding.candidates import Candidate, judge
from router.model import limits
from router.model.specs import PolicySpec

Policy = Callable[[Sequence[Candidate], list[Candidate]], list[Candidate]]
"""Gets the candidates that are alive, and those of them with room; it may return the second list.
"""


def check_policy(policy: PolicySpec) -> str | None:
    """Why ``policy`` cannot be used, a sentence for the user; None: it can."""
    if policy.name not in POLICIES:
        known = ", ".join(POLICIES)
        return f"policy {policy.name} is not in this version, which runs {known}"
    share = policy.spill_at
    if share is not None and not 0 < share < 1:
        return f"the mark to spill at is a share of a site's slots, not {share:g} of them"
    if share is not None and policy.name == "failover":
        return "policy failover has no mark to spill at: it leaves no site for its load"
    weights = policy.weights.values()
    if policy.name == "split" and (
        not any(weights)
        or len(weights) > limits.SPLIT_SITES_MAX
        or not all(0 <= weight <= limits.SPLIT_WEIGHT_MAX for weight in weights)
    ):
        return (
            "policy split needs weights by site, whole numbers from 0 to "
            f"{limits.SPLIT_WEIGHT_MAX}, not all of them 0"
        )
    return None


def fill(_alive: Sequence[Candidate], roomy: list[Candidate]) -> list[Candidate]:
    """The lowest `Candidate.level`; then the cheapest; then as in `_least_used`.

    So a configured capacity fills before any costlier site gets requests. A site without one takes
    as many extra requests per target as the path to the next site costs, and the rest spreads
    evenly over all that have none. The cheaper candidates that it passes over are ``higher-level``.
    """
    if len(roomy) == 1:
        return roomy
    tied: list[Candidate] = []
    cost, least, ready = 0, 0, 1
    for one in roomy:
        its, its_ready = one.level
        above = its * ready - least * its_ready
        if not tied or above < 0 or (above == 0 and one.cost < cost):
            tied, cost, least, ready = [one], one.cost, its, its_ready
        elif above == 0 and one.cost == cost:
            tied.append(one)
    for one in roomy:
        if one.cost < cost:
            one.verdict = "higher-level"
    return _least_used(tied) if len(tied) > 1 else tied


def balanced(_alive: Sequence[Candidate], roomy: list[Candidate]) -> list[Candidate]:
    """Least (in flight + path cost), ties local first: the rule of Skupper 2.x's routers.

    In Skupper each local target is a separate candidate with cost 0, and a remote site is one
    number. The ledger keeps local targets level, so the least loaded has in flight / targets,
    rounded down.
    """
    best: list[Candidate] = []
    least = 0
    for one in roomy:
        load = balanced_load(one)
        if not best or load < least:
            best, least = [one], load
        elif load == least and not best[0].local:
            best.append(one)
    return best


def spread(_alive: Sequence[Candidate], roomy: list[Candidate]) -> list[Candidate]:
    """Every ready target of every site alike, at any path cost: all with room, in turn.

    Turns go by ready targets, so a site with 2 gets twice as much as a site with 1. Hard-full sites
    are passed over, and the others take their turns in the same proportions; a site without a
    configured capacity is never full.
    """
    return roomy


def split(alive: Sequence[Candidate], roomy: list[Candidate]) -> list[Candidate]:
    """The sites with a weight that have room, in turn by weight, at any path cost.

    A site gets its weight, however many targets it has. A site that is gone, empty, draining or
    hard-full leaves its share to the others with a weight, in proportion; a site without a
    configured capacity is never full. When none of them can take the request, the others (weight 0,
    or not named) do, by the rule of `fill` among themselves.
    """
    tied = [one for one in roomy if one.share]
    if len(tied) == len(alive):
        return tied
    others = [one for one in alive if not one.share]
    if not tied:
        return fill(others, [one for one in roomy if not one.share]) if roomy else roomy
    for one in others:
        if one.verdict == "full":
            one.verdict = None  # It was not considered.
    return tied


def failover(alive: Sequence[Candidate], roomy: list[Candidate]) -> list[Candidate]:
    """The cheapest candidates, and no other while there is one: requests wait there when full.

    Among equal costs, those with most free capacity per target, as in `fill`; a site without a
    configured capacity is never full. Costlier sites stand by until no cheaper one has a ready
    target (or is reachable, not draining). For this policy the caller also passes the sites that
    have just refused this request for being full (verdict ``excluded``): they are not asked again
    at once, but keep the request from going farther. A site where the request failed in another way
    does not.
    """
    if not alive:
        return roomy
    least = min([one.cost for one in alive])
    for one in alive:
        if one.cost > least:
            one.verdict = "dearer"
    near = [one for one in roomy if one.cost <= least]
    return _least_used(near) if len(near) > 1 else near


def choose(
    rule: Policy,
    order: Sequence[Candidate],
    now: float,
    excluded: frozenset[str],
    waits_for: frozenset[str],
    *,
    kept: frozenset[str] = frozenset(),
    near_only: bool = False,
) -> list[Candidate]:
    """Judge the candidates by ``rule``; returns those that tie. The other arguments are as in
    `judge`.
    """
    alive, roomy, sends_away = judge(
        order, now, excluded, waits_for, kept=kept, near_only=near_only
    )
    if not sends_away:
        return rule(alive, roomy)
    # Sites that send all away come last: within their cap they are better than no site.
    last = [one for one in alive if one.sends_away]
    last_roomy = [one for one in roomy if one.sends_away]
    for one in last_roomy:
        one.verdict = "sends-away"
    tied = rule(
        [one for one in alive if not one.sends_away], [one for one in roomy if not one.sends_away]
    )
    if tied:
        return tied
    for one in last_roomy:
        one.verdict = None
    return rule(last, last_roomy)


def balanced_load(one: Candidate) -> int:
    """The figure that `balanced` compares."""
    return one.in_flight // one.targets_ready if one.local else one.in_flight + one.cost


def _least_used(equals: list[Candidate]) -> list[Candidate]:
    """Of candidates of equal cost, those with most free capacity per target.

    If one has no configured capacity: those with least in flight per target.
    """
    are_stated = all([one.is_stated for one in equals])
    tied: list[Candidate] = []
    least, ready = 0, 1
    for one in equals:
        used = one.in_flight - (one.capacity or 0) if are_stated else one.in_flight
        above = used * ready - least * one.targets_ready
        if not tied or above < 0:
            tied, least, ready = [one], used, one.targets_ready
        elif above == 0:
            tied.append(one)
    return tied


def rule_of(policy: PolicySpec) -> Policy:
    """The function that decides under ``policy``: its rule, with its mark if it has one."""
    rule, share = POLICIES[policy.name], policy.spill_at
    return rule if share is None else partial(_below_mark_first, rule, share)


def _below_mark_first(
    rule: Policy, share: float, alive: Sequence[Candidate], roomy: list[Candidate]
) -> list[Candidate]:
    """``rule`` among those that use less than ``share`` of their slots, else among all.

    Other proxies call it soft and hard limit: below the mark a site takes any request; between the
    mark and its capacity, only those that no site below its mark takes.
    """
    above = [one for one in roomy if one.in_flight >= one.mark(share)]
    if not above or len(above) == len(roomy):
        return rule(alive, roomy)
    for one in above:
        one.verdict = "above-mark"
    tied = rule(
        [one for one in alive if one.verdict != "above-mark"],
        [one for one in roomy if one.verdict != "above-mark"],
    )
    if tied:
        return tied
    for one in above:
        one.verdict = None
    return rule(alive, roomy)


POLICIES: dict[str, Policy] = {
    "fill": fill,
    "balanced": balanced,
    "spread": spread,
    "split": split,
    "failover": failover,
}
"""All of them, by `model.specs.PolicyName`."""

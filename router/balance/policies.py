"""The rules that order candidates: pure functions over refreshed candidates.

A policy is given the candidates that are alive (reachable, ready targets, neither draining nor
excluded) in order of path cost, the local site first, and those of them with room, in the same
order: the others are marked ``full``. It returns those who tie for the next request, empty when it
has to wait, and marks others that it passes over. Whose turn it is among them is the caller's, by
`Candidate.weight`: smooth rotation by ready targets, or by their weights under `split`.

All full means, for each of them: the request waits in the queue for the first slot that is free
where the policy may send it, then 503 with Retry-After, or a reset (tcp).
"""

from collections.abc import Callable, Sequence

from router.balance.candidates import Candidate, judge
from router.model import limits
from router.model.specs import PolicySpec

Policy = Callable[[Sequence[Candidate], list[Candidate]], list[Candidate]]
"""Told who is alive, and who of these has room; the second list may be what it returns."""


def check_policy(policy: PolicySpec) -> str | None:
    """Why ``policy`` cannot be used, a sentence for the user; None: it can."""
    if policy.name not in POLICIES:
        known = ", ".join(POLICIES)
        return f"policy {policy.name} is not in this version, which runs {known}"
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


def fill(alive: Sequence[Candidate], roomy: list[Candidate]) -> list[Candidate]:
    """The cheapest candidates with room; of equal cost those with most free capacity per target.

    No stated capacity is soft: full once in flight > ready targets x (cost of the next dearer
    candidate - own cost), never without a dearer one. Soft-full orders and never refuses: if
    nobody has room, the soft one with the least (in flight per target + cost).
    """
    soft: list[Candidate] = []
    start, count = alive.index(roomy[0]) if roomy else len(alive), len(alive)
    while start < count:
        if alive[start].hard_full:
            start += 1
            continue
        cost = alive[start].cost
        end = start + 1
        while end < count and alive[end].cost == cost:
            end += 1
        bearable = alive[end].cost - cost if end < count else None
        bearing: list[Candidate] = []
        for one in alive[start:end]:
            if one.hard_full:
                continue
            if one.is_stated or bearable is None:
                bearing.append(one)
            elif one.in_flight > one.targets_ready * bearable:
                one.verdict = "soft-full"
                soft.append(one)
            else:
                bearing.append(one)
        if bearing:
            return _least(bearing, _fill_key(bearing)) if len(bearing) > 1 else bearing
        start = end
    return _least(soft, _soft_key) if soft else soft


def balanced(_alive: Sequence[Candidate], roomy: list[Candidate]) -> list[Candidate]:
    """Least (in flight + path cost), ties local first: the rule of Skupper 2.x's routers.

    There each local target stands for itself and costs nothing, a remote site is one number. The
    ledger keeps local targets level, so the least loaded has in flight / targets, rounded down.
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
    """Every ready target of every site alike, whatever the way costs: all with room, in turn.

    Turns go by ready targets, so a site with 2 gets twice what a site with 1 does. Hard-full ones
    are passed over, and what they miss the others get in the same proportions; one without a
    stated capacity is never full.
    """
    return roomy


def split(alive: Sequence[Candidate], roomy: list[Candidate]) -> list[Candidate]:
    """The sites with a weight that have room, in turn by weight, whatever the way costs.

    A weight is what a site gets, however many targets it has. One that is gone, empty, draining
    or hard-full leaves its share to the others with a weight, in proportion; one without a stated
    capacity is never full. When none of them can take it, the others (weight 0, or not named) by
    the rule of `fill` among themselves.
    """
    tied = [one for one in roomy if one.share]
    if len(tied) == len(alive):
        return tied
    others = [one for one in alive if not one.share]
    if not tied:
        return fill(others, [one for one in roomy if not one.share]) if roomy else roomy
    for one in others:
        if one.verdict == "full":
            one.verdict = None  # It had no part in this.
    return tied


def failover(alive: Sequence[Candidate], roomy: list[Candidate]) -> list[Candidate]:
    """The cheapest candidates, and no other while there is one: requests wait there when full.

    Of equal cost those with most free capacity per target, as in `fill`; one without a stated
    capacity is never full. Dearer ones stand by until none that is cheaper has a ready target
    (or is reachable, not draining). For this policy the caller also gives those that have just
    refused this request for being full (verdict ``excluded``): they are not asked again at once,
    but keep it from going farther. One that failed it in another way does not.
    """
    if not alive:
        return roomy
    least = alive[0].cost
    for one in alive:
        if one.cost > least:
            one.verdict = "dearer"
    near = [one for one in roomy if one.cost <= least]
    return _least(near, _fill_key(near)) if len(near) > 1 else near


def choose(
    rule: Policy,
    order: Sequence[Candidate],
    now: float,
    excluded: frozenset[str],
    waits_for: frozenset[str],
    *,
    near_only: bool = False,
) -> list[Candidate]:
    """Judge the candidates by ``rule``; who tie. Of the rest as in `judge`."""
    alive, roomy, sends_away = judge(order, now, excluded, waits_for, near_only=near_only)
    if not sends_away:
        return rule(alive, roomy)
    # Who sends all away comes last: within its cap, rather than nobody.
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
    """What `balanced` compares."""
    return one.in_flight // one.targets_ready if one.local else one.in_flight + one.cost


def _fill_key(roomy: list[Candidate]) -> Callable[[Candidate], float]:
    """Among equal cost: most free per target, or least in flight where one states no capacity."""
    if all(one.is_stated for one in roomy):
        return _full_share_key
    return _in_flight_key


def _full_share_key(one: Candidate) -> float:
    assert one.capacity is not None, "only stated capacities are compared"
    return (one.in_flight - one.capacity) / one.targets_ready


def _in_flight_key(one: Candidate) -> float:
    return one.in_flight / one.targets_ready


def _soft_key(one: Candidate) -> float:
    return one.in_flight / one.targets_ready + one.cost


def _least(candidates: list[Candidate], key: Callable[[Candidate], float]) -> list[Candidate]:
    """Those with the least ``key``, of the least cost among them.

    Division rounds correctly, so equal ratios of small integers compare equal.
    """
    best: list[Candidate] = []
    least = 0.0
    for one in candidates:
        value = key(one)
        if not best or value < least:
            best, least = [one], value
        elif value == least and one.cost == best[0].cost:
            best.append(one)
    return best


POLICIES: dict[str, Policy] = {
    "fill": fill,
    "balanced": balanced,
    "spread": spread,
    "split": split,
    "failover": failover,
}
"""By `model.specs.PolicyName`: all of them."""

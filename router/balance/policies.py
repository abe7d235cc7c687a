"""The rules that order candidates: pure functions over refreshed candidates.

A policy is given the candidates that are alive (reachable, ready targets, neither draining nor
excluded) in order of path cost, the local site first. It returns those who tie for the next
request, empty when all are hard-full, and marks the ones that it passes over as ``full`` or
``soft-full``. Whose turn it is among them is the caller's.
"""

from collections.abc import Callable, Sequence

from router.balance.candidates import Candidate
from router.model.specs import PolicyName, PolicySpec

Policy = Callable[[Sequence[Candidate]], list[Candidate]]


def check_policy(policy: PolicySpec) -> str | None:
    """Why ``policy`` cannot be used, a sentence for the user; None: it can."""
    if policy.name in POLICIES:
        return None
    known = " or ".join(f"`{name}`" for name in POLICIES)
    return f"policy `{policy.name}` is not in this version; use {known}"


def fill(alive: Sequence[Candidate]) -> list[Candidate]:
    """The cheapest candidates with room; of equal cost those with most free capacity per target.

    No stated capacity is soft: full once in flight > ready targets x (cost of the next dearer
    candidate - own cost), never without a dearer one. Soft-full orders and never refuses: if
    nobody has room, the soft one with the least (in flight per target + cost).
    """
    soft: list[Candidate] = []
    start, count = 0, len(alive)
    while start < count:
        if alive[start].hard_full:  # In short, as below: in a burst most are.
            alive[start].verdict = "full"
            start += 1
            continue
        cost = alive[start].cost
        end = start + 1
        while end < count and alive[end].cost == cost:
            end += 1
        bearable = alive[end].cost - cost if end < count else None
        roomy: list[Candidate] = []
        for one in alive[start:end]:
            if one.hard_full:
                one.verdict = "full"
            elif one.is_stated:
                roomy.append(one)
            elif bearable is not None and one.in_flight > one.targets_ready * bearable:
                one.verdict = "soft-full"
                soft.append(one)
            else:
                roomy.append(one)
        if roomy:
            return _least(roomy, _fill_key(roomy)) if len(roomy) > 1 else roomy
        start = end
    return _least(soft, _soft_key) if soft else soft


def balanced(alive: Sequence[Candidate]) -> list[Candidate]:
    """Least (in flight + path cost), ties local first: the rule of Skupper 2.x's routers.

    There each local target stands for itself and costs nothing, a remote site is one number. The
    ledger keeps local targets level, so the least loaded has in flight / targets, rounded down.
    """
    best: list[Candidate] = []
    least = 0
    for one in alive:
        if one.hard_full:
            one.verdict = "full"
            continue
        load = balanced_load(one)
        if not best or load < least:
            best, least = [one], load
        elif load == least and not best[0].local:
            best.append(one)
    return best


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


POLICIES: dict[PolicyName, Policy] = {"fill": fill, "balanced": balanced}

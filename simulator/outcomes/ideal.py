"""The ideal: a request that finds a free slot at its own site takes it, all others spill. Pure."""

from heapq import heappop, heappush

import msgspec

from simulator.runs.measure import RunRecord
from simulator.scenarios import draws
from simulator.scenarios.scenario import Scenario


class Ideal(msgspec.Struct, frozen=True, kw_only=True):
    """The best that any rule can do: share of slots that worked, and requests that had to spill."""

    used: float
    left: int
    first_s: float | None
    last_s: float | None


def ideal_of(scenario: Scenario, record: RunRecord, site: str, service: str) -> Ideal | None:
    """The ideal for the real requests of one site. None: slots do not decide there, or
    they change.
    """
    groups = [one for one in scenario.targets if (one.site, one.service) == (site, service)]
    slots = [
        one.count * min(one.slots or 1, one.capacity if isinstance(one.capacity, int) else 10**6)
        for one in groups
    ]
    sleeps = any(one.asleep for one in groups)
    (declared,) = (one for one in scenario.services if one.name == service)
    changes = (
        sleeps
        or bool(declared.calls)
        or any(one.site == site and one.do != "set-cost" for one in scenario.events)
    )
    caps = [
        one.site_capacity for one in scenario.policies if (one.site, one.service) == (site, service)
    ]
    is_rated = any("/s" in str(stated) for stated in (*caps, *(one.capacity for one in groups)))
    if not sum(slots) or changes or is_rated:
        return None
    of_backends = sum(one.count * (one.slots or 1) for one in groups)  # As `used` of a run counts.
    at_once = min((cap for cap in caps if isinstance(cap, int)), default=sum(slots))
    free = list(slots)
    ends: list[tuple[float, int]] = []
    spans: list[tuple[float, float]] = []
    left: list[float] = []
    for one in record.requests:
        if (one.site, one.service) != (site, service):
            continue
        when = one.began - record.began_s
        while ends and ends[0][0] <= when:
            free[heappop(ends)[1]] += 1
        best = max(range(len(free)), key=free.__getitem__)
        if not free[best] or len(ends) >= at_once:
            left.append(when)
            continue
        free[best] -= 1
        end = when + draws.service_s(groups[best].service_time, one.draw)
        heappush(ends, (end, best))
        spans.append((when, end))
    first, last = (left[0], left[-1]) if left else (0.0, record.lasted_s)
    worked = sum(max(0.0, min(end, last) - max(begin, first)) for begin, end in spans)
    length = max(last - first, 1e-9)
    return Ideal(
        used=worked / (length * of_backends) if last > first else 1.0,
        left=len(left),
        first_s=left[0] if left else None,
        last_s=left[-1] if left else None,
    )

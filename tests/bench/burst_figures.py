"""Judge a burst by its requests (when each was sent, how it ended) and by when slots were in use.

Pure, so that the same rules judge bursts in virtual time and on real processes. Times are seconds
on one clock. The ideal is a dispatcher that knows all sites at every moment and loses no time
except on the way to a site: no router can do better with the same requests.
"""

import random
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Literal

import msgspec

Arrivals = Literal["poisson", "even"]
Services = Literal["constant", "lognormal"]

SLACK_S = 0.003
"""What the ways within one machine may take."""

WAITED_S = 0.010
"""Beyond service time and round trip: a request that waited for a slot."""

LOGNORMAL_SIGMA = 0.5
TIMED_OUT_S = 0.05
"""A 503 within this time came at once; after a longer time, the request had waited in vain."""


class Order(msgspec.Struct, frozen=True):
    """One request to come: when, after the burst's begin, and how long a target works on it."""

    at_s: float
    service_s: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One request that is over. ``status`` 0: no whole answer came; ``site`` who served it."""

    began: float
    ended: float
    service_s: float
    status: int = 0
    site: str = ""
    retry_after: bool = False
    error: str = ""


class SlotLog(msgspec.Struct, frozen=True):
    """How many of a site's ``slots`` were in use, as ``(since, count)`` in order of time."""

    slots: int
    changes: list[tuple[float, int]]

    def used_at(self, when: float) -> int:
        """In use just after ``when``."""
        number = bisect_right(self.changes, (when, 1 << 30))
        return self.changes[number - 1][1] if number else 0

    def most_used(self, begin: float, end: float) -> int:
        """The most in use at any moment of that time."""
        number = bisect_right(self.changes, (begin, 1 << 30))
        most = self.used_at(begin)
        while number < len(self.changes) and self.changes[number][0] <= end:
            most = max(most, self.changes[number][1])
            number += 1
        return most

    def share_used(self, begin: float, end: float) -> float:
        """Of its slots, weighted by time."""
        busy_s, since, count = 0.0, begin, self.used_at(begin)
        number = bisect_right(self.changes, (begin, 1 << 30))
        for when, now in self.changes[number:]:
            if when >= end:
                break
            busy_s += (when - since) * count
            since, count = when, now
        busy_s += (end - since) * count
        return busy_s / (end - begin) / self.slots if self.slots else 0.0


class Ideal(msgspec.Struct, frozen=True):
    """What the all-knowing dispatcher makes of it, everybody served in the end."""

    local_used: float
    p50_s: float
    p99_s: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One burst. Shares are of all requests offered but ``site_shares``, which are of the served.

    ``bound_s``: what the p99 is to be compared with: service time and round trip, or what the ideal
    needs where that is more (when all slots are taken even the ideal lets requests wait).
    ``spilled_early``: left the site while a slot was free here. ``waited_idly``: another
    site had a slot of which word could have come, and it had to wait or was refused.
    ``refused_late``: 503 after waiting, and 504.
    """

    offered: int
    served: int
    local_used: float
    all_used: float
    ideal: Ideal
    first_spill_local: int | None
    spilled: float
    spilled_early: float
    waited_idly: float
    p50_s: float
    p99_s: float
    bound_s: float
    refused: int
    refused_without_retry_after: int
    refused_late: int
    refused_p99_s: float
    lost: int
    site_shares: dict[str, float]
    most_waiting_at_targets: int = 0


def orders(
    seed: int,
    rate: float,
    seconds: float,
    service_s: float,
    *,
    arrivals: Arrivals = "poisson",
    services: Services = "constant",
) -> list[Order]:
    """Requests of an open loop; with ``lognormal`` the mean service time is ``service_s``."""
    rng = random.Random(seed)
    found: list[Order] = []
    at_s, number = 0.0, 0
    while True:
        at_s = at_s + rng.expovariate(rate) if arrivals == "poisson" else number / rate
        number += 1
        if at_s >= seconds:
            return found
        works_s = service_s
        if services == "lognormal":
            works_s *= rng.lognormvariate(-(LOGNORMAL_SIGMA**2) / 2, LOGNORMAL_SIGMA)
        found.append(Order(at_s, round(works_s, 4)))


def ideal_of(
    asked: Sequence[Order], slots: Sequence[int], rtt_s: float, begin: float, end: float
) -> Ideal:
    """The all-knowing dispatcher: the first site with a free slot, this one first, else a line."""
    free = list(slots)
    ends: list[tuple[float, int]] = []
    line: deque[Order] = deque()
    took: list[float] = []
    busy_s = 0.0
    waiting = deque(asked)

    def start(order: Order, site: int, now: float) -> None:
        nonlocal busy_s
        free[site] -= 1
        way_s = rtt_s / 2 if site else 0.0
        done = now + way_s + order.service_s
        heappush(ends, (done, site))
        took.append(done + way_s - order.at_s)
        if site == 0:
            busy_s += max(0.0, min(done, end) - max(now, begin))

    while waiting or ends:
        if waiting and (not ends or waiting[0].at_s <= ends[0][0]):
            order = waiting.popleft()
            site = next((number for number, left in enumerate(free) if left), None)
            if site is None:
                line.append(order)
            else:
                start(order, site, order.at_s)
        else:
            now, site = heappop(ends)
            free[site] += 1
            if line:
                start(line.popleft(), site, now)
    local_used = busy_s / (end - begin) / slots[0] if slots[0] else 0.0
    return Ideal(local_used, percentile(took, 0.5), percentile(took, 0.99))


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank; 0.0 of nothing."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0


def judge(
    outcomes: Sequence[Outcome],
    logs: dict[str, SlotLog],
    here: str,
    rtt_s: float,
    *,
    begin: float,
    end: float,
    warm_s: float,
) -> Figures:
    """The figures of the requests sent to ``here`` in ``[begin, end)``.

    ``warm_s``: slots in use count from this time on, when they have had time to fill.
    """
    mine = sorted((one for one in outcomes if begin <= one.began < end), key=lambda one: one.began)
    served = [one for one in mine if one.status == 200]
    refused = [one for one in mine if one.status in (503, 504)]
    away = [one for one in served if one.site != here]
    local = logs[here]
    names = [here, *(name for name in logs if name != here)]
    ideal = ideal_of(
        [Order(one.began - begin, one.service_s) for one in mine],
        [logs[name].slots for name in names],
        rtt_s,
        warm_s,
        end - begin,
    )
    took = [one.ended - one.began for one in served]
    usual_s = percentile([one.service_s for one in served], 0.99) + (rtt_s if away else 0.0)
    idly = sum(_waited_idly(one, logs, here, rtt_s) for one in served)
    idly += sum(_had_room(one, logs, here, rtt_s) for one in refused)
    slots = sum(log.slots for log in logs.values())
    return Figures(
        offered=len(mine),
        served=len(served),
        local_used=local.share_used(begin + warm_s, end),
        all_used=sum(log.share_used(begin + warm_s, end) * log.slots for log in logs.values())
        / slots,
        ideal=ideal,
        first_spill_local=_most_around(local, away[0].began) if away else None,
        spilled=len(away) / max(1, len(mine)),
        spilled_early=sum(_most_around(local, one.began) < local.slots for one in away)
        / max(1, len(mine)),
        waited_idly=idly / max(1, len(mine)),
        p50_s=percentile(took, 0.5),
        p99_s=percentile(took, 0.99),
        bound_s=max(usual_s, ideal.p99_s),
        refused=len(refused),
        refused_without_retry_after=sum(not one.retry_after for one in refused),
        refused_late=sum(one.ended - one.began > TIMED_OUT_S for one in refused),
        refused_p99_s=percentile([one.ended - one.began for one in refused], 0.99),
        lost=sum(one.status not in (200, 503, 504) for one in mine),
        site_shares={
            name: sum(one.site == name for one in served) / max(1, len(served)) for name in names
        },
    )


def _most_around(log: SlotLog, when: float) -> int:
    """In use about then: a slot is the router's a little longer than the target's."""
    return log.most_used(when - SLACK_S, when + SLACK_S)


def _waited_idly(one: Outcome, logs: dict[str, SlotLog], here: str, rtt_s: float) -> bool:
    way_s = 0.0 if one.site == here else rtt_s
    waited_s = one.ended - one.began - one.service_s - way_s
    return waited_s > WAITED_S and _had_room(one, logs, here, rtt_s)


def _had_room(one: Outcome, logs: dict[str, SlotLog], here: str, rtt_s: float) -> bool:
    """A site had a slot for it: word of that could have been here, and it would have found it."""
    return any(
        log.most_used(one.began - way_s - SLACK_S, one.began + way_s + SLACK_S) < log.slots
        for name, log in logs.items()
        for way_s in [0.0 if name == here else rtt_s / 2]
    )


def missed_by_a_burst_that_fits(figures: Figures, slots: int) -> list[str]:
    """The goals that a burst misses for which there is room somewhere."""
    near_ideal = abs(figures.local_used - figures.ideal.local_used) <= 0.02
    return _missed(
        ("local slots within 2 points of the ideal", near_ideal),
        ("first spill finds all slots taken", figures.first_spill_local in (None, slots)),
        ("at most 5 % spilled while a slot was free", figures.spilled_early <= 0.05),
        ("at most 1 % waited while a site had a slot", figures.waited_idly <= 0.01),
        ("p99 within 10 %", figures.p99_s <= 1.1 * figures.bound_s),
        ("all served", figures.served == figures.offered),
    )


def missed_by_sharing(figures: Figures, slots: int) -> list[str]:
    """The goals that one of several ingress sites misses, whose ideal does not know of the others.

    Once the shared site is full, the rest depends on queueing, not on the choice of a site.
    """
    return _missed(
        ("first spill finds all slots taken", figures.first_spill_local in (None, slots)),
        ("at most 5 % spilled while a slot was free", figures.spilled_early <= 0.05),
        ("all served", figures.served == figures.offered),
    )


def missed_in_calm(figures: Figures) -> list[str]:
    """The goals that a site half in use misses."""
    return _missed(
        ("nothing leaves a site that has room", figures.spilled_early <= 0.0),
        ("all served", figures.served == figures.offered),
    )


def missed_by_an_overload(figures: Figures) -> list[str]:
    """The goals that are missed when more is asked than all sites can do."""
    return _missed(
        ("97 % of all slots in use", figures.all_used >= 0.97),
        ("99 % of the refused are so at once", figures.refused_late <= 0.01 * figures.offered),
        ("with Retry-After", figures.refused_without_retry_after == 0),
        ("nothing lost", figures.lost == 0),
    )


def missed_by_a_third(figures: Figures, lone: str) -> list[str]:
    """The goals that ``lone``, with one target beside two elsewhere, misses."""
    share = figures.site_shares[lone]
    return _missed(
        ("each target a third", abs(share - 1 / 3) <= 0.02),
        ("all served", figures.served == figures.offered),
    )


def missed_by_a_fault(figures: Figures) -> list[str]:
    """The goals that are missed when a part breaks that others can replace."""
    return _missed(("nothing lost", figures.lost == 0))


def _missed(*goals: tuple[str, bool]) -> list[str]:
    return [name for name, is_met in goals if not is_met]

"""How much of a service is wanted at this site, whoever serves it: what an autoscaler goes by.

Load cannot say it: overflow keeps the local targets full and no fuller, however much leaves. So
what has left because of that, what waits and what was turned away count too.
"""

from collections import deque
from collections.abc import Iterable
from math import ceil

import msgspec

from router.balance.target import TargetState
from router.model import limits


class DemandFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One moment. ``demand`` is the sum of the four parts, in requests (tcp: connections) at once.

    ``refused``: as many as were turned away lately would be in flight, had they been taken: their
    number a second x how long a request takes, one at least, rounded up. ``demand_avg`` is the mean
    over `limits.DEMAND_WINDOW_S`, not rounded; ``…_per_s`` are over it too, ``demand_per_s`` of all
    that was asked.
    """

    in_flight: int
    overflowed: int
    queued: int
    refused: int
    demand: int
    demand_avg: float
    demand_per_s: float
    refused_per_s: float


class Demand:
    """Counts what the ledger and the queue of a service port do not know; O(1) per request.

    Every `left` is followed by one `returned`. `sample` is called once a second.
    """

    __slots__ = (
        "_asked_before",
        "_quiet",
        "_refused_before",
        "_samples",
        "brought",
        "each",
        "overflowed",
        "refused_total",
    )

    def __init__(self) -> None:
        self.overflowed = 0
        """In flight elsewhere because this site was full, or had no target that is ready."""
        self.refused_total = 0
        self.brought = 0
        """Requests that other sites asked this one to serve, granted or not."""
        self.each: Each | None = None
        """What a target takes, or did while there was one."""
        self._samples: deque[tuple[int, int, int]] = deque(maxlen=limits.DEMAND_WINDOW_S)
        self._quiet = 0  # As many of the newest samples are nothing.
        self._asked_before = 0
        self._refused_before = 0

    def left(self) -> None:
        """A request is on its way elsewhere, or taken there after it waited."""
        self.overflowed += 1

    def returned(self) -> None:
        """It is over there."""
        assert self.overflowed > 0, "returned without having left"
        self.overflowed -= 1

    def turned_away(self) -> None:
        """A request got 503 since nobody had room, or a target."""
        self.refused_total += 1

    def sample(self, in_flight: int, queued: int, asked_total: int) -> None:
        """Remember this second; ``asked_total`` requests were ever asked for."""
        held = in_flight + self.overflowed + queued
        asked, refused = asked_total - self._asked_before, self._refused_lately
        self._asked_before, self._refused_before = asked_total, self.refused_total
        self._quiet = 0 if held or asked or refused else self._quiet + 1
        if self._quiet < limits.DEMAND_WINDOW_S:
            self._samples.append((held, asked, refused))
        elif self._samples:  # Idle services keep nothing.
            self._samples.clear()

    def figures(
        self, in_flight: int, queued: int, asked_total: int, request_s: float
    ) -> DemandFigures:
        """As of now; a request takes ``request_s``. What was not sampled was nothing."""
        samples, window_s = self._samples, limits.DEMAND_WINDOW_S
        refused_per_s = (sum(one[2] for one in samples) + self._refused_lately) / window_s
        asked = sum(one[1] for one in samples) + asked_total - self._asked_before
        # Whoever is turned away from a site without targets tells not how long it would take.
        refused = max(1.0, refused_per_s * request_s) if refused_per_s else 0.0
        missed = ceil(refused)
        held_mean = sum(one[0] for one in samples) / window_s
        return DemandFigures(
            in_flight=in_flight,
            overflowed=self.overflowed,
            queued=queued,
            refused=missed,
            demand=in_flight + self.overflowed + queued + missed,
            demand_avg=round(held_mean + refused, 3),
            demand_per_s=round(asked / window_s, 3),
            refused_per_s=round(refused_per_s, 3),
        )

    @property
    def _refused_lately(self) -> int:
        return self.refused_total - self._refused_before


class Each(msgspec.Struct, frozen=True):
    """What one target takes, the mean of those that state it: ``slots`` at once, ``per_s``."""

    slots: float | None = None
    per_s: float | None = None
    learnt: bool = False


def each_of(targets: Iterable[TargetState], *, learnt: bool) -> Each | None:
    """Of the ready ones of ``targets``, of all if none is; None: those state nothing."""
    known = list(targets)
    ready = [one for one in known if one.ready] or known
    slots = [one.capacity for one in ready if one.capacity is not None]
    rates = [one.rate.per_s for one in ready if one.rate is not None]
    if not slots and not rates:
        return None
    return Each(
        slots=sum(slots) / len(slots) if slots else None,
        per_s=sum(rates) / len(rates) if rates else None,
        learnt=learnt and bool(slots),
    )


def targets_wanted(figures: DemandFigures, each: Each | None) -> int | None:
    """How many such targets take that demand, by each thing they state; None: they state none."""
    if each is None:
        return None
    by_slots = ceil(figures.demand / each.slots) if each.slots else 0
    by_rate = ceil(figures.demand_per_s / each.per_s) if each.per_s else 0
    return max(by_slots, by_rate)


class ScaleFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What an autoscaler goes by. ``each``: as it was last, when no target is ready."""

    demand: DemandFigures
    targets_ready: int
    capacity: int | None
    each: Each | None
    targets_wanted: int | None

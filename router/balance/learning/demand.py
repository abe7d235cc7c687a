"""How much of a service is wanted at this site, whoever serves it: what an autoscaler goes by.

Load cannot say it: overflow keeps the local targets full and no fuller, however much leaves. So
what has left because of that, what waits and what was turned away count too.
"""

import enum
from collections import deque
from collections.abc import Collection, Iterable
from math import ceil, inf

import msgspec

from router.balance.learning.unserved import UnservedClient, UnservedClients
from router.balance.targets.target import TargetState
from router.model import limits


class SentFor(enum.IntEnum):
    """Why a request is served elsewhere."""

    NO_DEMAND = 0  # By choice, or for now: nobody here would have to serve it.
    NO_ROOM = 1  # This site is full.
    NO_TARGET = 2  # No target of this site is ready.


class DemandFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One moment. ``demand`` is the sum of the four parts, in requests (tcp: connections) at once.

    ``refused``: clients that were turned away and want to be served still
    (`balance.learning.unserved`). ``demand_avg`` is the mean over `limits.DEMAND_WINDOW_S`, not
    rounded; ``…_per_s`` are over it too, ``demand_per_s`` of all that was asked, once however often
    it was asked again.
    """

    in_flight: int
    overflowed: int
    queued: int
    refused: int
    demand: int
    demand_avg: float
    demand_per_s: float
    refused_per_s: float


class _Sample(msgspec.Struct, frozen=True):
    """One second. ``asked`` and ``refused`` count from the beginning."""

    at: float
    demand: int
    asked: int
    refused: int


_NOTHING_YET = _Sample(0.0, 0, 0, 0)


class Demand:
    """Counts what the ledger and the queue of a service port do not know; O(1) per request.

    `sample` is called once a second.
    """

    __slots__ = (
        "_before",
        "_quiet",
        "_request_s",
        "_samples",
        "_unserved",
        "_wakes_until",
        "again_total",
        "away",
        "brought",
        "each",
        "elsewhere",
        "refused_total",
    )

    def __init__(self) -> None:
        self.elsewhere = [0] * len(SentFor)
        """In flight elsewhere, by `SentFor`: counted in place by who sends a request there, until
        it is over there (hot)."""
        self.refused_total = 0
        self.brought = 0
        """Requests of other sites that this one serves."""
        self.again_total = 0
        """Requests of clients that had been turned away and asked again."""
        self.each: Each | None = None
        """What a target takes, or did while there was one."""
        self._unserved = UnservedClients()
        self.away: Collection[str] = self._unserved.away
        """Clients that were turned away and have no connection. If it is empty, `comes` has nothing
        to do (hot)."""
        self._request_s = 0.0  # What a request takes; 0.0: not known.
        self._wakes_until = -inf
        self._samples: deque[_Sample] = deque(maxlen=limits.DEMAND_WINDOW_S + 1)
        self._before = _NOTHING_YET  # As of the last sample while nothing was asked.
        self._quiet = 0  # As many of the newest samples are nothing.

    @property
    def overflowed(self) -> int:
        """In flight elsewhere because this site was full, or had no target that is ready."""
        return self.elsewhere[SentFor.NO_ROOM] + self.elsewhere[SentFor.NO_TARGET]

    def turned_away(
        self, now: float, came_at: float, client: str, *, may_return: bool
    ) -> UnservedClient | None:
        """A request that came at ``came_at`` was refused since nobody had room, or a target.

        ``client``: by what `comes` knows it; empty: it cannot be told from another one.
        ``may_return``: the connection has one request at a time, and stays open.
        """
        self.refused_total += 1
        self._wakes_until = now + limits.DEMAND_WAKES_S
        return self._unserved.add(now, came_at, self._request_s, client, may_return=may_return)

    def asks_again(self, one: UnservedClient, now: float) -> None:
        """The connection of ``one`` brings another request: it is the same client's."""
        if self._unserved.asks_again(one, now):
            self.again_total += 1

    def left(self, one: UnservedClient, now: float) -> None:
        """The connection of ``one`` is gone."""
        self._unserved.left(one, now)

    def comes(self, client: str, now: float) -> None:
        """``client`` has connected: maybe it asks again."""
        if self._unserved.comes(client, now):
            self.again_total += 1

    def sample(
        self, now: float, in_flight: int, queued: int, asked_total: int, request_s: float
    ) -> None:
        """Remember this second; ``asked_total`` requests were ever asked for, and one takes
        ``request_s`` lately (0.0: not known)."""
        known_s, weight = self._request_s, limits.REQUEST_S_SMOOTHING
        self._request_s = known_s + weight * (request_s - known_s) if known_s else request_s
        demand = in_flight + self.overflowed + queued + self._unserved.total(now, queued)
        sample = _Sample(now, demand, asked_total, self.refused_total)
        last = self._samples[-1] if self._samples else self._before
        is_quiet = not demand and (last.asked, last.refused) == (asked_total, self.refused_total)
        self._quiet = self._quiet + 1 if is_quiet else 0
        if self._quiet <= limits.DEMAND_WINDOW_S:
            self._samples.append(sample)
        else:  # Idle services keep nothing.
            self._samples.clear()
            self._before = sample

    def figures(
        self, now: float, in_flight: int, queued: int, asked_total: int, *, has_target: bool
    ) -> DemandFigures:
        """As of now. What was not sampled was nothing. ``has_target``: some is ready here."""
        window_s = limits.DEMAND_WINDOW_S
        refused = self._unserved.total(now, queued)
        wakes = not has_target and now < self._wakes_until
        if wakes:
            refused = max(refused, 1)
        samples = list(self._samples)
        since, lasted_s = self._before, float(window_s)
        if len(samples) > window_s:
            since = samples.pop(0)
            lasted_s = max(now - since.at, lasted_s)
        mean = sum(one.demand for one in samples) / window_s
        return DemandFigures(
            in_flight=in_flight,
            overflowed=self.overflowed,
            queued=queued,
            refused=refused,
            demand=in_flight + self.overflowed + queued + refused,
            demand_avg=round(max(mean, 1.0) if wakes else mean, 3),
            demand_per_s=round((asked_total - since.asked) / lasted_s, 3),
            refused_per_s=round((self.refused_total - since.refused) / lasted_s, 3),
        )


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

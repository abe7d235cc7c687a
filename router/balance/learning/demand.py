"""The demand for a service at this site, wherever it is served: the figure that autoscalers use.

The load does not show it: overflow keeps the local targets full and no fuller, however much spills.
So requests that spilled for lack of room, that wait and that were refused count too.
"""

import enum
from collections import deque
from collections.abc import Collection, Iterable
from math import ceil, inf

import msgspec

from router.balance.learning.unserved import UnservedClient, UnservedClients
from router.balance.targets.target import TargetState
from router.model import limits


class SpillCause(enum.IntEnum):
    """Why a request is served elsewhere."""

    NO_DEMAND = 0  # By choice, or for now: this site would not need to serve it.
    NO_ROOM = 1  # This site is full.
    NO_TARGET = 2  # No target of this site is ready.


class DemandFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One moment. ``demand`` is the sum of the four parts, in requests (tcp: connections) at once.

    ``refused``: clients that were refused and still want to be served
    (`balance.learning.unserved`). ``demand_avg`` is the mean over `limits.DEMAND_WINDOW_S`, not
    rounded. ``…_per_s`` are means over that window too; ``demand_per_s`` counts each request once,
    however often it was asked again.
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
    """Counts demand that the ledger and the queue of a service port do not see; O(1) per request.

    Call `sample` once a second.
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
        self.elsewhere = [0] * len(SpillCause)
        """In flight elsewhere, by `SpillCause`. The code that sends a request elsewhere counts in
        place, until the request ends there (hot).
        """
        self.refused_total = 0
        self.brought = 0
        """Requests of other sites that this one serves."""
        self.again_total = 0
        """Requests of clients that had been refused and asked again."""
        self.each: Each | None = None
        """The capacity of one target; with no target left, the last one known."""
        self._unserved = UnservedClients()
        self.away: Collection[str] = self._unserved.away
        """Clients that were refused and have no connection. If it is empty, `comes` has nothing to
        do (hot).
        """
        self._request_s = 0.0  # Duration of a request; 0.0: not known.
        self._wakes_until = -inf
        self._samples: deque[_Sample] = deque(maxlen=limits.DEMAND_WINDOW_S + 1)
        self._before = _NOTHING_YET  # As of the last sample while nothing was asked.
        self._quiet = 0  # So many of the newest samples are zero.

    @property
    def overflowed(self) -> int:
        """In flight elsewhere because this site was full, or had no ready target."""
        return self.elsewhere[SpillCause.NO_ROOM] + self.elsewhere[SpillCause.NO_TARGET]

    def turned_away(
        self, now: float, came_at: float, client: str, *, may_return: bool
    ) -> UnservedClient | None:
        """A request that came at ``came_at`` was refused since no site had room, or a target.

        ``client``: the name under which `comes` knows the client; empty: it has none.
        ``may_return``: the connection has one request at a time, and stays open.
        """
        self.refused_total += 1
        self._wakes_until = now + limits.DEMAND_WAKES_S
        return self._unserved.add(now, came_at, self._request_s, client, may_return=may_return)

    def asks_again(self, one: UnservedClient, now: float) -> None:
        """The connection of ``one`` brings another request: it is from the same client."""
        if self._unserved.asks_again(one, now):
            self.again_total += 1

    def left(self, one: UnservedClient, now: float) -> None:
        """The connection of ``one`` is gone."""
        self._unserved.left(one, now)

    def comes(self, client: str, now: float) -> None:
        """``client`` has connected, maybe to ask again."""
        if self._unserved.comes(client, now):
            self.again_total += 1

    def sample(
        self, now: float, in_flight: int, queued: int, asked_total: int, request_s: float
    ) -> None:
        """Record this second. ``asked_total``: all requests ever asked for. ``request_s``: the
        recent duration of a request (0.0: not known).
        """
        known_s, weight = self._request_s, limits.REQUEST_S_SMOOTHING
        self._request_s = known_s + weight * (request_s - known_s) if known_s else request_s
        demand = in_flight + self.overflowed + queued + self._unserved.total(now, queued)
        sample = _Sample(now, demand, asked_total, self.refused_total)
        last = self._samples[-1] if self._samples else self._before
        is_quiet = not demand and (last.asked, last.refused) == (asked_total, self.refused_total)
        self._quiet = self._quiet + 1 if is_quiet else 0
        if self._quiet <= limits.DEMAND_WINDOW_S:
            self._samples.append(sample)
        else:  # Idle services store nothing.
            self._samples.clear()
            self._before = sample

    def figures(
        self, now: float, in_flight: int, queued: int, asked_total: int, *, has_target: bool
    ) -> DemandFigures:
        """The figures now. A second without a sample counts as zero. ``has_target``: a target is
        ready here.
        """
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
    """The capacity of one target, the mean of those that have a value: ``slots`` at once,
    ``per_s``.
    """

    slots: float | None = None
    per_s: float | None = None
    learnt: bool = False


def each_of(targets: Iterable[TargetState], *, learnt: bool) -> Each | None:
    """The mean of the ready ``targets``, of all if none is ready; None: none of them has a
    capacity.
    """
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
    """How many such targets take that demand, by slots and by rate; None: they have neither."""
    if each is None:
        return None
    by_slots = ceil(figures.demand / each.slots) if each.slots else 0
    by_rate = ceil(figures.demand_per_s / each.per_s) if each.per_s else 0
    return max(by_slots, by_rate)


class ScaleFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures that autoscalers use. ``each``: the last known, when no target is ready."""

    demand: DemandFigures
    targets_ready: int
    capacity: int | None
    each: Each | None
    targets_wanted: int | None

"""Whether a service is saturated at this site: figures over a window, with hysteresis. Pure.

It is fed with cumulative figures several times a second, and returns a new state when it changes.
"""

from collections import deque
from math import inf

import msgspec

from router.model import limits
from router.model.bursts import BurstSpec, BurstState


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """A service at this site now, all its ports. Counters only grow, until the service is
    recreated.

    ``full``: no target here has room. ``absent``: targets are bound here and none is ready.
    ``demand``: see `balance.learning.demand`. ``refused``: requests refused since no site had room,
    or a target. ``waited_s``: total time of all requests in the queue. ``held``: requests that wait
    for a site to wake up, longer than they would wait for a slot.
    """

    full: bool = False
    absent: bool = False
    demand: int = 0
    capacity: int = 0
    requests: int = 0
    overflowed: int = 0
    refused: int = 0
    waited_s: float = 0.0
    held: int = 0


class WindowFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over one window. ``full``, ``overflow`` and ``refused`` are shares; ``whole``: it is
    complete.

    ``used``: demand as a share of the capacity, above 1 where demand is higher, 0 without a
    capacity; ``panic``: the same over the last `limits.BURST_PANIC_S`, 0 until that long was seen.
    ``held``: now, as in `Totals`.
    """

    used: float = 0.0
    panic: float = 0.0
    full: float = 0.0
    queue_wait_s: float = 0.0
    overflow: float = 0.0
    refused: float = 0.0
    demand: float = 0.0
    requests: int = 0
    capacity: int = 0
    held: int = 0
    whole: bool = False


class Mark(msgspec.Struct, frozen=True):
    """One figure and its two marks, ``low`` below ``high``."""

    name: str
    high: float
    low: float

    def now(self, figures: WindowFigures) -> float:
        """The current value."""
        value: float = getattr(figures, self.name)
        return value


def marks_of(spec: BurstSpec) -> tuple[Mark, ...]:
    """The figures with marks. A calm mark that is not configured is half the saturated one."""
    found: list[Mark] = []
    for name in ("used", "full", "queue_wait_s", "overflow", "refused"):
        high, low = getattr(spec.saturated, name), getattr(spec.calm, name)
        if high is not None:
            found.append(Mark(name, high, high / 2 if low is None else low))
    return tuple(found)


class _Part:
    """A part of the window."""

    __slots__ = (
        "began",
        "capacity_s",
        "demand_s",
        "full_s",
        "overflowed",
        "refused",
        "requests",
        "s",
        "waited",
    )

    def __init__(self, began: float) -> None:
        self.began = began
        self.s = self.full_s = self.demand_s = self.capacity_s = self.waited = 0.0
        self.requests = self.overflowed = self.refused = 0


class Saturation:
    """The detector of one Burst document.

    *calm -> saturated*: a complete window has been seen, and in it any figure is at its high mark
    or above. It changes at once if demand is too high to wait for a window (``panic``), or if
    requests are held that would have been refused. *saturated -> calm*: all figures have been at
    their low marks or below for ``calm.for_s``. Neither happens before ``cool_down_s`` has passed
    since the last change, so it never changes faster. After a window without calls (a host that
    slept) it restarts: the past is not known.

    A moment counts as full when no target here has room, when requests were refused since the last
    call since no site had room or a target, or when targets are bound here, none is ready and
    requests come. Shares of requests, and their mean wait, need `limits.BURST_REQUESTS_MIN`
    requests.
    """

    __slots__ = (
        "_before",
        "_calm_since",
        "_last",
        "_parts",
        "_recent",
        "_seen_since",
        "_spec",
        "changed_at",
        "figures",
        "marks",
        "next_allowed_at",
        "state",
    )

    _last: float
    """When totals came last, once `_before` is known."""

    def __init__(
        self, spec: BurstSpec, state: BurstState = "calm", changed_at: float = -inf
    ) -> None:
        """``state`` since ``changed_at``: from an earlier detector."""
        self._spec = spec
        self.marks = marks_of(spec)
        self.state: BurstState = state
        self.changed_at = changed_at
        self.next_allowed_at = changed_at + spec.cool_down_s
        self.figures = WindowFigures()
        self._parts: deque[_Part] = deque()
        # Time of each call, and demand and capacity until then, times seconds.
        self._recent: deque[tuple[float, float, float]] = deque()
        self._before: Totals | None = None
        self._seen_since = inf
        self._calm_since = inf

    def feed(self, now: float, totals: Totals) -> BurstState | None:
        """Take the totals at ``now``, later than before. Returns the state if it has
        just changed.
        """
        before = self._before
        self._before = totals
        if before is None:
            self._last = self._seen_since = now
            return None
        if now <= self._last:
            return None
        if now - self._last > self._spec.window_s:
            self._parts.clear()
            self._recent.clear()
            self.figures = WindowFigures(capacity=totals.capacity)
            self._last = self._seen_since = now
            self._calm_since = inf
            return None
        self._add(before, totals, now)
        self._last = now
        self.figures = self._sum(totals, now)
        return self._judge(now)

    def _add(self, before: Totals, totals: Totals, now: float) -> None:
        passed_s = now - self._last
        part_s = self._spec.window_s / limits.BURST_WINDOW_PARTS
        if not self._parts or now - self._parts[-1].began > part_s:
            self._parts.append(_Part(self._last))
        part = self._parts[-1]
        restarted = totals.requests < before.requests
        requests = totals.requests if restarted else totals.requests - before.requests
        refused = totals.refused - before.refused
        part.s += passed_s
        part.demand_s += totals.demand * passed_s
        part.capacity_s += totals.capacity * passed_s
        self._add_recent(totals, passed_s, now)
        part.requests += requests
        part.overflowed += max(0, totals.overflowed - before.overflowed)
        part.refused += max(0, refused)
        part.waited += max(0.0, totals.waited_s - before.waited_s)
        if totals.full or refused > 0 or (totals.absent and (requests > 0 or totals.demand > 0)):
            part.full_s += passed_s
        edge = now - self._spec.window_s
        while len(self._parts) > 1 and self._parts[1].began <= edge:
            self._parts.popleft()

    def _add_recent(self, totals: Totals, passed_s: float, now: float) -> None:
        recent = self._recent
        if not recent:
            recent.append((self._last, 0.0, 0.0))
        _, demand_s, capacity_s = recent[-1]
        demand_s += totals.demand * passed_s
        recent.append((now, demand_s, capacity_s + totals.capacity * passed_s))
        while recent[1][0] <= now - limits.BURST_PANIC_S:
            recent.popleft()

    def _panic(self, now: float) -> float:
        began, demand_s, capacity_s = self._recent[0]
        _, demand_now_s, capacity_now_s = self._recent[-1]
        if now - began < limits.BURST_PANIC_S or capacity_now_s <= capacity_s:
            return 0.0
        return (demand_now_s - demand_s) / (capacity_now_s - capacity_s)

    def _sum(self, totals: Totals, now: float) -> WindowFigures:
        parts = self._parts
        seconds = sum(part.s for part in parts)
        capacity_s = sum(part.capacity_s for part in parts)
        requests = sum(part.requests for part in parts)
        each = 1 / requests if requests >= limits.BURST_REQUESTS_MIN else 0.0
        return WindowFigures(
            used=sum(part.demand_s for part in parts) / capacity_s if capacity_s else 0.0,
            panic=self._panic(now),
            full=min(1.0, sum(part.full_s for part in parts) / seconds),
            queue_wait_s=sum(part.waited for part in parts) * each,
            overflow=min(1.0, sum(part.overflowed for part in parts) * each),
            refused=min(1.0, sum(part.refused for part in parts) * each),
            demand=sum(part.demand_s for part in parts) / seconds,
            requests=requests,
            capacity=totals.capacity,
            held=totals.held,
            whole=now - self._seen_since >= self._spec.window_s,
        )

    def _judge(self, now: float) -> BurstState | None:
        figures, high = self.figures, self._spec.saturated
        panics = figures.held > 0 or (high.used is not None and figures.panic >= high.panic)
        if panics and self.state == "calm" and now >= self.next_allowed_at:
            return self._become("saturated", now)
        if not figures.whole:
            return None
        if any(mark.now(figures) > mark.low for mark in self.marks):
            self._calm_since = inf
        elif self._calm_since == inf:
            self._calm_since = now
        if now < self.next_allowed_at:
            return None
        if self.state == "calm":
            if any(mark.now(figures) >= mark.high for mark in self.marks):
                return self._become("saturated", now)
        elif now - self._calm_since >= self._spec.calm.for_s:
            return self._become("calm", now)
        return None

    def _become(self, state: BurstState, now: float) -> BurstState:
        self.state, self.changed_at = state, now
        self.next_allowed_at = now + self._spec.cool_down_s
        self._calm_since = inf
        return state


def together(ports: list[Totals]) -> Totals:
    """All ports of a service as one: full when any is."""
    if len(ports) == 1:
        return ports[0]
    return Totals(
        full=any(port.full for port in ports),
        absent=any(port.absent for port in ports),
        demand=sum(port.demand for port in ports),
        capacity=sum(port.capacity for port in ports),
        requests=sum(port.requests for port in ports),
        overflowed=sum(port.overflowed for port in ports),
        refused=sum(port.refused for port in ports),
        waited_s=sum(port.waited_s for port in ports),
        held=sum(port.held for port in ports),
    )

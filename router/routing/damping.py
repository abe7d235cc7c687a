"""Adjacencies that flap count again only after they have stayed up (RFC 2439 in spirit).

Bad news is never held back: a loss is reported at once, and a return too soon and too often is not
reported. So a flapping link costs others one LSA, not two for each flap.
"""

from collections import deque
from collections.abc import Callable

from router.model.ids import RouterId
from router.model.limits import (
    ADJACENCIES_MAX,
    FLAP_HOLD_ALONE_S,
    FLAP_HOLD_S,
    FLAP_HOLD_S_MAX,
    FLAP_WINDOW_S,
    FLAPS_FREE,
    FLAPS_REMEMBERED,
)


class _Held:
    __slots__ = ("came_at", "until")

    def __init__(self, came_at: float, until: float) -> None:
        self.came_at, self.until = came_at, until


class FlapDamping:
    """Neighbors that came back too often, and when they count again."""

    __slots__ = ("_held", "_lost_at")

    def __init__(self) -> None:
        self._lost_at: dict[RouterId, deque[float]] = {}
        self._held: dict[RouterId, _Held] = {}

    def __contains__(self, router: RouterId) -> bool:
        """True if the router is adjacent but damped."""
        return router in self._held

    @property
    def held(self) -> dict[RouterId, float]:
        """Neighbors that do not count, with the time at which they will."""
        return {router: held.until for router, held in self._held.items()}

    def went(self, router: RouterId, now: float) -> bool:
        """Note that the adjacency is down. True: it was damped, so no site needs the news."""
        self._forget(now)
        if router not in self._lost_at and len(self._lost_at) >= ADJACENCIES_MAX:
            del self._lost_at[next(iter(self._lost_at))]
        self._lost_at.setdefault(router, deque(maxlen=FLAPS_REMEMBERED)).append(now)
        return self._held.pop(router, None) is not None

    def came(self, router: RouterId, is_only_way: bool, now: float) -> float | None:
        """The adjacency is up. None: it counts at once; else the time from which it counts."""
        self._forget(now)
        hold_s = hold_of(len(self._lost_at.get(router, ())))
        if not hold_s:
            return None
        held = self._held[router] = _Held(now, now + hold_s)
        if is_only_way:
            held.until = min(held.until, now + FLAP_HOLD_ALONE_S)
        return held.until

    def other_ways_went(self, is_reached: Callable[[RouterId], bool]) -> None:
        """Hold routers without another path for `FLAP_HOLD_ALONE_S` only."""
        for router, held in self._held.items():
            if not is_reached(router):
                held.until = min(held.until, held.came_at + FLAP_HOLD_ALONE_S)

    def next_deadline(self) -> float | None:
        """When the next of them counts."""
        return min((held.until for held in self._held.values()), default=None)

    def due(self, now: float) -> list[RouterId]:
        """Adjacencies that stayed up: they count from now on."""
        stayed = sorted(router for router, held in self._held.items() if now >= held.until)
        for router in stayed:
            del self._held[router]
        return stayed

    def _forget(self, now: float) -> None:
        """Forget adjacencies that went down longer than `FLAP_WINDOW_S` ago."""
        for router, times in list(self._lost_at.items()):
            while times and now >= times[0] + FLAP_WINDOW_S:
                times.popleft()
            if not times:
                del self._lost_at[router]


def hold_of(lost: int) -> float:
    """How long an adjacency must stay up after ``lost`` losses within `FLAP_WINDOW_S`; 0: no
    time."""
    if lost <= FLAPS_FREE:
        return 0.0
    return min(FLAP_HOLD_S * 2.0 ** (lost - FLAPS_FREE - 1), FLAP_HOLD_S_MAX)

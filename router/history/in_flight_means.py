"""Average number of requests in flight per service port, over the readings of the last seconds."""

from collections import deque

from router.model import limits
from router.model.ids import ServiceKey

LOOKS = round(limits.HISTORY_STEP_S / limits.HISTORY_LOOK_S)
"""Number of looks in a mean. A look's number is its time in units of `limits.HISTORY_LOOK_S`."""


class InFlightMeans:
    """Fed by the owner of the history: `look` and `hold`, or `rest`. Idle ports use no memory."""

    __slots__ = ("_began", "_last", "_ports", "_weight")

    def __init__(self) -> None:
        self._began: int | None = None
        self._last = 0
        self._weight = 1
        self._ports: dict[ServiceKey, deque[tuple[int, int, int]]] = {}
        """For each look that found something: its number, how many looks it counts for, and the
        count.
        """

    def look(self, number: int) -> None:
        """Begin a look. A late look also counts for missed looks."""
        if self._began is None:
            self._began, self._last = number - 1, number - 1
        self._weight = max(0, min(number - self._last, LOOKS))
        self._last = max(number, self._last)

    def rest(self, number: int) -> None:
        """Nothing was in flight from the last look until now."""
        self._last = max(number, self._last)

    def hold(self, key: ServiceKey, in_flight: int) -> None:
        """Record the count of this look."""
        looks = self._ports.get(key)
        if looks is None:
            if len(self._ports) >= limits.HISTORY_PORTS_MAX:
                return
            looks = self._ports[key] = deque(maxlen=LOOKS)
        looks.append((self._last, self._weight, in_flight))

    def forget(self, number: int) -> None:
        """Forget service ports that had nothing in flight recently."""
        for key, looks in list(self._ports.items()):
            if looks[-1][0] <= number - LOOKS:
                del self._ports[key]

    def mean(self, key: ServiceKey, number: int) -> float:
        """Mean of the last `LOOKS` until now, or of those since the first."""
        looks = self._ports.get(key)
        if looks is None or self._began is None:
            return 0.0
        before = number - LOOKS  # Of a late look, perhaps only a part belongs to this mean.
        held = sum(min(stands, at - before) * found for at, stands, found in looks if at > before)
        return held / max(1, min(LOOKS, number - self._began))

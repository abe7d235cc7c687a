"""Service ports that clients of this site recently asked for without finding a target. Pure."""

from collections.abc import Collection, Mapping

from router.model import limits
from router.model.ids import ServiceKey
from router.operate.problems.failing_requests import NO_TARGET


class UnservedRequests:
    """Compares totals of refused requests with the previous ones; bounded by the services."""

    __slots__ = ("_at", "_totals")

    def __init__(self) -> None:
        self._totals: dict[ServiceKey, int] = {}
        self._at: dict[ServiceKey, float] = {}

    def look(self, refused: Mapping[ServiceKey, Mapping[str, int]], now: float) -> None:
        """``refused``: since the start, by `LegFailure` code. A service port missing in it is
        gone."""
        totals = {
            key: sum(count for code, count in by_code.items() if code in NO_TARGET)
            for key, by_code in refused.items()
        }
        for key, total in totals.items():
            if total > self._totals.get(key, 0):
                self._at[key] = now
        oldest = now - limits.UNSERVED_S
        self._at = {key: at for key, at in self._at.items() if at > oldest and key in totals}
        self._totals = totals

    @property
    def keys(self) -> Collection[ServiceKey]:
        """The service ports found by the last `look`."""
        return self._at.keys()

"""Targets that come and go: once they are ready again, only events would show it."""

import math
from collections import deque
from collections.abc import Container, Mapping

from router.model.events import Note
from router.model.ids import ServiceKey
from router.model.limits import TARGET_DOWNS_COUNTED, TARGET_DOWNS_SHOWN, TARGET_DOWNS_WITHIN_S

_Target = tuple[ServiceKey, str]


class UnsteadyTargets:
    """Remembers when each target last went down, several times.

    Bounded by the targets of this site. Seconds are monotonic.
    """

    __slots__ = ("_downs",)

    def __init__(self) -> None:
        self._downs: dict[_Target, deque[float]] = {}

    def went_down(self, key: ServiceKey, address: str, now: float) -> None:
        """A ready target is no longer ready."""
        downs = self._downs.get((key, address))
        if downs is None:
            downs = self._downs[key, address] = deque(maxlen=TARGET_DOWNS_COUNTED)
        downs.append(now)

    def keep(self, standing: Mapping[ServiceKey, Container[str]]) -> None:
        """Forget targets that are not in ``standing``."""
        self._downs = {
            (key, address): downs
            for (key, address), downs in self._downs.items()
            if address in standing.get(key, ())
        }

    def notes(self, now: float) -> list[Note]:
        """One note for each target that recently went down several times."""
        for downs in self._downs.values():
            while downs and now - downs[0] > TARGET_DOWNS_WITHIN_S:
                downs.popleft()
        return [
            Note(
                severity="warning",
                code="SW0333",
                message=f"Target {address} of {key} went down {_times(len(downs))} in the last "
                f"{math.ceil((now - downs[0]) / 60)} min, and came back in between.",
                hint=f"See when and why: sitectl events --since 10m --service {key.name}",
            )
            for (key, address), downs in sorted(self._downs.items())
            if len(downs) >= TARGET_DOWNS_SHOWN
        ]


def _times(downs: int) -> str:
    return f"{downs} times" + (" or more" if downs == TARGET_DOWNS_COUNTED else "")

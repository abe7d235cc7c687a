"""Targets whose slots are all taken and that complete no request, though checks find them ready."""

from collections.abc import Callable, Mapping, Set
from typing import NamedTuple

from router.model.events import Note, Tell
from router.model.ids import ServiceKey
from router.model.limits import TARGET_STUCK_GAP_S, TARGET_STUCK_S, TARGET_STUCK_TIMES

_Target = tuple[ServiceKey, str]


class _Full(NamedTuple):
    """``completed``: requests in its life, since ``since`` not one more. ``full_at``: last seen."""

    completed: int
    since: float
    full_at: float


class StuckTargets:
    """Remembers since when each full target has completed nothing. Seconds are monotonic."""

    __slots__ = ("_full", "_stuck", "_tell")

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._full: dict[_Target, _Full] = {}
        self._stuck: set[_Target] = set()

    def look(
        self,
        full: Mapping[_Target, int],
        usual_s: Callable[[ServiceKey], float | None],
        now: float,
    ) -> None:
        """Tell which targets are stuck, and which are no more.

        ``full``: ready targets without a free slot, with how many requests each has completed.
        ``usual_s``: what nine of ten requests of a service port take; None: none has ended.
        """
        for target, completed in full.items():
            before = self._full.get(target)
            is_same = before is not None and before.completed == completed
            since = before.since if before is not None and is_same else now
            self._full[target] = _Full(completed, since, now)
        self._full = {
            target: one
            for target, one in self._full.items()
            if now - one.full_at <= TARGET_STUCK_GAP_S
        }
        stuck = {
            (key, address)
            for (key, address), one in self._full.items()
            if (lasted_s := now - one.since) >= TARGET_STUCK_S and _is_long(lasted_s, usual_s(key))
        }
        for key, address in sorted(stuck - self._stuck):
            message = self._text((key, address), now)
            self._tell("warning", "target-stuck", address, message, _hint(key))
        for key, address in sorted(self._stuck - stuck):
            message = f"Target {address} of {key} completes requests again, or has a free slot."
            self._tell("info", "target-moves", address, message)
        self._stuck = stuck

    @property
    def stuck(self) -> Set[tuple[ServiceKey, str]]:
        """Which were stuck at the last look: service port and address."""
        return self._stuck

    def notes(self, now: float) -> list[Note]:
        """One for each target that is stuck."""
        return [
            Note(
                severity="warning",
                code="SW0349",
                message=self._text((key, address), now),
                hint=_hint(key),
            )
            for key, address in sorted(self._stuck)
        ]

    def _text(self, target: _Target, now: float) -> str:
        key, address = target
        since = self._full[target].since
        return (
            f"Target {address} of {key} has completed no request for {now - since:.0f} s, and all "
            "of its slots are taken: it may hang."
        )


def _is_long(lasted_s: float, usual_s: float | None) -> bool:
    return usual_s is not None and lasted_s >= TARGET_STUCK_TIMES * usual_s


def _hint(key: ServiceKey) -> str:
    return f"See whether the server hangs: sitectl service status {key.name} -v"

"""What begins and ends in events: each has one end, in time, with figures that fit."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from router.model.events import Event, Refusals, Spill
from router.model.limits import EPISODE_QUIET_S
from tests.simulation.hours.truth import EDGE_S, LATELY_S, Truth
from tests.simulation.world import Answer

LATE_S: Final = 3.0
"""Events come so late at most: they look each second."""
_REFUSED: Final = ("no-route", "all-full", "shed", "overloaded")


class _Kind(NamedTuple):
    """``surely``: requests that it is about; ``maybe``: and those that it may be about."""

    begun: str
    ended: str
    surely: Callable[[str, Answer], bool]
    maybe: Callable[[str, Answer], bool]


def _is_refused(own: str, one: Answer) -> bool:
    return one.fields.get("Spillway-Error") in _REFUSED


def _may_be_refused(own: str, one: Answer) -> bool:
    return _is_refused(own, one) or one.status == 0


def _never(own: str, one: Answer) -> bool:
    """For which of the reasons one left only the router knows."""
    return False


def _may_have_left(own: str, one: Answer) -> bool:
    """Also one that was refused or served here in the end: where it had gone, the link was lost."""
    lasted_s = one.ended - one.began
    return lasted_s > EDGE_S or not (one.site == own or _is_refused(own, one))


KINDS: Final = (
    _Kind("overflow-begun", "overflow-ended", _never, _may_have_left),
    _Kind("no-target-begun", "no-target-ended", _never, _may_have_left),
    _Kind("refusing-begun", "refusing-ended", _is_refused, _may_be_refused),
)
_BY_BEGIN: Final[Mapping[str, _Kind]] = {kind.begun: kind for kind in KINDS}
_BY_END: Final[Mapping[str, _Kind]] = {kind.ended: kind for kind in KINDS}


class Episodes:
    """Of one router in one life; ``key`` of it in the world."""

    def __init__(self, truth: Truth, key: str) -> None:
        self._truth, self._key, self._name = truth, key, truth.name_of(key)
        self._since = truth.now
        self._open: dict[_Kind, float] = {}
        """Since when."""
        self._told_late: set[_Kind] = set()
        """Those whose first requests may have come before, while the router stood still."""

    def hear(self, event: Event) -> Iterator[str]:
        """The faults of an event."""
        if (kind := _BY_BEGIN.get(event.code)) is not None:
            if kind in self._open:
                yield "it begins again, and had no end"
            self._open[kind] = self._truth.now
            is_late = self._truth.stood_still(self._key)
            (self._told_late.add if is_late else self._told_late.discard)(kind)
        elif (kind := _BY_END.get(event.code)) is not None:
            began = self._open.pop(kind, None)
            if began is None:
                yield "it ends, and had not begun"
            elif kind not in self._told_late:
                figures = event.overflow or event.without_target or event.refused
                assert figures is not None, "it has figures"
                yield from self._far(kind, figures, began)

    def _far(self, kind: _Kind, figures: Spill | Refusals, began: float) -> Iterator[str]:
        """The figures of one that is over."""
        asked = self._truth.asked(self._key, began - LATE_S)
        counted = [one for one in asked if one.began > began and one.ended < self._truth.now - 1.5]
        surely = sum(kind.surely(self._name, one) for one in counted)
        maybe = [one for one in asked if kind.maybe(self._name, one)]
        if not surely <= figures.requests <= len(maybe):
            yield f"{figures.requests} requests, and it was {surely} to {len(maybe)}"
        if self._truth.lasts("known", self._key) < self._truth.now - began:
            return  # The service is made again: that is an end, too.
        if self._truth.stood_still(self._key):
            return  # It saw the last one end when it went on.
        last = max((one.ended or self._truth.now for one in maybe), default=began)
        over = began + figures.lasted_s
        if over > last + LATE_S:
            yield f"it lasted {figures.lasted_s} s, and the last one was {over - last:.1f} s before"

    def wrong(self) -> Iterator[str]:
        """What should have begun or ended, and did not."""
        truth, now = self._truth, self._truth.now
        if min(truth.lasts("known", self._key), now - self._since) < LATELY_S:
            return
        bound = EPISODE_QUIET_S + LATE_S
        asked = truth.asked(self._key, now - bound)
        is_awake = not truth.stood_still(self._key)  # Else it saw the last one late.
        for kind in KINDS:
            is_over = is_awake and not any(kind.maybe(self._name, one) for one in asked)
            if kind in self._open and is_over:
                yield f"{kind.begun} {now - self._open[kind]:.1f} s ago, and no end"
            lately = [one for one in asked if LATE_S < now - one.ended < EPISODE_QUIET_S - EDGE_S]
            if kind not in self._open and any(kind.surely(self._name, one) for one in lately):
                yield f"{kind.begun} did not come"

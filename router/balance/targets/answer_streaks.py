"""Which ready targets of this site answer nothing, by counts of their answers. Pure.

One law for all protocols. A target answers when its count of answers rises. Until then it is

- silent, once `SILENT_AFTER` connections in a row got no byte, if its service port ever speaks: a
  server that never does, such as a syslog sink, is not silent;
- stuck, once all of its slots have been taken for `TARGET_STUCK_S` and for `TARGET_STUCK_TIMES`
  what requests usually take.

A target that is not ready, or that is not shown any more, begins again.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from router.model.errors import STUCK
from router.model.ids import ServiceKey
from router.model.limits import (
    SILENT_AFTER,
    TARGET_STUCK_GAP_S,
    TARGET_STUCK_S,
    TARGET_STUCK_TIMES,
)

_Target = tuple[ServiceKey, str]


class AnswerCounts(msgspec.Struct, frozen=True):
    """One target since the router started. ``answered``: tcp connections of which a first byte
    came; http requests that were completed, and parts of answers. ``silent``: see
    `service.targets.target_answers`. ``is_full``: all of its slots are taken, by http requests, and
    one of these awaits its answer: a stream whose answer has begun may be idle.
    """

    answered: int
    silent: int = 0
    is_full: bool = False


class NoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A target that answers nothing. ``in_a_row``: connections that got no byte; 0: it is stuck,
    since ``full_since`` (monotonic seconds)."""

    key: ServiceKey
    address: str
    in_a_row: int = 0
    full_since: float = 0.0

    @property
    def is_stuck(self) -> bool:
        return not self.in_a_row

    @property
    def shown(self) -> str:
        """In the row of the target."""
        if self.is_stuck:
            return STUCK
        return f"{self.in_a_row} connections in a row got no byte of an answer"

    @property
    def sentence(self) -> str:
        """``3 connections in a row got no byte of an answer from 10.0.0.5:5432``."""
        if self.is_stuck:
            return f"all slots of {self.address} are taken, and it completes no request"
        return f"{self.shown} from {self.address}"


class Changes(NamedTuple):
    """Between two looks. ``ended``: as they were; they answer again. ``freed``: stuck ones with a
    free slot by now, which have completed nothing since."""

    begun: list[NoAnswer]
    ended: list[NoAnswer]
    freed: list[NoAnswer]


class _Streak(NamedTuple):
    """Since the last answer. ``full_since``, ``full_at``: when it was seen full, first and last."""

    counts: AnswerCounts
    in_a_row: int
    full_since: float | None
    full_at: float


class AnswerStreaks:
    """Compares the counts with those of the last look; bounded by the targets that it is shown."""

    __slots__ = ("_found", "_streaks")

    def __init__(self) -> None:
        self._streaks: dict[_Target, _Streak] = {}
        self._found: dict[_Target, NoAnswer] = {}

    def look(
        self,
        seen: Mapping[ServiceKey, Mapping[str, AnswerCounts]],
        is_ready: Callable[[ServiceKey, str], bool],
        usual_s: Callable[[ServiceKey], float | None],
        now: float,
    ) -> Changes:
        """What is different from the last look.

        ``seen``: by address. Of a tcp service port all targets, unless all of their connections
        were answered; of an http one those that are full, and those of `full_lately`.
        ``usual_s``: what nine of ten requests of a service port take; None: none has ended.
        """
        former = self._streaks
        self._streaks = self._continued(seen, now)
        speaks = {key for key, each in seen.items() if any(one.answered for one in each.values())}
        before, self._found = self._found, {}
        for (key, address), streak in sorted(self._streaks.items()):
            if not is_ready(key, address):
                self._streaks[key, address] = streak._replace(in_a_row=0, full_since=None)
            elif streak.in_a_row >= SILENT_AFTER and key in speaks:
                found = NoAnswer(key=key, address=address, in_a_row=streak.in_a_row)
                self._found[key, address] = found
            elif (since := streak.full_since) is not None and _is_long(now - since, usual_s(key)):
                found = NoAnswer(key=key, address=address, full_since=since)
                self._found[key, address] = found
        ended: list[NoAnswer] = []
        freed: list[NoAnswer] = []
        for target, one in before.items():
            if target in self._found or not is_ready(*target):
                continue
            current = self._streaks.get(target)
            answers = (
                current is not None and current.counts.answered > former[target].counts.answered
            )
            (ended if answers or not one.is_stuck else freed).append(one)
        begun = [one for target, one in self._found.items() if target not in before]
        return Changes(begun, ended, freed)

    @property
    def found(self) -> dict[ServiceKey, dict[str, NoAnswer]]:
        """Targets that answered nothing at the last look, by address."""
        found: dict[ServiceKey, dict[str, NoAnswer]] = {}
        for (key, address), one in self._found.items():
            found.setdefault(key, {})[address] = one
        return found

    @property
    def full_lately(self) -> list[_Target]:
        """Targets that were seen full and have answered nothing since."""
        return [one for one, streak in self._streaks.items() if streak.full_since is not None]

    def _continued(
        self, seen: Mapping[ServiceKey, Mapping[str, AnswerCounts]], now: float
    ) -> dict[_Target, _Streak]:
        streaks = {
            (key, address): _after(self._streaks.get((key, address)), counts, now)
            for key, targets in seen.items()
            for address, counts in targets.items()
        }
        for target, streak in self._streaks.items():
            # It is full all the same: a client gave up, and the next one comes.
            is_full = streak.full_since is not None and now - streak.full_at <= TARGET_STUCK_GAP_S
            if is_full and target not in streaks:
                streaks[target] = streak
        return streaks


def _after(before: _Streak | None, counts: AnswerCounts, now: float) -> _Streak:
    in_a_row, full_since, full_at = counts.silent, None, 0.0
    if before is not None and counts.answered > before.counts.answered:
        in_a_row = 0
    elif before is not None:
        in_a_row = before.in_a_row + max(0, counts.silent - before.counts.silent)
        full_since, full_at = before.full_since, before.full_at
    if counts.is_full:
        full_since, full_at = now if full_since is None else full_since, now
    elif now - full_at > TARGET_STUCK_GAP_S:
        full_since = None
    return _Streak(counts, in_a_row, full_since, full_at)


def _is_long(full_s: float, usual_s: float | None) -> bool:
    if usual_s is None or full_s < TARGET_STUCK_S:
        return False
    return full_s >= TARGET_STUCK_TIMES * usual_s

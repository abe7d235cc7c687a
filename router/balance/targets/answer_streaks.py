"""Finds ready targets of this site that do not answer, by counts of their answers. Pure.

One rule for all protocols. A target answers when its count of answers rises. Until then it is

- silent, once `SILENT_AFTER` connections in a row got no byte, if its service port ever speaks: a
  server that never does, such as a syslog sink, is not silent;
- stuck, once requests have waited for it, see `AnswerCounts.is_waited_for`, for `TARGET_STUCK_S`
  and for `TARGET_STUCK_TIMES` the usual duration of requests. With free slots it may just have a
  few long requests, so these are also compared with the longest recent one.

A target that is not ready, or no longer passed to `look`, starts over.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from router.model.errors import STUCK, STUCK_WITH_ROOM
from router.model.ids import ServiceKey
from router.model.limits import (
    SILENT_AFTER,
    TARGET_STUCK_AWAITED,
    TARGET_STUCK_GAP_S,
    TARGET_STUCK_LONGEST,
    TARGET_STUCK_RESPONSE_SHARE,
    TARGET_STUCK_S,
    TARGET_STUCK_TIMES,
)

_Target = tuple[ServiceKey, str]


class AnswerCounts(msgspec.Struct, frozen=True):
    """One target since the router started. ``answered``: tcp connections that got a first byte;
    http requests that were completed, and parts of answers. ``silent``: see
    `service.targets.target_answers`. ``awaited``: http requests that the target has in full, or
    takes no more of, without a byte of an answer yet. ``is_full``: all of its slots are taken.
    """

    answered: int
    silent: int = 0
    awaited: int = 0
    is_full: bool = False

    @property
    def is_waited_for(self) -> bool:
        """The target hangs if it does not answer for long. One of several requests may take long,
        and a stream may be idle after its answer has begun: these do not count.
        """
        return self.awaited >= (1 if self.is_full else TARGET_STUCK_AWAITED)


class UsualTimes(NamedTuple):
    """Seconds that requests of a service port took lately: at most for nine of ten, and the
    longest.
    """

    most_s: float
    longest_s: float


def assumed_times(response_s: float) -> UsualTimes:
    """Before a request has ended: a target is stuck after a share of the time-out ``response``."""
    longest_s = TARGET_STUCK_RESPONSE_SHARE * response_s
    return UsualTimes(longest_s / TARGET_STUCK_TIMES, longest_s / TARGET_STUCK_LONGEST)


class NoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A target that does not answer. ``in_a_row``: connections that got no byte; 0: it has been
    stuck since ``since`` (monotonic seconds), with so many requests ``awaited``.
    """

    key: ServiceKey
    address: str
    in_a_row: int = 0
    since: float = 0.0
    awaited: int = 0
    is_full: bool = False

    @property
    def is_stuck(self) -> bool:
        return not self.in_a_row

    @property
    def shown(self) -> str:
        """The text for the row of the target."""
        if self.is_stuck:
            return STUCK if self.is_full else STUCK_WITH_ROOM
        return f"{self.in_a_row} connections in a row got no byte of an answer"

    @property
    def sentence(self) -> str:
        """``3 connections in a row got no byte of an answer from 10.0.0.5:5432``."""
        if self.is_stuck and self.is_full:
            return f"all slots of {self.address} are taken, and it completes no request"
        if self.is_stuck:
            return f"requests await an answer of {self.address}, and it completes none"
        return f"{self.shown} from {self.address}"


class Changes(NamedTuple):
    """Changes between two calls of `look`. ``ended``: targets that answer again, as they were
    before. ``freed``: stuck ones for which no request waits now, and which have completed none
    since.
    """

    begun: list[NoAnswer]
    ended: list[NoAnswer]
    freed: list[NoAnswer]


class _Streak(NamedTuple):
    """A target since its last answer. ``since`` and ``seen_at``: when requests first and last
    waited for it; ``awaited`` and ``is_full``: the values at that last time.
    """

    counts: AnswerCounts
    in_a_row: int = 0
    since: float | None = None
    seen_at: float = 0.0
    awaited: int = 0
    is_full: bool = False


class AnswerStreaks:
    """Compares the counts with those of the last `look`; bounded by the targets passed to it."""

    __slots__ = ("_found", "_streaks")

    def __init__(self) -> None:
        self._streaks: dict[_Target, _Streak] = {}
        self._found: dict[_Target, NoAnswer] = {}

    def look(
        self,
        seen: Mapping[ServiceKey, Mapping[str, AnswerCounts]],
        is_ready: Callable[[ServiceKey, str], bool],
        usual: Callable[[ServiceKey], UsualTimes | None],
        now: float,
    ) -> Changes:
        """The changes since the last call.

        ``seen``: by address. For a tcp service port all targets, unless all of their connections
        were answered; for an http one those that are full or have several requests, and those of
        `waited_for_lately`. ``usual``: for a service port; None: it is gone.
        """
        former = self._streaks
        self._streaks = self._continued(seen, now)
        speaks = {key for key, each in seen.items() if any(one.answered for one in each.values())}
        before, self._found = self._found, {}
        for (key, address), streak in sorted(self._streaks.items()):
            if not is_ready(key, address):
                self._streaks[key, address] = streak._replace(in_a_row=0, since=None)
            elif streak.in_a_row >= SILENT_AFTER and key in speaks:
                found = NoAnswer(key=key, address=address, in_a_row=streak.in_a_row)
                self._found[key, address] = found
            elif (since := streak.since) is not None and _is_long(streak, usual(key), now):
                self._found[key, address] = NoAnswer(
                    key=key,
                    address=address,
                    since=since,
                    awaited=streak.awaited,
                    is_full=streak.is_full,
                )
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
    def is_empty(self) -> bool:
        """There is nothing to compare the next `look` with."""
        return not self._streaks and not self._found

    @property
    def found(self) -> dict[ServiceKey, dict[str, NoAnswer]]:
        """Targets that did not answer at the last `look`, by address."""
        found: dict[ServiceKey, dict[str, NoAnswer]] = {}
        for (key, address), one in self._found.items():
            found.setdefault(key, {})[address] = one
        return found

    @property
    def waited_for_lately(self) -> list[_Target]:
        """Targets that requests waited for and that have not answered since."""
        return [one for one, streak in self._streaks.items() if streak.since is not None]

    def _continued(
        self, seen: Mapping[ServiceKey, Mapping[str, AnswerCounts]], now: float
    ) -> dict[_Target, _Streak]:
        streaks = {
            (key, address): _after(self._streaks.get((key, address)), counts, now)
            for key, targets in seen.items()
            for address, counts in targets.items()
        }
        for target, streak in self._streaks.items():
            if target not in streaks and streak.since is not None and not _is_over(streak, now):
                streaks[target] = streak
        return streaks


def _after(before: _Streak | None, counts: AnswerCounts, now: float) -> _Streak:
    if before is None:
        after = _Streak(counts, counts.silent)
    elif counts.answered > before.counts.answered:
        after = _Streak(counts)
    else:
        more = max(0, counts.silent - before.counts.silent)
        after = before._replace(counts=counts, in_a_row=before.in_a_row + more)
    if counts.is_waited_for:
        since = now if after.since is None else after.since
        return after._replace(
            since=since, seen_at=now, awaited=counts.awaited, is_full=counts.is_full
        )
    return after._replace(since=None) if _is_over(after, now) else after


def _is_over(streak: _Streak, now: float) -> bool:
    """A short pause does not end it: a client may give up just before the next one comes."""
    return now - streak.seen_at > TARGET_STUCK_GAP_S


def _is_long(streak: _Streak, usual: UsualTimes | None, now: float) -> bool:
    assert streak.since is not None
    lasts_s = now - streak.since
    if usual is None or lasts_s < TARGET_STUCK_S or lasts_s < TARGET_STUCK_TIMES * usual.most_s:
        return False
    return streak.is_full or lasts_s >= TARGET_STUCK_LONGEST * usual.longest_s

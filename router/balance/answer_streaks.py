"""Which tcp targets answer nothing: connections in a row that got no byte. Pure."""

from collections.abc import Callable, Mapping

import msgspec

from router.model.ids import ServiceKey
from router.model.limits import SILENT_AFTER

_Target = tuple[ServiceKey, str]


class AnswerCounts(msgspec.Struct, frozen=True):
    """Connections to one target since the router started: see `forward.target_answers`."""

    answered: int
    silent: int


class SilenceBegun(msgspec.Struct, frozen=True):
    """So many connections in a row got no byte."""

    key: ServiceKey
    address: str
    in_a_row: int


class SilenceEnded(msgspec.Struct, frozen=True):
    """The target answered one after so many that got no byte."""

    key: ServiceKey
    address: str
    in_a_row: int


class AnswerStreaks:
    """Compares the counts with those of the last look; bounded by the targets that it is shown.

    A server that never speaks, such as a syslog sink, is not silent: the target, or another one of
    its service port, has answered some connection. A target that is not ready begins again.
    """

    __slots__ = ("_before", "_in_a_row", "_reported")

    def __init__(self) -> None:
        self._before: dict[_Target, AnswerCounts] = {}
        self._in_a_row: dict[_Target, int] = {}  # Those above 0.
        self._reported: set[_Target] = set()

    def look(
        self,
        seen: Mapping[ServiceKey, Mapping[str, AnswerCounts]],
        is_ready: Callable[[ServiceKey, str], bool],
    ) -> list[SilenceBegun | SilenceEnded]:
        """What is different from the last look. ``seen``: by address; one that is not in it is
        gone, or got all its connections answered."""
        streaks = {
            (key, address): self._streak((key, address), counts)
            for key, targets in seen.items()
            for address, counts in targets.items()
        }
        ended = [
            SilenceEnded(*target, self._in_a_row[target])
            for target in sorted(self._reported)
            if streaks.get(target) == 0 and is_ready(*target)
        ]
        self._in_a_row = {one: count for one, count in streaks.items() if count and is_ready(*one)}
        self._before = {
            (key, address): counts
            for key, targets in seen.items()
            for address, counts in targets.items()
        }
        speaks = {key for key, each in seen.items() if any(one.answered for one in each.values())}
        silent = {
            target
            for target, count in self._in_a_row.items()
            if count >= SILENT_AFTER and target[0] in speaks
        }
        begun = [
            SilenceBegun(*target, self._in_a_row[target])
            for target in sorted(silent - self._reported)
        ]
        self._reported = silent
        return [*ended, *begun]

    @property
    def silent(self) -> dict[ServiceKey, dict[str, int]]:
        """How many connections in a row got no byte, of targets that answer nothing."""
        found: dict[ServiceKey, dict[str, int]] = {}
        for key, address in sorted(self._reported):
            found.setdefault(key, {})[address] = self._in_a_row[key, address]
        return found

    def _streak(self, target: _Target, now: AnswerCounts) -> int:
        before = self._before.get(target)
        if before is None:
            return now.silent
        if now.answered > before.answered:
            return 0
        return self._in_a_row.get(target, 0) + max(0, now.silent - before.silent)

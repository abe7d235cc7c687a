"""Targets of this site that answer nothing, though checks find them ready: events and notes."""

from collections.abc import Iterable, Mapping
from functools import partial

from router.balance.targets.answer_streaks import AnswerCounts, AnswerStreaks, NoAnswer
from router.exchange.forwarder import Forwarder
from router.model.events import Note, TellOfService
from router.model.ids import ServiceKey
from router.model.limits import TARGET_STUCK_AWAITED
from router.node.services.other_workers import OtherTotals, OtherWorkers, usual_of_all
from router.service.targets.target_answers import TargetAnswers


class UnansweringTargets:
    """The one owner of the question whether a target answers; `AnswerStreaks` has the rule."""

    __slots__ = ("_forwarder", "_others", "_streaks", "_tell")

    def __init__(self, forwarder: Forwarder, tell: TellOfService) -> None:
        self._forwarder, self._tell = forwarder, tell
        self._streaks = AnswerStreaks()
        self._others: OtherWorkers | None = None

    def judge_with(self, others: OtherWorkers) -> None:
        """Judge tcp targets too, and all targets also by the counts of this router's other
        workers."""
        self._others = others

    def look(self, now: float) -> None:
        """Report which targets begin to answer nothing, and which answer again."""
        counts = self._counts()
        if not counts and self._streaks.is_empty:
            return  # The usual case.
        readings = self._forwarder.readings.targets
        usual = partial(usual_of_all, readings, self._others)
        changes = self._streaks.look(counts, readings.is_ready, usual, now)
        for one in changes.begun:
            code = "target-stuck" if one.is_stuck else "target-silent"
            name = one.key.name
            self._tell("warning", code, one.address, _begun(one, now), _hint(one), service=name)
        for one in changes.ended:
            code = "target-moves" if one.is_stuck else "target-answers"
            self._tell("info", code, one.address, _ended(one), service=one.key.name)
        for one in changes.freed:
            moved = _freed(one, now)
            self._tell("info", "target-moves", one.address, moved, service=one.key.name)
        self._forwarder.ports.set_unanswering(self._streaks.found)

    def notes(self, now: float) -> list[Note]:
        """One note for each target."""
        return [
            Note(
                severity="warning",
                code="SW0349" if one.is_stuck else "SW0348",
                message=_begun(one, now) if one.is_stuck else f"Service {key}: {one.sentence}.",
                hint=_hint(one),
            )
            for key, targets in self._streaks.found.items()
            for one in targets.values()
        ]

    def _counts(self) -> dict[ServiceKey, dict[str, AnswerCounts]]:
        """The counts; empty for a service port whose connections were all answered, the usual
        case."""
        counts: dict[ServiceKey, dict[str, AnswerCounts]] = {}
        readings, others = self._forwarder.readings.targets, self._others
        awaiting = set() if others is None else set(others.awaiting())
        for key, address, one in readings.busy(1 if awaiting else TARGET_STUCK_AWAITED):
            counts.setdefault(key, {})[address] = one
        beside = {(key, at) for key in awaiting for at in _awaited_beside(others, key)}
        for key, address in beside.union(self._streaks.waited_for_lately):
            if address not in counts.get(key, {}):
                idle = readings.counts_of(key, address)
                if idle is not None:
                    counts.setdefault(key, {})[address] = idle
        for key, targets in counts.items():
            whole = targets if others is None else _with_others(targets, others, key)
            counts[key] = _owed_when_full(whole) if readings.is_owed_when_full(key) else whole
        if others is not None:
            for key, own in readings.answers():
                if unanswered := _together(own, others.totals(key)):
                    counts[key] = unanswered
        return counts


def _awaited_beside(others: OtherWorkers | None, key: ServiceKey) -> set[str]:
    each = () if others is None else others.each(key)
    return {address for one in each if one is not None for address in one.awaited}


def _with_others(
    own: Mapping[str, AnswerCounts], others: OtherWorkers, key: ServiceKey
) -> dict[str, AnswerCounts]:
    """Counts of http targets over all workers: each has its part of the slots."""
    there = [one for one in others.each(key) if one is not None]
    totals, full = others.totals(key), others.full(key)
    return {
        address: AnswerCounts(
            one.answered + sum(other.answered.get(address, 0) for other in totals),
            awaited=one.awaited + sum(other.awaited.get(address, 0) for other in there),
            is_full=one.is_full and all(address in each for each in full),
        )
        for address, one in own.items()
    }


def _owed_when_full(counts: Mapping[str, AnswerCounts]) -> dict[str, AnswerCounts]:
    return {
        address: one if one.is_full else AnswerCounts(one.answered)
        for address, one in counts.items()
    }


def _together(
    own: Mapping[str, TargetAnswers], others: Iterable[OtherTotals]
) -> dict[str, AnswerCounts]:
    if not any(one.silent for one in own.values()) and not any(one.silent for one in others):
        return {}
    return {
        address: AnswerCounts(
            one.answered + sum(other.answered.get(address, 0) for other in others),
            one.silent + sum(other.silent.get(address, 0) for other in others),
        )
        for address, one in own.items()
    }


def _begun(one: NoAnswer, now: float) -> str:
    if not one.is_stuck:
        return f"{one.sentence} of {one.key}."
    waits = "all of its slots are taken" if one.is_full else f"{one.awaited} await an answer"
    return (
        f"Target {one.address} of {one.key} has completed no request for {_at_least(one, now)}, "
        f"and {waits}: it may hang."
    )


def _ended(one: NoAnswer) -> str:
    if one.is_stuck:
        return f"Target {one.address} of {one.key} answers requests again."
    return (
        f"Target {one.address} of {one.key} answers again, after {one.in_a_row} connections in a "
        "row that got no byte."
    )


def _freed(one: NoAnswer, now: float) -> str:
    freed = "has a free slot again" if one.is_full else "has few requests again"
    return (
        f"Target {one.address} of {one.key} {freed}; it has completed no request for "
        f"{_at_least(one, now)} and may still hang."
    )


def _at_least(one: NoAnswer, now: float) -> str:
    """A lower bound: a target that hangs has completed nothing even before a request waits for
    it."""
    return f"at least {int(now - one.since)} s"


def _hint(one: NoAnswer) -> str:
    if one.is_stuck:
        return f"See whether the server hangs: sitectl service status {one.key.name} -v"
    return (
        "It accepts connections and stays in use: see whether it hangs. "
        f"When it answers again: sitectl events --since 10m --service {one.key.name}"
    )

"""Targets of this site that fail requests but stay in use: notes."""

from collections.abc import Callable

from router.balance.targets.error_answers import ErrorAnswers, ErrorCounts, ErrorShare
from router.exchange.service_ports import ServicePorts
from router.exchange.target_readings import TargetReadings
from router.model.events import Note
from router.model.ids import ServiceKey
from router.model.wording import other_protocol
from router.node.services.other_workers import OtherWorkers


class FailingTargets:
    """The one owner of the question how often a target fails; `ErrorAnswers` has the rule."""

    __slots__ = ("_answers", "_others", "_ports", "_readings")

    def __init__(self, readings: TargetReadings, ports: ServicePorts) -> None:
        self._readings, self._ports = readings, ports
        self._answers = ErrorAnswers()
        self._others: OtherWorkers | None = None

    def judge_with(self, others: OtherWorkers) -> None:
        """Judge also by the counts of other workers of this router."""
        self._others = others

    def look(self, now: float) -> None:
        """Call once a second."""
        counts = self._counts()
        if not counts and self._answers.is_empty:
            return  # The usual case.
        self._answers.look(counts, now)
        self._ports.set_failing(self._answers.found)

    def notes(self, declared_at: Callable[[str], str]) -> list[Note]:
        """One note for each target that is ready now; it may have been ejected since the last
        check. ``declared_at``: the site that alone may change a service; empty: this one."""
        return [
            Note(
                severity="warning",
                code="SW0358",
                message=f"Target {one.address} of {key} {one.shown}.",
                hint=f"It stays in use. {self._step(key, one, declared_at(key.name))}",
            )
            for key, targets in self._answers.found.items()
            for one in targets.values()
            if self._readings.ended_at(key, one.address) is not None
        ]

    def _step(self, key: ServiceKey, one: ErrorShare, declared_at: str) -> str:
        readings, step = self._readings, ""
        answers = readings.answers_of(key).get(one.address)
        if one.breaks == one.requests and answers is not None:
            step = other_protocol.step(
                answers.spoken,
                key.name,
                readings.protocol_of(key),
                declared_at,
                by_tls=readings.is_by_tls(key, one.address),
            )
        return step or f"Compare it with others: sitectl service status {key.name}"

    def _counts(self) -> dict[tuple[ServiceKey, str], ErrorCounts]:
        counts: dict[tuple[ServiceKey, str], ErrorCounts] = {}
        readings, workers = self._readings, self._others
        errors, breaks = readings.errors(), readings.breaks()
        beside = set() if workers is None else set(workers.failing())
        for key in errors.keys() | breaks.keys() | beside:
            own, broken = errors.get(key, {}), breaks.get(key, {})
            others = () if workers is None else workers.totals(key)
            addresses = {*own, *broken}
            for other in others:
                addresses.update(other.errors, other.breaks)
            for address in addresses:
                ended = readings.ended_at(key, address)
                if ended is not None:
                    counts[key, address] = ErrorCounts(
                        own.get(address, 0) + sum(one.errors.get(address, 0) for one in others),
                        ended + sum(one.ended.get(address, 0) for one in others),
                        broken.get(address, 0) + sum(one.breaks.get(address, 0) for one in others),
                    )
        return counts

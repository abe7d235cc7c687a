"""Judges the targets of a service port by the ends of exchanges with them."""

from collections.abc import Callable, Mapping
from typing import Final

from router.balance.targets.ejection import Cause, Ejections
from router.http.http2.grpc_status import StatusOfGrpc
from router.net.ports import Timers
from router.service.ports import LegCode, TargetConfig
from router.service.targets.health import HealthChecks

LAST_STATUS_GOOD: Final = 499
"""Answers above are counted by target, and may mean that it cannot serve."""

_ANSWERS: dict[int, Cause] = {502: "502", 503: "503", 504: "504"}
_ANSWERS_OF_GRPC: dict[int, Cause] = {503: "unavailable", 504: "deadline"}
_BREAKS: dict[LegCode, Cause] = {
    "target-reset": "reset",
    "target-timeout": "timeout",
    "bad-response": "malformed",
}


class Outcomes:
    """Gets the end of each attempt at this site, once per target; ejects targets that fail in a
    row.

    ``may_eject``: whether requests can go elsewhere with one ready target less here. A successful
    request only checks whether ``suspects`` is empty.
    """

    __slots__ = (
        "_ejections",
        "_health",
        "_may_eject",
        "_returned_in",
        "_targets",
        "_timers",
        "breaks",
        "era",
        "errors",
        "suspects",
    )

    def __init__(
        self,
        health: HealthChecks,
        timers: Timers,
        chance: Callable[[], float],
        may_eject: Callable[[], bool],
    ) -> None:
        self._health = health
        self._timers = timers
        self._may_eject = may_eject
        self._targets: Mapping[str, TargetConfig] = {}
        self._ejections = Ejections(chance)
        self._returned_in: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        """Answers of 5xx since the start, by target; only above 0."""
        self.breaks: dict[str, int] = {}
        """Exchanges that failed without a whole answer by the target's fault, likewise."""
        self.era = 0
        """Changes with each return of a target: exchanges of an earlier era do not count for it."""
        self.suspects: Mapping[str, object] = self._ejections.suspects
        """Targets for which a good request matters."""

    def set_targets(self, targets: Mapping[str, TargetConfig]) -> None:
        self._targets = targets
        self.errors = {one: count for one, count in self.errors.items() if one in targets}
        self.breaks = {one: count for one, count in self.breaks.items() if one in targets}
        self._ejections.keep(targets)
        self._returned_in = {one: era for one, era in self._returned_in.items() if one in targets}

    def connect_failed(self, target: str, reason: str, began_in: int) -> None:
        """Counts as a failed check, and as a failed request if the target is still ready."""
        self._health.connect_failed(target, reason)
        self._failed(target, "connect", began_in)

    def broke_off(self, target: str, code: LegCode, began_in: int) -> None:
        """An exchange of the era ``began_in`` failed, by the target's fault."""
        cause = _BREAKS.get(code)
        if cause is not None:
            if target in self._targets:
                self.breaks[target] = self.breaks.get(target, 0) + 1
            self._failed(target, cause, began_in)

    def refused(self, target: str, began_in: int) -> None:
        """An HTTP/2 target refused an exchange of that era again and again."""
        self._failed(target, "refused", began_in)

    def completed(self, target: str, status: int, began_in: int) -> None:
        """An exchange was complete. The call may be skipped if its ``status`` is not above
        `LAST_STATUS_GOOD` and there are no ``suspects``.
        """
        if status > LAST_STATUS_GOOD:
            self.answered(target, status, began_in)
        elif self.suspects:
            self.went_well(target, began_in)

    def answered(self, target: str, status: int, began_in: int) -> None:
        """A whole answer of a status above `LAST_STATUS_GOOD`."""
        is_grpc = isinstance(status, StatusOfGrpc)
        cause = (_ANSWERS_OF_GRPC if is_grpc else _ANSWERS).get(status)
        config = self._targets.get(target)
        if status < 600 and config is not None:
            self.errors[target] = self.errors.get(target, 0) + 1
            if cause is None and config.health.eject_on == "5xx":
                cause = "grpc" if is_grpc else "5xx"
        if cause is not None:
            self._failed(target, cause, began_in)
        elif self.suspects:
            self.went_well(target, began_in)

    def went_well(self, target: str, began_in: int) -> None:
        """The exchange was complete. One that began before the target was ejected
        clears nothing.
        """
        if began_in >= self._returned_in.get(target, 0):
            self._ejections.succeeded(target, self._timers.now())

    def returned(self, target: str) -> None:
        """A check succeeded."""
        if target in self.suspects:
            self.era += 1
            self._returned_in[target] = self.era
        self._ejections.returned(target, self._timers.now())

    def _failed(self, target: str, cause: Cause, began_in: int) -> None:
        config = self._targets.get(target)
        if config is None or not self._health.is_ready(target):
            return  # Removed, or down already.
        if began_in < self._returned_in.get(target, 0):
            return
        after, now = config.health.eject_after, self._timers.now()
        if self._ejections.failed(target, cause, after, now) and self._may_eject():
            ejection = self._ejections.eject(target)
            self._health.eject(target, ejection.seconds, ejection.reason)

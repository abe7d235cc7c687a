"""Targets that are ejected for a while since requests to them failed: a record per target.

Passive checks, as Envoy's outlier detection and HAProxy's ``observe layer7``, by two rules:

- By failures in a row.
- By share: more than half of the answers of the last `EJECT_SHARE_S` failed. A target that fails
  four of five requests has no five failures in a row. As Envoy's ``failure_percentage_threshold``
  with ``failure_percentage_request_volume`` (config.cluster.v3.OutlierDetection), but checked with
  each failure, not once per interval. Answers count from the first failure on: before it a target
  has no record.

Either ejects a target for `EJECT_BASE_S`, each time twice as long, at most `EJECT_MAX_S`. The owner
of the targets brings it back (`returned`) after an active check; then it is on probation, where one
failure is enough, until good requests over `EJECT_FORGET_S` have cleared it.

`site_ejection` uses the same records for remote sites.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Final, Literal

import msgspec

from router.balance.targets.recent_answers import RecentAnswers
from router.model import limits

Cause = Literal[
    "reset",
    "refused",
    "timeout",
    "malformed",
    "502",
    "503",
    "504",
    "5xx",
    "unavailable",
    "deadline",
    "grpc",
    "connect",
    "unanswered",
    "lost",
]
"""How a request failed; with "unavailable", "deadline" and "grpc" the status is one of gRPC."""

_WORDS: dict[Cause, tuple[str, str]] = {
    "reset": ("a request was reset", "requests in a row were reset"),
    "refused": ("a request was refused", "requests in a row were refused"),
    "timeout": ("a request got no answer in time", "requests in a row got no answer in time"),
    "malformed": (
        "a request got a malformed or torn answer",
        "requests in a row got malformed or torn answers",
    ),
    "502": ("a request was answered 502", "requests in a row were answered 502"),
    "503": ("a request was answered 503", "requests in a row were answered 503"),
    "504": ("a request was answered 504", "requests in a row were answered 504"),
    "5xx": ("a request was answered 5xx", "requests in a row were answered 5xx"),
    "unavailable": (
        "a request was answered UNAVAILABLE (gRPC)",
        "requests in a row were answered UNAVAILABLE (gRPC)",
    ),
    "deadline": (
        "a request was answered DEADLINE_EXCEEDED (gRPC)",
        "requests in a row were answered DEADLINE_EXCEEDED (gRPC)",
    ),
    "grpc": (
        "a request was answered an error of the server (gRPC)",
        "requests in a row were answered errors of the server (gRPC)",
    ),
    "connect": ("a connection was refused", "connections in a row were refused"),
    "unanswered": ("a request was not accepted in time", "requests in a row were not accepted"),
    "lost": ("a request was lost on its way", "requests in a row were lost on their way"),
}


class TargetStanding(Enum):
    """The state of a target by its record."""

    IN_SERVICE = "in-service"
    EJECTED = "ejected"
    PROBATION = "probation"


IN_SERVICE, EJECTED, PROBATION = TargetStanding

AFTER_STANDING: Final[Mapping[TargetStanding, frozenset[TargetStanding]]] = {
    IN_SERVICE: frozenset((EJECTED,)),
    EJECTED: frozenset((PROBATION,)),
    PROBATION: frozenset((EJECTED, IN_SERVICE)),
}


class Ejection(msgspec.Struct, frozen=True):
    """A target is ejected for ``seconds``, at most ``full_s``; ``why`` is human-readable."""

    seconds: float
    full_s: float
    why: str

    @property
    def reason(self) -> str:
        """How long, and why, human-readable."""
        return told_ejection(self.full_s, self.why)


def told_ejection(full_s: float, why: str) -> str:
    """Human-readable text for a target or a site that is ejected for ``full_s``."""
    return f"ejected for {full_s:g} s: {why}"


class _Record:
    """Failures of one target."""

    __slots__ = (
        "_cause",
        "_causes",
        "_failures",
        "_is_repeated",
        "_returned_at",
        "_share_answers_min",
        "_times",
        "due",
        "recent",
        "standing",
    )

    _returned_at: float
    """While on probation."""

    def __init__(self) -> None:
        self.standing = IN_SERVICE
        self._failures = 0  # In a row.
        self._cause: Cause | None = None  # Of all of these; None: they differ.
        self._causes: set[Cause] = set()  # Of all failures that are not forgotten.
        self._is_repeated = False  # The last failure had one of these causes.
        self._times = 0  # Ejections that are not forgotten.
        self.recent = RecentAnswers()
        self._share_answers_min = limits.EJECT_SHARE_ANSWERS_MIN
        self.due = ""  # Why it should be ejected; empty: it should not, or it is.

    def failed(self, cause: Cause, after: int, now: float, *, one_event: bool) -> bool:
        """As in `Ejections.failed`."""
        if self.standing is EJECTED:
            return False
        self.recent.failed(now)
        if not one_event or not self._failures:
            self._cause = cause if self._cause == cause or not self._failures else None
            self._is_repeated = cause in self._causes
            self._causes.add(cause)
        self._failures += not one_event
        self._share_answers_min = max(
            limits.EJECT_SHARE_ANSWERS_MIN, limits.EJECT_SHARE_ANSWERS_PER_FAILURE * after
        )
        if self.standing is PROBATION or self._failures >= after:
            self.due = self._told_row()
        elif self._is_mostly_failing(now):
            self.due = self._told_share(cause, now)
        return self.due != ""

    def eject(self) -> tuple[float, str]:
        """Mark the target ejected; returns the most seconds of the ejection, and its reason."""
        assert self.standing is not EJECTED, "ejected twice"
        assert self.due, "nothing says it should be"
        # The exponent is bounded: a shift by many thousands would be a number of that length.
        full_s, why = limits.EJECT_BASE_S * 2 ** min(self._times, 32), self.due
        self.standing = EJECTED
        self._times += 1
        self._failures = 0
        self.due = ""
        self.recent = RecentAnswers()
        return min(full_s, limits.EJECT_MAX_S), why

    def returned(self, now: float) -> None:
        """An active check succeeded."""
        if self.standing is EJECTED:
            self.standing = PROBATION
            self._returned_at = now

    def succeeded(self, now: float) -> bool:
        """A request succeeded. True: its failures no longer count."""
        if self.standing is EJECTED:
            return False
        self._failures = 0
        self.recent.good(now)
        if self.due and not self._is_mostly_failing(now):
            self.due = ""
        if self.standing is PROBATION and now - self._returned_at >= limits.EJECT_FORGET_S:
            self.standing = IN_SERVICE
            self._times = 0
            self._causes.clear()
        return self.standing is IN_SERVICE and not self.recent.failures(now)

    def _is_mostly_failing(self, now: float) -> bool:
        return self.recent.mostly_failed(now, self._share_answers_min)

    def _told_row(self) -> str:
        one, several = _WORDS[self._cause] if self._cause else ("a request failed", "")
        if self._failures <= 1:
            return one + (" again" if self._is_repeated else "")
        return f"{self._failures} {several or 'requests in a row failed'}"

    def _told_share(self, cause: Cause, now: float) -> str:
        """For the answers since the first failure: those before it are not counted."""
        failed, answers = self.recent.failures(now), self.recent.answers(now)
        return f"{failed} of the last {answers} requests failed, at last {_WORDS[cause][0]}"


class Ejections:
    """The records of the targets of one service port.

    ``chance`` draws from 0 to 1. Results of requests that were under way when their target was
    ejected change nothing. O(1) each; a target without a record costs nothing. A record lasts until
    a request succeeds `limits.EJECT_SHARE_S` after the last failure.
    """

    __slots__ = ("_chance", "suspects")

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self.suspects: dict[str, _Record] = {}
        """Targets with failures; usually empty. Others only check whether it is."""

    def standing(self, target: str) -> TargetStanding:
        record = self.suspects.get(target)
        return record.standing if record is not None else IN_SERVICE

    def keep(self, targets: Iterable[str]) -> None:
        """Forget all other targets."""
        for gone in self.suspects.keys() - set(targets):
            del self.suspects[gone]

    def failed(
        self, target: str, cause: Cause, after: int, now: float, *, one_event: bool = False
    ) -> bool:
        """A request failed. True: the target should be ejected after ``after`` failures in a row
        (0: never).

        ``one_event``: it failed together with the one before, so the row does not grow. A caller
        that may not eject the target now asks again at its next failure.
        """
        if not after:
            return False
        record = self.suspects.setdefault(target, _Record())
        return record.failed(cause, after, now, one_event=one_event)

    def eject(self, target: str) -> Ejection:
        """Eject the target, after `failed` returned True."""
        full_s, why = self.suspects[target].eject()
        return Ejection(full_s * (1 - limits.EJECT_JITTER * self._chance()), full_s, why)

    def returned(self, target: str, now: float) -> None:
        """An active check succeeded: the target is used again."""
        record = self.suspects.get(target)
        if record is not None:
            record.returned(now)

    def succeeded(self, target: str, now: float) -> None:
        """A request succeeded."""
        record = self.suspects.get(target)
        if record is not None and record.succeeded(now):
            del self.suspects[target]

"""Which targets are put out for a while since the requests to them failed: a record per target.

Passive checks, as Envoy's outlier detection and HAProxy's ``observe layer7``, by two rules:

- By failures in a row.
- By share: more than half of the answers of the last `EJECT_SHARE_S` failed. A target that fails
  four of five requests has no five failures in a row. As Envoy's ``failure_percentage_threshold``
  with ``failure_percentage_request_volume`` (config.cluster.v3.OutlierDetection), but checked with
  each failure, not once per interval. Answers count from the first failure on: before it a target
  has no record.

Either puts a target out for `EJECT_BASE_S`, each time twice as long, at most `EJECT_MAX_S`. Whoever
owns the targets brings it back (`returned`) after an active check; then it is on probation, where
one failure is enough, until good requests over `EJECT_FORGET_S` have cleared it.

`site_ejection` uses the same records for remote sites.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Literal

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
    """What a record makes of its target."""

    IN_SERVICE = "in-service"
    EJECTED = "ejected"
    PROBATION = "probation"


class Ejection(msgspec.Struct, frozen=True):
    """A target is put out for ``seconds``; ``reason`` is for people."""

    seconds: float
    reason: str


class _Record:
    """What is held against one target."""

    __slots__ = (
        "cause",
        "causes",
        "due",
        "failures",
        "is_repeated",
        "recent",
        "returned_at",
        "share_answers_min",
        "standing",
        "times",
    )

    def __init__(self) -> None:
        self.standing = TargetStanding.IN_SERVICE
        self.failures = 0  # In a row.
        self.cause: Cause | None = None  # Of all of these; None: they differ.
        self.causes: set[Cause] = set()  # Of all failures that are not forgotten.
        self.is_repeated = False  # The last failure had one of these causes.
        self.times = 0  # Ejections that are not forgotten.
        self.returned_at = 0.0
        self.recent = RecentAnswers()
        self.share_answers_min = limits.EJECT_SHARE_ANSWERS_MIN
        self.due = ""  # Why it is due to be ejected, and is not.


class Ejections:
    """The records of the targets of one service port.

    ``chance`` draws from 0 to 1. Results of requests that were under way when their target was put
    out change nothing. O(1) each; a target without a record costs nothing. A record lasts until a
    request succeeds `limits.EJECT_SHARE_S` after the last failure.
    """

    __slots__ = ("_chance", "suspects")

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self.suspects: dict[str, _Record] = {}
        """Targets with something against them; usually empty. Others only look whether it is."""

    def standing(self, target: str) -> TargetStanding:
        record = self.suspects.get(target)
        return record.standing if record is not None else TargetStanding.IN_SERVICE

    def keep(self, targets: Iterable[str]) -> None:
        """Forget all others."""
        for gone in self.suspects.keys() - set(targets):
            del self.suspects[gone]

    def failed(
        self, target: str, cause: Cause, after: int, now: float, *, one_event: bool = False
    ) -> bool:
        """A request failed. True: it is due to be ejected, ``after`` failures in a row (0: never).

        ``one_event``: it broke together with the one before, so the row does not grow. Whoever may
        not eject it now asks again at its next failure.
        """
        if not after:
            return False
        record = self.suspects.setdefault(target, _Record())
        if record.standing is TargetStanding.EJECTED:
            return False
        record.recent.failed(now)
        if not one_event or not record.failures:
            record.cause = cause if record.cause == cause or not record.failures else None
            record.is_repeated = cause in record.causes
            record.causes.add(cause)
        record.failures += not one_event
        record.share_answers_min = max(
            limits.EJECT_SHARE_ANSWERS_MIN, limits.EJECT_SHARE_ANSWERS_PER_FAILURE * after
        )
        if record.standing is TargetStanding.PROBATION or record.failures >= after:
            record.due = _told_row(record)
        elif record.recent.mostly_failed(now, record.share_answers_min):
            record.due = _told_share(record.recent, cause, now)
        return record.due != ""

    def eject(self, target: str, *, in_reserve: bool = False) -> Ejection:
        """Put it out, after `failed` said so. ``in_reserve``: how the reason names that."""
        record = self.suspects[target]
        assert record.standing is not TargetStanding.EJECTED, "ejected twice"
        assert record.due, "nothing says it should be"
        # The exponent is bounded: a shift by many thousands would be a number of that length.
        full_s = limits.EJECT_BASE_S * 2 ** min(record.times, 32)
        seconds = min(full_s, limits.EJECT_MAX_S)
        what = "in reserve" if in_reserve else f"ejected for {seconds:g} s"
        reason = f"{what}: {record.due}"
        record.standing = TargetStanding.EJECTED
        record.times += 1
        record.failures = 0
        record.due = ""
        record.recent = RecentAnswers()
        return Ejection(seconds * (1 - limits.EJECT_JITTER * self._chance()), reason)

    def returned(self, target: str, now: float) -> None:
        """An active check found it good: it is used again."""
        record = self.suspects.get(target)
        if record is not None and record.standing is TargetStanding.EJECTED:
            record.standing = TargetStanding.PROBATION
            record.returned_at = now

    def succeeded(self, target: str, now: float) -> None:
        """A request went well."""
        record = self.suspects.get(target)
        if record is None or record.standing is TargetStanding.EJECTED:
            return
        record.failures = 0
        record.recent.good(now)
        if record.due and not record.recent.mostly_failed(now, record.share_answers_min):
            record.due = ""
        if (
            record.standing is TargetStanding.PROBATION
            and now - record.returned_at >= limits.EJECT_FORGET_S
        ):
            record.standing = TargetStanding.IN_SERVICE
            record.times = 0
            record.causes.clear()
        if record.standing is TargetStanding.IN_SERVICE and not record.recent.failures(now):
            del self.suspects[target]


def _told_row(record: _Record) -> str:
    one, several = _WORDS[record.cause] if record.cause else ("a request failed", "")
    if record.failures <= 1:
        return one + (" again" if record.is_repeated else "")
    return f"{record.failures} {several or 'requests in a row failed'}"


def _told_share(recent: RecentAnswers, cause: Cause, now: float) -> str:
    """Of the answers since the first failure: those before it are not counted."""
    failed, answers = recent.failures(now), recent.answers(now)
    return f"{failed} of the last {answers} requests failed, at last {_WORDS[cause][0]}"

"""What the other workers of a router know of targets and sites: see `workers.combined_figures`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from router.balance.targets.answer_streaks import UsualTimes
from router.exchange.target_readings import TargetReadings
from router.model.ids import ServiceKey, SiteId


class OtherTotals(Protocol):
    """What another worker counted of one service port in all its lives, by address: requests,
    answers (connections to tcp targets that got a byte; http requests that were completed, and
    parts of answers), tcp connections that got none, answers of 5xx, and exchanges that the target
    broke off. ``answers_elsewhere``: that began, by the site."""

    @property
    def by_target(self) -> Mapping[str, int]: ...

    @property
    def answered(self) -> Mapping[str, int]: ...

    @property
    def silent(self) -> Mapping[str, int]: ...

    @property
    def errors(self) -> Mapping[str, int]: ...

    @property
    def breaks(self) -> Mapping[str, int]: ...

    @property
    def answers_elsewhere(self) -> Mapping[SiteId, int]: ...


class OtherNow(Protocol):
    """What another worker has of one service port: http requests that a target, or another site,
    has in full and owes an answer. ``usual``: as of `TargetReadings`."""

    @property
    def awaited(self) -> Mapping[str, int]: ...

    @property
    def awaited_elsewhere(self) -> Mapping[SiteId, int]: ...

    @property
    def usual(self) -> UsualTimes | None: ...


class OtherWorkers(Protocol):
    """All others of this router; there may be none."""

    def totals_beside(self, key: ServiceKey) -> Sequence[OtherTotals]:
        """Of each."""

    def each_beside(self, key: ServiceKey) -> Sequence[OtherNow | None]:
        """Of each; None: it has nothing under way."""

    def full_beside(self, key: ServiceKey) -> Sequence[Collection[str]]:
        """Of each, targets of which it has no free slot, by address: also those of which it has no
        slot at all, as of a target with fewer slots than there are workers."""

    def awaiting_beside(self) -> Collection[ServiceKey]:
        """Service ports of which requests await an answer there."""

    def failing_beside(self) -> Collection[ServiceKey]:
        """Service ports of which targets answered 5xx, or broke off, there."""


def usual_of_all(
    readings: TargetReadings, others: OtherWorkers | None, key: ServiceKey
) -> UsualTimes | None:
    """What requests of one service port took lately at the worker where they took longest; None:
    none has ended at any."""
    told = [one.usual for one in others.each_beside(key) if one is not None] if others else []
    known = [one for one in (readings.usual(key), *told) if one is not None]
    if not known:
        return None
    return UsualTimes(max(one.most_s for one in known), max(one.longest_s for one in known))

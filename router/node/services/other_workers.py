"""Knowledge of the other workers of a router about targets and sites: see
`workers.other_reports`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from router.balance.targets.answer_streaks import UsualTimes, assumed_times
from router.exchange.target_readings import TargetReadings
from router.model.ids import ServiceKey, SiteId


class OtherTotals(Protocol):
    """Counts of another worker for one service port in all its processes, by address: requests
    that ended (`Target.ended`), answers (connections to tcp targets that got a byte; http requests
    that were completed, and parts of answers), tcp connections that got none, answers of 5xx, and
    exchanges that the target broke off. ``answers_elsewhere``: answers that began, by site."""

    @property
    def ended(self) -> Mapping[str, int]: ...

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
    """Present requests of another worker for one service port: http requests that a target, or
    another site, has in full and owes an answer. ``usual``: as in `TargetReadings`."""

    @property
    def awaited(self) -> Mapping[str, int]: ...

    @property
    def awaited_elsewhere(self) -> Mapping[SiteId, int]: ...

    @property
    def usual(self) -> UsualTimes | None: ...


class OtherWorkers(Protocol):
    """All other workers of this router; there may be none."""

    def totals(self, key: ServiceKey) -> Sequence[OtherTotals]:
        """The totals of each."""

    def each(self, key: ServiceKey) -> Sequence[OtherNow | None]:
        """The present state of each; None: it has nothing under way."""

    def full(self, key: ServiceKey) -> Sequence[Collection[str]]:
        """For each, the addresses of targets without a free slot there: also targets without any
        slot there, such as a target with fewer slots than there are workers."""

    def awaiting(self) -> Collection[ServiceKey]:
        """Service ports with requests that await an answer there."""

    def failing(self) -> Collection[ServiceKey]:
        """Service ports whose targets answered 5xx, or broke off, there."""


def usual_of_all(
    readings: TargetReadings, others: OtherWorkers | None, key: ServiceKey
) -> UsualTimes | None:
    """The recent request times of one service port at the worker where they were longest, or what
    is assumed until one has ended; None: the port is gone."""
    told = [one.usual for one in others.each(key) if one is not None] if others else []
    known = [one for one in (readings.usual(key), *told) if one is not None]
    if not known:
        response_s = readings.response_s(key)
        return None if response_s is None else assumed_times(response_s)
    return UsualTimes(max(one.most_s for one in known), max(one.longest_s for one in known))

"""Figures of this site's own targets, for code that shows, judges or reports them."""

from collections.abc import Iterator, Mapping
from math import log
from sys import maxsize

from router.balance.site.spills import LocalTargets
from router.balance.targets.answer_streaks import AnswerCounts, NoAnswer, UsualTimes
from router.balance.targets.error_answers import ErrorShare
from router.balance.targets.target_choice import TargetReport
from router.model.ids import ServiceKey
from router.service.figures import TargetInfo
from router.service.service import Service
from router.service.sessions import Session
from router.service.targets.target_answers import TargetAnswers

USUAL_SHARE = 0.9  # Of requests: a few that hang must not count as usual.
LONGEST_SHARE = 0.999  # Of requests of which only the mean time is known.


class TargetReadings:
    """Figures of the targets of each service port, as `Readings` has those of the ports."""

    __slots__ = ("_services",)

    def __init__(self, services: Mapping[ServiceKey, Service]) -> None:
        """``services``: the live mapping of the owner."""
        self._services = services

    def all(self) -> dict[ServiceKey, list[TargetInfo]]:
        """The targets of this site, by service port."""
        return {key: service.targets() for key, service in self._services.items()}

    def of(self, key: ServiceKey) -> list[TargetInfo]:
        """The targets of one service port; none if it is not known here."""
        service = self._services.get(key)
        return service.targets() if service is not None else []

    def local(self, key: ServiceKey) -> LocalTargets:
        """How many targets of one service port are here, ready and ejected."""
        service = self._services.get(key)
        return service.ledger.local_targets if service is not None else LocalTargets()

    def standing(self) -> dict[ServiceKey, dict[str, bool]]:
        """Whether each of `all` is ready: cheap, for frequent calls."""
        return {key: service.ledger.standing() for key, service in self._services.items()}

    def is_ready(self, key: ServiceKey, address: str) -> bool:
        """Whether a target of this site is ready."""
        service = self._services.get(key)
        return service is not None and service.ledger.standing().get(address, False)

    def busy(self, least: int) -> Iterator[tuple[ServiceKey, str, AnswerCounts]]:
        """Ready targets of http services without a free slot, or with at least ``least`` requests.

        With HTTP/2 only full ones: gRPC sends the head of an answer with its first message, however
        late.
        """
        for key, service in self._services.items():
            if service.protocol == "tcp" or not service.ledger.in_flight:
                continue
            for address, completed, is_full in service.ledger.busy_targets(_least(service, least)):
                yield key, address, _counts(service, address, completed, is_full=is_full)

    def counts_of(self, key: ServiceKey, address: str) -> AnswerCounts | None:
        """As `busy`, for any target; None: it is not ready."""
        completed = self.completed_by(key, address)
        if completed is None:
            return None
        service = self._services[key]
        return _counts(service, address, completed, is_full=service.ledger.is_target_full(address))

    def ended_at(self, key: ServiceKey, address: str) -> int | None:
        """How many requests ended at one target, see `Target.ended`; None: it is not ready."""
        service = self._services.get(key)
        return service.ledger.ended_at(address) if service is not None else None

    def completed_by(self, key: ServiceKey, address: str) -> int | None:
        """How many requests one target has completed; None: it is not ready."""
        service = self._services.get(key)
        return service.ledger.completed_by(address) if service is not None else None

    def ended(self, key: ServiceKey) -> dict[str, int]:
        """How many requests ended at each target, ready or not, by address; only above 0."""
        service = self._services.get(key)
        counts = service.ledger.ended() if service is not None else {}
        return {address: count for address, count in counts.items() if count}

    def answered_by(self, key: ServiceKey, address: str) -> int | None:
        """The count of answers as in `busy`, for any http target; None: it is not ready."""
        completed = self.completed_by(key, address)
        return None if completed is None else completed + self._services[key].parts_of(address)

    def answered(self, key: ServiceKey) -> dict[str, int]:
        """By address: connections on which a tcp target sent a byte, else as `answered_by`; only
        above 0.
        """
        service = self._services.get(key)
        if service is None:
            return {}
        if service.protocol == "tcp":
            answers = service.target_ways.answers.items()
            return {address: one.answered for address, one in answers if one.answered}
        each = {at: self.answered_by(key, at) for at in service.ledger.standing()}
        return {address: count for address, count in each.items() if count}

    def awaited(self, key: ServiceKey) -> dict[str, int]:
        """Requests that a target has in full and owes an answer, by address; see `busy`."""
        service = self._services.get(key)
        if service is None or service.protocol == "tcp":
            return {}
        ways, busy = service.target_ways, service.ledger.busy_targets(_least(service, 1))
        each = {at: ways.awaited_count(at) for at, _, _ in busy}
        return {address: count for address, count in each.items() if count}

    def is_owed_when_full(self, key: ServiceKey) -> bool:
        """Whether a target of one service port owes answers only while it is full; see `busy`."""
        return self._services[key].protocol == "http2"

    def usual(self, key: ServiceKey) -> UsualTimes | None:
        """Recent durations of requests of one service port at their targets; None: none has ended.

        By the requests of clients of this site. For those that other sites send here, as if their
        times were exponentially distributed around the mean of the slowest target.
        """
        service = self._services.get(key)
        if service is None:
            return None
        times = service.counters.target_times()
        own_s = service.recent_times.quantile(times, USUAL_SHARE)
        mean_s = service.target_ways.mean_s()
        longest_s = mean_s * -log(1 - LONGEST_SHARE)
        if own_s is not None:
            own_longest_s = service.recent_times.quantile(times, 1.0) or own_s
            return UsualTimes(own_s, max(own_longest_s, longest_s))
        if not mean_s:
            return None
        return UsualTimes(mean_s * -log(1 - USUAL_SHARE), longest_s)

    def response_s(self, key: ServiceKey) -> float | None:
        """How long a response of one service port may take; None: it is gone."""
        service = self._services.get(key)
        return None if service is None else service.config.timeouts.response_s

    def reports_of(self, key: ServiceKey, now: float) -> list[TargetReport]:
        """Which ready target of this site would get the next request without a session, and why."""
        service = self._services.get(key)
        return service.ledger.target_reports(now) if service is not None else []

    def target_of(self, key: ServiceKey, session: Session) -> str | None:
        """The session's target (``host:port``) at this site; None: none has room."""
        service = self._services.get(key)
        return service.ledger.target_of(session.key) if service is not None else None

    def answers(self) -> Iterator[tuple[ServiceKey, Mapping[str, TargetAnswers]]]:
        """Results of connections to the targets of each tcp service port, by address."""
        for key, service in self._services.items():
            if service.protocol == "tcp" and service.own_targets.are_there:
                yield key, service.target_ways.answers

    def answers_of(self, key: ServiceKey) -> Mapping[str, TargetAnswers]:
        """As `answers`, for one service port of any protocol."""
        service = self._services.get(key)
        return service.target_ways.answers if service is not None else {}

    def protocol_of(self, key: ServiceKey) -> str:
        """The protocol of its targets; empty: it is gone."""
        service = self._services.get(key)
        return service.protocol if service is not None else ""

    def is_by_tls(self, key: ServiceKey, address: str) -> bool:
        """Whether this router reaches that target by TLS."""
        service = self._services.get(key)
        config = service.target_ways.configs.get(address) if service is not None else None
        return config is not None and config.tls is not None

    def unanswering_of(self, key: ServiceKey) -> Mapping[str, NoAnswer]:
        """The value of `set_unanswering` for one service port."""
        service = self._services.get(key)
        return service.unanswering if service is not None else {}

    def failing_of(self, key: ServiceKey) -> Mapping[str, ErrorShare]:
        """The value of `set_failing` for one service port."""
        service = self._services.get(key)
        return service.failing if service is not None else {}

    def errors(self) -> dict[ServiceKey, Mapping[str, int]]:
        """Answers of 5xx since the start by address, for service ports that had some."""
        return {
            key: service.outcomes.errors
            for key, service in self._services.items()
            if service.outcomes.errors
        }

    def errors_of(self, key: ServiceKey) -> Mapping[str, int]:
        """As `errors`, for one service port."""
        service = self._services.get(key)
        return service.outcomes.errors if service is not None else {}

    def breaks(self) -> dict[ServiceKey, Mapping[str, int]]:
        """Exchanges that targets broke off since the start, as `errors`; none for tcp: a reset may
        be how its protocol ends.
        """
        return {
            key: service.outcomes.breaks
            for key, service in self._services.items()
            if service.outcomes.breaks and service.protocol != "tcp"
        }

    def breaks_of(self, key: ServiceKey) -> Mapping[str, int]:
        """As `breaks`, for one service port."""
        return self.breaks().get(key, {})


def _least(service: Service, least: int) -> int:
    return least if service.protocol == "http" else maxsize


def _counts(service: Service, address: str, completed: int, *, is_full: bool) -> AnswerCounts:
    return AnswerCounts(
        completed + service.parts_of(address),
        awaited=service.target_ways.awaited_count(address),
        is_full=is_full,
    )

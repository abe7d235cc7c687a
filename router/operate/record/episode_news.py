"""Reports when requests of a service begin to spill or to be refused, and when that ends.

Each kind of episode is a row of `EpisodeNews`: its counts, and its report.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec

from router.balance.deciding.decisions import CandidateReport
from router.balance.episodes import Begun, Ended, Episodes, Now
from router.exchange.readings import Readings
from router.model.events import Refusals, Severity, Spill
from router.model.ids import ServiceKey, SiteId, by_cost, by_name
from router.model.ticks import next_tick
from router.model.wording.traffic import noun_of
from router.net.ports import Network
from router.node.problems.left_out import NOTHING, Lack, LeftOut
from router.operate.problems.failing_requests import NO_TARGET, ejected_sites, used_up_rates
from router.operate.problems.unserved_requests import UnservedRequests
from router.operate.record.episode_sentences import (
    LOOKED_AT,
    begun_sentence,
    ended_sentence,
    full_elsewhere,
    mark_sentence,
    overflow_sentence,
    refused_sentence,
    sheddable_sentence,
)
from router.operate.record.journal import Journal
from router.service.figures import SpillCount
from router.workers.interval_sums import counts
from router.workers.recent_port_figures import RecentPortFigures

SECOND_S = 1.0
BEGUN_WITHOUT_TARGET: Final[tuple[Severity, str]] = "warning", "no-target-begun"
ENDED_WITHOUT_TARGET: Final[tuple[Severity, str]] = "info", "no-target-ended"
BEGUN_REFUSING: Final[tuple[Severity, str]] = "warning", "refusing-begun"
ENDED_REFUSING: Final[tuple[Severity, str]] = "info", "refusing-ended"
_NONE_LEFT: Final = SpillCount({})


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """``counts``: totals since the start, by service port; ``beside``: those of another worker for
    one port. ``expected``: whether they are no news. ``hear``: receives each sample besides."""

    episodes: Episodes
    counts: Callable[[], Mapping[ServiceKey, SpillCount]]
    beside: Callable[[RecentPortFigures], SpillCount]
    report: Callable[[Begun | Ended], None]
    expected: Callable[[ServiceKey], bool] = lambda key: False
    hear: Callable[[Mapping[ServiceKey, Now], float], None] = lambda seen, now: None


class EpisodeNews:
    """Samples each second. ``utc``: ISO 8601 of the network's seconds.

    ``left_out``: sites with room that may not serve a service port. ``site_name``: the present name
    of a site. ``beside``: in a router of several workers, the figures of each other worker for a
    service port since it started (None: nothing), in a fixed order; None: there is only one worker.
    ``shares``: the slots of a service port at each other worker that answers; None: it has no ready
    target with a capacity there. ``named``: see `FigureScope`.
    """

    __slots__ = (
        "_beside",
        "_in_vain",
        "_is_stopping",
        "_journal",
        "_kinds",
        "_left_out",
        "_named",
        "_network",
        "_readings",
        "_shares",
        "_site_name",
        "_utc",
    )

    def __init__(
        self,
        network: Network,
        readings: Readings,
        journal: Journal,
        utc: Callable[[float], str],
        left_out: Callable[[ServiceKey, Lack], LeftOut],
        site_name: Callable[[SiteId], str],
        beside: Callable[[ServiceKey], Sequence[RecentPortFigures | None]] | None = None,
        shares: Callable[[ServiceKey], Sequence[int | None]] = lambda key: (),
        named: Callable[[ServiceKey], str] = str,
    ) -> None:
        self._network, self._readings, self._shares = network, readings, shares
        self._named = named
        self._beside, self._left_out = beside, left_out
        self._site_name = site_name
        self._journal, self._utc = journal, utc
        self._in_vain = UnservedRequests()
        self._is_stopping = False
        now = network.now()
        self._kinds = (
            _Kind(
                episodes=Episodes(now),
                counts=readings.left,
                beside=lambda one: SpillCount(one.spilled, one.still_spilled),
                report=self._report_overflow,
            ),
            _Kind(
                episodes=Episodes(now),
                counts=readings.spilled_without_target,
                beside=lambda one: SpillCount(one.without_target, one.still_without_target),
                report=self._report_without_target,
                expected=lambda key: bool(self._why_none_is_to_take_any(key)),
            ),
            _Kind(
                episodes=Episodes(now),
                counts=readings.refused,
                beside=lambda one: SpillCount(one.refused),
                report=self._report_refused,
                hear=self._hear_refused,
            ),
        )
        network.call_at(now + SECOND_S, self._each_second)

    def stops(self) -> None:
        """The router drains before it stops: its targets go before `close`."""
        self._is_stopping = True

    def close(self) -> None:
        """The router has stopped: end the episodes in progress."""
        self.stops()
        for kind in self._kinds:
            for one in kind.episodes.close():
                kind.report(one)

    def _each_second(self) -> None:
        now = self._network.now()
        self._network.call_at(next_tick(now, SECOND_S), self._each_second)
        for kind in self._kinds:
            seen = {}
            for key, own in kind.counts().items():
                others = self._others(key, kind.beside)
                if (
                    any([one.by_key for one in (own, *others)])
                    or kind.episodes.knows(key)  # Nearly all ports never have an episode.
                    or self._readings.is_drained(key)
                ):
                    seen[key] = self._now(key, own, others, expected=kind.expected(key))
            for one in kind.episodes.look(seen, now):
                kind.report(one)
            kind.hear(seen, now)

    def _why_none_is_to_take_any(self, key: ServiceKey) -> str:
        """Why no target is expected to take a request; empty: one is. Spills are then no fault.

        After a drain, targets are checked first.
        """
        readings = self._readings
        if self._is_stopping:
            return "The router stops."
        if readings.is_drained(key):
            return "This site is drained of it now."
        if not readings.targets.local(key).total:
            return "This site has no target of it now, ready or not."
        return ""

    @property
    def asked_in_vain(self) -> Collection[ServiceKey]:
        """Service ports for which clients recently found no target, at any worker."""
        return self._in_vain.keys

    def _hear_refused(self, seen: Mapping[ServiceKey, Now], now: float) -> None:
        self._in_vain.look({key: counts(one.parts) for key, one in seen.items()}, now)

    def _others(
        self, key: ServiceKey, part: Callable[[RecentPortFigures], SpillCount]
    ) -> list[SpillCount]:
        """Counters of each other worker since it started."""
        if self._beside is None:
            return []
        return [_NONE_LEFT if one is None else part(one) for one in self._beside(key)]

    def _now(
        self, key: ServiceKey, own: SpillCount, others: Sequence[SpillCount], *, expected: bool
    ) -> Now:
        load = self._readings.load_of(key)
        in_flight, capacity = load.in_flight, load.capacity
        if self._beside is not None:  # The load of this worker is only a part of the site's.
            here = next((one for one in self._seen(key) if not one.path_cost), None)
            if here is not None:
                in_flight = here.in_flight
            slots = [one for one in (capacity, *self._shares(key)) if one is not None]
            capacity = None if self._is_awaited(key) or not slots else sum(slots)
        return Now(
            left=own.by_key,
            beside=[one.by_key for one in others],
            still_open=own.still_open + sum(one.still_open for one in others),
            in_flight=in_flight,
            capacity=capacity,
            expected=expected,
        )

    def _is_awaited(self, key: ServiceKey) -> bool:
        """Whether some workers have slots of a service port and others have none yet: each reads
        the documents and checks the targets itself, so the total is unknown."""
        shares = [self._readings.load_of(key).capacity, *self._shares(key)]
        return None in shares and any(one is not None for one in shares)

    def _report_overflow(self, one: Begun | Ended) -> None:
        is_end = isinstance(one, Ended)
        figures, service = self._figures(one, self._to(one)), str(one.key)
        code = "overflow-ended" if is_end else "overflow-begun"
        elsewhere = self._full_elsewhere(one.key, figures, is_end=is_end)
        message = overflow_sentence(
            self._named(one.key),
            figures,
            is_end=is_end,
            unstated=self._unstated(one.key),
            elsewhere=elsewhere,
            unit=self._unit(one.key),
        )
        config = self._readings.config_of(one.key)
        share = config.policy.spill_at if config is not None else None
        why = (
            ()
            if is_end or elsewhere  # The statements about slots hold for this site.
            else (
                self._used_up(one.key, here=True),
                mark_sentence(share, self._unit(one.key)),
                sheddable_sentence(config),
            )
        )
        message = " ".join(filter(None, (message, *why)))
        self._journal.episode("info", code, service, message, overflow=figures)

    def _full_elsewhere(self, key: ServiceKey, figures: Spill, *, is_end: bool) -> str:
        """As `full_elsewhere`. At the end, this site may have been full and take none now."""
        if is_end and figures.in_flight_max:
            return ""
        had_slots = figures.capacity is not None or figures.in_flight_max > 0
        return full_elsewhere(
            self._seen(key),
            figures.to,
            is_end=is_end,
            had_slots=had_slots,
            has_targets=self._readings.targets.local(key).total > 0,
        )

    def _report_without_target(self, one: Begun | Ended) -> None:
        figures, service = self._figures(one, self._to(one)), str(one.key)
        if isinstance(one, Ended):
            severity, code = ENDED_WITHOUT_TARGET
            ended = ended_sentence(self._named(one.key), figures, self._unit(one.key))
            message = " ".join(filter(None, (ended, self._why_none_is_to_take_any(one.key))))
        else:
            severity, code = BEGUN_WITHOUT_TARGET
            targets = self._readings.targets.local(one.key)
            message = begun_sentence(self._named(one.key), figures, targets, self._unit(one.key))
        self._journal.episode(severity, code, service, message, without_target=figures)

    def _report_refused(self, one: Begun | Ended) -> None:
        is_end = isinstance(one, Ended)
        severity, code = ENDED_REFUSING if is_end else BEGUN_REFUSING
        spill, service = self._figures(one, one.to), str(one.key)
        figures = Refusals(
            began=spill.began,
            lasted_s=spill.lasted_s,
            requests=spill.requests,
            reasons=spill.to,
            in_flight_max=spill.in_flight_max,
            capacity=spill.capacity,
        )
        message = refused_sentence(
            self._named(one.key),
            figures,
            is_end=is_end,
            unstated=self._unstated(one.key),
            serves_here=self._readings.targets.local(one.key).ready > 0 or spill.in_flight_max > 0,
            unit=self._unit(one.key),
        )
        lacks: Lack = "target" if spill.to.keys() <= set(NO_TARGET) else "room"
        left = NOTHING if is_end else self._left_out(one.key, lacks)
        others = () if is_end else (self._used_up(one.key), ejected_sites(self._seen(one.key)))
        self._journal.episode(
            severity,
            code,
            service,
            " ".join(filter(None, (message, *others, left.why))),
            hint=left.let_in,
            refused=figures,
        )

    def _unit(self, key: ServiceKey) -> str:
        return noun_of(self._readings.config_of(key))

    def _used_up(self, key: ServiceKey, *, here: bool = False) -> str:
        """Exhausted rates that keep requests out; ``here``: only that of this site."""
        return used_up_rates([one for one in self._seen(key) if not (here and one.path_cost)])

    def _seen(self, key: ServiceKey) -> Sequence[CandidateReport]:
        explanation = self._readings.explain(key, self._network.now())
        return explanation.candidates if explanation is not None else ()

    def _unstated(self, key: ServiceKey) -> str:
        """The text in place of an unknown capacity."""
        if self._is_awaited(key):
            return ", and not every worker has a ready target"
        targets, load = (
            self._readings.targets.local(key),
            self._readings.load_of(key),
        )
        if targets.ready > 0 and load.capacity is None and load.rate is None:
            return f"{LOOKED_AT}, no capacity configured"
        return LOOKED_AT if targets.total else ""

    def _to(self, one: Begun | Ended) -> dict[str, int]:
        to = by_name({SiteId(site): count for site, count in one.to.items()}, self._site_name)
        costs = {seen.site_name: seen.path_cost for seen in self._seen(one.key)}
        return {site: to[site] for site in by_cost(to, costs)}

    def _figures(self, one: Begun | Ended, to: dict[str, int]) -> Spill:
        return Spill(
            began=self._utc(one.began),
            lasted_s=round(one.lasted_s, 1) if isinstance(one, Ended) else 0.0,
            active_s=round(one.active_s, 1) if isinstance(one, Ended) else 0.0,
            requests=one.requests,
            to=to,
            in_flight_max=one.in_flight_max if isinstance(one, Ended) else one.in_flight,
            capacity=one.capacity,
        )

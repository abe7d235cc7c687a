"""Plain-integer counters of one service port, read when metrics are scraped.

Counting is a dictionary update or a list increment; labels become text only in a snapshot.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import add
from typing import Final, Literal, Protocol, TypeVar, get_args

import msgspec

from router.model.ids import ServiceKey, SiteId
from router.model.latency import NO_COUNTS
from router.model.port_reading import NONE_SPILLED, SERVED_NOWHERE, Reading, Spills
from router.service.histograms import NONE_SEEN, Histogram, HistogramSnapshot, sum_of
from router.service.spilled import SpillKey, by_reason, by_site, overflowed, without_target

_CountedT = TypeVar("_CountedT")

CodeClass = Literal["1xx", "2xx", "3xx", "4xx", "5xx", "ok", "error", "client-gone", "cancelled"]
"""How a request ended: for http by status, for tcp ``ok`` or ``error``.

``client-gone``: the client left before the end. ``cancelled``: this router gave the request up,
because of the client or to stop.
"""

HTTP_CLASSES: tuple[CodeClass, ...] = ("1xx", "2xx", "3xx", "4xx", "5xx")

CLASS_OF_DIGIT: tuple[CodeClass, ...] = tuple(
    HTTP_CLASSES[(digit - ord("1")) % len(HTTP_CLASSES)] for digit in range(256)
)
"""By the first character of a status."""


Verdict = Literal["chosen", "no-route", "all-full", "shed"]
"""Verdicts of decisions; ``shed``: for sheddable requests that were refused in the end."""

HeldOutcome = Literal["served", "refused", "gave-up", "failed"]

RetryOutcome = Literal["retried", "denied"]

FAILED: Final[frozenset[CodeClass]] = frozenset(("5xx", "error"))
"""How failed requests are counted."""

REFUSED: Final = frozenset(
    {
        *("all-full", "shed", "busy", "overloaded", "exhausted"),
        *("no-route", "no-target", "not-allowed", "draining"),
    }
)
"""Failures of requests that no target had, as no site or router would take them."""


PHASES: Final = ("queue", "network", "target")
"""The phases of a request's time, in order."""


_Fate = Literal["served", "left", "nowhere"]
"""The outcome of a request, for its times; ``left``: a site had it, and its client left. No `Enum`,
whose hash is a call (CPython 3.11).
"""

_NO_PHASES: Final[dict[str, HistogramSnapshot]] = dict.fromkeys(PHASES, NONE_SEEN)
_FATES: Final[dict[CodeClass, _Fate]] = {
    **dict.fromkeys(get_args(CodeClass), "served"),
    "client-gone": "left",
    "cancelled": "left",
}
"""For a request that a site had."""
_ANSWERED: Final[frozenset[CodeClass]] = frozenset(("2xx", "3xx", "4xx"))


class _Phases:
    """The times of requests of one `_Fate`, by phase. Created for the first request."""

    __slots__ = ("network", "queue", "target")

    def __init__(self) -> None:
        self.queue, self.network, self.target = Histogram(), Histogram(), Histogram()

    def snapshot(self) -> dict[str, HistogramSnapshot]:
        return {
            "queue": self.queue.snapshot(),
            "network": self.network.snapshot(),
            "target": self.target.snapshot(),
        }


class CallerCounts(Protocol):
    """Counts the requests of a client connection by caller (`router.callers`)."""

    def count(self, key: ServiceKey, site: SiteId, failed: bool, bucket: int) -> None:
        """A request is over; ``site`` served it, empty: none did. ``bucket``: the bucket of its
        time, among the fine ones of `latency`. Hot.
        """


Times = tuple[float, float, float, float]
"""Of a finished request: seconds in all, in the queue, in the network, at the target."""


class NamedCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Human-readable counters: by (name of the site, code class), (name of the site,
    reason) twice.
    """

    requests: dict[tuple[str, str], HistogramSnapshot]
    overflow: dict[tuple[str, str], int]
    spilled: dict[tuple[str, str], int]


class CountersSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All counters of a service port.

    By (site, code class), (site, reason) twice, `SpillKey`, (policy, verdict), (failure, outcome),
    phase. ``served_phases``: without the requests that no site served. ``failed_for``: as in
    `Reading`.
    """

    requests: dict[tuple[SiteId, str], HistogramSnapshot]
    overflow: dict[tuple[SiteId, str], int]
    spilled: dict[tuple[SiteId, str], int]
    decisions: dict[tuple[str, str], int]
    retries: dict[tuple[str, str], int]
    queue_wait: HistogramSnapshot
    phases: dict[str, HistogramSnapshot]
    served_phases: dict[str, HistogramSnapshot]
    requests_total: int
    unfinished: int
    overflow_total: int
    gave_up_total: int
    failed_for: dict[str, int]
    departed: dict[str, int]
    held: dict[str, tuple[int, float]]

    @property
    def spilled_total(self) -> int:
        """Requests that other sites serve or served."""
        return sum(self.spilled.values())

    def named(self, name_of: Callable[[SiteId], str]) -> NamedCounters:
        """The counters of sites under their current names. Two sites can have one name when one is
        gone: their counts are added.
        """
        return NamedCounters(
            requests={key: sum_of(parts) for key, parts in _named(self.requests, name_of).items()},
            overflow={key: sum(parts) for key, parts in _named(self.overflow, name_of).items()},
            spilled={key: sum(parts) for key, parts in _named(self.spilled, name_of).items()},
        )


class ServiceCounters:
    """Counted once per request, at its ingress router, at the end of the turn in which it ends.

    Except ``spilled``: a TCP connection is counted when it is established, and a request when the
    head of its answer passes, so that long ones are counted while they last. Until that head, a
    request is among ``pending_spills``.

    Rare events (a failure, a wait) are counted as they happen, so `count_ended` precedes any
    reading within that turn.
    """

    __slots__ = (
        "_chosen_before",
        "_decisions",
        "_phases",
        "_policy",
        "_queue_wait",
        "_requests",
        "_retries",
        "chosen",
        "departed",
        "ended",
        "failed_for",
        "gave_up",
        "held",
        "open_elsewhere",
        "pending_spills",
        "spilled",
        "unfinished",
    )

    def __init__(self, policy: str = "") -> None:
        """``policy``: the current policy."""
        self._policy = policy
        self.chosen = 0
        """Sites chosen by the policy, counted in place (hot); see `set_policy`."""
        self._chosen_before = 0  # How many of these earlier policies chose.
        self._requests: defaultdict[tuple[SiteId, CodeClass], Histogram] = defaultdict(Histogram)
        self.unfinished = 0
        """Requests that came and have not ended: they wait, here or elsewhere, or a site has them.
        Counted in place (hot).
        """
        self.spilled: defaultdict[SpillKey, int] = defaultdict(int)
        """Requests that another site serves or served. Counted in place (hot)."""
        self.open_elsewhere: defaultdict[SpillKey, int] = defaultdict(int)
        """Those of ``spilled`` that were counted before their end, which is yet to come: TCP
        connections and answers under way.
        """
        self.pending_spills: defaultdict[SpillKey, int] = defaultdict(int)
        """Requests that a target of another site has, and whose answers have not begun: those in
        ``spilled`` once they do, unless another attempt follows.
        """
        self.failed_for: dict[str, int] = {}
        """Requests that failed, by `LegFailure` code. A 5xx of a target is not counted here."""
        self.gave_up = 0
        """Requests whose client left before an answer began."""
        self.departed: Counter[str] = Counter()
        """Client connections that ended after they were asked to, by `Departing`."""
        self.held: dict[str, tuple[int, float]] = {}
        """Requests that waited for a site that was woken, and how long beyond the queue's time, by
        outcome.
        """
        self._decisions: dict[tuple[str, str], int] = {}
        self._retries: dict[tuple[str, str], int] = {}
        self._queue_wait: Histogram | None = None
        self._phases: defaultdict[_Fate, _Phases] = defaultdict(_Phases)
        self.ended: defaultdict[tuple[SiteId, CodeClass], list[Times]] = defaultdict(list)
        """To be counted at the end of the turn. Appended to in place (hot)."""

    def count_ended(self) -> list[float]:
        """Count the requests that ended since the last call. Returns how long targets had the
        requests that a site served.
        """
        ended, self.ended = self.ended, defaultdict(list)
        served_s: list[float] = []
        for (site, code_class), requests in ended.items():
            total_s, queue_s, network_s, target_s = zip(*requests, strict=True)
            if site:
                phases = self._phases[_FATES[code_class]]
                served_s += target_s
            else:  # `SERVED_NOWHERE`.
                phases = self._phases["nowhere"]
            self._requests[site, code_class].observe_all(total_s)
            phases.queue.observe_all(queue_s)
            phases.network.observe_all(network_s)
            phases.target.observe_all(target_s)
        return served_s

    def spill_pends(self, key: SpillKey) -> None:
        """A target of another site has a request, until `spill_pends_no_more`."""
        self.pending_spills[key] += 1

    def spill_pends_no_more(self, key: SpillKey) -> None:
        """Its answer begins, it is over, or another attempt follows."""
        _one_less(self.pending_spills, key)

    def spill_begins(self, key: SpillKey) -> None:
        """Another site serves a request from now on, until `spill_ends`."""
        self.spilled[key] += 1
        self.open_elsewhere[key] += 1

    def spill_ends(self, key: SpillKey) -> None:
        """A request that began with `spill_begins` is over."""
        _one_less(self.open_elsewhere, key)

    def waited(self, seconds: float) -> None:
        """A request left the queue after ``seconds``."""
        if self._queue_wait is None:
            self._queue_wait = Histogram()
        self._queue_wait.observe(seconds)

    def was_held(self, outcome: HeldOutcome, seconds: float) -> None:
        """A request waited ``seconds`` longer than the time to wait for a slot."""
        count, total_s = self.held.get(outcome, (0, 0.0))
        self.held[outcome] = count + 1, total_s + seconds

    @property
    def waited_s(self) -> float:
        """Total waiting time of all requests."""
        return self._queue_wait.sum_s if self._queue_wait is not None else 0.0

    def refused(self, code_class: CodeClass, code: str) -> None:
        """The input was no request: it has no time and no phases. ``code``: its Spillway-Error."""
        self._requests[SERVED_NOWHERE, code_class].observe(0.0)
        if code_class in FAILED:
            self.failed_for[code] = self.failed_for.get(code, 0) + 1

    def set_policy(self, policy: str) -> None:
        """Change the policy: a service can do so while it runs."""
        self._decisions = self._decided()
        self._policy = policy
        self._chosen_before = self.chosen

    def decided(self, policy: str, verdict: Verdict) -> None:
        """Count a decision of ``policy``."""
        key = (policy, verdict)
        self._decisions[key] = self._decisions.get(key, 0) + 1

    def _decided(self) -> dict[tuple[str, str], int]:
        """All decisions, including those that were counted in place."""
        decisions = dict(self._decisions)
        if self.chosen > self._chosen_before:
            key = (self._policy, "chosen")
            decisions[key] = decisions.get(key, 0) + self.chosen - self._chosen_before
        return decisions

    def retry(self, failure: str, outcome: RetryOutcome) -> None:
        """A retry was possible after ``failure``: it was made, or the budget did not allow it."""
        key = (failure, outcome)
        self._retries[key] = self._retries.get(key, 0) + 1

    def totals(self) -> tuple[int, int]:
        """Requests that ended, and those of them that overflowed."""
        requests = sum(value.total for value in self._requests.values())
        return requests, sum(self.left().values())

    def reading(self) -> Reading:
        """Totals only, without the figures for metrics: some 2 µs for each site and code class."""
        served: dict[SiteId, int] = {}
        failed = 0
        counts: Sequence[int] = NO_COUNTS
        for (site, code_class), histogram in self._requests.items():
            total = histogram.total
            served[site] = served.get(site, 0) + total
            if code_class in FAILED:
                failed += total
            if site != SERVED_NOWHERE:  # A refusal at once says nothing about any target.
                counts = tuple(map(add, counts, histogram.counts))
        return Reading(
            served=served,
            overflow=self.left(),
            spilled=by_reason(self.spilled),
            spilled_to=by_site(self.spilled),
            pending=self._pending(),
            failed=failed,
            failed_for=dict(self.failed_for),
            gave_up=self.gave_up,
            counts=tuple(counts),
            unfinished=self.unfinished,
        )

    def _pending(self) -> Spills:
        if not self.pending_spills:
            return NONE_SPILLED
        return Spills(
            overflow=by_site(self.pending_spills, overflowed),
            spilled=by_reason(self.pending_spills),
            spilled_to=by_site(self.pending_spills),
        )

    def losses(self) -> int:
        """Requests that failed, and those that their clients abandoned."""
        items = self._requests.items()
        return self.gave_up + sum(each.total for (_, code), each in items if code in FAILED)

    def left(self) -> dict[SiteId, int]:
        """Requests that overflowed, by the site that serves them."""
        return by_site(self.spilled, overflowed)

    def spilled_without_target(self) -> dict[SiteId, int]:
        """Requests that spilled while no target here was ready, by the site that serves them."""
        return by_site(self.spilled, without_target)

    def refused_for(self) -> dict[str, int]:
        """Those of ``failed_for`` that no site took."""
        return {code: count for code, count in self.failed_for.items() if code in REFUSED}

    @property
    def overflowing(self) -> int:
        """Those of `left` that are in ``open_elsewhere``."""
        return sum(by_site(self.open_elsewhere, overflowed).values())

    @property
    def open_without_target(self) -> int:
        """Those of `spilled_without_target` that are in ``open_elsewhere``."""
        return sum(by_site(self.open_elsewhere, without_target).values())

    def snapshot(self) -> CountersSnapshot:
        served = _together(self._phases_of("served"), self._phases_of("left"))
        phases = _together(served, self._phases_of("nowhere"))
        overflow: dict[tuple[SiteId, str], int] = {}
        spilled: dict[tuple[SiteId, str], int] = {}
        for (site, reason, overflow_reason), count in self.spilled.items():
            spilled[site, reason] = spilled.get((site, reason), 0) + count
            if overflow_reason:
                key = site, overflow_reason
                overflow[key] = overflow.get(key, 0) + count
        return CountersSnapshot(
            requests={key: value.snapshot() for key, value in self._requests.items()},
            overflow=overflow,
            spilled=spilled,
            decisions=self._decided(),
            retries=dict(self._retries),
            queue_wait=NONE_SEEN if self._queue_wait is None else self._queue_wait.snapshot(),
            phases=phases,
            served_phases=served,
            requests_total=sum(value.total for value in self._requests.values()),
            unfinished=self.unfinished,
            overflow_total=sum(overflow.values()),
            gave_up_total=self.gave_up,
            failed_for=dict(self.failed_for),
            departed=dict(self.departed),
            held=dict(self.held),
        )

    def target_times(self) -> Sequence[int]:
        """How long targets had the requests that a site served, in buckets of `latency`.

        Without abandoned requests: how long those would have taken is not known.
        """
        return self._phases_of("served")["target"].counts

    def answer_times(self) -> dict[SiteId, list[int]]:
        """How long requests took in all, by the site that answered them, in buckets of `latency`.
        Without 5xx and without abandoned requests.
        """
        times: dict[SiteId, list[int]] = {}
        for (site, code_class), one in self._requests.items():
            if code_class in _ANSWERED and site != SERVED_NOWHERE:
                times[site] = list(map(add, times.get(site, NO_COUNTS), one.counts))
        return times

    def _phases_of(self, fate: _Fate) -> dict[str, HistogramSnapshot]:
        """Most services have had none, and reading creates no histograms for them."""
        phases = self._phases.get(fate)
        return phases.snapshot() if phases is not None else _NO_PHASES


def _together(
    one: dict[str, HistogramSnapshot], other: dict[str, HistogramSnapshot]
) -> dict[str, HistogramSnapshot]:
    if other is _NO_PHASES:
        return one
    return {name: sum_of([phase, other[name]]) for name, phase in one.items()}


def _one_less(counts: dict[SpillKey, int], key: SpillKey) -> None:
    count = counts[key] - 1
    assert count >= 0, "a spill ends that did not begin"
    if count:
        counts[key] = count
    else:
        del counts[key]


def _named(
    counted: Mapping[tuple[SiteId, str], _CountedT], name_of: Callable[[SiteId], str]
) -> dict[tuple[str, str], list[_CountedT]]:
    found: dict[tuple[str, str], list[_CountedT]] = {}
    for (site, word), one in counted.items():
        found.setdefault((name_of(site), word), []).append(one)
    return found

"""Figures of several workers as those of one router. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil

import msgspec

from router.admin.metrics import FAMILIES
from router.admin.ports import HistogramView, Labels, MetricValues
from router.admin.views.bursts import ScaleView
from router.admin.views.services import ServiceView, TargetView
from router.model.addresses import join
from router.model.ids import ServiceKey
from router.node.rate_text import rates_added
from router.workers.recent_port_figures import NONE_COUNTED, PortPart, PortTotals, TargetPart


class Sum:
    """Adds counters and histograms; each family of gauges says whether to add, or to take the
    highest. All histograms of a family have the same buckets.
    """

    __slots__ = ("_histograms", "_numbers", "refused")

    def __init__(self) -> None:
        self._numbers: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, HistogramView]] = {}
        self.refused: set[str] = set()
        """Metrics with values left out, because their shape differs from ours."""

    def add(self, part: MetricValues) -> None:
        """Add the values of one worker, or some of them.

        It may run another release, installed since this one began: values that do not fit are left
        out.
        """
        for name, values in part.numbers.items():
            if name not in FAMILIES:
                continue
            known = self._numbers.setdefault(name, {})
            adds, labels_of = FAMILIES[name].adds_up, len(FAMILIES[name].labels)
            for labels, number in values.items():
                if len(labels) != labels_of:
                    self.refused.add(name)
                    continue
                before = known.get(labels)
                if before is not None:
                    number = before + number if adds else max(before, number)
                known[labels] = number
        for name, shown in part.histograms.items():
            if name not in FAMILIES:
                continue
            seen, labels_of = self._histograms.setdefault(name, {}), len(FAMILIES[name].labels)
            for labels, histogram in shown.items():
                first = next(iter(seen.values()), histogram)
                if len(labels) != labels_of or not fit(first, histogram):
                    self.refused.add(name)
                    continue
                other = seen.get(labels)
                seen[labels] = histogram if other is None else histograms_added(other, histogram)

    @property
    def whole(self) -> MetricValues:
        """The sum of all parts."""
        return MetricValues(self._numbers, self._histograms)

    @property
    def families(self) -> Iterator[MetricValues]:
        """As `whole`, one family at a time."""
        for name, values in self._numbers.items():
            yield MetricValues({name: values}, {})
        for name, shown in self._histograms.items():
            yield MetricValues({}, {name: shown})


def summed(parts: Iterable[MetricValues]) -> MetricValues:
    """All ``parts`` as one."""
    total = Sum()
    for part in parts:
        total.add(part)
    return total.whole


def counters(parts: Iterable[MetricValues]) -> MetricValues:
    """The values among ``parts`` that outlive the process that counted them."""
    whole = summed(parts)
    kept: Mapping[str, Mapping[Labels, float]] = {
        name: values for name, values in whole.numbers.items() if FAMILIES[name].kind == "counter"
    }
    return MetricValues(kept, whole.histograms)


def lost_values(lost: Mapping[ServiceKey, int]) -> MetricValues:
    """Requests in flight of a killed worker's clients, as a counter."""
    by_port: dict[Labels, float] = {
        (key.name, str(key.port)): float(count) for key, count in lost.items()
    }
    return MetricValues({"spillway_worker_lost_requests_total": by_port} if by_port else {}, {})


def fit(one: HistogramView, other: HistogramView) -> bool:
    """Whether both have the same buckets."""
    buckets = len(one.bounds) + 1
    return one.bounds == other.bounds and len(one.counts) == len(other.counts) == buckets


def histograms_added(one: HistogramView, other: HistogramView) -> HistogramView:
    """The sum of two that `fit`."""
    counts = tuple(a + b for a, b in zip(one.counts, other.counts, strict=True))
    return HistogramView(one.bounds, counts, one.sum_s + other.sum_s)


def part_of(view: ServiceView) -> PortPart:
    """The part of one worker in ``view``."""
    return PortPart(
        queued=view.queued,
        under_way=view.under_way,
        under_way_elsewhere=view.under_way_elsewhere,
        demand=view.demand,
        targets={join(one.host, one.port): _part_of_target(one) for one in view.targets},
    )


def _part_of_target(target: TargetView) -> TargetPart:
    why_not = "" if target.ready else target.error
    return TargetPart(target.in_flight, target.capacity, target.rate, why_not)


def with_parts(
    own: ServiceView, others: Sequence[PortPart], answering: Sequence[PortPart]
) -> ServiceView:
    """``own`` plus the others' present parts of the same service port.

    ``answering``: those of workers that answer; only these count for what is ready. `with_totals`
    adds the counters. Each worker's view of sites already covers the whole site, so the first one's
    counts.
    """
    if not others:
        return own
    targets = tuple(_target(target, others, answering) for target in own.targets)
    used_by_others = sum(one.ready for one in targets) - sum(one.ready for one in own.targets)
    local = own.local_targets
    return msgspec.structs.replace(
        own,
        local_targets=msgspec.structs.replace(local, ready=local.ready + used_by_others),
        queued=own.queued + sum(one.queued for one in others),
        under_way=own.under_way + sum(one.under_way for one in others),
        under_way_elsewhere=own.under_way_elsewhere
        + sum(one.under_way_elsewhere for one in others),
        demand=own.demand + sum(one.demand for one in others),
        targets=targets,
    )


def totals_of(view: ServiceView, before: PortTotals = NONE_COUNTED) -> PortTotals:
    """The counters in ``view``; the missing ones are as in ``before``."""
    return PortTotals(
        requests=view.requests_total,
        overflowed=view.overflow_total,
        spilled=view.spilled_total,
        refused=before.refused,
        waited_s=before.waited_s,
        ended=before.ended,
        answered=before.answered,
        silent=before.silent,
        errors=before.errors,
        breaks=before.breaks,
        answers_elsewhere=before.answers_elsewhere,
        gave_up=view.gave_up_total,
        by_target={join(one.host, one.port): one.requests_total for one in view.targets},
    )


def with_totals(view: ServiceView, totals: PortTotals) -> ServiceView:
    """``view`` with these counters, also for its own targets."""
    by_target = totals.by_target
    return msgspec.structs.replace(
        view,
        requests_total=totals.requests,
        overflow_total=totals.overflowed,
        spilled_total=totals.spilled,
        gave_up_total=totals.gave_up,
        targets=tuple(
            msgspec.structs.replace(one, requests_total=by_target.get(join(one.host, one.port), 0))
            for one in view.targets
        ),
    )


def added(own: ScaleView, others: Sequence[ScaleView]) -> ScaleView:
    """The demand at all workers; each has its share of a target."""
    if not others:
        return own
    each = [own, *others]
    stated = [one.capacity for one in each if one.capacity is not None]
    shares = [one.capacity_per_target for one in each if one.capacity_per_target is not None]
    ready = max(one.targets_ready for one in each)
    whole = msgspec.structs.replace(
        own,
        demand=sum(one.demand for one in each),
        demand_avg=round(sum(one.demand_avg for one in each), 3),
        demand_per_s=round(sum(one.demand_per_s for one in each), 3),
        in_flight=sum(one.in_flight for one in each),
        overflowed=sum(one.overflowed for one in each),
        queued=sum(one.queued for one in each),
        refused=sum(one.refused for one in each),
        refused_per_s=round(sum(one.refused_per_s for one in each), 3),
        targets_ready=ready,
        capacity=sum(stated) if stated else None,
        capacity_per_target=sum(shares) if shares else None,
    )
    return msgspec.structs.replace(whole, targets_wanted=_wanted(whole))


def _wanted(scale: ScaleView) -> int | None:
    """As `balance.learning.demand.targets_wanted`, of the sums."""
    if scale.targets_wanted is None or not scale.capacity_per_target:
        return scale.targets_wanted
    is_rate = scale.capacity_kind == "rate"
    asked = scale.demand_per_s if is_rate else scale.demand
    found = ceil(asked / scale.capacity_per_target)
    if is_rate and scale.capacity and scale.targets_ready:  # Slots are configured too.
        found = max(found, ceil(scale.demand * scale.targets_ready / scale.capacity))
    return found


def _target(
    own: TargetView, others: Sequence[PortPart], answering: Sequence[PortPart]
) -> TargetView:
    """Each worker has its share of a target, and ejects it by its own requests. The target is
    ready if any worker that answers uses it, as other sites are told.
    """
    address, part = join(own.host, own.port), _part_of_target(own)
    each, judges = (
        [part, *(one.targets[address] for one in parts if address in one.targets)]
        for parts in (others, answering)
    )
    stated = [one.capacity for one in each if one.capacity is not None]
    if 0 < len(reasons := [one.why_not for one in judges if one.why_not]) < len(judges):
        partly = f"not ready at {len(reasons)} of {len(judges)} workers: {reasons[0]}"
        own = msgspec.structs.replace(
            own,
            ready=True,
            error=f"{own.error}; {partly}" if own.ready and own.error else partly,
            error_kind=(own.ready and own.error_kind) or "partly-ready",
            since=own.since if own.ready else None,
        )
    return msgspec.structs.replace(
        own,
        in_flight=sum(one.in_flight for one in each),
        capacity=sum(stated) if stated else None,
        rate=rates_added([one.rate for one in each if one.rate is not None]),
    )

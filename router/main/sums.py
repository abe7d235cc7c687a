"""Figures of several workers as those of one router. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from router.admin.metrics import FAMILIES
from router.admin.ports import Histogram, Labels, MetricValues
from router.admin.views import ServiceView, TargetView


def summed(parts: Iterable[MetricValues]) -> MetricValues:
    """Counters and histograms are added; of gauges each family says whether, or the most counts."""
    numbers: dict[str, dict[Labels, float]] = {}
    histograms: dict[str, dict[Labels, Histogram]] = {}
    for part in parts:
        for name, values in part.numbers.items():
            known = numbers.setdefault(name, {})
            adds = FAMILIES[name].adds_up
            for labels, number in values.items():
                before = known.get(labels)
                if before is not None:
                    number = before + number if adds else max(before, number)
                known[labels] = number
        for name, shown in part.histograms.items():
            seen = histograms.setdefault(name, {})
            for labels, histogram in shown.items():
                other = seen.get(labels)
                seen[labels] = histogram if other is None else _added(other, histogram)
    return MetricValues(numbers, histograms)


def counters(parts: Iterable[MetricValues]) -> MetricValues:
    """What of these outlives the process that counted it."""
    whole = summed(parts)
    kept: Mapping[str, Mapping[Labels, float]] = {
        name: values for name, values in whole.numbers.items() if FAMILIES[name].kind == "counter"
    }
    return MetricValues(kept, whole.histograms)


def _added(one: Histogram, other: Histogram) -> Histogram:
    counts = tuple(a + b for a, b in zip(one.counts, other.counts, strict=True))
    return Histogram(one.bounds, counts, one.sum_s + other.sum_s)


def merged(
    own: Sequence[ServiceView], others: Iterable[Sequence[ServiceView]]
) -> list[ServiceView]:
    """``own`` with what the others count of the same service ports.

    What each says of sites is of the whole site already, and is as the first one knows it.
    """
    beside: dict[tuple[str, int], list[ServiceView]] = {}
    for views in others:
        for view in views:
            beside.setdefault((view.name, view.port), []).append(view)
    return [_merged(view, beside.get((view.name, view.port), [])) for view in own]


def _merged(own: ServiceView, others: Sequence[ServiceView]) -> ServiceView:
    if not others:
        return own
    each = [own, *others]
    return msgspec.structs.replace(
        own,
        queued=sum(one.queued for one in each),
        demand=sum(one.demand for one in each),
        requests_total=sum(one.requests_total for one in each),
        overflow_total=sum(one.overflow_total for one in each),
        targets=tuple(_target(target, others) for target in own.targets),
    )


def _target(own: TargetView, others: Sequence[ServiceView]) -> TargetView:
    """Each worker has its share of a target."""
    each = [own]
    for other in others:
        each += [one for one in other.targets if (one.host, one.port) == (own.host, own.port)]
    stated = [one.capacity for one in each if one.capacity is not None]
    return msgspec.structs.replace(
        own,
        in_flight=sum(one.in_flight for one in each),
        capacity=sum(stated) if stated else None,
        requests_total=sum(one.requests_total for one in each),
    )

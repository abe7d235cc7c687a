"""`MetricValues` in Prometheus's formats: prometheus-client writes the text, in pieces.

Its registry and server are not used: they render a thousand services at once, and block all serving
meanwhile.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from router.admin.metrics import FAMILIES, Family
from router.admin.ports import HistogramView, Labels, MetricValues

Encoder = Callable[[Collector], bytes]
_PIECE_NUMBERS: Final = 50
_PIECE_HISTOGRAMS: Final = 3
"""Label sets rendered at once: 50 lines take some 0.3 ms; a histogram has some 17."""
_HEAD_LINES: Final = 2
"""Head lines of a family: HELP and TYPE."""
_END: Final = b"# EOF\n"
"""The last line in OpenMetrics."""


class Format(NamedTuple):
    """An output format for scrapers."""

    encode: Encoder
    content_type: str


TEXT: Final = Format(*choose_encoder(""))
OPEN_METRICS: Final = Format(*choose_encoder("application/openmetrics-text; version=1.0.0"))


def format_for(accept: str) -> Format:
    """The format for an ``Accept`` header. Our names and labels need no escaping in any of them."""
    try:
        _, chosen = choose_encoder(accept)
    except (TypeError, ValueError):  # A version that is not a number.
        return TEXT
    return OPEN_METRICS if chosen.startswith("application/openmetrics-text") else TEXT


def pieces(parts: Iterable[MetricValues], form: Format = TEXT) -> Iterator[bytes]:
    """The text of all families in ``form``, in pieces that each take little time.

    ``parts`` are merged first, some series each; all families are included, also those without
    values, in the order of `FAMILIES`.
    """
    numbers: dict[str, dict[Labels, float]] = {}
    histograms: dict[str, dict[Labels, HistogramView]] = {}
    for part in parts:
        for name, values in part.numbers.items():
            numbers.setdefault(name, {}).update(values)
        for name, shown in part.histograms.items():
            histograms.setdefault(name, {}).update(shown)
        yield b""
    end = b""
    for name, family in FAMILIES.items():
        if family.kind == "histogram":
            metrics = _histograms(name, family, histograms.get(name, {}))
        else:
            metrics = _numbers(name, family, numbers.get(family.replaced_by or name, {}))
        for number, metric in enumerate(metrics):
            text = form.encode(_Of(metric))
            if text.endswith(_END):
                text, end = text.removesuffix(_END), _END
            yield text if number == 0 else text.split(b"\n", _HEAD_LINES)[_HEAD_LINES]
    yield end


class _Of(Collector):
    """One metric, or a part of its series."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return (self._metric,)


def _numbers(name: str, family: Family, values: Mapping[Labels, float]) -> Iterator[Metric]:
    """The pieces of one family; at least one, which has the head."""
    found = list(values.items())
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    for first in range(0, max(1, len(found)), _PIECE_NUMBERS):
        metric = kind(name, family.told_help, labels=family.labels)
        for labels, number in found[first : first + _PIECE_NUMBERS]:
            metric.add_metric(labels, number)
        yield metric


def _histograms(
    name: str, family: Family, shown: Mapping[Labels, HistogramView]
) -> Iterator[Metric]:
    """As `_numbers`."""
    found = list(shown.items())
    for first in range(0, max(1, len(found)), _PIECE_HISTOGRAMS):
        metric = HistogramMetricFamily(name, family.told_help, labels=family.labels)
        for labels, histogram in found[first : first + _PIECE_HISTOGRAMS]:
            total, buckets = 0, []
            for bound, count in zip((*histogram.bounds, math.inf), histogram.counts, strict=True):
                total += count
                buckets.append(("+Inf" if bound == math.inf else repr(bound), float(total)))
            metric.add_metric(labels, buckets, sum_value=histogram.sum_s)
        yield metric

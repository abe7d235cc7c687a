"""Counters of service ports that continue when a worker dies or a service is created again. Pure.

A service port that is deleted and created again counts from 0 at workers without requests in
flight, and continues at the others: without this module the sum over all workers would fall.
"""

from collections.abc import Collection, Iterable, Iterator

from router.admin.metrics import FAMILIES
from router.admin.ports import HistogramView, Labels, MetricValues
from router.workers.sums import fit, histograms_added

Port = tuple[str, ...]
"""Service and port, as in labels."""
Series = tuple[str, Labels]
_Value = float | HistogramView

_OF_PORTS = ("service", "port")
_REMOVED = "spillway_removed_in_flight"


class LastingCounters:
    """Counters and histograms of service ports at one worker, over all lives of both.

    A series that is lower than before has restarted: its previous count is added. So has one that
    is missing: its service port was created again without such events so far. Series of a target
    end with it.
    """

    def __init__(self) -> None:
        self._before: dict[Port, dict[Series, _Value]] = {}
        self._last: dict[Port, dict[Series, _Value]] = {}

    def tell(self, values: MetricValues) -> set[Series]:
        """Take a part of the worker's scrape; return its series."""
        told = set()
        for series, value in _lasting(values):
            last = self._last.setdefault(_port(series), {})
            known = last.get(series)
            if known is not None and _count(value) < _count(known):
                self._add(series, known)
            last[series] = value
            told.add(series)
        return told

    def count(self, values: MetricValues) -> None:
        """Add counts that others made about this worker."""
        for series, value in _lasting(values):
            self._add(series, value)

    def restart(self) -> None:
        """The process is gone: the next one counts from 0."""
        for known in self._last.values():
            for series, value in known.items():
                self._add(series, value)
        self._last.clear()

    def forget(self, ports: Collection[Port]) -> None:
        """Forget all but ``ports``."""
        for known in (self._before, self._last):
            for port in known.keys() - ports:
                del known[port]

    def forget_targets(self, port: Port, told: Collection[Series]) -> None:
        """Forget targets of ``port`` that no worker has: ``told`` has the series of all."""
        for known in (self._before, self._last):
            values = known.get(port, {})
            for series in [one for one in values if _ends(one) and one not in told]:
                del values[series]

    def of(self, port: Port) -> Iterator[MetricValues]:
        """The counts of one service port, to be summed."""
        for known in (self._before, self._last):
            yield _values(known.get(port, {}).items())

    def _add(self, series: Series, value: _Value) -> None:
        before = self._before.setdefault(_port(series), {})
        before[series] = _sum(before.get(series), value)


def ports_of(series: Iterable[Series]) -> set[Port]:
    """The service ports of ``series``."""
    return {_port(one) for one in series}


def removed_ports(values: MetricValues) -> set[Port]:
    """Service ports that are no longer known but have requests in flight."""
    return ports_of((_REMOVED, labels) for labels in values.numbers.get(_REMOVED, ()))


def without_lasting(values: MetricValues) -> MetricValues:
    """The values that `LastingCounters` leave out."""
    return MetricValues(
        {
            name: {labels: value for labels, value in found.items() if not _lasts(name, labels)}
            for name, found in values.numbers.items()
        },
        {
            name: {labels: value for labels, value in found.items() if not _lasts(name, labels)}
            for name, found in values.histograms.items()
        },
    )


def gauges_beside(values: MetricValues, ports: Collection[Port], *, silent: bool) -> MetricValues:
    """``values`` of another worker that add to the first one's, for service ports among ``ports``.

    For a ``silent`` one, gauges that do not add up are left out: the others know them better.
    """

    def is_shown(name: str, labels: Labels) -> bool:
        family = FAMILIES.get(name)
        if family is None or family.of_first:
            return False
        if silent and not family.adds_up:
            return False
        is_of_port = family.labels[: len(_OF_PORTS)] == _OF_PORTS and name != _REMOVED
        return not is_of_port or _port((name, labels)) in ports

    return MetricValues(
        {
            name: {labels: value for labels, value in found.items() if is_shown(name, labels)}
            for name, found in values.numbers.items()
        },
        values.histograms,
    )


def _lasts(name: str, labels: Labels) -> bool:
    """Whether a series lasts; one with the shape of another release does not."""
    family = FAMILIES.get(name)
    if family is None or family.kind == "gauge" or len(labels) != len(family.labels):
        return False
    return family.labels[: len(_OF_PORTS)] == _OF_PORTS


def _lasting(values: MetricValues) -> Iterator[tuple[Series, _Value]]:
    for kind in (values.numbers, values.histograms):
        for name, found in kind.items():
            for labels, value in found.items():
                if _lasts(name, labels):
                    yield (name, labels), value


def _values(found: Iterable[tuple[Series, _Value]]) -> MetricValues:
    numbers: dict[str, dict[Labels, float]] = {}
    histograms: dict[str, dict[Labels, HistogramView]] = {}
    for (name, labels), value in found:
        if isinstance(value, HistogramView):
            histograms.setdefault(name, {})[labels] = value
        else:
            numbers.setdefault(name, {})[labels] = value
    return MetricValues(numbers, histograms)


def _port(series: Series) -> Port:
    return series[1][: len(_OF_PORTS)]


def _ends(series: Series) -> bool:
    return "target" in FAMILIES[series[0]].labels


def _count(value: _Value) -> float:
    return sum(value.counts) if isinstance(value, HistogramView) else value


def _sum(before: _Value | None, value: _Value) -> _Value:
    """Without ``before`` if another release in between has other buckets."""
    if isinstance(value, HistogramView):
        if isinstance(before, HistogramView) and fit(before, value):
            return histograms_added(before, value)
        return value
    return value if before is None or isinstance(before, HistogramView) else before + value

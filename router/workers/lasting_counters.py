"""Counters of service ports that go on when a worker dies or a service is created again. Pure.

A service port that is deleted and created again counts from 0 at workers where nothing of it was
under way, and goes on at the others: the sum over all workers would fall.
"""

from collections.abc import Collection, Iterable, Iterator

from router.admin.metrics import FAMILIES
from router.admin.ports import HistogramView, Labels, MetricValues
from router.workers.sums import fit, histograms_added

Port = tuple[str, ...]
"""Service and port, as labels have them."""
Series = tuple[str, Labels]
_Value = float | HistogramView

_OF_PORTS = ("service", "port")
_REMOVED = "spillway_removed_in_flight"


class LastingCounters:
    """Counters and histograms of service ports at one worker, over all its lives and theirs.

    A series that is lower than before began again: what it had counts on. So does one that is not
    told: its service port was created again and has had nothing of the kind. Series of a target
    end with it.
    """

    def __init__(self) -> None:
        self._before: dict[Port, dict[Series, _Value]] = {}
        self._last: dict[Port, dict[Series, _Value]] = {}

    def tell(self, values: MetricValues) -> set[Series]:
        """Some of what the worker says in a scrape; of which series that is."""
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
        """What others count of this worker."""
        for series, value in _lasting(values):
            self._add(series, value)

    def restart(self) -> None:
        """The process is gone: the next one counts from 0."""
        for known in self._last.values():
            for series, value in known.items():
                self._add(series, value)
        self._last.clear()

    def forget(self, ports: Collection[Port], told: Collection[Series]) -> None:
        """Forget all but ``ports``, and targets that no worker has: ``told`` is what any has."""
        for known in (self._before, self._last):
            for port in known.keys() - ports:
                del known[port]
            for values in known.values():
                for series in [one for one in values if _ends(one) and one not in told]:
                    del values[series]

    def of(self, port: Port) -> Iterator[MetricValues]:
        """What was counted of one service port, to be summed."""
        for known in (self._before, self._last):
            yield _values(known.get(port, {}).items())

    def _add(self, series: Series, value: _Value) -> None:
        before = self._before.setdefault(_port(series), {})
        before[series] = _sum(before.get(series), value)


def ports_of(series: Iterable[Series]) -> set[Port]:
    """The service ports of ``series``."""
    return {_port(one) for one in series}


def removed_ports(values: MetricValues) -> set[Port]:
    """Service ports that are not known any more, of which something is under way."""
    return ports_of((_REMOVED, labels) for labels in values.numbers.get(_REMOVED, ()))


def without_lasting(values: MetricValues) -> MetricValues:
    """What `LastingCounters` leave out."""
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
    """``values`` of another worker, without those of other service ports than ``ports``.

    Of a ``silent`` one a gauge that does not add up is left out: the others know it better.
    """

    def is_shown(name: str, labels: Labels) -> bool:
        family = FAMILIES.get(name)
        if family is None:
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
    """What is of the shape of another release does not."""
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
    """Without ``before`` where a release in between has other buckets."""
    if isinstance(value, HistogramView):
        if isinstance(before, HistogramView) and fit(before, value):
            return histograms_added(before, value)
        return value
    return value if before is None or isinstance(before, HistogramView) else before + value

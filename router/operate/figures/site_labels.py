"""Site labels of counters: the ids of sites while counts are summed, names when they are shown.

A site gets another name in its lifetime, for example while a second site has the same one. Sums
over workers outlive names: by name they would have the requests to that site twice.
"""

from collections.abc import Callable, Iterator, Mapping
from operator import add
from typing import Final, TypeVar

from router.admin.metrics import FAMILIES
from router.admin.ports import HistogramView, Labels, MetricValues
from router.model.ids import SiteId
from router.workers.sums import histograms_added

_OF_SITES: Final = frozenset({"site", "to", "client_site"})
_PLACES: Final[Mapping[str, int]] = {
    name: place
    for name, family in FAMILIES.items()
    if family.kind != "gauge"
    for place, label in enumerate(family.labels)
    if label in _OF_SITES
}
"""Where the label of a site is, by metric."""
_ValueT = TypeVar("_ValueT", float, HistogramView)


def with_site_names(
    parts: Iterator[MetricValues], name_of: Callable[[SiteId], str]
) -> Iterator[MetricValues]:
    """``parts`` with names in place of ids in counters. Two sites have one name when one of them is
    gone: their counts are added. A label without an id stays as it is.
    """
    for part in parts:
        yield MetricValues(
            {
                name: _named(found, _PLACES.get(name), name_of, add)
                for name, found in part.numbers.items()
            },
            {
                name: _named(found, _PLACES.get(name), name_of, histograms_added)
                for name, found in part.histograms.items()
            },
        )


def _named(
    found: Mapping[Labels, _ValueT],
    place: int | None,
    name_of: Callable[[SiteId], str],
    added: Callable[[_ValueT, _ValueT], _ValueT],
) -> Mapping[Labels, _ValueT]:
    if place is None:
        return found
    named: dict[Labels, _ValueT] = {}
    for labels, value in found.items():
        name = name_of(SiteId(labels[place]))
        shown = tuple(name if at == place else label for at, label in enumerate(labels))
        named[shown] = added(named[shown], value) if shown in named else value
    return named

"""Bars: sites that a member put out, as it says in its signed LSA. Pure.

A site bars one whose access it revoked, or whose certificate ended. A bar takes the adjacencies
of the router that tells of it out of the graph, so it does what cutting the link does. It does
more in one case: what a site declared counts for some time after the site is lost, and no longer
counts at all if bars are the reason for which it was lost.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from router.model.ids import SiteId
from router.routing.adverts.lsa import Bar
from router.routing.spf import Vertex

Bars = Mapping[SiteId, Mapping[SiteId, int]]
"""By barred site: the sites that bar it, each with Unix seconds until when it says so."""


class BarRow(msgspec.Struct, frozen=True, order=True):
    """``by`` bars ``site`` until Unix seconds. The date is shown; the bar ends when it is gone."""

    site: SiteId
    by: SiteId
    until: int


def bars_of(told: Iterable[tuple[SiteId, tuple[Bar, ...]]]) -> Bars:
    """Bars that sites publish against others; a site's bar against itself is ignored."""
    bars: dict[SiteId, dict[SiteId, int]] = {}
    for by, mine in told:
        for bar in mine:
            if bar.site != by:
                known = bars.setdefault(bar.site, {})
                known[by] = max(bar.until, known.get(by, 0))
    return bars


def rows_of(bars: Bars) -> tuple[BarRow, ...]:
    """All of them, in one order everywhere."""
    return tuple(
        sorted(
            BarRow(site, by, until) for site, all_by in bars.items() for by, until in all_by.items()
        )
    )


def without_barred(vertex: Vertex, bars: tuple[Bar, ...]) -> Vertex:
    """``vertex`` without adjacencies to sites that its own router bars."""
    barred = {bar.site for bar in bars}
    reported = {there: cost for there, cost in vertex.reported.items() if there.site not in barred}
    return Vertex(vertex.is_crossable, reported)


def is_put_out(
    site: SiteId, ways: Collection[SiteId], bars: Bars, reached: Collection[SiteId]
) -> bool:
    """Whether ``site``, which is not ``reached``, was put out and not lost.

    ``ways`` are the neighbours that joined it to the network when it was last reached. One at
    least bars it, and each other one does so too or is not reached itself. ``site`` itself, as the
    site of two routers that are neighbours, changes nothing: it neither bars itself nor is reached.
    """
    barring = bars.get(site)
    if not barring:
        return False
    return any(way in barring for way in ways) and all(
        way in barring or way not in reached for way in ways
    )

"""Bars: sites that a member put out, as its signed LSA says. Pure.

A site bars another one whose access it revoked, or whose certificate ended. A bar takes the
adjacencies of the router that publishes it out of the graph, so it works like cutting the link. It
does more in one case: the declarations of a lost site still count for some time, but not if bars
are the reason for its loss.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from router.model.ids import SiteId
from router.routing.adverts.lsa import Bar
from router.routing.spf import Vertex

Bars = Mapping[SiteId, Mapping[SiteId, int]]
"""By barred site: the sites that bar it, each with Unix seconds until when it says so."""


class BarRow(msgspec.Struct, frozen=True, order=True):
    """``by`` bars ``site`` until ``until`` (Unix seconds). The date is for display; the bar ends
    when it is no longer published."""

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
    """All bars, in the same order everywhere."""
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
    """Whether ``site``, which is not ``reached``, was put out rather than lost.

    ``ways`` are the neighbors that joined it to the network when it was last reached. At least one
    of them bars it, and each other one does so too or is out of reach. ``site`` itself may be in
    ``ways``, if two of its routers are neighbors; that changes nothing, since it neither bars
    itself nor is reached.
    """
    barring = bars.get(site)
    if not barring:
        return False
    return any(way in barring for way in ways) and all(
        way in barring or way not in reached for way in ways
    )

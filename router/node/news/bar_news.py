"""Sites that other sites put out, for operators: events, notes of `status`, `network status`."""

from certs import clocks
from router.admin.views.links import BarView
from router.model.events import Note, Tell
from router.model.ids import SiteId
from router.model.limits import BAR_EVENTS_BURST, BAR_EVENTS_PER_S, BAR_NOTES_MAX, EVENT_BUDGETS_MAX
from router.model.token_bucket import TokenBuckets
from router.routing.bars import BarRow
from router.routing.table import RouteTable

HINT = "To let it in again, on {by} run: sitectl token create FILE"


class BarNews:
    """Reports bars that begin and end, a bounded number at once for each barring site.

    All workers know the same bars; the one that ``leads`` reports them for all.
    """

    __slots__ = ("_budgets", "_known", "_leads", "_tell")

    def __init__(self, tell: Tell, *, leads: bool) -> None:
        self._tell, self._leads = tell, leads
        self._known: frozenset[BarRow] = frozenset()
        self._budgets = TokenBuckets(BAR_EVENTS_BURST, BAR_EVENTS_PER_S, EVENT_BUDGETS_MAX)

    def table_changed(self, table: RouteTable, now: float) -> None:
        """Compare with the previous table. No event for a bar of a site that is not known here, nor
        when a barred site is deleted."""
        if not self._leads:
            return
        bars = frozenset(row for row in table.bars if row.site in table.sites)
        if bars == self._known:
            return
        before = {(row.site, row.by) for row in self._known}
        still = {(row.site, row.by) for row in table.bars}
        self._known = bars
        for row in sorted(bars):
            if (row.site, row.by) not in before and self._budgets.take(row.by, now):
                text, hint = _text(row, table), HINT.format(by=_name(row.by, table))
                self._tell("warning", "site-barred", _name(row.site, table), text, hint)
        for site, by in sorted(before - still):
            if self._budgets.take(by, now):
                name = _name(site, table)
                text = f"{_name(by, table)} no longer bars {name}."
                self._tell("info", "site-unbarred", name, text)


def notes_of_bars(table: RouteTable) -> list[Note]:
    """One for each bar of a known site, at most `BAR_NOTES_MAX`."""
    return [
        Note(
            severity="warning",
            code="SW0342",
            message=_text(row, table),
            hint=HINT.format(by=_name(row.by, table)),
        )
        for row in table.bars
        if row.site in table.sites
    ][:BAR_NOTES_MAX]


def bar_note(table: RouteTable, by: SiteId) -> str:
    """The note on requests from this site to ``by``; empty: ``by`` does not bar it."""
    if by not in table.barring:
        return ""
    own = table.party(table.site).shown
    return f"bars {own}: if it revoked the access of {own}, it refuses the request"


def bar_views(table: RouteTable, site: SiteId) -> tuple[BarView, ...]:
    """The sites that bar ``site``."""
    return tuple(
        BarView(site=_name(row.by, table), id=row.by, until=clocks.utc(row.until))
        for row in table.bars
        if row.site == site
    )


def _text(row: BarRow, table: RouteTable) -> str:
    name, by = _name(row.site, table), _name(row.by, table)
    told = f"{by} bars {name} until {clocks.utc(row.until)}"
    if row.site in table.put_out:
        return f"{told}: its declarations and targets count for nothing here."
    if row.site == table.site:
        return f"{told}: sites that reach this one through {by} alone do not use it."
    return f"{told}; other sites let it in, so it counts here."


def _name(site: SiteId, table: RouteTable) -> str:
    known = table.sites.get(site)
    return known.name if known is not None else f"@{site[:8]}"

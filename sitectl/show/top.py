"""`top` as text: services with their current figures, links, sites; fitted to a terminal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from router.model.ids import by_cost
from router.model.wording.network_words import state_word
from sitectl.base import colours, output
from sitectl.base.grids import Cell, Grid, folded, grid
from sitectl.show import local_targets, sparkline
from sitectl.show.link_traffic import LinkKey, LinkThroughput, link_key
from sitectl.show.live import Live, Port

BAR: Final = 10
_BAR_ROOM: Final = 50
"""Columns from which on there are bars."""
LINE: Final = 20
"""Looks in the line of a service, the newest at its right."""
_ROWS_LEAST: Final = 2
_PROBLEM_LINES: Final = 2
_PROBLEMS_MOST: Final = 20
"""Lines of them, however many a page has: services stay in sight."""
_NOTES_SHOWN: Final = ("SW0332", "SW0348", "SW0349", "SW0358", "SW0360", "SW0361")
"""Shown as problems are: traffic of services that have no row, clients that were refused, targets
that answer nothing or 5xx, or complete none, and sites that owe answers."""
_PROBLEMS_SHARE: Final = 5
"""Problems have at most one of so many lines."""
_ROOMY: Final = 20
"""Lines from which on a row may have several."""
_MARK: Final = ">"
"""In front of the selected service."""
_FOR_OTHERS: Final = "for other sites' clients"
_FOR_OTHER_ROUTERS: Final = "for other routers' clients"
"""Where this site has several: some may be clients of this site, too."""


class TopRow(NamedTuple):
    """One port of a service. ``share``: how full this site is with it; None: no capacity."""

    port: Port
    name: str
    rate: float
    spilled: float
    failed: float
    p99_s: float
    share: float | None
    cells: tuple[Cell, ...]


class _Drawing(NamedTuple):
    """How wide the bars are, and of which characters."""

    bar: int
    ascii_only: bool


def _most_spilled(row: TopRow) -> Any:
    return -row.spilled, -row.rate, row.name


_KEYS: Final[dict[str, Callable[[TopRow], Any]]] = {
    "requests": lambda row: (-row.rate, row.name),
    "spilled": _most_spilled,
    "fullness": lambda row: (-(row.share or 0.0), -row.rate, row.name),
    "p99": lambda row: (-row.p99_s, row.name),
    "name": lambda row: row.name,
}
SORTS: Final = tuple(_KEYS)
OLD_SORTS: Final = {"overflow": "spilled"}
"""Names in earlier releases, and their current names."""
_SERVICE_HEADINGS: Final = ("SERVICE", "REQ/S", "HERE", "P50", "P99", "LAST", "SPILLED")
_SERVICE_DROPPED: Final = (5, 3, 4)
"""Columns that a narrow terminal omits, in order."""
_HEAD_DROPPED: Final = ("sort", "sites", "time", "links")
"""Parts of the first line that a narrow terminal omits, in order."""
_LINK_HEADINGS: Final = (
    *("LINK", "SITE", "STATE", "COST", "RTT", "IN", "OUT", "STREAMS", "ERROR"),
)
_LINK_DROPPED: Final = (7, 3, 4, 5, 6)
_SITE_HEADINGS: Final = ("SITE", "COST", "REACHABLE", "VERSION", "THROUGH")
_SITE_DROPPED: Final = (3,)


def page(
    live: Live,
    size: tuple[int, int] | None,
    *,
    sort: str = "requests",
    past: Mapping[Port, Sequence[float]] | None = None,
    traffic: Mapping[LinkKey, LinkThroughput] | None = None,
    selected: Port | None = None,
    ascii_only: bool = False,
    here: Callable[[str], str] = str,
) -> list[str]:
    """The lines below the head; ``size``: columns and lines that there are, None: as many as need.

    ``past``: requests a second of the last looks. ``traffic``: bytes a second of links. The row of
    ``selected`` is marked and always shown. ``here`` names the site in commands to type.
    """
    columns, lines = size or (10_000, 10_000)
    is_roomy = lines >= _ROOMY
    text = _problems(live, columns, min(lines // _PROBLEMS_SHARE, _PROBLEMS_MOST), here)
    drawing = _Drawing(BAR if columns >= _BAR_ROOM else 0, ascii_only)
    rows = _sorted(_rows(live, past or {}, drawing), sort)
    services = [row.cells for row in rows]
    marked = next((at for at, row in enumerate(rows) if row.port == selected), None)
    room = columns if marked is None else columns - len(_MARK)
    links = [_link(one, (traffic or {}).get(link_key(one))) for one in live.get("links") or []]
    sites = [_site(one) for one in live.get("network") or []]
    grids = [
        grid(_SERVICE_HEADINGS, services, room, _SERVICE_DROPPED, 6 if is_roomy else 1),
        grid(_LINK_HEADINGS, links, columns, _LINK_DROPPED, 2 if is_roomy else 1),
        grid(_SITE_HEADINGS, sites, columns, _SITE_DROPPED),
    ]
    if marked is not None:
        grids[0] = _marked(grids[0], marked)
    first, shown = _window(grids, marked or 0, lines - len(text))
    for one, begin, count in zip(grids, (first, 0, 0), shown, strict=True):
        if not one.rows and one is not grids[0]:
            continue
        if text:
            text.append("")
        if not one.rows:
            text.append(here(_no_services(live))[:columns])
            continue
        text.append(one.heading)
        text += [line for row in one.rows[begin : begin + count] for line in row]
        if count < len(one.rows):
            text.append(f"… {len(one.rows) - count} more" if not ascii_only else "more …")
    return text


def _no_services(live: Live) -> str:
    """In place of the rows. A problem, which is shown above, may be the reason."""
    if (live.get("status") or {}).get("problems"):
        return "No services."
    return "No services. Try: sitectl service create shop 8080 --protocol http"


def _problems(live: Live, columns: int, lines: int, here: Callable[[str], str]) -> list[str]:
    """Code and sentence of each problem; the sentences are cut where ``lines`` are too few."""
    status = live.get("status") or {}
    notes = [one for one in status.get("notes") or [] if one.get("code") in _NOTES_SHOWN]
    texts = [
        (output.safe(one.get("code")), output.safe(one.get("message")))
        for one in [*(status.get("problems") or []), *notes]
    ]
    found: list[str] = []
    for most in (_PROBLEM_LINES, 1):
        found = []
        for code, message in texts:
            first, *more = folded(f"{code} {message}", columns, most)
            found += [colours.paint(code, colours.WARN) + first[len(code) :], *more]
        if len(found) <= lines:
            return found
    left = len(texts) - lines + 1
    return [*found[: lines - 1], here(f"… {left} more: sitectl check")[:columns]]


def _marked(table: Grid, marked: int) -> Grid:
    """``table`` with a mark in front of one row, and the others as far from the edge."""
    margin = " " * len(_MARK)
    rows = [[margin + line for line in row] for row in table.rows]
    rows[marked][0] = _MARK + table.rows[marked][0]
    return Grid(margin + table.heading, rows)


def _window(grids: Sequence[Grid], marked: int, lines: int) -> tuple[int, list[int]]:
    """The first service to show, so that ``marked`` is in sight; how many rows of each table."""
    first, *others = ([len(row) for row in one.rows] for one in grids)
    begin, shown = 0, _shares([first, *others], lines)
    while shown[0] and marked >= begin + shown[0]:
        begin = max(begin + 1, marked - shown[0] + 1)
        shown = _shares([first[begin:], *others], lines)
    return begin, shown


def order(live: Live, sort: str) -> list[Port]:
    """The service ports from the first row to the last."""
    return [row.port for row in _sorted(_rows(live, {}, _Drawing(0, True)), sort)]


def _sorted(rows: list[TopRow], sort: str) -> list[TopRow]:
    return sorted(rows, key=_KEYS[sort])


def head(
    live: Live, sort: str, *, paused: bool = False, stale: bool = False, columns: int | None = None
) -> str:
    """Whose picture it is, of when, and in one word how it goes; ``stale``: it went so once.

    Parts that ``columns`` have no room for are left out whole, first the one that is missed least.
    """
    status = live.get("status") or {}
    problems = len(status.get("problems") or [])
    state = Cell("ready", colours.GOOD)
    if not status.get("ready"):
        state = Cell("not ready", colours.BAD)
    if status.get("draining"):
        state = Cell("draining", colours.WARN)
    states = [state]
    if problems:
        states.append(Cell(output.count(problems, "problem"), colours.WARN))
    if stale:
        states = [Cell("stale", colours.BAD)]
    links = output.links_up(status)
    facts = {
        "sites": output.sites(status),
        "links": f"requests and {links}" if output.several_routers(status) else links,
        "time": f"{output.safe(str(live.get('at'))[11:19])} UTC",
        "sort": f"by {sort}",
        "paused": "PAUSED" if paused else "",
    }
    name = f"{output.safe(status.get('name'))}: "
    plain = name + ", ".join(one.text for one in states)
    for least in _HEAD_DROPPED:
        if columns is None or len("  ".join([plain, *filter(None, facts.values())])) <= columns:
            break
        del facts[least]
    shown = name + ", ".join(colours.paint(*one) for one in states)
    return "  ".join([shown, *filter(None, facts.values())])


def rates(live: Live) -> dict[Port, float]:
    """Requests a second by service port."""
    return {
        (str(one.get("service")), int(one.get("port") or 0)): _begun(one)
        for one in live.get("now") or []
    }


def _begun(now: Mapping[str, Any]) -> float:
    """Requests a second that began, as those that spilled are counted at their begin, too: more
    cannot leave than came. An older router counts only those that ended."""
    return float(now.get("begun_per_s", now.get("requests_per_s")) or 0)


def _shares(heights: Sequence[Sequence[int]], lines: int) -> list[int]:
    """How many rows each table shows: some of each, then all of the first ones.

    ``heights``: the lines of each row; headings, gaps and ``more`` need room too.
    """
    room = lines - sum(3 for rows in heights if rows) - (0 if heights[0] else 2)
    found = [0] * len(heights)
    for most in (*range(1, _ROWS_LEAST + 1), max(map(len, heights))):
        for at, rows in enumerate(heights):
            while found[at] < min(most, len(rows)) and rows[found[at]] <= room:
                room -= rows[found[at]]
                found[at] += 1
    return found


def _rows(live: Live, past: Mapping[Port, Sequence[float]], drawing: _Drawing) -> list[TopRow]:
    now = {(str(n.get("service")), int(n.get("port") or 0)): n for n in live.get("now") or []}
    costs = {str(one.get("name")): one.get("path_cost") for one in live.get("network") or []}
    routers = int((live.get("status") or {}).get("replicas") or 1)
    others = _FOR_OTHER_ROUTERS if routers > 1 else _FOR_OTHERS
    rows = []
    for service in live.get("services") or []:
        port = (str(service.get("name")), int(service.get("port") or 0))
        lately, before = now.get(port) or {}, past.get(port) or ()
        rows.append(_row(service, lately, before, drawing, costs, others))
    return rows


def _row(
    service: Mapping[str, Any],
    now: Mapping[str, Any],
    past: Sequence[float],
    drawing: _Drawing,
    costs: Mapping[str, int | None],
    others: str,
) -> TopRow:
    key = output.safe(service.get("routing_key") or "")
    name = key or f"{output.safe(service.get('name'))}:{service.get('port')}"
    rate = _begun(now)
    spilled = float(now.get("spilled_per_s", now.get("overflow_per_s")) or 0)
    failed = float(now.get("failed_per_s") or 0)
    here = _here(service)
    is_drained = service.get("takes") == 0  # This router: another one of the site may take more.
    if is_drained and here.get("draining"):
        share, fullness = None, Cell("drained", colours.WARN)
    else:
        targets = local_targets.Count(0, 0) if is_drained else local_targets.of(service)
        share, fullness = _fullness(here, now, targets, drawing)
    line = sparkline.line(list(past)[-LINE:], LINE, ascii_only=drawing.ascii_only)
    return TopRow(
        (str(service.get("name")), int(service.get("port") or 0)),
        name,
        rate,
        spilled,
        failed,
        float(now.get("p99_s") or 0),
        share,
        (
            Cell(name),
            Cell(f"{rate:.1f}" if now else "-"),
            fullness,
            Cell(output.quantile(now.get("p50_s"))),
            Cell(output.quantile(now.get("p99_s"))),
            Cell(line),
            _leaves(service, now, spilled, failed, costs, others),
        ),
    )


def _is_for_others(service: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Only clients of other sites or routers have requests here, which no rate of ours counts.

    Judged by the requests in flight now: the mean includes own requests from before the time of the
    rate.
    """
    own = _begun(now) or service.get("under_way") or now.get("open_to")
    return not own and bool(_here(service).get("in_flight"))


def _here(service: Mapping[str, Any]) -> Mapping[str, Any]:
    """This site's part of it; empty: none."""
    return next((one for one in service.get("sites") or [] if one.get("local")), {})


def _fullness(
    here: Mapping[str, Any], now: Mapping[str, Any], targets: local_targets.Count, drawing: _Drawing
) -> tuple[float | None, Cell]:
    """How full this site is: a bar, and the figures beside it; or that no target is ready.

    Requests in flight are the mean of the last seconds, as all figures beside them, unless the
    router does not say it.
    """
    if targets.total and not targets.ready:
        return None, Cell(f"0 of {output.count(targets.total, 'target')}", colours.BAD)
    if not here.get("targets_ready"):
        return None, Cell("no target", colours.QUIET)
    in_flight = float(here.get("in_flight") or 0)
    used, capacity, unit = float(now.get("in_flight_mean", in_flight)), here.get("capacity"), ""
    if capacity:  # It may have been lowered meanwhile.
        used = min(used, max(in_flight, float(capacity)))
    rate = here.get("rate")
    if rate:
        used, capacity, unit = float(rate.get("admitted_per_s") or 0), rate.get("per_s"), "/s"
    if not capacity:
        return None, Cell(f"{round(used, 1):g} in flight")
    share = used / float(capacity)
    drawn = ""
    if drawing.bar:
        drawn = sparkline.bar(share, drawing.bar, ascii_only=drawing.ascii_only)
    meant = colours.WARN if share >= 1 else colours.GOOD
    return share, Cell(f"{drawn} {round(used, 1):g} of {float(capacity):.4g}{unit}".lstrip(), meant)


def _leaves(
    service: Mapping[str, Any],
    now: Mapping[str, Any],
    spilled: float,
    failed: float,
    costs: Mapping[str, int | None],
    others: str,
) -> Cell:
    """Requests served by other sites: which sites, how many a second and why; open connections
    there; the numbers of requests that wait, fail, are given up by their clients, are shed, or are
    refused here as malformed; and that only clients of ``others`` are served here."""
    parts = []
    queued = int(service.get("queued") or 0)
    to = now.get("spilled_to", now.get("overflow_to")) or {}
    still = now.get("open_to") or {}
    reasons = now.get("spilled_for") or {}
    if to:
        parts += [f"{_per_s(to[site])} to {output.safe(site)}" for site in by_cost(to, costs)]
    elif spilled:
        parts.append(_per_s(spilled))
    if parts:
        parts[-1] += _because(reasons)  # Of all sites together.
    parts += [f"{still[site]} open at {output.safe(site)}" for site in by_cost(still, costs)]
    if still and not to:
        parts[-1] += _because(now.get("open_for") or {})
    if queued:
        parts.append(f"{queued} wait")
    if failed:
        parts.append(f"{_per_s(failed)} fail")
    if gave_up := float(now.get("gave_up_per_s") or 0):
        parts.append(f"{_per_s(gave_up)} given up by clients")
    if shed := float(now.get("shed_per_s") or 0):
        parts.append(f"{_per_s(shed)} shed")
    if rejected := float(now.get("rejected_per_s") or 0):
        parts.append(f"{_per_s(rejected)} refused with 4xx")
    meant = colours.BAD if failed else colours.WARN if parts else ""
    if _is_for_others(service, now):
        parts.append(others)
    return Cell(", ".join(parts) or "-", meant)


def _per_s(per_s: float) -> str:
    """``4.2/s``; not ``0.0/s`` of a few in a minute."""
    return f"{per_s:.1f}/s" if per_s >= 0.1 else "<0.1/s"


def _because(reasons: Mapping[str, float]) -> str:
    """`` (full, policy)``, the most frequent first."""
    most = sorted(reasons, key=lambda reason: (-reasons[reason], reason))
    return f" ({', '.join(map(output.safe, most))})" if most else ""


def _link(item: Mapping[str, Any], traffic: LinkThroughput | None) -> tuple[Cell, ...]:
    state = output.safe(state_word(item))
    return (
        Cell(output.safe(item.get("name"))),
        Cell(output.safe((item.get("neighbour") or {}).get("name") or "-")),
        Cell(state, colours.WARN if item.get("workers_down") else colours.meaning("STATE", state)),
        Cell(str(item.get("cost"))),
        Cell(output.round_trip(item.get("rtt_ms")) or "-"),
        Cell("" if traffic is None else output.bytes_per_s(traffic.in_per_s)),
        Cell("" if traffic is None else output.bytes_per_s(traffic.out_per_s)),
        Cell(str(item.get("streams"))),
        Cell(output.safe(item.get("error") or ""), colours.BAD),
    )


def _site(item: Mapping[str, Any]) -> tuple[Cell, ...]:
    reachable = "yes" if item.get("reachable") else "no"
    shown = "draining" if item.get("draining") else reachable
    cost = item.get("path_cost")
    return (
        Cell(output.safe(item.get("name"))),
        Cell("-" if cost is None else str(cost)),
        Cell(shown, colours.meaning("REACHABLE", shown)),
        Cell(output.safe(item.get("version") or "-")),
        Cell(", ".join(map(output.safe, item.get("next_hops") or [])) or "-"),
    )

"""`top` as text: services with what they do now, links, sites; fitted to a terminal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sitectl import colours, local_targets, output, sparkline
from sitectl.live import Live, Port

BAR: Final = 10
LINE: Final = 20
"""Looks in the line of a service, the newest at its right."""
_LAST_LEAST: Final = 14
_ROWS_LEAST: Final = 2
GAP: Final = 2
_NO_SERVICES: Final = "No services. Try: sitectl service create shop 8080 --protocol http"


class Cell(NamedTuple):
    """A text and what it means (`sitectl.colours`)."""

    text: str
    meaning: str = ""


class Row(NamedTuple):
    """One port of a service. ``share``: how full this site is with it; None: no capacity stated."""

    name: str
    rate: float
    spilled: float
    failed: float
    p99_s: float
    share: float | None
    cells: tuple[Cell, ...]


def _most_spilled(row: Row) -> Any:
    return -row.spilled, -row.rate, row.name


_KEYS: Final[dict[str, Callable[[Row], Any]]] = {
    "requests": lambda row: (-row.rate, row.name),
    "spilled": _most_spilled,
    "fullness": lambda row: (-(row.share or 0.0), -row.rate, row.name),
    "p99": lambda row: (-row.p99_s, row.name),
    "name": lambda row: row.name,
}
SORTS: Final = tuple(_KEYS)
OLD_SORTS: Final = {"overflow": "spilled"}
"""Names of releases before, and what they are called now."""
_SERVICE_HEADINGS: Final = ("SERVICE", "REQ/S", "HERE", "P50", "P99", "LAST", "SPILLED")
_SERVICE_DROPPED: Final = (5, 3, 4)
"""What a narrow terminal does without, first the first."""


def page(
    live: Live,
    size: tuple[int, int] | None,
    *,
    sort: str = "requests",
    past: Mapping[Port, Sequence[float]] | None = None,
    ascii_only: bool = False,
) -> list[str]:
    """The lines below the head; ``size``: columns and lines that there are, None: as many as need.

    ``past``: requests a second of the last looks.
    """
    columns, lines = size or (10_000, 10_000)
    rows = sorted(_rows(live, past or {}, ascii_only), key=_KEYS[sort])
    services = [row.cells for row in rows]
    links = [_link(one) for one in live.get("links") or []]
    sites = [_site(one) for one in live.get("network") or []]
    parts = (
        (_SERVICE_HEADINGS, services, _SERVICE_DROPPED),
        (("LINK", "SITE", "STATE", "COST", "RTT", "STREAMS", "ERROR"), links, (5, 4)),
        (("SITE", "COST", "REACHABLE", "VERSION", "THROUGH"), sites, (3,)),
    )
    shown = _shares([len(cells) for _, cells, _ in parts], lines)
    text: list[str] = []
    for (headings, cells, dropped), count in zip(parts, shown, strict=True):
        if not cells and headings[0] != "SERVICE":
            continue
        if text:
            text.append("")
        if not cells:
            text.append(_NO_SERVICES[:columns])
            continue
        text += _grid(headings, cells[:count], columns, dropped)
        if count < len(cells):
            text.append(f"… {len(cells) - count} more" if not ascii_only else "more …")
    return text


def head(live: Live, sort: str, *, paused: bool = False) -> str:
    """Whose picture it is, of when, and in one word how it goes."""
    status = live.get("status") or {}
    problems = len(status.get("problems") or [])
    state = colours.paint("ready", colours.GOOD)
    if not status.get("ready"):
        state = colours.paint("not ready", colours.BAD)
    if problems:
        state += ", " + colours.paint(output.count(problems, "problem"), colours.WARN)
    facts = [
        f"{output.safe(status.get('name'))}: {state}",
        output.count(status.get("sites"), "site"),
        output.links_up(status),
        f"{output.safe(str(live.get('at'))[11:19])} UTC",
        f"by {sort}",
    ]
    return "  ".join([*facts, *(["PAUSED"] if paused else [])])


def rates(live: Live) -> dict[Port, float]:
    """Requests a second by service port."""
    return {
        (str(one.get("service")), int(one.get("port") or 0)): float(one["requests_per_s"])
        for one in live.get("now") or []
    }


def _shares(wanted: Sequence[int], lines: int) -> list[int]:
    """How many rows each part has, the first ones first; headings, gaps and ``more`` need room."""
    room = lines - sum(3 for count in wanted if count) - (0 if wanted[0] else 2)
    found = [min(count, _ROWS_LEAST) for count in wanted]
    room -= sum(found)
    for at, count in enumerate(wanted):
        more = max(0, min(count - found[at], room))
        found[at] += more
        room -= more
    return found


def _rows(live: Live, past: Mapping[Port, Sequence[float]], ascii_only: bool) -> list[Row]:
    now = {(str(n.get("service")), int(n.get("port") or 0)): n for n in live.get("now") or []}
    rows = []
    for service in live.get("services") or []:
        port = (str(service.get("name")), int(service.get("port") or 0))
        rows.append(_row(service, now.get(port) or {}, past.get(port) or (), ascii_only))
    return rows


def _row(
    service: Mapping[str, Any], now: Mapping[str, Any], past: Sequence[float], ascii_only: bool
) -> Row:
    name = f"{output.safe(service.get('name'))}:{service.get('port')}"
    rate = float(now.get("requests_per_s") or 0)
    spilled = float(now.get("spilled_per_s", now.get("overflow_per_s")) or 0)
    failed = float(now.get("failed_per_s") or 0)
    here: Mapping[str, Any] = next((s for s in service.get("sites") or [] if s.get("local")), {})
    share, fullness = _fullness(here, local_targets.of(service), ascii_only)
    line = sparkline.line(list(past)[-LINE:], LINE, ascii_only=ascii_only)
    return Row(
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
            Cell(_time(now.get("p50_s"))),
            Cell(_time(now.get("p99_s"))),
            Cell(line),
            _leaves(now, spilled, failed, int(service.get("queued") or 0)),
        ),
    )


def _fullness(
    here: Mapping[str, Any], targets: local_targets.Count, ascii_only: bool
) -> tuple[float | None, Cell]:
    """How full this site is: a bar, and the figures beside it; or that no target is ready."""
    if targets.total and not targets.ready:
        return None, Cell(f"0 of {output.count(targets.total, 'target')}", colours.BAD)
    if not here.get("targets_ready"):
        return None, Cell("no target", colours.QUIET)
    used, capacity, unit = float(here.get("in_flight") or 0), here.get("capacity"), ""
    rate = here.get("rate")
    if rate:
        used, capacity, unit = float(rate.get("admitted_per_s") or 0), rate.get("per_s"), "/s"
    if not capacity:
        return None, Cell(f"{used:.3g} in flight")
    share = used / float(capacity)
    drawn = sparkline.bar(share, BAR, ascii_only=ascii_only)
    meant = colours.WARN if share >= 1 else colours.GOOD
    return share, Cell(f"{drawn} {used:.3g} of {float(capacity):.4g}{unit}", meant)


def _leaves(now: Mapping[str, Any], spilled: float, failed: float, queued: int) -> Cell:
    """What other sites serve: to whom, how much a second and why; what waits; what fails."""
    parts = []
    to = now.get("spilled_to", now.get("overflow_to")) or {}
    reasons = now.get("spilled_for") or {}
    if to:
        parts += [
            f"{per_s:.1f}/s to {output.safe(site)}"
            for site, per_s in sorted(to.items(), key=lambda one: -one[1])
        ]
    elif spilled:
        parts.append(f"{spilled:.1f}/s")
    if parts and reasons:
        most = sorted(reasons, key=lambda reason: (-reasons[reason], reason))
        parts[0] += f" ({', '.join(map(output.safe, most))})"
    if queued:
        parts.append(f"{queued} wait")
    if failed:
        parts.append(f"{failed:.1f}/s fail")
    meant = colours.BAD if failed else colours.WARN if parts else ""
    return Cell(", ".join(parts) or "-", meant)


def _time(number: float | None) -> str:
    return "-" if number is None else output.seconds(float(f"{number:.2g}"))


def _link(item: Mapping[str, Any]) -> tuple[Cell, ...]:
    state, rtt = output.safe(item.get("state")), item.get("rtt_ms")
    return (
        Cell(output.safe(item.get("name"))),
        Cell(output.safe((item.get("neighbour") or {}).get("name") or "-")),
        Cell(state, colours.meaning("STATE", state)),
        Cell(str(item.get("cost"))),
        Cell("-" if rtt is None else f"{rtt:.3g} ms"),
        Cell(str(item.get("streams"))),
        Cell(output.safe(item.get("error") or ""), colours.BAD),
    )


def _site(item: Mapping[str, Any]) -> tuple[Cell, ...]:
    reachable = "yes" if item.get("reachable") else "no"
    cost = item.get("path_cost")
    return (
        Cell(output.safe(item.get("name"))),
        Cell("-" if cost is None else str(cost)),
        Cell(reachable, colours.meaning("REACHABLE", reachable)),
        Cell(output.safe(item.get("version") or "-")),
        Cell(", ".join(map(output.safe, item.get("next_hops") or [])) or "-"),
    )


def _grid(
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    room: int,
    dropped: Sequence[int],
) -> list[str]:
    """Columns side by side; those ``dropped`` go first, then the last one is cut, never a name."""
    kept = [at for at in range(len(headings)) if any(row[at].text for row in rows)]
    widths = {at: max(len(headings[at]), *(len(row[at].text) for row in rows)) for at in kept}
    for at in dropped:
        if _least(widths) <= room:
            break
        widths.pop(at, None)
    last = max(widths)
    before = sum(widths[at] + GAP for at in widths if at != last)
    if len(widths) > 1:
        widths[last] = max(0, min(widths[last], room - before))
    found = [_line([Cell(headings[at], colours.HEAD) for at in widths], widths)]
    return found + [_line([row[at] for at in widths], widths) for row in rows]


def _least(widths: Mapping[int, int]) -> int:
    last = max(widths)
    return sum(w + GAP for at, w in widths.items() if at != last) + min(widths[last], _LAST_LEAST)


def _line(cells: Sequence[Cell], widths: Mapping[int, int]) -> str:
    parts = []
    for (text, meant), width in zip(cells, widths.values(), strict=True):
        shown = text if len(text) <= width else text[: max(0, width - 1)] + "…"
        shown = shown[:width]
        parts.append(colours.paint(shown, meant) + " " * (width - len(shown)))
    return (" " * GAP).join(parts).rstrip()

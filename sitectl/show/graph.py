"""Who calls whom as a table, for Graphviz and as a picture. Pure."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

from sitectl.base import output
from sitectl.show import sparkline

_ROW, _WIDTH, _BOX, _GAP = 34, 210, 24, 130
_MARGIN: Final = 20
_HEAD: Final = 30
_COLOURS: Final = {"here": "#3b6ea8", "elsewhere": "#c0562f", "nowhere": "#b00020"}
"""Of an edge: served by this site, by another one, by none."""
_FIGURES: Final = ("REQUESTS", "FAILED", "OPEN", "RATE", "P50", "P99")
HEADINGS: Final = ("CALLER", "SERVICE", "SERVED BY", *_FIGURES)
NO_CALLER: Final = "No caller is known yet."
TARGET_HEADINGS: Final = ("SERVICE", "TARGET", "READY", *_FIGURES, "CLIENTS AT")
_SITES_SHOWN: Final = 3
"""Of those whose clients a target serves."""
_LAST_DAY: Final = "LAST DAY"
_HOURS: Final = 24


def caller_text(edge: Mapping[str, Any]) -> str:
    """``deployment/web``, ``unit nginx.service``, ``10.0.0.5``."""
    kind, name = str(edge["caller"]["kind"]), output.safe(edge["caller"]["name"])
    if kind in ("workload", "address"):
        return name
    if kind == "others":
        return "others"
    return f"{kind} {name}" + (" (its callers are hidden)" if kind == "node" else "")


def service_text(edge: Mapping[str, Any]) -> str:
    """``shop:80``, or the routing key that the service carries."""
    key = output.safe(edge.get("routing_key") or "")
    return key or f"{output.safe(edge['service'])}:{edge['port']}"


def site_text(edge: Mapping[str, Any]) -> str:
    """The site that served it; ``-``: none."""
    return output.safe(edge["site"]["name"]) if edge["site"] else "-"


def target_text(target: Mapping[str, Any]) -> str:
    """``shop-pods 10.0.0.5:8080``; ``others``: those that are not kept apart."""
    name = output.safe(target["name"])
    return f"{name} {output.safe(target['address'])}" if target["address"] else name


def targets_of(graph: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Its targets; a router from before they were counted shows none."""
    found: Sequence[Mapping[str, Any]] = graph.get("targets", ())
    return found


def table(graph: Mapping[str, Any], routers: int = 0) -> str:
    """The edges, this site's targets, and below them the unknown parts. ``routers``: of the site,
    each with calls of its own; 0: only one."""
    edges: Sequence[Mapping[str, Any]] = graph["edges"]
    targets = targets_of(graph)
    if not graph["enabled"] and not edges and not targets:
        return "Callers are not named here (name-callers is false)."
    if edges:
        parts = [_rows(HEADINGS, edges, cells)]
    else:
        parts = [NO_CALLER if graph["waiting"] else "No caller is known here."]
    if targets:
        parts += ["", _rows(TARGET_HEADINGS, targets, target_cells)]
    notes = _notes(graph)
    if routers:
        notes.append(f"These are the calls at the router that answers, one of {routers}.")
    return "\n".join([*parts, *([""] if targets and notes else []), *notes])


def _rows(
    headings: tuple[str, ...],
    found: Sequence[Mapping[str, Any]],
    cells_of: Callable[[Mapping[str, Any]], tuple[object, ...]],
) -> str:
    """With the last day of each, if it was asked for."""
    if not any(one.get("history") for one in found):
        return output.rows(headings, [cells_of(one) for one in found])
    days = [(*cells_of(one), _last_day(one.get("history") or ())) for one in found]
    return output.rows((*headings, _LAST_DAY), days)


def _last_day(history: Sequence[Sequence[int]]) -> str:
    """A block for each hour, as high as its busiest step."""
    requests = [step[0] for step in history]
    return sparkline.line(requests, _HOURS, ascii_only=not sparkline.has_blocks())


def cells(edge: Mapping[str, Any]) -> tuple[object, ...]:
    """One edge, under `HEADINGS`."""
    return (
        caller_text(edge),
        service_text(edge),
        site_text(edge) + (" (crosses)" if edge["crosses"] else ""),
        *_figures(edge),
    )


def target_cells(target: Mapping[str, Any]) -> tuple[object, ...]:
    """One target, under `TARGET_HEADINGS`."""
    ready = {True: "yes", False: "no", None: "gone" if target["address"] else "-"}
    return (
        service_text(target),
        target_text(target),
        "drained" if target.get("drained") else ready[target["ready"]],
        *_figures(target),
        _client_sites(target),
    )


def _client_sites(target: Mapping[str, Any]) -> str:
    """``onprem 40, partner 3``; a router from before they were counted shows none."""
    told: Sequence[Mapping[str, Any]] = target.get("client_sites", ())
    if not told:
        return "-"
    texts = [
        f"{output.safe(one['site']['name']) if one['site'] else 'others'} {one['requests_total']}"
        for one in told[:_SITES_SHOWN]
    ]
    if len(told) > _SITES_SHOWN:
        texts.append(f"{len(told) - _SITES_SHOWN} more")
    return ", ".join(texts)


def _figures(edge: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        edge["requests_total"],
        edge["failed_total"],
        edge["open"],
        f"{edge['rate_per_s']:g}/s",
        output.quantile(edge["p50_s"]),
        output.quantile(edge["p99_s"]),
    )


def _notes(graph: Mapping[str, Any]) -> list[str]:
    notes: list[str] = []
    if graph["named_share"] is not None and graph["unnamed_total"]:
        share = f"{graph['named_share'] * 100:.0f} %"
        notes.append(f"{share} of the connections have a named caller, the others an address.")
    if any(edge["caller"]["kind"] == "node" for edge in graph["edges"]):
        notes.append(
            "A node stands for callers whose address was replaced on their way (SNAT), or that use "
            "the node's own network."
        )
    if graph["waiting"]:
        waiting = output.count(graph["waiting"], "group")
        notes.append(f"Not settled yet: the callers of {waiting} of recent connections.")
    if not graph["enabled"]:
        notes.append("Callers are no longer named here (name-callers is false).")
    return notes


class _Arrow(NamedTuple):
    """From one box to another, by texts. ``kind`` is one of `_COLOURS`; ``rate`` its width."""

    tail: str
    head: str
    kind: str
    text: str
    rate: float


_Step = tuple[str, str, list[_Arrow]]
"""Arrows between two columns, by the names of these."""


def _steps(graph: Mapping[str, Any]) -> list[_Step]:
    """Callers to services, services to sites, and these to their targets where they are known."""
    callers, sites = _arrows(graph)
    steps = [("caller", "service", callers), ("service", "site", sites)]
    if targets := targets_of(graph):
        steps.append(("site", "target", [_to_target(graph, one) for one in targets]))
    return steps


def _to_target(graph: Mapping[str, Any], target: Mapping[str, Any]) -> _Arrow:
    """From its site: of a network's graph each target has its own."""
    site = target["site"] if "site" in target else graph["site"]["name"]
    head, rate = f"{service_text(target)} {target_text(target)}", target["rate_per_s"]
    return _Arrow(output.safe(site), head, "here", f"{rate:g}/s", rate)


def _arrows(graph: Mapping[str, Any]) -> tuple[list[_Arrow], list[_Arrow]]:
    """Callers to services, and services to sites: the latter added up."""
    first: dict[tuple[str, str, str], float] = {}
    second: dict[tuple[str, str, str], float] = {}
    for edge in graph["edges"]:
        kind = "nowhere" if not edge["site"] else "elsewhere" if edge["crosses"] else "here"
        service = service_text(edge)
        site = site_text(edge) if edge["site"] else "no site"
        for found, key in (
            (first, (_caller_box(edge), service, kind)),
            (second, (service, site, kind)),
        ):
            found[key] = found.get(key, 0.0) + edge["rate_per_s"]
    return _as_arrows(first), _as_arrows(second)


def _caller_box(edge: Mapping[str, Any]) -> str:
    """Two sites may have callers of one name: where there are several, theirs is before it."""
    return f"{output.safe(edge['at'])}: {caller_text(edge)}" if "at" in edge else caller_text(edge)


def _as_arrows(found: Mapping[tuple[str, str, str], float]) -> list[_Arrow]:
    return [
        _Arrow(tail, head, kind, f"{rate:g}/s", rate) for (tail, head, kind), rate in found.items()
    ]


def dot(graph: Mapping[str, Any]) -> str:
    """For Graphviz: ``dot -Tsvg``."""
    steps = _steps(graph)
    lines = ["digraph calls {", "  rankdir=LR;", "  node [shape=box];"]
    for prefix, other, arrows in steps:
        for arrow in arrows:
            style = "dashed" if arrow.kind == "elsewhere" else "solid"
            lines.append(
                f"  {_quoted(prefix, arrow.tail)} -> {_quoted(other, arrow.head)} "
                f'[label="{arrow.text}", color="{_COLOURS[arrow.kind]}", style={style}];'
            )
    for prefix, texts in _columns(steps):
        lines += [f"  {_quoted(prefix, text)} [label={_string(text)}];" for text in texts]
    return "\n".join([*lines, "}"]) + "\n"


def _columns(steps: list[_Step]) -> list[tuple[str, list[str]]]:
    """The boxes of each column, from left to right."""
    found: dict[str, set[str]] = {}
    for tail, head, arrows in steps:
        found.setdefault(tail, set()).update(arrow.tail for arrow in arrows)
        found.setdefault(head, set()).update(arrow.head for arrow in arrows)
    return [(name, sorted(texts)) for name, texts in found.items()]


def _quoted(prefix: str, text: str) -> str:
    return _string(f"{prefix} {text}")


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def svg(graph: Mapping[str, Any]) -> str:
    """A picture: callers, services, sites, targets from left to right. Dashed: it crosses sites."""
    steps = _steps(graph)
    columns = _columns(steps)
    rows = max(len(texts) for _, texts in columns) or 1
    height = _HEAD + rows * _ROW + _MARGIN
    width = 2 * _MARGIN + len(columns) * (_WIDTH + _GAP) - _GAP
    at = {
        (prefix, text): (_MARGIN + index * (_WIDTH + _GAP), _HEAD + row * _ROW)
        for index, (prefix, texts) in enumerate(columns)
        for row, text in enumerate(texts)
    }
    rates = (arrow.rate for _, _, arrows in steps for arrow in arrows)
    most = max(rates, default=0.0) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for index, (name, _) in enumerate(columns):
        x = _MARGIN + index * (_WIDTH + _GAP)
        parts.append(f'<text x="{x}" y="18" font-weight="bold">{name}s</text>')
    for prefix, other, arrows in steps:
        parts += [_line(at[prefix, one.tail], at[other, one.head], one, most) for one in arrows]
    parts += [_box(place, text) for (_, text), place in at.items()]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(tail: tuple[int, int], head: tuple[int, int], arrow: _Arrow, most: float) -> str:
    x1, y1 = tail[0] + _WIDTH, tail[1] + _BOX // 2
    x2, y2 = head[0], head[1] + _BOX // 2
    middle = (x1 + x2) // 2
    dashes = ' stroke-dasharray="6 4"' if arrow.kind == "elsewhere" else ""
    width = 1.0 + 4.0 * arrow.rate / most
    return (
        f'<path d="M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}" fill="none" '
        f'stroke="{_COLOURS[arrow.kind]}" stroke-width="{width:.1f}"{dashes}>'
        f"<title>{escape(arrow.tail)} to {escape(arrow.head)}: {arrow.text}</title></path>"
    )


def _box(place: tuple[int, int], text: str) -> str:
    x, y = place
    shown = text if len(text) <= 32 else f"{text[:31]}…"
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_BOX}" rx="4" fill="#f3f5f8" '
        f'stroke="#5b6470"/><text x="{x + 8}" y="{y + 16}">{escape(shown)}'
        f"<title>{escape(text)}</title></text>"
    )

"""The graphs of several sites as one, on to their targets. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sitectl.base import output
from sitectl.show import graph as shown

EDGES_MAX: Final = 10_000
"""Of all sites together; each has 1,000 at most. Those with the most requests are kept."""
TARGETS_MAX: Final = 10_000


class SiteGraph(NamedTuple):
    """The report of one site. ``graph`` None: none, and ``reason`` says why."""

    name: str
    graph: Mapping[str, Any] | None
    reason: str = ""


def joined(sites: Sequence[SiteGraph]) -> dict[str, Any]:
    """One graph: each edge has the site ``at`` which its caller connects, each target its ``site``.

    No edge is in it twice: only the site of a caller reports its requests, only the site of a
    target reports the target's results. A site has one name, whatever others call it.
    """
    answered = [(one, one.graph) for one in sites if one.graph is not None]
    names = {graph["site"]["id"]: one.name for one, graph in answered}
    edges = [
        {"at": one.name, **edge, "site": _named(edge["site"], names)}
        for one, graph in answered
        for edge in graph["edges"]
    ]
    edges.sort(key=lambda edge: -int(edge["requests_total"]))
    targets = [
        {"site": one.name, **_client_sites_named(target, names)}
        for one, graph in answered
        for target in shown.targets_of(graph)
    ]
    targets.sort(key=lambda target: -int(target["requests_total"]))
    return {
        "sites": [
            {"name": one.name, **{key: graph[key] for key in ("enabled", "named_share", "waiting")}}
            for one, graph in answered
        ],
        "silent": [{"site": one.name, "reason": one.reason} for one in sites if one.graph is None],
        "left_out": max(0, len(edges) - EDGES_MAX) + max(0, len(targets) - TARGETS_MAX),
        "edges": sorted(edges[:EDGES_MAX], key=_order),
        "targets": sorted(targets[:TARGETS_MAX], key=_place),
    }


def _named(site: Mapping[str, Any] | None, names: Mapping[str, str]) -> dict[str, Any] | None:
    return None if site is None else {**site, "name": names.get(site["id"], site["name"])}


def _client_sites_named(target: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    told = target.get("client_sites", ())
    return {**target, "client_sites": [{**one, "site": _named(one["site"], names)} for one in told]}


def _order(edge: Mapping[str, Any]) -> tuple[str, str, str, str, int]:
    caller = edge["caller"]
    return edge["at"], caller["kind"], caller["name"], edge["service"], edge["port"]


def _place(target: Mapping[str, Any]) -> tuple[str, str, int, str, str]:
    address = target["address"] or ""
    return target["site"], target["service"], target["port"], target["name"], address


def table(graph: Mapping[str, Any]) -> str:
    """The edges, the targets behind them, and the sites that did not answer."""
    parts: list[str] = []
    if graph["edges"]:
        lines = [(output.safe(edge["at"]), *shown.cells(edge)) for edge in graph["edges"]]
        parts.append(output.rows(("AT", *shown.HEADINGS), lines))
    else:
        unsettled = any(one["waiting"] for one in graph["sites"])
        parts.append(shown.NO_CALLER if unsettled else "No caller is known.")
    if graph["targets"]:
        rows = [(output.safe(one["site"]), *shown.target_cells(one)) for one in graph["targets"]]
        parts += ["", output.rows(("SITE", *shown.TARGET_HEADINGS), rows)]
    if graph["silent"] or graph["left_out"]:
        parts.append("")
    parts += [
        f"No answer of {output.safe(one['site'])}: {output.safe(one['reason'])}"
        for one in graph["silent"]
    ]
    if graph["left_out"]:
        parts.append(
            f"Left out: {output.count(graph['left_out'], 'row')} with the fewest requests."
        )
    return "\n".join(parts)

"""The graphs of several sites as one, on to their targets. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sitectl.base import output
from sitectl.show import graph as shown

EDGES_MAX: Final = 10_000
"""Of all sites together; each has 1,000 at most. Those with the most requests are kept."""
TARGETS_MAX: Final = 10_000
_TARGETS: Final = ("SITE", "SERVICE", "TARGET", "READY", "OPEN", "REQUESTS")


class SiteGraph(NamedTuple):
    """What one site reported. ``graph`` None: nothing, and ``reason`` says why."""

    name: str
    graph: Mapping[str, Any] | None
    services: Sequence[Mapping[str, Any]] = ()
    reason: str = ""


def joined(sites: Sequence[SiteGraph]) -> dict[str, Any]:
    """One graph: each edge has the site ``at`` which its caller connects."""
    answered = [(one, one.graph) for one in sites if one.graph is not None]
    edges = [{"at": one.name, **edge} for one, graph in answered for edge in graph["edges"]]
    edges.sort(key=lambda edge: -int(edge["requests_total"]))
    targets = [target for one, _ in answered for target in _targets(one)]
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


def _targets(one: SiteGraph) -> Iterator[dict[str, Any]]:
    """The site's own targets: what another site serves is an edge of that one."""
    for service in one.services:
        for target in service["targets"]:
            if target["site"] == one.name:
                yield {
                    "site": one.name,
                    "service": service["name"],
                    "port": service["port"],
                    "target": f"{target['name']} {target['host']}:{target['port']}",
                    "ready": target["ready"],
                    "open": target["in_flight"],
                    "requests_total": target["requests_total"],
                    "error": target["error"],
                }


def _order(edge: Mapping[str, Any]) -> tuple[str, str, str, str, int]:
    caller = edge["caller"]
    return edge["at"], caller["kind"], caller["name"], edge["service"], edge["port"]


def _place(target: Mapping[str, Any]) -> tuple[str, str, int, str]:
    return target["site"], target["service"], target["port"], target["target"]


def table(graph: Mapping[str, Any]) -> str:
    """The edges, the targets behind them, and the sites that did not answer."""
    parts: list[str] = []
    if graph["edges"]:
        lines = [(output.safe(edge["at"]), *shown.cells(edge)) for edge in graph["edges"]]
        parts.append(output.rows(("AT", *shown.HEADINGS), lines))
    else:
        parts.append("No client has called a service yet.")
    if graph["targets"]:
        rows = [
            (
                output.safe(target["site"]),
                shown.service_text(target),
                output.safe(target["target"]),
                "yes" if target["ready"] else "no",
                target["open"],
                target["requests_total"],
            )
            for target in graph["targets"]
        ]
        parts += ["", output.rows(_TARGETS, rows)]
    parts += [
        f"No answer of {output.safe(one['site'])}: {output.safe(one['reason'])}"
        for one in graph["silent"]
    ]
    if graph["left_out"]:
        parts.append(
            f"Left out: {output.count(graph['left_out'], 'row')} with the fewest requests."
        )
    return "\n".join(parts)

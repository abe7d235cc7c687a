"""`graph`: who calls which service at this site, and which site serves it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sitectl.base import output
from sitectl.base.failure import Exit, Failure, usage
from sitectl.base.options import Settings
from sitectl.base.texts import write_atomically
from sitectl.base.verb import Verb
from sitectl.base.watch import Picture, show, watch_flag
from sitectl.selection import store
from sitectl.show import graph as shown
from sitectl.show.site_routers import several_routers

if TYPE_CHECKING:
    from sitectl.mesh.reach import Reached
    from sitectl.site.site import Site


@click.command(cls=Verb)
@click.option("--dot", is_flag=True, help="Print it for Graphviz.")
@click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture to this file."
)
@click.option(
    "--mesh",
    metavar="FILE",
    help="Join the graphs of all sites of this mesh file that you reach, on to their targets.",
)
@click.option(
    "--history",
    is_flag=True,
    help="Also the last day: a block for each hour; with -o json each 5 minutes.",
)
@watch_flag
@click.pass_context
def graph(
    ctx: click.Context,
    dot: bool,
    svg: Path | None,
    mesh: str | None,
    history: bool,
    watch: float | None,
) -> None:
    """Show which caller uses which service through this site, the serving sites, rates and times.

    A caller is a workload of the namespace, or a unit, container or user of the host; others are
    shown by address. Below are the targets of this site, with the requests of all sites and the
    sites of their clients. Rates and times cover the last one to two minutes.

    \b
    Examples:
      sitectl graph
      sitectl graph --svg calls.svg
      sitectl graph --dot | dot -Tpng > calls.png
      sitectl graph --history
      sitectl graph --mesh mesh.yaml --svg calls.svg
    """
    settings = ctx.ensure_object(Settings)
    if (dot or svg is not None) and (watch is not None or (dot and settings.output != "table")):
        raise usage("--dot and --svg are written once", "Leave --watch and -o out")
    if mesh is not None:
        if history:
            raise usage("--history is of one site", "Leave --mesh out, and say which: --site NAME")
        picture = partial(_of_mesh, settings, mesh)
    else:
        query = "?history=true" if history else ""
        picture = partial(_of_site, store.find_site(settings), query)

    def look() -> Picture:
        kind, found, text, exit_code = picture()
        return Picture(kind, {"item": found}, lambda: text(found), exit_code)

    if not dot and svg is None:
        show(ctx, look, watch)
        return
    _, found, _, exit_code = picture()
    if svg is not None:
        _write(svg, shown.svg(found))
        output.note(f"drawn: {svg}")
    if dot:
        click.echo(shown.dot(found), nl=False)
    ctx.exit(exit_code)


_Found = tuple[str, dict[str, Any], Callable[[dict[str, Any]], str], Exit]
"""The kind of a graph, the graph, its table, and the exit code."""


def _of_site(site: "Site", query: str) -> _Found:
    def text(graph: dict[str, Any]) -> str:
        return shown.table(graph, several_routers(site))

    return "Graph", site.admin.get(f"/api/v1/graph{query}"), text, Exit.OK


def _of_mesh(settings: Settings, source: str) -> _Found:
    """Ask each site over its admin API: the names of callers go to no other site."""
    from sitectl.base.parallel import in_parallel
    from sitectl.mesh.reach import out_of_reach, reached
    from sitectl.mesh.sources import mesh_of
    from sitectl.show import network_graph

    def told(one: "Reached") -> network_graph.SiteGraph:
        try:
            return network_graph.SiteGraph(one.name, one.site.admin.get("/api/v1/graph"))
        except Failure as failure:
            return network_graph.SiteGraph(one.name, None, failure.message)

    mesh = mesh_of(settings, source)
    those = reached(settings, mesh)
    sites = in_parallel(told, those)
    sites += [
        network_graph.SiteGraph(name, None, "it is not in reach from here")
        for name in out_of_reach(mesh, those)
    ]
    found = network_graph.joined(sites)
    return "NetworkGraph", found, network_graph.table, _exit(found)


def _exit(found: dict[str, Any]) -> Exit:
    """Degraded when a site is missing: the graph is incomplete."""
    return Exit.DEGRADED if found["silent"] else Exit.OK


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text)
    except OSError as error:
        raise Failure(
            Exit.FAILED, "not-written", f"{path}: {error.strerror}", "Name another file with --svg"
        ) from error

"""`graph`: who calls which service at this site, and which site serves it."""

from pathlib import Path

import click

from sitectl.base import output
from sitectl.base.failure import Exit, Failure, usage
from sitectl.base.options import Settings, Verb
from sitectl.base.texts import write_atomically
from sitectl.base.watch import Picture, show, watch_flag
from sitectl.selection import store
from sitectl.show import graph as shown


@click.command(cls=Verb)
@click.option("--dot", is_flag=True, help="Print it for Graphviz.")
@click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture to this file."
)
@click.option("--history", is_flag=True, help="With -o json: also each 5 minutes of the last day.")
@watch_flag
@click.pass_context
def graph(
    ctx: click.Context, dot: bool, svg: Path | None, history: bool, watch: float | None
) -> None:
    """Who calls which service through this site, which site serves it, how often and how fast.

    A caller is a workload of the namespace, or a unit, container or user of the host; of others
    the address is known. Rates and times are of the last one to two minutes.

    \b
    Examples:
      sitectl graph
      sitectl graph --svg calls.svg
      sitectl graph --dot | dot -Tpng > calls.png
      sitectl graph -o json --history
    """
    settings = ctx.ensure_object(Settings)
    if (dot or svg is not None) and (watch is not None or (dot and settings.output != "table")):
        raise usage("--dot and --svg are written once", "Leave --watch and -o out")
    site = store.find_site(settings)
    query = "?history=true" if history else ""

    def look() -> Picture:
        found = site.admin.get(f"/api/v1/graph{query}")
        return Picture("Graph", {"item": found}, lambda: shown.table(found))

    if not dot and svg is None:
        show(ctx, look, watch)
        return
    found = site.admin.get("/api/v1/graph")
    if svg is not None:
        _write(svg, shown.svg(found))
        output.note(f"drawn: {svg}")
    if dot:
        click.echo(shown.dot(found), nl=False)


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text)
    except OSError as error:
        raise Failure(
            Exit.FAILED, "not-written", f"{path}: {error.strerror}", "Name another file with --svg"
        ) from error

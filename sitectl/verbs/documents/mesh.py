"""`mesh plan|apply|test|drift|export`: a whole network in one file."""

import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from certs.errors import CertError
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, not_found, usage
from sitectl.base.options import Duration, Settings, wait_flag
from sitectl.base.verb import Verbs
from sitectl.base.watch import Picture, show, watch_flag
from sitectl.base.whole_install import require_routers

if TYPE_CHECKING:
    from sitectl.mesh.changes import MeshChange
    from sitectl.mesh.values import Mesh

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
INVITATION_LIFE_S: Final = 24 * 3600.0
LEAST_PAUSE_S: Final = 1.0

_file = click.option(
    "-f",
    "--filename",
    "source",
    required=True,
    metavar="FILE|-|configmap/NAME",
    help="The mesh file; - is stdin, configmap/NAME key mesh.yaml of that ConfigMap.",
)
_prune = click.option(
    "--prune",
    is_flag=True,
    help="Also delete documents that the file does not have and did not make.",
)


@click.group("mesh", cls=Verbs)
def group() -> None:
    """A whole network in one file: sites, links, services, grants, and tests of them.

    Commands act on the sites whose host in the file is this one or is missing; with --site NAME on
    that site alone. docs/mesh.md has the fields.

    \b
    Examples:
      sitectl mesh test -f mesh.yaml       what the file allows and where load goes, beforehand
      sitectl mesh plan -f mesh.yaml       what apply would change
      sitectl mesh apply -f mesh.yaml
      sitectl mesh drift -f mesh.yaml --watch
    """


@group.command("plan")
@_file
@_prune
@click.pass_obj
def plan(settings: Settings, source: str, prune: bool) -> None:
    """Show what `apply` would change, like a diff. Nothing is written.

    \b
    Examples:
      sitectl mesh plan -f mesh.yaml
      sitectl --site onprem mesh plan -f mesh.yaml -o json
    """
    from sitectl.mesh import report
    from sitectl.mesh.planning import planned
    from sitectl.mesh.sources import mesh_of

    found = planned(settings, mesh_of(settings, source), prune=prune)
    items = [report.item(change) for change in found.changes]
    output.emit_items(settings, "MeshChange", items, lambda: report.plan_text(found))


@group.command("apply")
@_file
@_prune
@click.option(
    "--invitation",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Claims for links to sites out of reach, made there by --invite.",
)
@click.option(
    "--invite",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write an invitation, DIR/SITE.yaml, for each site out of reach that dials one here.",
)
@click.option(
    "--expiry",
    type=Duration(),
    default=INVITATION_LIFE_S,
    show_default="24h",
    metavar="DURATION",
    help="How long an invitation can be used; each claim in it works once.",
)
@wait_flag("Wait until every link of the sites in reach is up (exit 0), or until time is up (6).")
@click.option(
    "--every",
    type=Duration(),
    metavar="SECONDS",
    help="Go on: read the file again and apply it whenever it, or a site, has changed.",
)
@click.pass_obj
def apply(
    settings: Settings,
    source: str,
    prune: bool,
    invitation: Path | None,
    invite: Path | None,
    expiry: float,
    wait: float | None,
    every: float | None,
) -> None:
    """Make the sites as the file says, and link them. Repeated, it changes nothing.

    Missing sites are made and started, each as `init` does. If both ends of a link are in reach,
    the claim goes from one to the other without a file. Documents that an earlier version of the
    file made, and that this one lacks, are deleted; all others stay, unless --prune is given.
    Exit 3: everything is done except links that wait for a site out of reach.

    \b
    Examples:
      sitectl mesh apply -f mesh.yaml --wait 30
      sitectl mesh apply -f mesh.yaml --invite invitations
      sitectl --site partner mesh apply -f mesh.yaml --invitation partner.yaml
      sitectl --site onprem mesh apply -f checkout/mesh.yaml --every 30s
    """
    from sitectl.mesh.claiming import read_invitation

    if every is not None and invite is not None:
        raise usage("--every would make new invitations again and again", "Leave one of them out")
    if every is not None and (source == "-" or settings.output != "table"):
        raise usage("--every reads the file again, and tells in lines", "Name a file, no -o")
    invited = read_invitation(invitation) if invitation is not None else {}

    def once() -> None:
        from sitectl.mesh.applying import apply as make
        from sitectl.mesh.applying import wait_for_links
        from sitectl.mesh.sources import mesh_of

        mesh = mesh_of(settings, source)
        applied = make(settings, mesh, output.note, prune=prune, invited=invited)
        if applied.done or every is None:
            _tell(settings, applied.done)
        if invite is not None:  # Also while links wait: both ends may wait for each other.
            _invite(settings, mesh, invite, expiry)
        applied.require_links()
        if wait is not None:
            wait_for_links(settings, mesh, wait)

    if every is None:
        once()
        return
    while True:
        try:
            once()
        except Failure as failure:  # The next look may find a file that is right.
            click.echo(output.safe_lines(failure.as_text()), err=True)
        except BrokenPipeError:
            raise
        except (OSError, CertError) as error:  # Or a file or site that can be read again.
            click.echo(output.safe_lines(f"Error: {error}"), err=True)
        time.sleep(max(LEAST_PAUSE_S, every))


def _tell(settings: Settings, done: list["MeshChange"]) -> None:
    from sitectl.mesh import report

    items = [report.item(change) for change in done]
    output.emit_items(settings, "MeshChange", items, lambda: report.done_text(done))


def _invite(settings: Settings, mesh: "Mesh", directory: Path, life_s: float) -> None:
    from sitectl.mesh.applying import invite
    from sitectl.mesh.planning import planned

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = invite(mesh, planned(settings, mesh), directory, life_s)
    for name, path, links in made:
        output.note(
            f"invitation of {name}: {path} ({output.count(links, 'link')}, secret). There: "
            f"sitectl --site {name} mesh apply -f FILE --invitation {quote(path.name)}"
        )
    if not made:
        output.note("no site out of reach dials one of these, so there is no invitation")


@group.command("test")
@_file
@click.pass_context
def test(ctx: click.Context, source: str) -> None:
    """Judge the sentences under `tests:` by the routers' own code, in virtual time.

    No site is read or changed. Exit 1: a sentence does not hold.

    \b
    Example:
      sitectl mesh test -f mesh.yaml
    """
    require_routers("mesh test")
    from sitectl.mesh.judging import SentenceVerdict, verdicts
    from sitectl.mesh.sources import mesh_of

    settings = ctx.ensure_object(Settings)
    mesh = mesh_of(settings, source)
    if not mesh.tests:
        raise not_found(f"{source} has no tests", "tests: [SITE may call SERVICE]; docs/mesh.md")
    found: list[SentenceVerdict] = list(verdicts(mesh))
    items = [
        {"test": one.sentence.text, "line": one.sentence.line, "holds": one.holds, "told": one.told}
        for one in found
    ]
    failed = sum(not one.holds for one in found)

    def text() -> str:
        lines = [f"{'ok    ' if one.holds else 'FAILED'} {one.sentence.text}" for one in found]
        for index, one in enumerate(found):
            lines[index] += f"\n       {one.told}"
        return "\n".join([*lines, f"{len(found) - failed} of {len(found)} hold"])

    output.emit_items(settings, "MeshTest", items, text)
    if failed:
        raise Failure(
            Exit.FAILED,
            "SW0746",
            f"{failed} of {output.count(len(found), 'test')} of {source} failed",
            "Correct the file, or the sentence",
        )


@group.command("drift")
@_file
@watch_flag
@click.pass_context
def drift(ctx: click.Context, source: str, watch: float | None) -> None:
    """Show where the network differs from the file: documents, links, routers. Exit 3: it differs.

    \b
    Examples:
      sitectl mesh drift -f mesh.yaml
      sitectl mesh drift -f mesh.yaml --watch 2s
    """
    from sitectl.mesh import report
    from sitectl.mesh.planning import planned
    from sitectl.mesh.sources import mesh_of

    settings = ctx.ensure_object(Settings)

    def look() -> Picture:
        found = planned(settings, mesh_of(settings, source), with_faults=True)
        items = [report.item(change) for change in found.changes]
        exit_code = Exit.DEGRADED if items else Exit.OK
        return Picture("MeshChange", {"items": items}, lambda: report.drift_text(found), exit_code)

    show(ctx, look, watch)


@group.command("export")
@click.option("--name", "title", default="mesh", help="Name of the network in the file.")
@click.option(
    "--in",
    "namespaces",
    multiple=True,
    metavar="[CONTEXT/]NAMESPACE",
    help="Also the site of this namespace; repeat for several.",
)
@click.option("--host", is_flag=True, help="Write this machine's name beside its sites.")
@click.pass_obj
def export(settings: Settings, title: str, namespaces: tuple[str, ...], host: bool) -> None:
    """Write a file of the existing network: all sites of this host, or that of --site.

    The plan of that file is empty, and it holds no secret. Other sites at the end of links are in
    it as `elsewhere`.

    \b
    Examples:
      sitectl mesh export > mesh.yaml
      sitectl mesh export --in prod/shop --in shop-test > mesh.yaml
    """
    from sitectl.mesh.exporting import export as exported
    from sitectl.mesh.writing import write

    output.emit_file(settings, write(exported(settings, title, namespaces, with_host=host)))

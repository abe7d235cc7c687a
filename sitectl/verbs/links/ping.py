"""`ping`: the way to a site, hop by hop, and where it breaks."""

import sys
import time
import urllib.parse
from typing import Any

import click

from sitectl.base import output
from sitectl.base.failure import Exit, Failure
from sitectl.base.options import Settings, completes
from sitectl.base.verb import Verb
from sitectl.selection import store
from sitectl.show.ping import merged, round_text, summary_text
from sitectl.show.site_detail import site_not_answered
from sitectl.site.site import Site

ROUNDS_MAX = 10_000
INTERVAL_S_MAX = 60.0


@click.command(cls=Verb)
@click.argument("site_name", metavar="SITE", shell_complete=completes("network"))
@click.option(
    "-c", "--count", type=click.IntRange(1, ROUNDS_MAX), default=5, help="Number of rounds."
)
@click.option(
    "--interval",
    type=click.FloatRange(0.05, INTERVAL_S_MAX),
    default=0.2,
    metavar="SECONDS",
    help="Time between rounds.",
)
@click.option("--via", metavar="LINK", help="Use this link, if several paths have the same cost.")
@click.pass_context
def ping(ctx: click.Context, site_name: str, count: int, interval: float, via: str | None) -> None:
    """Show the path to a site: each hop with its cost and round trip, and where the path breaks.

    Asks every site on the path over the links, as requests go. Exit 1: SITE does not answer.

    \b
    Examples:
      sitectl ping west
      sitectl ping west -c 100 --interval 1
      sitectl ping west --via link1               of several ways of one cost, that one
    """
    settings = ctx.ensure_object(Settings)
    site = store.find_site(settings)
    path = f"/api/v1/ping/{urllib.parse.quote(site_name, safe='')}?" + urllib.parse.urlencode(
        {"count": 1} | ({"via": via} if via else {})
    )
    live = settings.output == "table" and sys.stdout.isatty()
    whole: dict[str, Any] = {}
    try:
        for number in range(1, count + 1):
            began = time.monotonic()
            found = _ask(site, path, site_name)
            whole, has_changed = merged(whole, found)
            if has_changed:
                output.note("the way has changed; what was measured before counts no more")
            if live:
                click.echo(round_text(number, found))
            if number < count:
                time.sleep(max(0.0, began + interval - time.monotonic()))
    except KeyboardInterrupt:
        if whole:
            _show(settings, whole)
        raise
    _show(settings, whole)
    if not whole["reachable"]:
        ctx.exit(Exit.FAILED)


def _ask(site: Site, path: str, name: str) -> dict[str, Any]:
    """One round."""
    try:
        found: dict[str, Any] = site.admin.get(path)
    except Failure as failure:
        if failure.exit_code is Exit.NOT_FOUND:
            raise site_not_answered(site, name, failure) from None
        raise
    return found


def _show(settings: Settings, whole: dict[str, Any]) -> None:
    output.emit_item(settings, "Ping", whole, lambda: summary_text(whole))

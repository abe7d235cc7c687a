"""`top`: what every service does now, and where what leaves this site goes."""

import json
import sys
import time
from collections import deque
from typing import Final

import click

from sitectl import output, sparkline, store, top
from sitectl.failure import Failure
from sitectl.live import Live, Pictures, Port
from sitectl.options import Duration, Settings, Verb
from sitectl.watching import LEAST_S

EVERY_S: Final = 1.0
KEYS: Final = "q quit   s sort   p pause"


@click.command("top", cls=Verb)
@click.option("--once", is_flag=True, help="One picture, and end.")
@click.option("--every", "every_s", type=Duration(), default=EVERY_S, help="Between two pictures.")
@click.option(
    "--sort",
    type=click.Choice((*top.SORTS, *top.OLD_SORTS)),
    metavar=f"[{'|'.join(top.SORTS)}]",
    default="requests",
    help="What comes first; key s.",
)
@click.pass_obj
def command(settings: Settings, once: bool, every_s: float, sort: str) -> None:
    """Services with requests a second, how full this site is and what leaves it; links; sites.

    REQ/S counts the requests of this site's clients, whichever site serves them. HERE shows how
    many are in flight at this site and its configured capacity. SPILLED shows how many a second
    other sites serve, which sites, and why.
    Keys: q ends, s sorts by the next column, p pauses. Without a terminal each picture is plain
    text, or with -o json one object on each line.

    \b
    Examples:
      sitectl top
      sitectl top --sort spilled
      sitectl top --once -o json
    """
    sort = top.OLD_SORTS.get(sort, sort)
    pictures = Pictures(store.find_site(settings).admin)
    pause_s = max(LEAST_S, every_s)
    first = pictures.look()
    if pictures.needs_two:
        time.sleep(pause_s)
        first = pictures.look()
    if once:
        whole = f"{top.head(first, sort)}\n\n{_plain(first, sort)}"
        output.emit_item(settings, "Top", first, lambda: settings.here(whole))
    elif settings.output == "table" and sys.stdout.isatty():
        _Shown(pictures, first, sort, pause_s).run()
    else:
        _print_on(settings, pictures, first, sort, pause_s)


def _plain(live: Live, sort: str) -> str:
    return "\n".join(top.page(live, None, sort=sort, ascii_only=not sparkline.has_blocks()))


def _print_on(
    settings: Settings, pictures: Pictures, live: Live, sort: str, pause_s: float
) -> None:
    """Print picture after picture, until somebody has enough."""
    while True:
        if settings.output == "json":
            click.echo(json.dumps(output.envelope("Top", {"item": live})))
        elif settings.output == "yaml":
            click.echo("---")
            output.emit_item(settings, "Top", live, str)
        else:
            click.echo(f"{top.head(live, sort)}\n\n{_plain(live, sort)}\n")
        sys.stdout.flush()
        time.sleep(pause_s)
        live = pictures.look()


class _Shown:
    """The picture on a terminal, with what its keys changed."""

    def __init__(self, pictures: Pictures, first: Live, sort: str, pause_s: float) -> None:
        self._pictures, self._live, self._sort, self._pause_s = pictures, first, sort, pause_s
        self._paused, self._error = False, ""
        self._past: dict[Port, deque[float]] = {}
        self._ascii_only = not sparkline.has_blocks()
        self._keep()

    def run(self) -> None:
        """Draw until q is pressed."""
        from sitectl import screen

        with screen.opened() as terminal:
            while True:
                columns, lines = terminal.size
                terminal.draw(self._text(columns, lines))
                ends = time.monotonic() + self._pause_s
                key = terminal.key(self._pause_s)
                if key in ("q", "Q", "\x1b"):
                    return
                if key in ("s", "S"):
                    self._sort = top.SORTS[(top.SORTS.index(self._sort) + 1) % len(top.SORTS)]
                elif key in ("p", "P", " "):
                    self._paused = not self._paused
                if not key:
                    time.sleep(max(0.0, ends - time.monotonic()))
                    self._look()

    def _look(self) -> None:
        if self._paused:
            return
        try:
            self._live, self._error = self._pictures.look(), ""
        except Failure as failure:  # It may be over at the next look; until then it is told.
            self._error = f"stale, {failure.message}"
            return
        self._keep()

    def _keep(self) -> None:
        now = top.rates(self._live)
        self._past = {port: self._past.get(port, deque(maxlen=top.LINE)) for port in now}
        for port, rate in now.items():
            self._past[port].append(rate)

    def _text(self, columns: int, lines: int) -> str:
        body = top.page(
            self._live,
            (columns, lines - 4),
            sort=self._sort,
            past=self._past,
            ascii_only=self._ascii_only,
        )
        foot = output.safe(self._error)[:columns] if self._error else KEYS
        room = max(0, lines - 3 - len(body))
        head = top.head(self._live, self._sort, paused=self._paused)
        return "\n".join([head, "", *body, *[""] * room, foot])

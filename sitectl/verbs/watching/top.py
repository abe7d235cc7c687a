"""`top`: what every service does now, and where what leaves this site goes."""

import json
import sys
import time
from collections import deque
from typing import Final

import click

from sitectl.base import output
from sitectl.base.failure import Failure
from sitectl.base.options import Duration, Settings
from sitectl.base.verb import Verb
from sitectl.base.watch import LEAST_S
from sitectl.selection import store
from sitectl.show import sparkline, top
from sitectl.show.link_traffic import LinkTraffic
from sitectl.show.live import Live, Pictures, Port
from sitectl.show.why_text import why_text

EVERY_S: Final = 1.0
_KEYS: Final = "q quit   s sort   p pause   ↑ ↓ select a service   Enter why"
_ASCII_KEYS: Final = "q quit   s sort   p pause   j k select a service   Enter why"
_WHY_KEYS: Final = "q back   p pause"


@click.command("top", cls=Verb)
@click.option("--once", is_flag=True, help="Print once and exit.")
@click.option(
    "--every", "every_s", type=Duration(), default=EVERY_S, help="Time between two updates."
)
@click.option(
    "--sort",
    type=click.Choice((*top.SORTS, *top.OLD_SORTS)),
    metavar=f"[{'|'.join(top.SORTS)}]",
    default="requests",
    help="Sort order; key s.",
)
@click.pass_obj
def command(settings: Settings, once: bool, every_s: float, sort: str) -> None:
    """Show services with rates, this site's load and spilled requests; links; sites.

    REQ/S counts the requests that this site's clients begin, whichever site serves them. HERE shows
    the requests in flight at this site, the mean of the last seconds, and its configured capacity;
    with a rate, the requests a second that it admits, a mean over the window of the rate.
    SPILLED shows how many requests a second go to other sites, to which, and why: each counts once
    another site has it.
    IN and OUT show the bytes a second on a link, from the second picture on.
    Keys: q quits, s sorts by the next column, p pauses, arrows (or j and k) select a service, and
    Enter shows its `why` until q or Esc. Without a terminal each picture is plain text, or with
    -o json one object a line.

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
        whole = f"{top.head(first, sort)}\n\n{_plain(settings, first, sort)}"
        output.emit_item(settings, "Top", first, lambda: whole)
    elif settings.output == "table" and sys.stdout.isatty():
        _Shown(settings, pictures, first, sort, pause_s).run()
    else:
        _print_on(settings, pictures, first, sort, pause_s)


def _plain(settings: Settings, live: Live, sort: str, traffic: LinkTraffic | None = None) -> str:
    now = traffic.now if traffic is not None else {}
    ascii_only = not sparkline.has_blocks()
    return "\n".join(
        top.page(live, None, sort=sort, traffic=now, ascii_only=ascii_only, here=settings.here)
    )


def _print_on(
    settings: Settings, pictures: Pictures, live: Live, sort: str, pause_s: float
) -> None:
    """Print picture after picture until interrupted."""
    traffic = LinkTraffic()
    while True:
        traffic.note(live)
        if settings.output == "json":
            click.echo(json.dumps(output.envelope(settings, "Top", {"item": live})))
        elif settings.output == "yaml":
            click.echo("---")
            output.emit_item(settings, "Top", live, str)
        else:
            click.echo(f"{top.head(live, sort)}\n\n{_plain(settings, live, sort, traffic)}\n")
        sys.stdout.flush()
        time.sleep(pause_s)
        live = pictures.look()


class _Shown:
    """The picture on a terminal, and the view that its keys selected."""

    def __init__(
        self, settings: Settings, pictures: Pictures, first: Live, sort: str, pause_s: float
    ) -> None:
        self._here = settings.here
        self._pictures, self._live, self._sort, self._pause_s = pictures, first, sort, pause_s
        self._paused, self._error = False, ""
        self._past: dict[Port, deque[float]] = {}
        self._traffic = LinkTraffic()
        self._selected: Port | None = None
        self._why: str | None = None
        """Of the selected service, which is all that is shown; None: the whole picture is."""
        self._ascii_only = not sparkline.has_blocks()
        self._note()

    def run(self) -> None:
        """Draw until q is pressed."""
        from sitectl.base import screen

        with screen.opened() as terminal:
            look_at = time.monotonic() + self._pause_s
            while True:
                terminal.draw(self._text(*terminal.size))
                key = terminal.key(look_at - time.monotonic())
                if key and not self._press(key):
                    return
                if not key:
                    time.sleep(max(0.0, look_at - time.monotonic()))
                if time.monotonic() >= look_at:
                    self._look()
                    look_at = time.monotonic() + self._pause_s

    def _press(self, key: str) -> bool:
        """Do what a key means; False: end."""
        from sitectl.base import screen

        if key in ("q", "Q", screen.ESCAPE):
            is_whole, self._why = self._why is None, None
            return not is_whole
        if key in ("p", "P", " "):
            self._paused = not self._paused
        elif self._why is not None:
            pass  # The other keys are of the whole picture.
        elif key in ("s", "S"):
            self._sort = top.SORTS[(top.SORTS.index(self._sort) + 1) % len(top.SORTS)]
        elif key in ("k", *screen.UP):
            self._select(-1)
        elif key in ("j", *screen.DOWN):
            self._select(1)
        elif key in ("\r", "\n") and self._selected is not None:
            self._why = self._asked(self._selected)
        return True

    def _select(self, step: int) -> None:
        ports = top.order(self._live, self._sort)
        if self._selected in ports:
            at = ports.index(self._selected) + step
            self._selected = ports[min(max(at, 0), len(ports) - 1)]

    def _asked(self, port: Port) -> str:
        """The answer of `why` for a service, or the reason why there is none."""
        try:
            return self._here(why_text(self._pictures.why(port)))
        except Failure as failure:
            failure.hint = self._here(failure.hint)
            return output.safe_lines(failure.as_text())

    def _look(self) -> None:
        if self._paused:
            return
        try:
            self._live, self._error = self._pictures.look(), ""
        except Failure as failure:  # Shown until the next read succeeds.
            self._error = f"stale, {failure.message}"
        else:
            self._note()
        if self._why is not None and self._selected is not None:
            self._why = self._asked(self._selected)

    def _note(self) -> None:
        """Update the figures that span several pictures."""
        now = top.rates(self._live)
        self._past = {port: self._past.get(port, deque(maxlen=top.LINE)) for port in now}
        for port, rate in now.items():
            self._past[port].append(rate)
        self._traffic.note(self._live)
        ports = top.order(self._live, self._sort)
        if self._selected not in ports:
            self._selected = ports[0] if ports else None

    def _text(self, columns: int, lines: int) -> str:
        head = top.head(
            self._live,
            self._sort,
            paused=self._paused,
            stale=bool(self._error),
            columns=columns,
        )
        if self._why is not None:
            body, keys = self._why.split("\n"), _WHY_KEYS
        else:
            keys = _ASCII_KEYS if self._ascii_only else _KEYS
            body = top.page(
                self._live,
                (columns, lines - 4),
                sort=self._sort,
                past=self._past,
                traffic=self._traffic.now,
                selected=self._selected,
                ascii_only=self._ascii_only,
                here=self._here,
            )
        foot = output.safe(self._error)[:columns] if self._error else keys
        room = max(0, lines - 3 - len(body))
        return "\n".join([head, "", *body, *[""] * room, foot])

"""Looking once or again and again: `--watch` of everything that shows a state.

At a terminal one picture is drawn over the other, until Ctrl-C (exit 130). Elsewhere each picture
is printed that says something new; figures that always change are nothing new.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import click

from sitectl.base import output
from sitectl.base.failure import Exit, Failure
from sitectl.base.options import Duration, Settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

EVERY_S: Final = 2.0
LEAST_S: Final = 0.2
"""Between two looks; a router has more to do than to be looked at."""
_ALWAYS_NEW: Final = frozenset(
    (
        *("age_s", "rtt_ms", "uptime_s", "asked_per_s", "admitted_per_s", "phases", "learnt"),
        *("bytes_in_total", "bytes_out_total"),
    )
)

_DURATION: Final = re.compile(r"\b[\d.]+ (?:s|min|h|days?)\b(?: \d+ (?:s|min|h)\b)?")
"""In a sentence of a problem or note: how long something has lasted by now."""


class Picture(NamedTuple):
    """The result of one read. ``content``: ``item`` or ``items`` of the envelope.

    ``failure``: why the content is not from the router; the verb shows the content, then fails.
    ``note``: a further line below it.
    """

    kind: str
    content: Mapping[str, Any]
    text: Callable[[], str]
    exit_code: Exit = Exit.OK
    failure: Failure | None = None
    note: str = ""


watch_flag = click.option(
    "--watch",
    type=Duration(),
    is_flag=False,
    flag_value=str(EVERY_S),
    metavar="[SECONDS]",
    help="Refresh until Ctrl-C. [default: every 2 s]",
)


def show(ctx: click.Context, look: Callable[[], Picture], every_s: float | None) -> None:
    """Print what ``look`` finds and end as it says; with ``every_s`` go on looking."""
    settings = ctx.ensure_object(Settings)
    if every_s is None:
        picture = look()
        if picture.note:
            output.note(picture.note)
        output.emit(settings, picture.kind, picture.content, picture.text)
        if picture.failure is not None:
            raise picture.failure
        ctx.exit(picture.exit_code)
    pause_s = max(LEAST_S, every_s)
    look = _naming_the_site(settings, look)
    if settings.output == "table" and sys.stdout.isatty():
        _on_screen(settings, look, pause_s)
    else:
        _line_by_line(settings, look, pause_s)


def _naming_the_site(settings: Settings, look: Callable[[], Picture]) -> Callable[[], Picture]:
    """``look``, whose advice selects the site as this command line did."""

    def named() -> Picture:
        try:
            picture = look()
        except Failure as failure:
            failure.hint = settings.here(failure.hint)
            raise
        if picture.failure is not None:
            picture.failure.hint = settings.here(picture.failure.hint)
        return picture._replace(text=lambda: settings.here(picture.text()))

    return named


def _on_screen(settings: Settings, look: Callable[[], Picture], pause_s: float) -> None:
    from sitectl.base import screen

    last = ""
    first = look()  # A wrong name fails before the screen opens.
    try:
        with screen.opened() as terminal:
            picture: Picture | Failure = first
            while True:
                last = _told(picture)
                when = time.strftime("%H:%M:%S")
                head = f"{settings.command}   every {pause_s:g} s   {when}   Ctrl-C ends"
                terminal.draw(f"{head}\n\n{last}")
                ends = time.monotonic() + pause_s
                while (left := ends - time.monotonic()) > 0:
                    if terminal.key(left) in ("q", "Q"):
                        return
                    if not sys.stdin.isatty():
                        time.sleep(max(0.0, ends - time.monotonic()))
                picture = _looked(look)
    finally:
        click.echo(last)


def _line_by_line(settings: Settings, look: Callable[[], Picture], pause_s: float) -> None:
    before: Any = None
    picture: Picture | Failure = look()
    while True:
        if (seen := _news(picture)) != before:
            before = seen
            _print(settings, picture)
        time.sleep(pause_s)
        picture = _looked(look)


def _news(picture: Picture | Failure) -> Any:
    """The part of a picture that later ones are compared with.

    It includes the failure: an empty list alone does not show that the router stopped.
    """
    if isinstance(picture, Failure):
        return picture.as_json()
    why = picture.failure.as_json() if picture.failure is not None else picture.note
    return essence(picture.content), why


def _looked(look: Callable[[], Picture]) -> Picture | Failure:
    """A later look: what fails is shown too, since it may be over at the next one."""
    try:
        return look()
    except Failure as failure:
        return failure


def _told(picture: Picture | Failure) -> str:
    if isinstance(picture, Failure):
        return output.safe_lines(picture.as_text())
    below = picture.note if picture.failure is None else picture.failure.as_text()
    return picture.text() + (f"\n\n{output.safe_lines(below)}" if below else "")


def _print(settings: Settings, picture: Picture | Failure) -> None:
    if settings.output == "table":
        click.echo(f"--- {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n{_told(picture)}")
    elif isinstance(picture, Failure):
        click.echo(json.dumps(picture.as_json()), err=True)
    else:
        if settings.output == "json":
            click.echo(json.dumps(output.envelope(settings, picture.kind, picture.content)))
        else:
            click.echo("---")
            output.emit(settings, picture.kind, picture.content, picture.text)
        if picture.failure is not None:
            click.echo(json.dumps(picture.failure.as_json()), err=True)
        elif picture.note:
            output.note(picture.note)
    sys.stdout.flush()


def essence(value: Any) -> Any:
    """``value`` without the figures that change at every look, and the ages in its sentences."""
    if isinstance(value, Mapping):
        return {
            key: _DURATION.sub("", one) if key == "message" else essence(one)
            for key, one in value.items()
            if key not in _ALWAYS_NEW
        }
    if isinstance(value, list | tuple):
        return [essence(one) for one in value]
    return value

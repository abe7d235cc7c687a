"""Data on stdout as table, JSON or YAML; progress on stderr."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from router.model.latency import FIRST_S, LAST_S
from router.model.wording import network_words
from router.model.wording.plural import counted
from sitectl.base.options import Settings

_TURNING = (0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
"""Letters without a shape that turn the order of others, or begin a line."""
_CONTROL = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))},
    **{code: f"\\u{code:04x}" for code in _TURNING},
}


def note(text: str) -> None:
    """One line of progress or advice; commands in it name the site where that is needed."""
    context = click.get_current_context(silent=True)
    settings = context.find_object(Settings) if context is not None else None
    click.echo(safe(settings.here(text) if settings is not None else text), err=True)


def count(number: object, word: str) -> str:
    """``1 site``, ``2 sites``."""
    return counted(number, word)


def sites(status: Mapping[str, Any]) -> str:
    """``3 sites``, or ``2 of 3 sites reachable``, of an item of `/api/v1/status`."""
    reachable = int(status.get("sites") or 0)  # Older routers, and stopped ones, know no others.
    return network_words.sites_reachable(int(status.get("sites_known") or reachable), reachable)


def links_up(status: Mapping[str, Any]) -> str:
    """``2 links``, or ``1 of 2 links up``, of an item of `/api/v1/status`. Each of several routers
    knows only its own.
    """
    total = int(status.get("links") or 0)
    up = int(status.get("links_up", total))  # Older routers, and stopped ones, do not say.
    silent = int(status.get("links_silent") or 0)
    partly = int(status.get("links_partly") or 0)
    where = " at this router" if several_routers(status) else ""
    if up == total and not silent and not partly:
        return count(total, "link") + where
    return network_words.links_up(total, up, silent, partly) + where


def several_routers(status: Mapping[str, Any]) -> int:
    """How many routers the site has, this one included; 0: only one. Of `/api/v1/status`."""
    routers = int(status.get("replicas") or 1)
    return routers if routers > 1 else 0


def seconds(number: float) -> str:
    """A short duration as people say it: ``0 ms``, ``0.42 ms``, ``38 ms``, ``2.5 s``."""
    if number >= 1:
        return f"{number:.3g} s"
    return f"{number * 1000:.3g} ms"


def quantile(told_s: float | None) -> str:
    """A quantile as the upper bound of its bucket, which is what the router reports: ``<0.1 ms``,
    ``<50 ms``, ``>85 s``; ``-``: none. The console has the same words."""
    if told_s is None:
        return "-"
    if told_s > LAST_S:
        return f">{seconds(LAST_S)}"
    return f"<{seconds(told_s or FIRST_S)}"


def round_trip(number_ms: float | None) -> str | None:
    """A round trip, in milliseconds wherever one is shown: ``12.4 ms``; None: not known."""
    return None if number_ms is None else f"{number_ms:.1f} ms"


def bytes_per_s(number: float) -> str:
    """A rate in decimal units: ``0 B/s``, ``950 B/s``, ``1.2 MB/s``."""
    for unit in ("B", "kB", "MB"):
        if number < 999.5:
            return f"{number:.3g} {unit}/s"
        number /= 1_000
    return f"{number:.4g} GB/s"


def safe(text: object) -> str:
    """``text`` without control characters: names from other sites must not move the cursor, nor
    turn what stands beside them."""
    return str(text).translate(_CONTROL)


def safe_lines(text: str) -> str:
    """As `safe`, of a text that has several lines."""
    return "\n".join(map(safe, text.split("\n")))


def emit_item(
    settings: Settings, kind: str, item: Mapping[str, Any], table: Callable[[], str]
) -> None:
    """Print one thing in its envelope, or what ``table`` says of it."""
    emit(settings, kind, {"item": item}, table)


def emit_items(
    settings: Settings, kind: str, items: Sequence[Mapping[str, Any]], table: Callable[[], str]
) -> None:
    """Print several things in their envelope, or what ``table`` says of them."""
    emit(settings, kind, {"items": list(items)}, table)


def envelope(settings: Settings, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` (``item`` or ``items``) as `-o json` prints it."""
    from router.model.specs import API_VERSION  # Here, for `health` starts without documents.

    return {"apiVersion": API_VERSION, "kind": kind, **settings.advised(content)}


def emit(
    settings: Settings, kind: str, content: Mapping[str, Any], table: Callable[[], str]
) -> None:
    """Print ``content`` (``item`` or ``items``) in its envelope, or what ``table`` says of it.

    Commands that it advises select the same site.
    """
    if settings.output == "table":
        click.echo(settings.here(table()))
        return
    if settings.output == "json":
        click.echo(json.dumps(envelope(settings, kind, content), indent=2))
    else:
        import yaml

        click.echo(
            yaml.safe_dump(envelope(settings, kind, content), sort_keys=False, allow_unicode=True),
            nl=False,
        )


def emit_file(settings: Settings, text: str) -> None:
    """Print ``text``, the YAML of a file, as it is or as JSON; both read back alike."""
    if settings.output != "json":
        click.echo(text, nl=False)
        return
    import yaml

    click.echo(json.dumps(yaml.safe_load(text), indent=2))


def emit_planned(settings: Settings) -> None:
    """Print the objects of a dry run as YAML that `kubectl apply` takes; or as JSON."""
    objects = [planned.body for planned in settings.planned if planned.body]
    for planned in settings.planned:
        note(f"dry run: {planned.shown} would be {planned.change}")
    if not settings.planned:
        note("dry run: nothing would change")
    if settings.output == "json":
        click.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
        return
    if not objects:
        return
    import yaml

    click.echo(yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True), nl=False)


def rows(
    headings: Sequence[str], lines: Iterable[Sequence[object]], optional: Sequence[str] = ()
) -> str:
    """A table as text; with color and fitted to the width when a person looks at it.

    ``optional``: columns that a terminal without room for them is spared, first the first, unless
    the user asks for all (`-o wide`).
    """
    cells: Sequence[Sequence[str]] = [[_shown(cell) for cell in line] for line in lines]
    if sys.stdout.isatty():
        from sitectl.base import colours, tables

        room = shutil.get_terminal_size().columns
        context = click.get_current_context(silent=True)
        settings = context.find_object(Settings) if context is not None else None
        if settings is None or not settings.wide:
            headings, cells = tables.shortened(headings, cells, room, optional)
        return tables.text(headings, cells, room, coloured=colours.wanted())
    widths = [
        max(len(row[column]) for row in [headings, *cells]) for column in range(len(headings))
    ]
    texts = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [headings, *cells]
    ]
    return "\n".join(texts)


def _shown(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(safe, value)) or "-"
    return safe(value)


def report(settings: Settings, kind: str, name: str, change: str, text: str) -> None:
    """Print what a verb changed: kind ``Change`` in JSON, else ``text``.

    With ``--dry-run``: the objects that would have been written.
    """
    if settings.dry_run:
        emit_planned(settings)
        return
    item = {"kind": kind, "name": name, "change": change}
    emit_item(settings, "Change", item, lambda: safe(text))

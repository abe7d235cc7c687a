"""Tables for people at a terminal: columns that fit, in blocks where all of them do not.

A narrow terminal gets, in this order: long texts folded at words, no narrower than `FOLD_TO`; then
the columns in several tables below one another, each with the first column. Nothing is left out.
"""

from collections.abc import Sequence
from typing import Final

FOLD_TO: Final = 24
"""Columns are folded to no less: an instant or an address stays in one piece."""
GAP: Final = 2


def blocks(widths: Sequence[int], room: int) -> list[dict[int, int]]:
    """Which columns stand side by side, and how wide; ``widths`` as their texts would have it."""
    folded = _folded(dict(enumerate(widths)), room)
    if _total(folded) <= room:
        return [folded]
    key = {0: min(widths[0], FOLD_TO)}
    found: list[dict[int, int]] = []
    current = dict(key)
    for column in range(1, len(widths)):
        width = min(widths[column], max(FOLD_TO, room - _total(key) - GAP))
        if len(current) > 1 and _total(current) + GAP + min(width, FOLD_TO) > room:
            found.append(current)
            current = dict(key)
        current[column] = width
    return [_folded(one, room) for one in (*found, current)]


def _folded(widths: dict[int, int], room: int) -> dict[int, int]:
    """``widths`` with the widest made narrower, as far as that is needed and goes."""
    result = dict(widths)
    while (excess := _total(result) - room) > 0:
        widest = max(result, key=result.__getitem__)
        if result[widest] <= FOLD_TO:
            break
        result[widest] = max(FOLD_TO, result[widest] - excess)
    return result


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def text(headings: Sequence[str], cells: Sequence[Sequence[str]], room: int, *, bold: bool) -> str:
    """The table for a terminal that is ``room`` characters wide."""
    natural = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    return "\n\n".join(
        _block(headings, cells, widths, room, bold) for widths in blocks(natural, room)
    )


def _block(
    headings: Sequence[str],
    cells: Sequence[Sequence[str]],
    widths: dict[int, int],
    room: int,
    bold: bool,
) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    style = "bold" if bold else ""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style=style)
    for column, width in widths.items():
        table.add_column(headings[column], overflow="fold", width=width)
    for line in cells:
        table.add_row(*(Text(line[column]) for column in widths))
    console = Console(width=max(room, _total(widths)) + GAP, force_terminal=bold, no_color=not bold)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())

"""Tables for terminals: columns that fit, or blocks of columns where they do not.

For a narrow terminal, in this order: fold long texts at spaces, no narrower than `FOLD_TO`; omit
columns that the table can be understood without (`shortened`); split the columns into several
tables below one another, each with the first column. A text without spaces, such as a name or an
address, is never broken: people copy it.
"""

import re
import textwrap
from collections.abc import Sequence
from typing import Final

from sitectl.base import colours

FOLD_TO: Final = 24
"""Columns are folded to no less, as texts in narrower ones are hard to read."""
GAP: Final = 2


def least(texts: Sequence[str]) -> int:
    """The narrowest that a column with these texts may be."""
    natural = max(map(len, texts))
    longest = max((len(word) for one in texts for word in one.split()), default=0)
    return max(longest, min(natural, FOLD_TO))


def blocks(widths: Sequence[int], leasts: Sequence[int], room: int) -> list[dict[int, int]]:
    """Which columns stand side by side, and how wide; ``widths`` as their texts would have it.

    ``leasts``: the narrowest each may be. A block is wider than ``room`` only when one column and
    the first are, at their narrowest.
    """
    whole = _folded(dict(enumerate(widths)), leasts, room)
    if _total(whole) <= room:
        return [whole]
    found: list[dict[int, int]] = []
    current = {0: leasts[0]}
    for column in range(1, len(widths)):
        if len(current) > 1 and _total(current) + GAP + leasts[column] > room:
            found.append(current)
            current = {0: leasts[0]}
        current[column] = leasts[column]
    return [
        _folded({column: widths[column] for column in one}, leasts, room)
        for one in (*found, current)
    ]


def shortened(
    headings: Sequence[str], cells: Sequence[Sequence[str]], room: int, optional: Sequence[str]
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """The table without columns that say nothing, and without ``optional`` ones that have no room.

    The optional ones go one by one, first the first, until the others stand side by side.
    """
    kept = [
        at
        for at in range(len(headings))
        if at == 0 or not cells or any(c[at] != "-" for c in cells)
    ]
    leasts = [least(column) for column in zip(headings, *cells, strict=True)]
    for heading in optional:
        if _total({at: leasts[at] for at in kept}) <= room:
            break
        kept = [at for at in kept if headings[at] != heading]
    return [headings[at] for at in kept], [[cell[at] for at in kept] for cell in cells]


def _folded(widths: dict[int, int], leasts: Sequence[int], room: int) -> dict[int, int]:
    """``widths`` with the widest made narrower, as far as that is needed and goes."""
    result = dict(widths)
    while (excess := _total(result) - room) > 0:
        loose = [column for column in result if result[column] > leasts[column]]
        if not loose:
            break
        widest = max(loose, key=result.__getitem__)
        result[widest] = max(leasts[widest], result[widest] - excess)
    return result


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def text(
    headings: Sequence[str], cells: Sequence[Sequence[str]], room: int, *, coloured: bool
) -> str:
    """The table for a terminal that is ``room`` characters wide."""
    columns = list(zip(headings, *cells, strict=True))
    natural = [max(map(len, column)) for column in columns]
    fitted = blocks(natural, [least(column) for column in columns], room)
    return "\n\n".join(_block(headings, cells, widths, coloured) for widths in fitted)


def _block(
    headings: Sequence[str], cells: Sequence[Sequence[str]], widths: dict[int, int], coloured: bool
) -> str:
    lines = [_line([(headings[c], width) for c, width in widths.items()])]
    if coloured:
        lines = [colours.painted(lines[0], colours.HEAD)]
    for cell in cells:
        folded = {c: _fold(cell[c], width) for c, width in widths.items()}
        for at in range(max(map(len, folded.values()))):
            parts = []
            for c, width in widths.items():
                part = folded[c][at] if at < len(folded[c]) else ""
                shown = _with_colours(headings[c], part) if coloured else part
                parts.append((shown, width + len(shown) - len(part)))
            lines.append(_line(parts))
    return "\n".join(lines)


def _line(parts: Sequence[tuple[str, int]]) -> str:
    return (" " * GAP).join(part.ljust(width) for part, width in parts).rstrip()


def _fold(cell: str, width: int) -> list[str]:
    return textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False) or [""]


def _with_colours(heading: str, part: str) -> str:
    return re.sub(
        r"\S+", lambda found: colours.painted(found[0], colours.meaning(heading, found[0])), part
    )

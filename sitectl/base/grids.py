"""Columns side by side on a screen: the last one is folded at spaces, names are never cut."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sitectl.base import colours

_LAST_LEAST: Final = 14
_FEW_LINES: Final = 2
"""A row that needs more lines is worth more than the column that can be missed most."""
GAP: Final = 2


class Cell(NamedTuple):
    """A text and its meaning (`sitectl.base.colours`)."""

    text: str
    meaning: str = ""


class Grid(NamedTuple):
    """A table as lines: its heading, and the lines of each row."""

    heading: str
    rows: list[list[str]]


def grid(
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    room: int,
    dropped: Sequence[int],
    lines_max: int = 1,
) -> Grid:
    """``rows`` fitted to ``room`` columns; nothing of no rows.

    Of the last column ``lines_max`` lines are shown. Empty columns are left out. So is the first of
    ``dropped`` if the last column would need more than `_FEW_LINES`, and the next ones, in their
    order, until it has room for its longest word.
    """
    if not rows:
        return Grid("", [])
    kept = [at for at in range(len(headings)) if any(row[at].text for row in rows)]
    widths = {at: max(len(headings[at]), *(len(row[at].text) for row in rows)) for at in kept}
    last = max(widths)
    texts = [row[last].text for row in rows]
    few_lines = min(_FEW_LINES, lines_max)
    for number, at in enumerate(dropped):
        room_left = room - sum(width + GAP for one, width in widths.items() if one != last)
        if room_left >= widths[last]:
            break
        if number and room_left >= max(_LAST_LEAST, *map(_longest_word, texts)):
            break
        if not number and not any(_is_cut(text, room_left, few_lines) for text in texts):
            break
        widths.pop(at, None)
    if len(widths) > 1:
        before = sum(widths[at] + GAP for at in widths if at != last)
        widths[last] = max(0, min(widths[last], room - before))
    heading = _lines([Cell(headings[at], colours.HEAD) for at in widths], widths, 1)
    return Grid(heading[0], [_lines([row[at] for at in widths], widths, lines_max) for row in rows])


def _longest_word(text: str) -> int:
    return max(map(len, text.split(" ")))


def _is_cut(text: str, width: int, lines_max: int) -> bool:
    return " ".join(folded(text, width, lines_max)) != text


def _lines(cells: Sequence[Cell], widths: Mapping[int, int], lines_max: int) -> list[str]:
    *front, last = zip(cells, widths.values(), strict=True)
    head = "".join(
        colours.paint(text, meant) + " " * (width + GAP - len(text))
        for (text, meant), width in front
    )
    margin = " " * sum(width + GAP for _, width in front)
    (text, meant), width = last
    parts = folded(text, width, lines_max)
    lines = [colours.paint(part, meant) if part else "" for part in parts]
    return [((margin if at else head) + line).rstrip() for at, line in enumerate(lines)]


def folded(text: str, width: int, lines_max: int) -> list[str]:
    """``text`` in up to ``lines_max`` lines of ``width``, cut between words; at least one line.

    A text that is cut ends with an ellipsis; a word is cut only if it is longer than a line.
    """
    lines: list[str] = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if len(longer) <= width:
            lines[-1] = longer
        elif not lines[-1]:
            lines[-1] = _cut(word, width)
        elif len(lines) < lines_max:
            lines.append(word if len(word) <= width else _cut(word, width))
        else:
            lines[-1] = _ended(lines[-1], width)
            break
    return lines


def _ended(line: str, width: int) -> str:
    """``line`` with an ellipsis, without its last words where they leave no room for it."""
    while len(line) + 2 > width and " " in line:
        line = line.rpartition(" ")[0]
    return f"{line} …" if len(line) + 2 <= width else _cut(f"{line}…", width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else (text[: max(0, width - 1)] + "…")[:width]

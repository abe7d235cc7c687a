"""Figures as a line of blocks, and shares as a bar; in ASCII where the locale has no blocks."""

import math
import sys
from collections.abc import Sequence
from typing import Final

BLOCKS: Final = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS: Final = "_.-~=+*#"
_UNKNOWN: Final = " "


def has_blocks() -> bool:
    """Whether standard output can show `BLOCKS`."""
    try:
        BLOCKS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def line(values: Sequence[float | None], width: int, *, ascii_only: bool = False) -> str:
    """``values`` in at most ``width`` blocks, the highest at the top; None: not known, a gap.

    Several values in one block are as high as the highest of them: a peak is never averaged away.
    """
    steps = ASCII_BLOCKS if ascii_only else BLOCKS
    shown = _condensed(values, width)
    top = max((one for one in shown if one is not None), default=0.0)
    return "".join(_UNKNOWN if one is None else steps[_step(one, top)] for one in shown)


def _step(value: float, top: float) -> int:
    """The lowest for nothing at all, for it only; the highest for the top."""
    if value <= 0 or top <= 0:
        return 0
    return min(len(BLOCKS) - 1, math.ceil(value / top * (len(BLOCKS) - 1)))


def _condensed(values: Sequence[float | None], width: int) -> list[float | None]:
    if len(values) <= width:
        return list(values)
    found: list[float | None] = []
    for at in range(width):
        part = values[at * len(values) // width : (at + 1) * len(values) // width]
        found.append(max((one for one in part if one is not None), default=None))
    return found


def bar(share: float, width: int, *, ascii_only: bool = False) -> str:
    """``width`` characters, as many of them full as ``share`` (0 to 1) says; above 1 all."""
    full, empty = ("#", ".") if ascii_only else ("█", "░")
    filled = min(width, max(0, round(share * width)))
    if share > 0:
        filled = max(1, filled)
    return full * filled + empty * (width - filled)

"""Reads instants from a log: CSV, bare numbers, or the access logs of web servers. Pure."""

import re
from datetime import datetime
from itertools import pairwise
from typing import Final

_CLF: Final = re.compile(r"\[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} [-+][0-9]{4})\]")


def read_log(text: str, hole_s: float) -> tuple[tuple[float, ...], str, int, str]:
    """(instants from 0 in order, the error, its line, a note).

    A line's instant is its first field: Unix seconds or ISO 8601, or the text in brackets in the
    common and combined log formats. A header line, empty lines and ``#`` lines are left out. Lines
    out of order are sorted and counted in the note, as are holes longer than ``hole_s``: they stay.
    A line without an instant is an error: a log with garbage is not the load it claims to be.
    """
    found: list[float] = []
    headed = False
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        when = _instant(line)
        if when is None:
            if not found and not headed:
                headed = True  # Names of columns.
                continue
            shown = line if len(line) <= 60 else line[:57] + "..."
            return (), f"no instant in {shown!a}", number, ""
        found.append(when)
    if not found:
        return (), "no instants in it", 1, ""
    disorder = sum(after < before for before, after in pairwise(found))
    found.sort()
    gaps = [after - before for before, after in pairwise(found)]
    holes = sum(gap > hole_s for gap in gaps)
    notes = []
    if disorder:
        notes.append(f"{disorder} lines were out of order and are sorted")
    if holes:
        notes.append(f"{holes} holes of more than {hole_s:g} s, the longest {max(gaps):.0f} s")
    first = found[0]
    return _spread([when - first for when in found]), "", 0, "; ".join(notes)


def _spread(instants: list[float]) -> tuple[float, ...]:
    """For logs of whole seconds: spread the requests of one second evenly over it."""
    if any(when % 1.0 for when in instants):
        return tuple(instants)
    spread: list[float] = []
    begin = 0
    while begin < len(instants):
        end = begin
        while end < len(instants) and instants[end] == instants[begin]:
            end += 1
        spread += [instants[begin] + i / (end - begin) for i in range(end - begin)]
        begin = end
    return tuple(spread)


def _instant(line: str) -> float | None:
    bracketed = _CLF.search(line)
    try:
        if bracketed is not None:
            return datetime.strptime(bracketed[1], "%d/%b/%Y:%H:%M:%S %z").timestamp()
        first = line.split(",")[0].strip().strip('"')
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", first):
            return float(first)
        when = datetime.fromisoformat(first)
    except ValueError:
        return None
    return (
        when.timestamp()
        if when.tzinfo is not None
        else (when - datetime(1970, 1, 1)).total_seconds()
    )

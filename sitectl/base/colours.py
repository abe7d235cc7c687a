"""Colors with a meaning, for terminals. The words say the same without them."""

import os
import sys
from typing import Final

GOOD, WARN, BAD, QUIET, HEAD = "32", "33", "31", "2", "1"
"""Parameters of SGR (ECMA-48, 8.3.117): as it should be, to look at, wrong, beside the point."""

_WORDS: Final = (
    (GOOD, "up ready bound chosen ok alive open healthy"),
    (
        WARN,
        "connecting draining over degraded full above-mark sheddable-share higher-level stopped "
        "starting warning silent",
    ),
    (
        BAD,
        "down refused error unreachable no-target all-full shed no-route revoked expired old-ca "
        "ejected",
    ),
    (QUIET, "dearer not-chosen excluded none info used"),
)
_STATES: Final = {word: meant for meant, words in _WORDS for word in words.split()}
_YES_IS: Final = {"READY": GOOD, "REACHABLE": GOOD, "DRAINING": WARN, "EJECTED": WARN}
_NO_IS: Final = {"READY": BAD, "REACHABLE": BAD}
_WITH_STATES: Final = frozenset(
    (
        "STATE",
        "VERDICT",
        "OUTCOME",
        "LISTENER",
        "READY",
        "REACHABLE",
        "DRAINING",
        "EJECTED",
        "LEVEL",
    )
)


def wanted() -> bool:
    """Whether standard output is a terminal whose user takes colors (no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def paint(text: str, meaning: str) -> str:
    """``text`` in the color of ``meaning`` where colors are wanted."""
    return painted(text, meaning) if wanted() else text


def painted(text: str, meaning: str) -> str:
    """``text`` in the color of ``meaning``; an empty one has none."""
    return f"\x1b[{meaning}m{text}\x1b[0m" if meaning and text else text


def meaning(heading: str, word: str) -> str:
    """The meaning of ``word`` in a column; empty: it is no state."""
    if heading == "ERROR":
        return "" if word == "-" else BAD
    if heading not in _WITH_STATES:
        return ""
    word = word.strip(",;:()")
    if word in ("yes", "no"):
        return (_YES_IS if word == "yes" else _NO_IS).get(heading, "")
    return _STATES.get(word, "")

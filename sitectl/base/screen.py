"""The terminal as a screen: a text that is drawn over and over, and keys that are pressed."""

import contextlib
import os
import re
import select
import sys
import termios
import tty
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sitectl.base import colours

if TYPE_CHECKING:
    from rich.live import Live


ESCAPE: Final = "\x1b"
UP: Final = ("\x1b[A", "\x1bOA")
DOWN: Final = ("\x1b[B", "\x1bOB")
_KEYS: Final = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)
_REST_OF_KEY_S: Final = 0.05
"""The rest of a key that sends several bytes comes with the first, or soon after it."""


class Screen:
    """The whole terminal, until `opened` ends."""

    def __init__(self, live: "Live") -> None:
        self._live = live
        self._pressed: deque[str] = deque()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        columns, lines = self._live.console.size
        return columns, lines

    def draw(self, text: str) -> None:
        """Show ``text``, cut where the screen ends; its last line always stays."""
        from rich.text import Text

        lines, (_, height) = text.split("\n"), self.size
        if len(lines) > height:
            lines = [*lines[: height - 1], lines[-1]]
        shown = Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop")
        self._live.update(shown, refresh=True)

    def key(self, wait_s: float) -> str:
        """The key that is pressed within ``wait_s``; empty: none, or keys cannot be read.

        Keys without a character are the sequences that terminals send, such as ``UP``.
        """
        if not self._pressed:
            text = _read(wait_s)
            if text.endswith(ESCAPE):
                text += _read(_REST_OF_KEY_S)
            self._pressed.extend(_KEYS.findall(text))
        return self._pressed.popleft() if self._pressed else ""


def _read(wait_s: float) -> str:
    try:
        ready, _, _ = select.select([sys.stdin], [], [], max(0.0, wait_s))
    except (ValueError, OSError):
        return ""
    return os.read(sys.stdin.fileno(), 16).decode("utf-8", "replace") if ready else ""


@contextlib.contextmanager
def opened() -> Iterator[Screen]:
    """The terminal of standard output; it is as before when this ends, however it ends."""
    from rich.console import Console
    from rich.live import Live

    console = Console(no_color=not colours.wanted(), highlight=False)
    with _keys_at_once(), Live(console=console, screen=True, auto_refresh=False) as live:
        yield Screen(live)


@contextlib.contextmanager
def _keys_at_once() -> Iterator[None]:
    """Keys are readable as they are pressed, and not shown; Ctrl-C interrupts as ever."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

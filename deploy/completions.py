"""Completions for three shells, at each shell's place below a prefix.

The wheel of a release has them as data, which installers put into ``PREFIX/share``.
"""

from pathlib import Path
from typing import Final

from sitectl.main import cli
from sitectl.verbs.tools import completion_script

PLACES: Final = {
    "bash": "bash-completion/completions/sitectl",
    "fish": "fish/vendor_completions.d/sitectl.fish",
    "zsh": "zsh/site-functions/_sitectl",
}


def write(share: Path) -> None:
    """Write all completions below ``share``."""
    for shell, place in PLACES.items():
        path = share / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{completion_script(shell, cli)}\n", "utf-8")

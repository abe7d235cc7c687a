"""Pages show output and pictures of `sitectl`; tests compare them with its present ones.

``python -m tests.shown`` writes them again. A block is fenced, and begins with ``$ sitectl
simulate``; for commands that read a router see `tests.shown_looks`.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner

from sitectl.main import cli
from tests import shown_looks

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "docs" / "simulate.md", ROOT / "README.md")
PICTURES = {ROOT / "docs" / "pictures" / "burst.svg": "simulate examples/burst.yaml --no-skupper"}
"""The command, with ``--svg``, for each picture."""
_BLOCK = re.compile(
    r"(?P<head>```[a-z]*\n\$ sitectl (?P<typed>simulate examples/\S+[^\n|]*)"
    r"( \| tail -(?P<tail>\d+))?\n)(?P<output>.*?)(?P<end>```\n)",
    re.S,
)


def commands(text: str) -> list[str]:
    """The commands in the blocks of a page."""
    return [found["typed"] for found in _BLOCK.finditer(text)]


def page(text: str) -> str:
    """``text`` with new output in its blocks; two blank lines become one."""
    return _BLOCK.sub(
        lambda found: found["head"] + _printed(found["typed"], found["tail"]) + found["end"], text
    )


def picture(command: str) -> str:
    """What ``command`` draws."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture.svg"
        _run(f"{command} --svg {path}")
        return path.read_text("utf-8")


def _printed(command: str, tail: str | None) -> str:
    lines = [line.rstrip() for line in _run(command).splitlines()][-int(tail or 0) :]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip("\n") + "\n"


def _run(command: str) -> str:
    words = [str(ROOT / word) if word.startswith("examples/") else word for word in command.split()]
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


if __name__ == "__main__":
    for path, command in PICTURES.items():
        path.write_text(picture(command), "utf-8")
    for path in PAGES:
        path.write_text(page(path.read_text("utf-8")), "utf-8")
    shown_looks.PAGE.write_text(shown_looks.page(shown_looks.PAGE.read_text("utf-8")), "utf-8")

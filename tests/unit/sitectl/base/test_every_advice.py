"""Each command that a text of sitectl or of the router advises gets the flags of the site."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from sitectl.base.options import Settings
from sitectl.main import VERBS

ROOT = Path(__file__).parents[4]
NEED_NO_SITE = ("explain", "version", "completion", "switch")
_VERBS = "|".join(sorted(set(VERBS) - {*NEED_NO_SITE}))
_COMMAND = re.compile(rf"(?<![`\w-])sitectl (?:--site \S+ )?(?:{_VERBS})\b(?!(?: [a-z]+)* --help)")
_ELSEWHERE = re.compile(r"\b(?:at|on|there)\b[^;.\n]*: $", re.IGNORECASE)
"""Before a command for another site: its flags are not known here."""
NOT_TYPED = {
    "router/admin/what_if_commands.py": "The console runs them through its own builder.",
}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Each text with its line, but no docstring; fields of an f-string are an X.

    None of a file that names no command: to parse all of the product takes some seconds.
    """
    source = path.read_text("utf-8")
    tree = ast.parse(source if "sitectl " in source else "")
    parts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts.update(map(id, node.values))
        elif isinstance(node, ast.Expr):
            parts.add(id(node.value))
    for node in ast.walk(tree):
        if id(node) in parts:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            shown = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            yield node.lineno, "".join(map(str, shown))


def nameless(text: str) -> list[str]:
    """Commands for this site that do not select it as the command line did."""
    settings = Settings()
    settings.state, settings.site = "/srv", "west"
    told = settings.here(text)
    return [
        found[0]
        for found in _COMMAND.finditer(told)
        if not _ELSEWHERE.search(told[: found.start()])
    ]


def test_no_advice_leaves_out_the_site_that_the_command_named() -> None:
    """Else the advised command acts on another site, or on none, where a host has several."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {commands}"
        for room in ("certs", "router", "sitectl")
        for path in sorted((ROOT / room).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in NOT_TYPED
        for line, text in texts(path)
        if "sitectl " in text and (commands := nameless(text))
    ]
    assert found == []


def test_an_advice_without_the_site_is_found() -> None:
    assert nameless("Type sitectl stop now") == ["sitectl stop"]
    assert nameless("sitectl service status shop and sitectl check") == ["sitectl check"]
    assert nameless("At far: sitectl check") == []
    assert nameless("sitectl stop, then sitectl start") == []

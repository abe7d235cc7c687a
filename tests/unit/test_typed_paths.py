"""A path in a command that we advise is quoted: a folder may have a space in its name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("router", "certs", "sitectl")
_COMMAND = re.compile(
    r"(?:^|[ (])"
    r"(?:cat|chgrp|chmod|chown|cp|df|kill|kubectl|ls|mkdir|mv|namei|rm|sitectl|tail|touch) "
    r"[^.:;,]*$"
)
_PATH = re.compile(r"path|file|directory|folder|parent|source|log\b|closed")


def unquoted(text: str) -> Iterator[str]:
    """Each value of an f-string that is a path in a shell command, by its name, as it is."""
    tree = ast.parse(text)
    quoted = {
        ast.unparse(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "quote(" in ast.unparse(node.value)
        for each in node.targets
        for target in (each.elts if isinstance(each, ast.Tuple) else [each])
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        before = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                before += str(part.value)
                continue
            value = ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else ""
            is_path = _PATH.search(value) and _COMMAND.search(before)
            is_quoted = "quote(" in value or "typed(" in value or value in quoted
            if is_path and not is_quoted:
                yield f"line {node.lineno}: {before[-40:]}{{{value}}}"
            before += "VALUE"


def test_a_path_that_is_not_quoted_is_found() -> None:
    assert list(unquoted('f"Run: chmod 0600 {path}"')) == ["line 1: Run: chmod 0600 {path}"]
    assert list(unquoted('f"mv {site.folder} {other_path}"'))
    assert list(unquoted('f"Run: chmod 0600 {quote(path)}"')) == []
    assert list(unquoted('place = quote(path)\nf"Run: ls {place}"')) == []
    assert list(unquoted('f"{path} is no file: ls"')) == []


def test_every_path_in_an_advised_command_is_quoted() -> None:
    sources = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(sources) > 500
    found = [
        f"{path.relative_to(ROOT)} {one}" for path in sources for one in unquoted(path.read_text())
    ]
    assert found == []

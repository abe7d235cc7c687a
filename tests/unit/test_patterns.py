"""No pattern repeats a group possessively: CPython before 3.11.5 matches those wrongly.

See python/cpython#106052, which Debian repaired in its 3.11.2 only with deb12u9. A set of
characters may be repeated possessively: that is another instruction, and it is right everywhere.
"""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from re import _constants, _parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("router", "certs", "sitectl", "simulator", "deploy")
_NOT_SYNTAX = re.compile(r"\\.|\[\^?\]?[^]]*\]", re.DOTALL)
_POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]*\})\+|\(\?>")


def faults(pattern: str | bytes, flags: int = 0) -> list[str]:
    """What of ``pattern`` old interpreters match wrongly."""
    return list(_faults(_parser.parse(pattern, flags)))


def _faults(node: Any) -> Iterator[str]:
    """Walks what `re` makes of a pattern: sequences of pairs of an instruction and its parts."""
    if isinstance(node, _parser.SubPattern):
        for instruction, parts in node:
            if instruction is _constants.ATOMIC_GROUP:
                yield "an atomic group"
            if instruction is _constants.POSSESSIVE_REPEAT and not is_one_character(parts[2]):
                yield "a possessively repeated group"
            yield from _faults(parts)
    elif isinstance(node, tuple | list):
        for part in node:
            yield from _faults(part)


def is_one_character(repeated: Any) -> bool:
    """Whether the repeated part matches exactly one character, and captures nothing."""
    one = (_constants.LITERAL, _constants.NOT_LITERAL, _constants.IN, _constants.ANY)
    return len(repeated) == 1 and repeated[0][0] in one


def modules(package: str) -> Iterator[ModuleType]:
    """The package and all modules in it that are imported without a program to run."""
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        (r"[a-z]++b*+c?+.{2}+", 0),
        (r"(?:ab)*c", 0),
        (r"(?:ab)*+c", 1),
        (r"x(?:(a)?+b|c)", 1),
        (r"(?:a|bc){2,3}+", 1),
        (r"(?:(?!(?:[h](?i:ost)):)[a-z]++\n)*+", 1),
        (r"a(?>bc|d)", 1),
        (r"(?=(?>bc))", 1),
    ],
)
def test_a_possessive_group_is_found_wherever_it_is(pattern: str, count: int) -> None:
    assert len(faults(pattern)) == count
    assert len(faults(pattern.encode())) == count


@pytest.mark.parametrize("package", PACKAGES)
def test_no_compiled_pattern_has_one(package: str) -> None:
    found = [
        f"{module.__name__}.{name}: {fault} in {value.pattern!r}"
        for module in modules(package)
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
        for fault in faults(value.pattern, value.flags & ~re.UNICODE)
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_text_of_a_pattern_has_one(package: str) -> None:
    """For patterns that are not compiled when a module is imported."""
    found = []
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
                if _POSSESSIVE_GROUP.search(_NOT_SYNTAX.sub("x", text)):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {text[:60]!r}")
    assert found == []

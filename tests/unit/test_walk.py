"""The walk of one request in docs/architecture.md names functions that exist."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import router.balance
import router.forward
import router.link

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALK = PAGE.split("## A spilled request, function by function")[1].split("\n## ")[0]
NAMES = sorted(set(re.findall(r"\b([A-Z][a-z]\w+)(?:\.(\w+))?`", WALK)))


def _classes() -> dict[str, type]:
    """Those of the rooms that a request passes."""
    found: dict[str, type] = {}
    for room in (router.balance, router.forward, router.link):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            parts = vars(importlib.import_module(module.name))
            found |= {name: part for name, part in parts.items() if isinstance(part, type)}
    return found


def test_the_walk_is_read() -> None:
    assert len(NAMES) > 30


@pytest.mark.parametrize(("name", "function"), NAMES)
def test_a_function_of_the_walk_exists(name: str, function: str) -> None:
    found = _classes()
    assert name in found
    assert not function or hasattr(found[name], function)


def test_the_walk_fits_on_one_screen() -> None:
    assert len(WALK.strip().splitlines()) <= 40

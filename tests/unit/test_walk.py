"""What docs/architecture.md names exists: modules, and the functions of the walk of one request."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import router.balance
import router.exchange
import router.link
import router.service

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALK = PAGE.split("## A spilled request, function by function")[1].split("\n## ")[0]
NAMES = sorted(set(re.findall(r"\b([A-Z][a-z]\w+)(?:\.(\w+))?`", WALK)))


def _classes() -> dict[str, type]:
    """Those of the rooms that a request passes."""
    found: dict[str, type] = {}
    for room in (router.balance, router.exchange, router.link, router.service):
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


def _is_there(name: str) -> bool:
    """Whether ``name`` (``room/module.py`` or ``room.module``) is a file, a folder or a name in a
    module."""
    path = name.removesuffix(".py").replace(".", "/")
    module, _, part = path.rpartition("/")
    for base in (ROOT, ROOT / "router", ROOT / "sitectl"):
        if (base / path).exists() or (base / path).with_suffix(".py").exists():
            return True
        source = (base / module).with_suffix(".py")
        if source.exists() and re.search(rf"\b{part}\b", source.read_text(encoding="utf-8")):
            return True
    return False


def test_every_module_that_the_page_names_exists() -> None:
    rooms = {path.name for base in ("router", "sitectl") for path in (ROOT / base).iterdir()}
    named = set(re.findall(r"`([a-z_0-9]+(?:[./][a-z_0-9]+)+)`", PAGE))
    named = {name for name in named if re.split("[./]", name)[0] in rooms}
    named = {name for name in named if not name.endswith(".yaml")}
    assert len(named) > 80
    assert sorted(name for name in named if not _is_there(name)) == []

"""docs/dependencies.md says which rooms import a package, and these do."""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Set
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("router", "sitectl", "certs", "simulator", "deploy")
MODULES = {
    "PyYAML": ("yaml",),
    "prometheus-client": ("prometheus_client",),
    "lightkube": ("lightkube", "httpx2", "httpcore2", "wsproto"),
    "opentelemetry-api": ("opentelemetry",),
}
"""Of packages that are imported by another name, or by several."""
MANY = 5


@cache
def imports() -> Mapping[str, Set[str]]:
    """By top-level module, the rooms that import it; `certs` is one. Reading takes a second."""
    found: dict[str, set[str]] = defaultdict(set)
    for top in PRODUCT:
        for path in (ROOT / top).rglob("*.py"):
            parts = path.relative_to(ROOT).parts
            room = "/".join(parts[:2]) if len(parts) > 2 and parts[0] != "certs" else parts[0]
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Import():
                        names = [alias.name for alias in node.names]
                    case ast.ImportFrom(module=str() as name, level=0):
                        names = [name]
                    case _:
                        continue
                for name in names:
                    found[name.split(".")[0]].add(room)
    return found


def rows() -> dict[str, str]:
    """The cell "imported by" of each package."""
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    cells = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \| .* \|$", page, re.MULTILINE)
    return {re.split(r"[ ,]", package)[0]: places for package, places in cells}


@pytest.mark.parametrize("package", [name for name in rows() if name != "package"])
def test_the_page_names_the_rooms_that_import_a_package(package: str) -> None:
    found = imports()
    modules = MODULES.get(package, (package,))
    rooms = set[str]().union(*(found.get(module, set()) for module in modules))
    said = rows()[package]
    if said == "many":
        assert len(rooms) > MANY
    else:
        assert said == (", ".join(sorted(rooms)) or "–")


def test_whatever_is_imported_is_on_the_page() -> None:
    known = {module for package in rows() for module in MODULES.get(package, (package,))}
    ours = {*PRODUCT, "tests"}
    assert imports().keys() - sys.stdlib_module_names - ours - known == set()

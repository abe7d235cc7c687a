"""One name, one thing: no public class of the product has the name of another."""

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("router", "certs", "sitectl", "simulator", "deploy")


def shared_names(sources: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Public classes at the top of more than one of ``sources`` (path and text), by name."""
    found = defaultdict[str, list[str]](list)
    for path, text in sources:
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path)
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def test_a_second_class_of_one_name_is_found() -> None:
    one, other = ("a.py", "class Reading: ...\nclass _Own: ..."), ("b.py", "class Reading(X): ...")
    assert shared_names([one, other]) == {"Reading": ["a.py", "b.py"]}
    assert shared_names([one, ("b.py", "class Load: ...\nclass _Own: ...")]) == {}


def test_no_two_public_classes_of_the_product_have_one_name() -> None:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(paths) > 500
    shared = shared_names((str(path.relative_to(ROOT)), path.read_text()) for path in paths)
    assert shared == {}, "qualify the second: LoadReading, FlowRecord"

"""No module of the command line imports another that imports it, not even within a function."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[3]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "sitectl").rglob("*.py"))
}


def imported(path: Path) -> Iterator[str]:
    """Modules of `sitectl` that ``path`` imports, wherever in its text."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name if name in MODULES else node.module for name in inner]
        else:
            continue
        yield from (name for name in found if name in MODULES)


def test_there_is_no_circle_of_imports() -> None:
    graph = {name: set(imported(path)) for name, path in MODULES.items()}
    assert sum(map(len, graph.values())) > 500, "the imports were read"
    TopologicalSorter(graph).prepare()

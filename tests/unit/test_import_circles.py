"""No module needs one that needs it, not even for its types: a reader can begin at the bottom."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("certs", "router", "simulator", "sitectl")
TWIN = {
    "router.net.simulated.internet",  # The network in memory: its hosts, wires and dials are one
    "router.net.simulated.dial",  # machine, in four files for their length.
    "router.net.simulated.host",
    "router.net.simulated.wire",
}


def _modules() -> dict[str, Path]:
    """Files by their dotted names."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _imports(path: Path, modules: dict[str, Path]) -> set[str]:
    """What a module imports of ours, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                part = f"{node.module}.{alias.name}"
                found.add(part if part in modules else node.module)
    return found & set(modules)


def test_no_circle_of_imports() -> None:
    modules = _modules()
    needs = {name: _imports(path, modules) - {name} - TWIN for name, path in modules.items()}
    assert sum(map(len, needs.values())) > 3000, "imports are found"
    while True:  # What needs nothing that is left, or is needed by nothing, is in no circle.
        wanted = set().union(*needs.values())
        free = {name for name, needed in needs.items() if not needed or name not in wanted}
        if not free:
            break
        needs = {name: needed - free for name, needed in needs.items() if name not in free}
    assert {name: sorted(needed) for name, needed in needs.items()} == {}

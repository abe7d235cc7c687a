"""The table of docs/limits.md, made from the limits of router and certs; a test compares them.

``python -m tests.limits_table`` writes it again.
"""

import ast
import re
from pathlib import Path
from types import ModuleType

from certs import limits as certs_limits
from router.model import limits

PAGE = Path(__file__).resolve().parent.parent / "docs" / "limits.md"
BEGIN, END = "<!-- limits: begin -->\n", "<!-- limits: end -->\n"
HEADING = re.compile(r"([a-z]+( of [a-z ]+)?(:|\.$))|([A-Z][a-z]+\.$)")
UNITS = {
    "_BYTES_PER_S_": "bytes/s",
    "_BYTES_": "bytes",
    "_PER_S_": "/s",
    "_PER_MIN_": "/min",
    "_PERCENT_": "%",
    "_S_": "s",
}
SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def page(text: str) -> str:
    """``text`` of the page with a new table."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    lines = [*_lines(limits, ""), *_lines(certs_limits, "certs: ")]
    return head + BEGIN + "\n".join([*lines, "", END]) + tail


def _lines(module: ModuleType, room: str) -> list[str]:
    """One line for each constant, in the order of the source, with a table for each heading."""
    assert module.__file__ is not None
    source = Path(module.__file__).read_text()
    lines = source.splitlines()
    found: list[str] = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign):
            continue
        assert node.end_lineno is not None
        above, heading = _above(lines, node.lineno - 2)
        if heading:
            found += ["", f"**{heading}**", "", "| name | default | reason |", "|---|---|---|"]
        beside = lines[node.end_lineno - 1].partition("  # ")[2]
        reason = f"{above} {beside}".strip().replace("|", "\\|")
        found += [
            f"| `{name}` | {_shown(module, name)} | {reason} |"
            for name in _names(node)
            if name not in ("KIB", "MIB")
        ]
    return found


def _above(lines: list[str], at: int) -> tuple[str, str]:
    """The comment that ends at line ``at``, without its heading, and that."""
    comment: list[str] = []
    while at >= 0 and lines[at].startswith("#"):
        comment.insert(0, lines[at].lstrip("# "))
        at -= 1
    heading = comment.pop(0).rstrip(".") if comment and HEADING.match(comment[0]) else ""
    return " ".join(comment), heading


def _names(node: ast.Assign) -> list[str]:
    parts: list[ast.expr] = []
    for target in node.targets:
        parts += target.elts if isinstance(target, ast.Tuple) else [target]
    return [part.id for part in parts if isinstance(part, ast.Name)]


def _shown(module: ModuleType, name: str) -> str:
    """A default as people read it; the unit is in the name."""
    value: int | float = getattr(module, name)
    unit = next((unit for ending, unit in UNITS.items() if ending in f"{name}_"), "")
    for size, size_name in SIZES if unit == "bytes" else ():
        if value >= size and value % size == 0:
            return f"{value // size:,} {size_name}"
    text = f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return f"{text} {unit}".strip()


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))

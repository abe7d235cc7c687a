"""The tables, and the same as JSON."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.samples import FIGURES, QUIET_CORES, Median, Sample, median

DIRECT = "direct"
OURS = "spillway"

Results = Mapping[str, Mapping[str, list[Sample]]]
"""Label of the measurement -> name of the system -> samples."""


def write_json(path: Path, about: dict[str, str], results: Results) -> None:
    """Everything, every sample included."""
    document = {
        "about": about,
        "results": [
            {"label": label, "system": system, "median": median(samples), "samples": samples}
            for label, systems in results.items()
            for system, samples in systems.items()
        ],
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))


def show(about: dict[str, str], results: Results) -> None:
    """Print one table for each kind of traffic and path."""
    console = Console(highlight=False, width=None)
    console.print("\n".join(f"{name:16s} {text}" for name, text in about.items()), soft_wrap=True)
    groups: dict[str, dict[str, dict[str, Median]]] = {}
    for label, systems in results.items():
        group, _, row = label.rpartition(" ")
        medians = {name: median(samples) for name, samples in systems.items()}
        groups.setdefault(group, {})[row] = medians
    for group, rows in groups.items():
        console.print()
        console.print(_table(group, rows))
    console.print(
        f"* every sample had more than {QUIET_CORES:g} cores of other work beside it: compare CPU, "
        "not rates. Ratio: ours to the best peer, larger is better."
    )


def _table(group: str, rows: Mapping[str, Mapping[str, Median]]) -> Table:
    systems = list(dict.fromkeys(name for medians in rows.values() for name in medians))
    peers = [name for name in systems if name not in (DIRECT, OURS)]
    table = Table(title=group, title_justify="left")
    for column in ("", "figure", *systems, *(["ratio"] if peers else [])):
        table.add_column(column, justify="right" if column in systems else "left")
    for row, medians in rows.items():
        names = [name for name in FIGURES if any(name in m.figures for m in medians.values())]
        for name in names:
            cells = [_cell(medians.get(system), name) for system in systems]
            if peers:
                cells.append(_ratio(medians, peers, name))
            table.add_row(row if name == names[0] else "", name, *cells)
    return table


def _cell(found: Median | None, name: str) -> str:
    if found is None or name not in found.figures:
        return "-"
    value = found.figures[name]
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 3 if abs(value) < 1 else 2
    if name == "CPU s/1000":
        digits = 4
    return f"{value:,.{digits}f}{'*' if found.disturbed else ''}"


def _ratio(medians: Mapping[str, Median], peers: list[str], name: str) -> str:
    """How we compare with the best of ``peers``; above 1 we are better."""
    values = [
        medians[p].figures[name] for p in peers if p in medians and name in medians[p].figures
    ]
    ours = medians[OURS].figures.get(name) if OURS in medians else None
    if not values or not ours or name in ("errors", "lost"):
        return "-"
    more_is_better = FIGURES[name]
    best = max(values) if more_is_better else min(values)
    return f"{ours / best if more_is_better else best / ours:.2f}"

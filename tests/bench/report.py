"""The tables, and the same as JSON."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.goals import NOT_PEERS, OURS, Verdict, best_of, verdicts
from tests.bench.samples import FIGURES, QUIET_CORES, Median, Sample, median

WIDTH = 130  # Of output that is not to a terminal.

Results = Mapping[str, Mapping[str, list[Sample]]]
"""Label of the measurement -> name of the system -> samples."""


def write_json(path: Path, about: dict[str, str], results: Results) -> None:
    """Everything, every sample included."""
    document = {
        "about": about,
        "goals": [
            msgspec.structs.asdict(verdict) | {"met": verdict.met}
            for verdict in verdicts(_medians(results))
        ],
        "results": [
            {"label": label, "system": system, "median": median(samples), "samples": samples}
            for label, systems in results.items()
            for system, samples in systems.items()
        ],
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))


def _medians(results: Results) -> dict[str, dict[str, Median]]:
    return {
        label: {name: median(samples) for name, samples in systems.items()}
        for label, systems in results.items()
    }


def show(about: dict[str, str], results: Results) -> None:
    """Print one table for each kind of traffic and path, and one of the goals."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print("\n".join(f"{name:16s} {text}" for name, text in about.items()), soft_wrap=True)
    groups: dict[str, dict[str, dict[str, Median]]] = {}
    medians = _medians(results)
    for label, systems in medians.items():
        group, _, row = label.rpartition(" ")
        groups.setdefault(group, {})[row] = systems
    for group, rows in groups.items():
        console.print()
        console.print(_table(group, rows))
    console.print(
        f"* every sample had more than {QUIET_CORES:g} cores of other work beside it: compare CPU, "
        "not rates. Ratio: ours to the best peer, larger is better.\n"
    )
    found = verdicts(medians)
    if found:
        console.print(_goals(found))
        console.print(f"{sum(verdict.met for verdict in found)} of {len(found)} goals are met.")


def _goals(found: list[Verdict]) -> Table:
    table = Table(title="goals", title_justify="left")
    for column in ("", "figure", "ours", "compared with", "ratio", "goal", ""):
        table.add_column(column, justify="right" if column in ("ours", "ratio", "goal") else "left")
    for one in found:
        table.add_row(
            one.label,
            one.figure,
            shown(one.ours, one.figure) + ("*" if one.disturbed else ""),
            f"{shown(one.best, one.figure)} {one.best_name}" if one.best is not None else "",
            f"{one.ratio:.2f}" if one.best is not None else "",
            bound_of(one.figure, one.bound, is_ratio=one.best is not None),
            "met" if one.met else f"missed by {-one.margin:.0%}",
        )
    return table


def _table(group: str, rows: Mapping[str, Mapping[str, Median]]) -> Table:
    systems = list(dict.fromkeys(name for medians in rows.values() for name in medians))
    peers = [name for name in systems if name not in NOT_PEERS]
    table = Table(title=group, title_justify="left")
    for column in ("", "figure", *systems, *(["ratio"] if peers else [])):
        table.add_column(column, justify="right" if column in systems else "left")
    for row, medians in rows.items():
        names = [name for name in FIGURES if any(name in m.figures for m in medians.values())]
        for name in names:
            cells = [_cell(medians.get(system), name) for system in systems]
            if peers:
                cells.append(_ratio(medians, name))
            table.add_row(row if name == names[0] else "", name, *cells)
    return table


def bound_of(figure: str, bound: float, *, is_ratio: bool) -> str:
    """A goal in words."""
    return f"{'at least' if FIGURES[figure] else 'at most'} {bound:.3g}{' x' if is_ratio else ''}"


def _cell(found: Median | None, name: str) -> str:
    if found is None or name not in found.figures:
        return "-"
    return shown(found.figures[name], name) + ("*" if found.disturbed else "")


def shown(value: float, name: str) -> str:
    """``value`` of figure ``name`` in as many digits as mean something."""
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 3 if abs(value) < 1 else 2
    return f"{value:,.{4 if name == 'CPU s/1000' else digits}f}"


def _ratio(medians: Mapping[str, Median], name: str) -> str:
    """How we compare with the best peer; above 1 we are better."""
    best = best_of(medians, name)
    ours = medians[OURS].figures.get(name) if OURS in medians else None
    if not best or not best[0] or not ours or name in ("errors", "lost"):
        return "-"
    return f"{ours / best[0] if FIGURES[name] else best[0] / ours:.2f}"

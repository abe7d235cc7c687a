"""Tables of docs/design/performance.md from a run: ``python -m tests.bench.page BENCH.json``."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.goals import NOT_PEERS, OURS, best_of, verdicts
from tests.bench.report import bound_of, shown
from tests.bench.samples import FIGURES, Median

ABOUT = ("machine", "kernel", "python", "openssl", "commit", "haproxy", "nginx", "envoy", "samples")
LEFT_OUT = ("errors", "lost")


def goals(document: dict[str, Any]) -> list[str]:
    """One row for each goal, as they are now."""
    lines = ["| measure | figure | ours | compared with | ratio | goal | |", "|" + "---|" * 7]
    for one in verdicts(_medians(document)):
        best = one.best
        other = f"{shown(best, one.figure)} {one.best_name}" if best is not None else "–"
        ratio = f"{one.ratio:.2f}" if best is not None else "–"
        verdict = "met" if one.met else f"missed by {-one.margin:.0%}"
        ours = shown(one.ours, one.figure) + ("*" if one.disturbed else "")
        goal = bound_of(one.figure, one.bound, is_ratio=best is not None)
        cells = (one.label, one.figure, ours, other, ratio, goal, verdict)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def figures(document: dict[str, Any]) -> list[str]:
    """One row for each figure of each measurement, and a column for each system."""
    medians = _medians(document)
    systems = list(dict.fromkeys(name for found in medians.values() for name in found))
    lines = ["| measure | figure | " + " | ".join(systems) + " | ratio |"]
    lines.append("|" + "---|" * (len(systems) + 3))
    for label, found in medians.items():
        names = {name for median in found.values() for name in median.figures}
        for figure in (name for name in FIGURES if name in names and name not in LEFT_OUT):
            cells = []
            for system in systems:
                median = found.get(system)
                value = median.figures.get(figure) if median is not None else None
                mark = "*" if median is not None and median.disturbed else ""
                cells.append("–" if value is None else shown(value, figure) + mark)
            lines.append(f"| {label} | {figure} | {' | '.join(cells)} | {_ratio(found, figure)} |")
    return lines


def _medians(document: dict[str, Any]) -> dict[str, dict[str, Median]]:
    """By measurement and system."""
    medians: dict[str, dict[str, Median]] = {}
    for one in document["results"]:
        by_system = medians.setdefault(one["label"], {})
        by_system[one["system"]] = msgspec.convert(one["median"], Median)
    return medians


def _ratio(found: dict[str, Median], figure: str) -> str:
    """Ours to the best peer, larger is better."""
    peers = {name: median for name, median in found.items() if name not in NOT_PEERS}
    best, ours = best_of(peers, figure), found.get(OURS)
    if best is None or ours is None or not ours.figures.get(figure) or not best[0]:
        return "–"
    value = ours.figures[figure]
    return f"{value / best[0] if FIGURES[figure] else best[0] / value:.2f}"


def main(path: str) -> None:
    """Print everything."""
    document = msgspec.json.decode(Path(path).read_bytes())
    print("; ".join(f"{name}: {document['about'].get(name, '?')}" for name in ABOUT))
    for lines in (goals(document), figures(document)):
        print()
        print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1])

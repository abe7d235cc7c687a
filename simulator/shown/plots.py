"""A run as text, 80 columns wide: which sites served each site's clients, and its slots."""

from typing import NamedTuple

from simulator.outcomes.figures import RunOutcome, SiteFigures

_BLOCKS = " ▁▂▃▄▅▆▇█"
_HEIGHT = 4


class PlotRow(NamedTuple):
    """One line and a fitting color; empty: none."""

    text: str
    colour: str


def rows(outcome: RunOutcome) -> list[PlotRow]:
    """Each site: an area of its working slots under the line of its slots, and sparklines."""
    found: list[PlotRow] = []
    for one in outcome.sites:
        found += _site(one)
    return found


def _site(one: SiteFigures) -> list[PlotRow]:
    series = one.series
    top = max([1.0, *map(float, series.slots), *series.busy])
    found = [
        PlotRow(f"{one.site} {one.service}: slots that work, of {max(series.slots, default=0)}", "")
    ]
    for level in range(_HEIGHT - 1, -1, -1):
        cells = []
        for busy, slots in zip(series.busy, series.slots, strict=True):
            filled = min(max(busy / top * _HEIGHT - level, 0.0), 1.0)
            is_line = slots and level == min(_HEIGHT - 1, int((slots / top) * _HEIGHT - 1e-9))
            cell = _BLOCKS[round(filled * 8)]
            cells.append("┄" if is_line and cell == " " else cell)
        axis = f"{top:>7.4g} ┤" if level == _HEIGHT - 1 else f"{'0' if not level else '':>7} ┤"
        found.append(PlotRow(axis + "".join(cells).rstrip(), "green"))
    if one.offered:
        away = [
            sum(counts[i] for there, counts in series.served.items() if there != one.site)
            for i in range(len(series.offered))
        ]
        per_step = 1.0 / series.step_s
        found += [
            _spark("offered", [n * per_step for n in series.offered], "/s", "cyan"),
            _spark("away", [n * per_step for n in away], "/s", "yellow"),
            _spark("p99", series.p99_ms, " ms", "magenta"),
        ]
        if any(series.refused):
            found.append(_spark("failed", [n * per_step for n in series.refused], "/s", "red"))
    if any(series.queue):
        found.append(_spark("queue", list(map(float, series.queue)), "", "blue"))
    return [*found, PlotRow("", "")]


def _spark(label: str, values: list[float], unit: str, colour: str) -> PlotRow:
    most = max(values, default=0.0)
    cells = "".join(_BLOCKS[round(value / most * 8)] if most else " " for value in values)
    return PlotRow(f"{label:>7}  {cells:<60} {most:.4g}{unit}", colour)

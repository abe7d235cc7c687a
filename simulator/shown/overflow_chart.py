"""The overflow river as SVG: which sites served the clients of each site, over time.

The local site first, then the others by path cost; the line is the capacity of the site's own
targets. Below it the waiting requests, and the latency of the slowest hundredth.
"""

from xml.sax.saxutils import escape

from simulator.outcomes.figures import RunOutcome, SiteFigures
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.ways import paths

_WIDTH, _LEFT, _RIGHT = 860, 64, 20
_RIVER, _SMALL, _GAP = 200, 70, 34
_PLOT = _WIDTH - _LEFT - _RIGHT
_STYLE = """
:root{color-scheme:light dark}
svg{--bg:#fff;--fg:#1f2328;--dim:#6a737d;--grid:#d8dee4;--line:#cf222e;background:var(--bg)}
@media (prefers-color-scheme:dark){
svg{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;--grid:#30363d;--line:#ff7b72}}
text{font:12px system-ui,sans-serif;fill:var(--fg)}.dim{fill:var(--dim);font-size:11px}
.title{font-size:15px;font-weight:600}.grid{stroke:var(--grid);fill:none}
.capacity{stroke:var(--line);stroke-width:1.5;stroke-dasharray:6 4;fill:none}
.s0{fill:#2da44e}.s1{fill:#0969da}.s2{fill:#bf8700}.s3{fill:#8250df}.s4{fill:#d4a72c}.s5{fill:#1b7c83}
.failed{fill:#cf222e}.queue{fill:#6e7781}.p99{stroke:#8250df;stroke-width:1.5;fill:none}
"""


def svg(scenario: Scenario, outcomes: list[RunOutcome]) -> str:
    """The picture of one run, or of several below each other: the same bytes for the same run."""
    parts: list[str] = []
    top = 20
    for outcome in outcomes:
        parts.append(_text(_LEFT, top + 8, f"{outcome.scenario}: policy {outcome.policy}", "title"))
        top += 22
        for one in outcome.sites:
            if one.offered and one.series.offered:
                parts += _site(scenario, one, top)
                top += _GAP * 3 + _RIVER + 2 * _SMALL + 20
    height = top + 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(scenario.name)}: who served whom over time">'
    )
    body = "\n".join(parts)
    ground = f'<rect width="{_WIDTH}" height="{height}" fill="var(--bg)"/>'
    return f"{head}\n<style>{_STYLE}</style>\n{ground}\n{body}\n</svg>\n"


def _site(scenario: Scenario, one: SiteFigures, top: int) -> list[str]:
    series = one.series
    order = [one.site, *paths(scenario, one.site)]
    names = [name for name in order if name in series.served]
    layers = [(f"s{order.index(name) % 6}", name, series.served[name]) for name in names]
    if any(series.refused):
        layers.append(("failed", "refused or lost", series.refused))
    parts = _legend(layers, one, top)
    top += _GAP
    capacity = _capacity_per_s(scenario, one)
    totals = [sum(values[i] for _, _, values in layers) for i in range(len(series.offered))]
    most = max([*(total / series.step_s for total in totals), capacity * 1.1, 1.0])
    parts += _frame(top, _RIVER, most, "requests/s")
    below = [0.0] * len(totals)
    for style, name, values in layers:
        above = [low + value / series.step_s for low, value in zip(below, values, strict=True)]
        title = f"<title>{escape(name)}</title>"
        area = _area(below, above, most, top, _RIVER)
        parts.append(f'<path class="{style}" d="{area}">{title}</path>')
        below = above
    if capacity:
        y = _y(capacity, most, top, _RIVER)
        parts.append(f'<path class="capacity" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        label = f"capacity of {one.site}: {capacity:.4g}/s"
        parts.append(_text(_LEFT + 6, y - 5, label, "dim"))
    top += _RIVER + _GAP
    queue = [float(value) for value in series.queue]
    most = max([*queue, 1.0])
    parts += _frame(top, _SMALL, most, "queue")
    floor = [0.0] * len(queue)
    parts.append(f'<path class="queue" d="{_area(floor, queue, most, top, _SMALL)}"/>')
    top += _SMALL + _GAP
    most = max([*series.p99_ms, 1.0])
    parts += _frame(top, _SMALL, most, "p99 ms")
    parts.append(f'<path class="p99" d="M{_points(series.p99_ms, most, top, _SMALL)}"/>')
    seconds = series.step_s * len(queue)
    for tick in range(6):
        x = _LEFT + _PLOT * tick / 5
        parts.append(_text(x - 8, top + _SMALL + 16, f"{seconds * tick / 5:.4g} s", "dim"))
    return parts


def _capacity_per_s(scenario: Scenario, one: SiteFigures) -> float:
    return sum(
        group.count * (group.slots or 0) / group.service_time.mean_s
        for group in scenario.targets
        if (group.site, group.service) == (one.site, one.service)
    )


def _legend(layers: list[tuple[str, str, list[int]]], one: SiteFigures, top: int) -> list[str]:
    parts = [_text(_LEFT, top + 12, f"clients of {one.site}, served by", "")]
    x = _LEFT + 170.0
    for style, name, _ in layers:
        label = f"{name} (here)" if name == one.site else name
        parts.append(f'<rect class="{style}" x="{x:g}" y="{top + 2}" width="12" height="12"/>')
        parts.append(_text(x + 17, top + 12, label, ""))
        x += 40 + 7 * len(label)
    return parts


def _frame(top: int, height: int, most: float, unit: str) -> list[str]:
    bottom = top + height
    return [
        f'<path class="grid" d="M{_LEFT} {top}H{_WIDTH - _RIGHT}M{_LEFT} {bottom}'
        f'H{_WIDTH - _RIGHT}"/>',
        _text(_LEFT - 6, top + 4, f"{most:.4g}", "dim", "end"),
        _text(_LEFT - 6, bottom, "0", "dim", "end"),
        _text(_LEFT, top - 6, unit, "dim"),
    ]


def _y(value: float, most: float, top: int, height: int) -> float:
    return round(top + height - value / most * height, 1)


def _points(values: list[float], most: float, top: int, height: int, back: bool = False) -> str:
    step = _PLOT / max(len(values), 1)
    points = [
        f"{_LEFT + (index + 0.5) * step:.1f} {_y(value, most, top, height)}"
        for index, value in enumerate(values)
    ]
    return "L".join(reversed(points) if back else points)


def _area(low: list[float], high: list[float], most: float, top: int, height: int) -> str:
    there = _points(high, most, top, height)
    return f"M{there}L{_points(low, most, top, height, back=True)}Z"


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.4g}" y="{y:.5g}" class="{style}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )

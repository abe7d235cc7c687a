"""The goals of the data path, and whether the figures of a run meet them."""

from collections.abc import Mapping

import msgspec

from tests.bench.samples import FIGURES, Median

OURS, DIRECT, RELAY = "spillway", "direct", "relay"
NOT_PEERS = (OURS, DIRECT, RELAY)
SKUPPER_FLOW_MB_S = 10.0  # A window of 1 MB at 100 ms.

Medians = Mapping[str, Mapping[str, Median]]
"""Label of the measurement -> name of the system -> figures."""


class Goal(msgspec.Struct, frozen=True):
    """``label`` and ``figure`` of ours, at most or at least ``bound`` times that of ``others``.

    ``others``: systems, of which the best counts; empty: all peers. None: ``bound`` is the figure
    itself. ``of``: another label of our own to compare with.
    """

    label: str
    figure: str
    bound: float
    others: tuple[str, ...] | None = ()
    of: str = ""


GOALS = (
    Goal("http R c32", "CPU s/1000", 1.35),
    Goal("http R c128", "CPU s/1000", 1.35),
    Goal("tcp R c32", "CPU s/1000", 0.85),
    Goal("tcp R c128", "CPU s/1000", 0.85),
    Goal("http R new", "conn/s", 0.65),
    Goal("tcp R new", "conn/s", 1.3),
    Goal("http R 1MiB", "CPU s/GiB", 1.3, ("envoy",)),
    Goal("tcp R 1MiB", "CPU s/GiB", 1.3, ("envoy", "envoy-tunnel")),
    Goal("bulk R up", "CPU s/GiB", 1.3, ("envoy", "envoy-tunnel")),
    Goal("bulk R down", "CPU s/GiB", 1.3, ("envoy", "envoy-tunnel")),
    Goal("http R c1", "CPU s/1000", 2.0),
    Goal("http R c1", "p50 ms", 1.7),
    Goal("tcp R c1", "CPU s/1000", 2.0),
    Goal("tcp R c1", "p50 ms", 1.7),
    Goal("http L c32", "CPU s/1000", 1.4),
    Goal("http L c128", "CPU s/1000", 1.4),
    Goal("tcp L c32", "CPU s/1000", 1.2),
    Goal("tcp L c128", "CPU s/1000", 1.2),
    Goal("tcp L 1MiB", "CPU s/GiB", 1.0),
    Goal("bulk L up", "CPU s/GiB", 1.0),
    Goal("bulk L down", "CPU s/GiB", 1.0),
    Goal("http R c128", "p99 ms", 1.0),
    Goal("tcp R c128", "p99 ms", 1.0),
    Goal("memory idle", "RSS MiB", 90.0, None),
    Goal("memory 1000-connections", "growth MiB", 5.0, None),
    Goal("distance down", "MB/s", 10 * SKUPPER_FLOW_MB_S, None),
    Goal("idle links", "% of a core", 0.2, None),
    Goal("http L unique", "CPU s/1000", 1 / 0.85, of="http L c32"),
    Goal("http R unique", "CPU s/1000", 1 / 0.85, of="http R c32"),
    Goal("fairness beside-bulk", "times", 3.0, None),
    Goal("control beside-bulk", "max ms", 5.0, None),
)


class Verdict(msgspec.Struct, frozen=True):
    """One goal of a run. ``ratio``: to the figure compared with; 1 for a bare figure's bound.

    ``margin``: how far on the good side of the bound we are, in parts of it; negative: missed.
    """

    label: str
    figure: str
    ours: float
    best: float | None
    best_name: str
    ratio: float
    bound: float
    margin: float
    disturbed: bool

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.margin >= 0


def verdicts(medians: Medians) -> list[Verdict]:
    """Of every goal that the run has figures for."""
    found = (_verdict(goal, medians) for goal in GOALS)
    return [verdict for verdict in found if verdict is not None]


def best_of(
    medians: Mapping[str, Median], figure: str, names: tuple[str, ...] = ()
) -> tuple[float, str] | None:
    """The best of the peers (of ``names``) in ``figure``, and whose it is."""
    values = [
        (median.figures[figure], name)
        for name, median in medians.items()
        if (name in names if names else name not in NOT_PEERS) and figure in median.figures
    ]
    if not values:
        return None
    return max(values) if FIGURES[figure] else min(values)


def _verdict(goal: Goal, medians: Medians) -> Verdict | None:
    systems = medians.get(goal.label, {})
    median = systems.get(OURS)
    if median is None or goal.figure not in median.figures:
        return None
    ours = median.figures[goal.figure]
    best: tuple[float, str] | None = None
    if goal.of:
        other = medians.get(goal.of, {}).get(OURS)
        if other is not None and goal.figure in other.figures:
            best = other.figures[goal.figure], goal.of
    elif goal.others is not None:
        best = best_of(systems, goal.figure, goal.others)
    if best is None and (goal.of or goal.others is not None):
        return None
    ratio = ours / best[0] if best else ours
    more_is_better = FIGURES[goal.figure]
    margin = ratio / goal.bound - 1 if more_is_better else 1 - ratio / goal.bound
    return Verdict(
        label=goal.label,
        figure=goal.figure,
        ours=ours,
        best=best[0] if best else None,
        best_name=best[1] if best else "",
        ratio=ratio,
        bound=goal.bound,
        margin=margin,
        disturbed=median.disturbed,
    )

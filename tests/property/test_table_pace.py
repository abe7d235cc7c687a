"""Law of computing: whatever others say and whatever tables cost, they take a share of a core."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from router.model.limits import (
    SPF_DELAY_MIN_S,
    TABLE_BURST_CPU_S,
    TABLE_REST_FACTOR,
)
from router.routing.pace import SpfPace

KINDS: Final = ("services", "paths", "neighbour")
COST_S_MAX: Final = 0.4
STEPS = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.floats(0.0, 0.5),  # Seconds until the next change.
        st.floats(0.0, COST_S_MAX),  # What a run costs now.
    ),
    min_size=1,
    max_size=200,
)


def change(pace: SpfPace, kind: str, now: float) -> bool:
    """Whether to run at once."""
    match kind:
        case "services":
            pace.services_changed(10, now)
        case "paths":
            pace.paths_changed(now)
        case "neighbour":
            return pace.neighbour_lost(now)
    return False


def run_all(
    steps: list[tuple[str, float, float]], *, is_busy: bool = True
) -> list[tuple[float, float, bool]]:
    """Runs as (begin, cost, of paths): one thread, that ``is_busy`` while it computes."""
    pace, now, runs = SpfPace(), 0.0, []

    def run(cost_s: float) -> float:
        runs.append((now, cost_s, pace.needs_paths))
        pace.has_run(now)
        pace.took(cost_s, now)
        return now + cost_s * is_busy

    for kind, pause_s, cost_s in steps:
        if change(pace, kind, now):
            now = run(cost_s)
        until = now + pause_s
        while pace.at is not None and pace.at <= until:
            now = max(now, pace.at)
            now = run(cost_s)
        now = max(now, until)
    return runs


@given(STEPS)
def test_tables_and_paths_each_take_a_tenth_of_a_core_at_most(
    steps: list[tuple[str, float, float]],
) -> None:
    runs = run_all(steps)
    for is_paths in (False, True):
        mine = [(began, cost_s) for began, cost_s, of_paths in runs if of_paths is is_paths]
        for first in range(len(mine)):
            spent = 0.0
            for began, cost_s in mine[first:]:
                # All time spent before this run is paid for by now, except for the burst.
                allowed = TABLE_BURST_CPU_S + (began - mine[first][0]) / TABLE_REST_FACTOR
                assert spent <= allowed + COST_S_MAX + 1e-6
                spent += cost_s


@given(STEPS)
def test_what_costs_little_is_computed_as_soon_as_if_it_cost_nothing(
    steps: list[tuple[str, float, float]],
) -> None:
    free_s = SPF_DELAY_MIN_S / TABLE_REST_FACTOR
    little = [(kind, pause_s, min(cost_s, free_s)) for kind, pause_s, cost_s in steps]
    nothing = [(kind, pause_s, 0.0) for kind, pause_s, _ in steps]
    begun = [[began for began, *_ in run_all(one, is_busy=False)] for one in (little, nothing)]
    assert begun[0] == begun[1]

"""Laws of the detector of bursts."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from router.balance.learning.saturation import Saturation, Totals
from router.model.bursts import BurstSpec, BurstState, CalmMarks, SaturatedMarks

WINDOW_S = 5.0


def spec(high: float, low: float, for_s: float, cool_down_s: float) -> BurstSpec:
    return BurstSpec(
        service="shop",
        window_s=WINDOW_S,
        saturated=SaturatedMarks(full=high, overflow=high),
        calm=CalmMarks(full=low, overflow=low, for_s=for_s),
        cool_down_s=cool_down_s,
    )


MARKS = st.tuples(st.floats(0.05, 1.0), st.floats(0.0, 0.99)).map(lambda m: (m[0], m[0] * m[1]))
MOMENTS = st.lists(
    st.tuples(st.floats(0.05, 4.0), st.booleans(), st.integers(0, 40), st.floats(0.0, 1.0)),
    min_size=1,
    max_size=120,
)


def changes(
    detector: Saturation, moments: list[tuple[float, bool, int, float]]
) -> list[tuple[float, BurstState]]:
    """Feed what happened: (seconds, full, requests, share of them that overflowed)."""
    now, requests, overflowed = 100.0, 0, 0
    found = []
    for seconds, full, more, share in moments:
        now += seconds
        requests += more
        overflowed += int(more * share)
        changed = detector.feed(
            now, Totals(full=full, requests=requests, overflowed=overflowed, demand=more)
        )
        if changed is not None:
            found.append((now, changed))
    return found


@given(MARKS, st.floats(0.0, 20.0), st.floats(1.0, 60.0), MOMENTS)
def test_the_state_never_changes_faster_than_the_cool_down_and_alternates(
    marks: tuple[float, float],
    for_s: float,
    cool_down_s: float,
    moments: list[tuple[float, bool, int, float]],
) -> None:
    found = changes(Saturation(spec(*marks, for_s, cool_down_s)), moments)
    assert [state for _, state in found] == ["saturated", "calm"] * (len(found) // 2) + [
        "saturated"
    ] * (len(found) % 2)
    for (before, _), (after, _) in pairwise(found):
        assert after - before >= cool_down_s


@given(MARKS, MOMENTS, st.data())
def test_more_load_is_never_found_saturated_later(
    marks: tuple[float, float],
    moments: list[tuple[float, bool, int, float]],
    data: st.DataObject,
) -> None:
    more = [
        (seconds, full or data.draw(st.booleans()), requests, max(share, data.draw(SHARES)))
        for seconds, full, requests, share in moments
    ]
    less_load = changes(Saturation(spec(*marks, 1e6, 1.0)), moments)
    more_load = changes(Saturation(spec(*marks, 1e6, 1.0)), more)
    if less_load:
        assert more_load
        assert more_load[0][0] <= less_load[0][0]


SHARES = st.floats(0.0, 1.0)


@given(MARKS, MOMENTS)
def test_shares_are_shares_and_nothing_is_judged_before_a_whole_window(
    marks: tuple[float, float], moments: list[tuple[float, bool, int, float]]
) -> None:
    detector = Saturation(spec(*marks, 0.0, 1.0))
    found = changes(detector, moments)
    figures = detector.figures
    for share in (figures.full, figures.overflow, figures.refused):
        assert 0.0 <= share <= 1.0
    if found:
        assert found[0][0] - (100.0 + moments[0][0]) >= WINDOW_S

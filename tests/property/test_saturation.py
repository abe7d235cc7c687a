"""Laws of the detector of bursts."""

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.balance.learning.saturation import Saturation, Totals
from router.model import limits
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


class Seen(NamedTuple):
    """The totals that held for ``s`` seconds until ``at``, and those before them."""

    at: float
    s: float
    totals: Totals
    before: Totals

    def counted(self, name: str) -> float:
        more: float = getattr(self.totals, name) - getattr(self.before, name)
        return max(0.0, more)

    @property
    def is_full(self) -> bool:
        wanted = self.counted("requests") > 0 or self.totals.demand > 0
        return (
            self.totals.full or self.counted("refused") > 0 or (self.totals.absent and bool(wanted))
        )


GAUGES = st.tuples(st.integers(0, 20), st.sampled_from([0, 4, 10]), st.booleans(), st.booleans())
COUNTS = st.tuples(st.integers(0, 15), *[st.integers(0, 5)] * 2, st.sampled_from([0.0, 0.5, 3.0]))
FIGURE_OF = {"overflowed": "overflow", "refused": "refused"}
PASSED_S = st.sampled_from([1 / 16, 1 / 8, 1 / 8, 1 / 4, 1.0])


@given(seen=st.lists(st.tuples(PASSED_S, GAUGES, COUNTS), min_size=1, max_size=80))
def test_figures_are_means_over_the_window_and_panic_over_its_last_seconds(
    seen: list[tuple[float, tuple[int, int, bool, bool], tuple[int, int, int, float]]],
) -> None:
    """The window begins with a piece of it: one that was begun within it, or just before."""
    detector, before, now = Saturation(spec(1.0, 0.5, 0.0, 1.0)), Totals(), 64.0
    detector.feed(now, before)
    pieces: list[list[Seen]] = []
    moments: list[Seen] = []
    for passed_s, (demand, capacity, full, absent), (more, *others, waited_s) in seen:
        totals = Totals(
            full=full,
            absent=absent,
            demand=demand,
            capacity=capacity,
            requests=before.requests + more,
            overflowed=before.overflowed + others[0],
            refused=before.refused + others[1],
            waited_s=before.waited_s + waited_s,
        )
        now += passed_s
        moments.append(Seen(now, passed_s, totals, before))
        if not pieces or now - began(pieces[-1]) > WINDOW_S / limits.BURST_WINDOW_PARTS:
            pieces.append([])
        pieces[-1].append(moments[-1])
        while len(pieces) > 1 and began(pieces[1]) <= now - WINDOW_S:
            del pieces[0]
        detector.feed(now, totals)
        before = totals
        window = [one for piece in pieces for one in piece]
        seconds = sum(one.s for one in window)
        requests = sum(one.counted("requests") for one in window)
        each = 1 / requests if requests >= limits.BURST_REQUESTS_MIN else 0.0
        found = detector.figures
        assert found.used == pytest.approx(used(window))
        assert found.demand == pytest.approx(
            sum(one.totals.demand * one.s for one in window) / seconds
        )
        assert found.full == pytest.approx(sum(one.s for one in window if one.is_full) / seconds)
        assert found.queue_wait_s == pytest.approx(
            sum(one.counted("waited_s") for one in window) * each
        )
        for name in FIGURE_OF:
            share = min(1.0, sum(one.counted(name) for one in window) * each)
            assert getattr(found, FIGURE_OF[name]) == pytest.approx(share)
        edge = now - limits.BURST_PANIC_S
        since = max([64.0, *[one.at for one in moments if one.at <= edge]])
        last = [one for one in moments if one.at > since]
        assert found.panic == pytest.approx(used(last) if since <= edge else 0.0)
        assert (found.requests, found.capacity) == (requests, capacity)


def began(piece: list[Seen]) -> float:
    return piece[0].at - piece[0].s


def used(moments: list[Seen]) -> float:
    capacity_s = sum(one.totals.capacity * one.s for one in moments)
    return sum(one.totals.demand * one.s for one in moments) / capacity_s if capacity_s else 0.0


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

"""Laws of rates: never more than configured in any window, and no request is held back for long."""

from bisect import bisect_left
from math import floor

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.rate import Gate, RateDemand, SlidingCount
from router.model import limits
from router.model.capacity import Rate
from tests.examples import examples, histories

ENOUGH = settings(max_examples=examples(200))


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    window_s = draw(st.sampled_from((1.0, 1.7, 15.0, 60.0)))
    limit = draw(st.floats(1.0, 400.0))
    per_s = limit / window_s
    return Rate(
        per_s=per_s,
        resume_per_s=per_s * draw(st.floats(0.05, 1.0)),
        window_s=window_s,
        stay_s=window_s * draw(st.sampled_from((0.0, 0.3, 1.0, 4.0))),
    )


# Shares of a window that pass, and how many come at once then.
ARRIVALS = histories(
    st.tuples(
        st.floats(0.0, 0.02) | st.floats(0.0, 0.3) | st.sampled_from((0.0, 1.0, 1 / 256, 7.0)),
        st.integers(1, 5) | st.integers(1, 300),
    ),
    60,
)


class Asked:
    """A gate, with the times of all requests and of the admitted ones."""

    def __init__(self, rate: Rate, begun_at: float = 10_000.0) -> None:
        self.demand = RateDemand(rate.window_s)
        self.gate = Gate(rate, self.demand)
        self.now = begun_at
        self.admitted: list[float] = []
        self.asked: list[float] = []

    def ask(self) -> bool:
        self.demand.ask(self.now)
        self.asked.append(self.now)
        if not self.gate.free(self.now):
            return False
        self.gate.take(self.now)
        self.admitted.append(self.now)
        return True


def most_in_any_window(times: list[float], window_s: float) -> int:
    """The oracle: windows begin at each of ``times`` and are open at their end."""
    return max(
        (bisect_left(times, one + window_s) - i for i, one in enumerate(times)),
        default=0,
    )


@ENOUGH
@given(rate=rates(), arrivals=ARRIVALS)
def test_never_more_than_the_rate_in_any_window(
    rate: Rate, arrivals: list[tuple[float, int]]
) -> None:
    asked = Asked(rate)
    for share, count in arrivals:
        asked.now += share * rate.window_s
        for _ in range(count):
            was_calm = not asked.gate.is_over
            assert asked.ask() or not was_calm, "a calm gate lets everybody in"
    limit = floor(rate.per_s * rate.window_s + 1e-9)
    assert most_in_any_window(asked.admitted, rate.window_s) <= limit


@ENOUGH
@given(rate=rates(), lowered=st.sampled_from((1.0, 0.5, 0.1)), arrivals=ARRIVALS)
def test_the_next_permit_comes_when_it_is_said_to(
    rate: Rate, lowered: float, arrivals: list[tuple[float, int]]
) -> None:
    asked = Asked(rate, begun_at=1000.0)
    for number, (share, count) in enumerate(arrivals):
        asked.now += share * rate.window_s
        if number == len(arrivals) // 2:
            per_s = max(rate.per_s * lowered, 1.0 / rate.window_s)
            rate = msgspec.structs.replace(rate, per_s=per_s)
            asked.gate.set_rate(rate, asked.demand)
        for _ in range(count):
            asked.ask()
        at = asked.gate.free_at(asked.now)
        assert asked.now <= at <= asked.now + rate.window_s * (1 + 1e-6) + 1.0 / rate.per_s
        if at > asked.now:
            soon = at - 1e-6 / rate.per_s
            if soon > asked.now and asked.gate.free(soon):
                assert not asked.gate.is_over, "sooner only if it is calm again by then"
            asked.now = at + 1e-6 / rate.per_s
            assert asked.gate.free(asked.now) >= 1


@ENOUGH
@given(rate=rates(), arrivals=ARRIVALS)
def test_it_is_calm_again_only_after_its_stay_and_when_little_is_asked_for(
    rate: Rate, arrivals: list[tuple[float, int]]
) -> None:
    asked = Asked(rate)
    over_since = None
    for share, count in arrivals:
        asked.now += share * rate.window_s
        was_over = asked.gate.is_over
        asked.gate.free(asked.now)
        if was_over and not asked.gate.is_over:
            assert over_since is not None
            assert asked.now - over_since >= rate.stay_s - 1e-6
            began = bisect_left(asked.asked, asked.now - rate.window_s + 1e-6)
            lately = len(asked.asked) - began
            assert lately / rate.window_s < rate.resume_per_s
            over_since = None
        for _ in range(count):
            asked.ask()
            if asked.gate.is_over and over_since is None:
                over_since = asked.now


@ENOUGH
@given(
    gaps=histories(st.floats(0.0, 0.01) | st.floats(0.0, 2.0), 200),
    span_s=st.sampled_from((1.0, 3.0)),
)
def test_a_count_is_never_too_low_and_never_a_grain_too_high(
    gaps: list[float], span_s: float
) -> None:
    count, now = SlidingCount(span_s), 100.0
    times: list[float] = []
    grain_s = span_s / limits.RATE_GRAINS
    for gap in gaps:
        now += gap
        times.append(now)
        count.add(now)
        exact = sum(one + span_s > now for one in times)
        with_a_grain = sum(one + span_s + grain_s > now for one in times)
        assert exact <= count.total(now) <= with_a_grain

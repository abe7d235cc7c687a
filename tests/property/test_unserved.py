"""Clients that were turned away, and demand, beside both counted afresh from all that happened."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from router.balance.learning.demand import Demand, SpillCause
from router.balance.learning.unserved import UnservedClient, UnservedClients
from router.model import limits

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("away", "away", "gone", "again", "again", "left", "left", "total")),
        st.sampled_from((0.0, 0.25, 0.5, 1.0, 3.0, 10.0)),  # Seconds later.
        st.sampled_from((0.0, 0.5, 1.0, 2.0, 20.0)),  # What a request takes.
        st.integers(0, 5),
    ),
    max_size=60,
)


class Counted:
    """The two rules of the module, over a list of open clients and one of ends."""

    def __init__(self) -> None:
        self.open: list[UnservedClient] = []
        self.ends: list[float] = []
        self.past: list[tuple[bool, float]] = []  # Whether it returned, and after how long.

    def until(self, now: float, came_at: float, request_s: float) -> float:
        asked_to_wait = now + limits.RETRY_AFTER_MEAN_S
        return min(asked_to_wait, came_at + request_s) if request_s else asked_to_wait

    def total(self, now: float, queued: int) -> int:
        for one in [one for one in self.open if now - one.at >= limits.UNSERVED_S_MAX]:
            self.open.remove(one)
            self.past.append((False, 0.0))
        returned = stayed_away = 0.0
        usual_s = limits.UNSERVED_S_MAX
        for is_back, lasted_s in self.past:
            returned = returned * (1 - limits.UNSERVED_SMOOTHING) + is_back
            stayed_away = stayed_away * (1 - limits.UNSERVED_SMOOTHING) + (not is_back)
            if is_back:
                usual_s += limits.UNSERVED_SMOOTHING * (lasted_s - usual_s)
        counted = sum(end > now for end in self.ends)
        if returned > stayed_away:
            late_s = 2 * usual_s + limits.UNSERVED_LATE_S
            return counted + sum(now - one.at < late_s for one in self.open)
        counted += sum(one.until > now for one in self.open)
        return max(0, counted - queued) if stayed_away else counted


@given(steps=STEPS)
def test_who_wants_to_be_served_is_counted_as_from_a_list_of_all(
    steps: list[tuple[str, float, float, int]],
) -> None:
    unserved, counted, now = UnservedClients(), Counted(), 100.0
    gone: list[UnservedClient] = []
    for what, later_s, request_s, number in steps:
        now += later_s
        came_at = now - number / 4
        if what in ("away", "gone"):
            one = unserved.add(now, came_at, request_s, "", may_return=what == "away")
            until = counted.until(now, came_at, request_s)
            assert (one is not None) == (what == "away")
            if one is None:
                counted.ends.append(until)
            else:
                assert (one.at, one.until) == (now, until)
                counted.open.append(one)
                gone.append(one)
        elif gone and what in ("again", "left"):
            one = gone[number % len(gone)]
            is_known = one in counted.open
            if what == "again":
                assert unserved.asks_again(one, now) == is_known
            else:
                unserved.left(one, now)
            if is_known:
                counted.open.remove(one)
                counted.past.append((what == "again", now - one.at))
                if what == "left":
                    counted.ends.append(one.until)
        assert unserved.total(now, number) == counted.total(now, number)


class Second(NamedTuple):
    in_flight: int
    overflowed: int
    queued: int
    asked: int


@given(
    seconds=st.lists(
        st.just(Second(0, 0, 0, 0)) | st.builds(Second, *[st.integers(0, 4)] * 4), max_size=30
    ),
    request_s=st.sampled_from((0.0, 0.25)),
)
def test_demand_is_the_mean_of_the_last_seconds_and_rates_are_over_them(
    seconds: list[Second], request_s: float
) -> None:
    demand, now = Demand(), 100.0
    for number, one in enumerate(seconds, start=1):
        now += 1.0
        demand.elsewhere[SpillCause.NO_ROOM] = one.overflowed
        asked = sum(each.asked for each in seconds[:number])
        demand.sample(now, one.in_flight, one.queued, asked, request_s)
    lately = seconds[-limits.DEMAND_WINDOW_S :]
    wanted = sum(one.in_flight + one.overflowed + one.queued for one in lately)
    figures = demand.figures(now, 3, 2, asked if seconds else 0, has_target=True)
    assert figures.demand == 3 + demand.overflowed + 2
    assert figures.demand_avg == wanted / limits.DEMAND_WINDOW_S
    assert figures.demand_per_s == sum(one.asked for one in lately) / limits.DEMAND_WINDOW_S

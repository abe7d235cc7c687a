"""When a service counts as saturated, and when as calm again."""

import msgspec

from router.balance.learning.saturation import Saturation, Totals, marks_of, together
from router.model.bursts import BurstSpec, BurstState, CalmMarks, SaturatedMarks

SPEC = BurstSpec(
    service="shop",
    window_s=10.0,
    saturated=SaturatedMarks(full=0.8, queue_wait_s=0.2, overflow=0.2),
    calm=CalmMarks(full=0.3, for_s=20.0),
    cool_down_s=60.0,
)


class Feeding:
    """A detector that is fed each second."""

    def __init__(self, detector: Saturation | None = None) -> None:
        self.detector = detector or Saturation(SPEC)
        self.now = 0.0
        self.requests = self.overflowed = self.refused = 0
        self.waited_s = 0.0
        self.detector.feed(self.now, self.totals(False, False, 0))

    def totals(self, full: bool, absent: bool, demand: int) -> Totals:
        return Totals(
            full=full,
            absent=absent,
            demand=demand,
            requests=self.requests,
            overflowed=self.overflowed,
            refused=self.refused,
            waited_s=self.waited_s,
        )

    def seconds(
        self,
        count: int,
        *,
        full: bool = False,
        absent: bool = False,
        requests: int = 10,
        overflowed: int = 0,
        refused: int = 0,
        waited_s: float = 0.0,
        demand: int = 0,
    ) -> list[tuple[float, BurstState]]:
        found = []
        for _ in range(count):
            self.now += 1.0
            self.requests += requests
            self.overflowed += overflowed
            self.refused += refused
            self.waited_s += waited_s
            changed = self.detector.feed(self.now, self.totals(full, absent, demand))
            if changed is not None:
                found.append((self.now, changed))
        return found


def test_a_site_that_is_full_for_a_window_is_saturated() -> None:
    assert Feeding().seconds(30, full=True) == [(10.0, "saturated")]


def test_each_figure_says_it_alone() -> None:
    assert Feeding().seconds(11, overflowed=2)
    assert Feeding().seconds(11, waited_s=2.0)
    assert Feeding().seconds(11, refused=1)
    assert not Feeding().seconds(40, overflowed=1, waited_s=1.9)


def test_a_site_without_any_capacity_left_is_saturated_by_its_refusals() -> None:
    feeding = Feeding()
    assert feeding.seconds(11, requests=1, refused=1)
    assert feeding.detector.figures.full == 1.0
    assert Feeding().seconds(11, absent=True, requests=1)
    assert not Feeding().seconds(40, absent=True, requests=0), "nobody asks for it"


def test_few_requests_say_nothing_by_their_share() -> None:
    assert not Feeding().seconds(9, requests=1, overflowed=1)
    assert not Feeding().seconds(60, requests=0)
    rare = Feeding()
    for _ in range(20):
        assert not rare.seconds(1, requests=1, overflowed=1, waited_s=1.0)
        assert not rare.seconds(2, requests=0)
    assert (rare.detector.figures.overflow, rare.detector.figures.queue_wait_s) == (0.0, 0.0)


def test_it_is_calm_again_when_all_figures_are_low_for_long_enough_and_it_has_cooled_down() -> None:
    feeding = Feeding()
    assert feeding.seconds(15, full=True) == [(10.0, "saturated")]
    assert feeding.seconds(100) == [(70.0, "calm")], "the cool-down: 60 s after the change"
    assert feeding.seconds(100, full=True) == [(130.0, "saturated")], "and so is the next one"
    feeding.seconds(100, full=True)
    began = feeding.now
    (calm_at, _), *_ = feeding.seconds(100)
    assert 20.0 <= calm_at - began <= 31.0, "calm.for, after what is left of the window"


def test_between_the_marks_the_state_stays() -> None:
    feeding = Feeding()
    feeding.seconds(11, full=True)
    for _ in range(60):
        assert feeding.seconds(1, full=True) == []
        assert feeding.seconds(1) == []
    assert feeding.detector.state == "saturated"


USED = BurstSpec(
    service="shop",
    window_s=30.0,
    saturated=SaturatedMarks(used=0.7),
    calm=CalmMarks(for_s=20.0),
    cool_down_s=60.0,
)


def wanted(detector: Saturation, *demands: int, capacity: int = 10) -> list[tuple[int, BurstState]]:
    """The changes of state, by the second; of ``demands`` one holds for each."""
    found = []
    for second, demand in enumerate(demands, 1):
        changed = detector.feed(float(second), Totals(demand=demand, capacity=capacity))
        if changed is not None:
            found.append((second, changed))
    return found


def used() -> Saturation:
    detector = Saturation(USED)
    detector.feed(0.0, Totals(capacity=10))
    return detector


def test_a_site_of_which_most_is_wanted_over_a_window_is_saturated_before_it_is_full() -> None:
    assert wanted(used(), *[7] * 40) == [(30, "saturated")]
    assert wanted(used(), *[6] * 90) == []
    detector = used()
    assert wanted(detector, *[9] * 30, *[5] * 80)[0] == (30, "saturated")
    assert detector.figures.used == 0.5


def test_it_is_calm_again_at_half_the_mark() -> None:
    assert wanted(used(), *[8] * 30, *[4] * 200) == [(30, "saturated")]
    assert [state for _, state in wanted(used(), *[8] * 30, *[3] * 200)] == ["saturated", "calm"]


def test_twice_the_capacity_wanted_for_six_seconds_waits_for_no_window() -> None:
    assert wanted(used(), *[0] * 10, *[20] * 8) == [(16, "saturated")]
    assert wanted(used(), *[20] * 8) == [(6, "saturated")], "nor for its first"
    assert wanted(used(), *[0] * 10, *[20] * 5, *[0] * 10) == [], "a moment is none"


def test_without_a_capacity_nothing_is_used() -> None:
    assert wanted(used(), *[50] * 60, capacity=0) == []


def test_one_held_request_is_enough_and_waits_for_no_window() -> None:
    feeding = Feeding()
    assert feeding.detector.feed(1.0, Totals(held=0)) is None
    assert feeding.detector.feed(2.0, Totals(held=1)) == "saturated"


def test_a_held_request_counts_from_the_end_of_the_cool_down_on() -> None:
    detector = Saturation(SPEC, "calm", changed_at=-50.0)
    held = Totals(held=1)
    states = [detector.feed(now, held) for now in (0.0, 9.9, 10.0)]
    assert states == [None, None, "saturated"]


def test_twice_the_capacity_is_wanted_however_seldom_one_looks() -> None:
    detector = used()
    told = [detector.feed(at, Totals(demand=20, capacity=10)) for at in (2.0, 4.0, 6.0)]
    assert told == [None, None, "saturated"]
    detector = used()
    told = [detector.feed(at, Totals(demand=19, capacity=10)) for at in (2.0, 4.0, 6.0)]
    assert told == [None, None, None]


def test_panic_waits_for_the_cool_down() -> None:
    detector = Saturation(USED, "calm", changed_at=-30.0)
    detector.feed(0.0, Totals(capacity=10))
    assert wanted(detector, *[30] * 40) == [(30, "saturated")]


def test_after_a_sleep_panic_begins_anew() -> None:
    detector = used()
    assert wanted(detector, *[30] * 5) == []
    for second in range(100, 106):
        assert detector.feed(float(second), Totals(demand=30, capacity=10)) is None
    assert detector.feed(106.0, Totals(demand=30, capacity=10)) == "saturated"


def test_a_calm_mark_that_is_not_stated_is_half_the_saturated_one() -> None:
    marks = {mark.name: (mark.high, mark.low) for mark in marks_of(SPEC)}
    assert marks["full"] == (0.8, 0.3)
    assert marks["overflow"] == (0.2, 0.1)
    assert marks["refused"] == (0.01, 0.005)


def test_what_an_earlier_one_found_stands_with_its_cool_down() -> None:
    feeding = Feeding(Saturation(SPEC, "saturated", changed_at=-50.0))
    assert feeding.seconds(40) == [(30.0, "calm")]


def test_a_service_that_was_made_anew_begins_to_count_at_zero() -> None:
    feeding = Feeding()
    feeding.seconds(5, overflowed=5)
    feeding.requests = feeding.overflowed = 0
    feeding.seconds(1, overflowed=5)
    assert 0.0 < feeding.detector.figures.overflow <= 1.0
    assert feeding.detector.figures.requests == 60, "fifty before, ten since"


def test_ports_of_a_service_count_together() -> None:
    both = together([Totals(full=True, requests=3), Totals(requests=4, demand=2)])
    assert (both.full, both.requests, both.demand) == (True, 7, 2)


def test_a_day_in_which_nobody_looked_says_nothing() -> None:
    detector = Saturation(SPEC)
    assert detector.feed(0.0, Totals()) is None
    assert detector.feed(1.0, Totals()) is None
    assert detector.feed(86_400.0, Totals(full=True, refused=10**9)) is None
    assert not any(msgspec.structs.astuple(detector.figures)), "as before the first look"
    assert detector.figures == Saturation(SPEC).figures
    now = 86_400.0
    while detector.state == "calm":
        now += 1.0
        detector.feed(now, Totals(full=True, refused=10**9))
    assert now == 86_400.0 + SPEC.window_s


def test_a_clock_that_stands_still_or_goes_back_changes_nothing() -> None:
    detector = Saturation(SPEC)
    for now in (5.0, 5.0, 4.0, 6.0, 6.0):
        assert detector.feed(now, Totals(full=True)) is None
    assert detector.figures.full == 1.0

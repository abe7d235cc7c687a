"""One gate and one count, at the instants at which a wrong line would show."""

from router.balance.rate import Gate, RateDemand, SlidingCount
from router.model import limits
from router.model.capacity import Rate


def gate_of(
    per_s: float = 2.0, resume: float = 1.0, window_s: float = 5.0, stay_s: float = 5.0
) -> Gate:
    rate = Rate(per_s=per_s, resume_per_s=resume, window_s=window_s, stay_s=stay_s)
    return Gate(rate, RateDemand(window_s))


def let_in(gate: Gate, now: float, asked: int) -> int:
    """How many of ``asked`` requests at ``now`` are admitted."""
    count = 0
    for _ in range(asked):
        gate.demand.ask(now)
        if gate.free(now):
            gate.take(now)
            count += 1
    return count


def test_those_of_one_grain_count_as_long_as_the_last_of_them() -> None:
    grain_s = 1.0
    count = SlidingCount(grain_s * limits.RATE_GRAINS)
    count.add(0.0)
    count.add(0.9)
    assert count.total(count.span_s + 0.5) == 2, "the second one is still within the window"
    assert count.total(count.span_s + 0.9) == 0


def test_what_leaves_the_window_at_once_comes_back_as_the_reserve_and_then_at_the_pace() -> None:
    gate = gate_of(stay_s=60.0)
    assert let_in(gate, 0.0, 30) == 10
    assert let_in(gate, 5.0, 30) == 5, "saved up in five seconds, and no more than the reserve"
    assert let_in(gate, 5.5, 30) == 1
    assert let_in(gate, 6.0, 30) == 1


def test_nothing_is_saved_up_at_the_moment_it_is_over() -> None:
    gate = gate_of()
    assert let_in(gate, 0.0, 9) == 9
    assert let_in(gate, 4.9, 1) == 1
    assert gate.is_over
    assert let_in(gate, 5.0, 10) == 0, "nine have left the window; the pace begins at 4.9"
    assert let_in(gate, 5.4, 10) == 1


def test_a_rate_that_is_lowered_below_what_was_let_in_is_over_at_once() -> None:
    for let, more in ((4, 1), (5, 0), (8, 0)):
        gate = gate_of()
        assert let_in(gate, 0.0, let) == let
        lower = Rate(per_s=1.0, resume_per_s=0.5, window_s=5.0, stay_s=5.0)
        gate.set_rate(lower, RateDemand(5.0))
        assert let_in(gate, 0.0, 3) == more
        assert gate.is_over


def test_a_longer_window_counts_what_the_shorter_one_let_in() -> None:
    gate = gate_of()
    assert let_in(gate, 0.0, 8) == 8
    longer = Rate(per_s=2.0, resume_per_s=1.0, window_s=20.0, stay_s=5.0)
    gate.set_rate(longer, RateDemand(20.0))
    assert let_in(gate, 10.0, 50) == 32


def test_it_stays_over_while_its_window_is_used_up_however_little_is_asked_for() -> None:
    gate = gate_of(per_s=2.5, resume=2.5, window_s=1.0, stay_s=0.0)
    assert let_in(gate, 0.0, 2) == 2, "two fit into a second"
    assert gate.is_over
    for now in (0.2, 0.4, 0.6):
        assert gate.free(now) == 0
        assert gate.is_over
    assert gate.free(1.0) == 2
    assert not gate.is_over

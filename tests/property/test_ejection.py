"""Laws of ejection, over any history of one target."""

from hypothesis import given
from hypothesis import strategies as st

from router.balance.targets.ejection import Ejections, TargetStanding
from router.balance.targets.recent_answers import RecentAnswers
from router.model import limits
from tests.examples import histories

TARGET = "10.0.0.1:80"
STEPS = histories(
    st.tuples(st.sampled_from(("fail", "ok", "return", "deny")), st.floats(0.0, 20.0)), 80
)
ANSWERS = histories(st.tuples(st.booleans(), st.floats(0.0, 1.5)), 120)
"""Whether it failed, and how long after the one before."""


class History:
    """Every answer that counts, as a list: what `RecentAnswers` says must follow from it."""

    def __init__(self) -> None:
        self._answers: list[tuple[int, bool]] = []

    def add(self, now: float, *, failed: bool) -> None:
        self._answers.append((int(now), failed))

    def last(self, now: float) -> list[tuple[int, bool]]:
        return [one for one in self._answers if one[0] > int(now) - limits.EJECT_SHARE_S]

    def mostly_failed(self, now: float, least: int) -> bool:
        last = self.last(now)
        failed = [second for second, failed in last if failed]
        good = [second for second, failed in last if not failed]
        bad_seconds = [one for one in set(failed) if failed.count(one) > good.count(one)]
        return (
            len(last) >= least
            and len(failed) > len(good)
            and len(bad_seconds) >= limits.EJECT_SHARE_SECONDS_MIN
        )


@given(answers=ANSWERS, least=st.integers(1, 30), start=st.floats(0.0, 1e6))
def test_counts_of_the_window_are_those_of_the_whole_history(
    answers: list[tuple[bool, float]], least: int, start: float
) -> None:
    recent, history, now = RecentAnswers(), History(), start
    for failed, wait_s in answers:
        now += wait_s
        (recent.failed if failed else recent.good)(now)
        history.add(now, failed=failed)
        assert recent.answers(now) == len(history.last(now))
        assert recent.failures(now) == sum(failed for _, failed in history.last(now))
        assert recent.mostly_failed(now, least) == history.mostly_failed(now, least)


@given(steps=STEPS, after=st.integers(1, 6), chance=st.floats(0.0, 1.0))
def test_a_target_is_out_only_for_failures_in_a_row_or_most_of_them_and_longer_each_time(
    steps: list[tuple[str, float]], after: int, chance: float
) -> None:
    records = Ejections(lambda: chance)
    now, row, times, last_return, history = 0.0, 0, 0, 0.0, History()
    least = max(limits.EJECT_SHARE_ANSWERS_MIN, limits.EJECT_SHARE_ANSWERS_PER_FAILURE * after)
    for what, wait_s in steps:
        now += wait_s
        before = records.standing(TARGET)
        if what in ("fail", "deny"):
            due = records.failed(TARGET, "reset", after, now)
            if before is TargetStanding.EJECTED:
                assert not due
                continue
            row += 1
            history.add(now, failed=True)
            mostly = history.mostly_failed(now, least)
            assert due == (row >= after or before is TargetStanding.PROBATION or mostly)
            if due and what == "fail":
                ejection = records.eject(TARGET)
                longest = min(limits.EJECT_BASE_S * 2**times, limits.EJECT_MAX_S)
                assert longest * (1 - limits.EJECT_JITTER) - 1e-9 <= ejection.seconds <= longest
                times, row, history = times + 1, 0, History()
                assert records.standing(TARGET) is TargetStanding.EJECTED
        elif what == "ok":
            if TARGET in records.suspects and before is not TargetStanding.EJECTED:
                history.add(now, failed=False)
            records.succeeded(TARGET, now)
            if before is not TargetStanding.EJECTED:
                row = 0
                if now - last_return >= limits.EJECT_FORGET_S:
                    times = 0
            if not times and not any(failed for _, failed in history.last(now)):
                assert TARGET not in records.suspects, "nothing is kept of a clean target"
        else:
            records.returned(TARGET, now)
            if before is TargetStanding.EJECTED:
                last_return = now
                assert records.standing(TARGET) is TargetStanding.PROBATION
        assert (records.standing(TARGET) is TargetStanding.IN_SERVICE) == (times == 0)


@given(
    rate=st.sampled_from((2.5, 10.0, 40.0, 400.0)),
    of_five=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_what_fails_most_of_its_requests_is_due_and_what_serves_half_is_not(
    rate: float, of_five: list[bool]
) -> None:
    records, now = Ejections(lambda: 0.0), 0.0
    was_due, last_due = False, False
    for number in range(int(rate * 3 * limits.EJECT_SHARE_S)):
        now += 1 / rate
        if of_five[number % 5]:
            last_due = records.failed(TARGET, "reset", limits.EJECT_AFTER, now)
            was_due = was_due or last_due
        else:
            records.succeeded(TARGET, now)
    assert was_due == last_due == (sum(of_five) >= 3)


@given(broken=st.integers(1, 500), per_s=st.integers(5, 200), good_after=st.integers(0, 400))
def test_what_breaks_at_one_moment_is_no_share(broken: int, per_s: int, good_after: int) -> None:
    """Even where the moment falls into two seconds."""
    records, now = Ejections(lambda: 0.0), 0.999
    for number in range(broken):
        moment = now + number * 1e-5
        assert not records.failed(TARGET, "lost", 5, moment, one_event=number > 0)
    for _ in range(good_after):
        now += 1 / per_s
        records.succeeded(TARGET, now)
        assert TARGET not in records.suspects or not records.suspects[TARGET].due

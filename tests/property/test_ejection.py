"""Laws of ejection, over any history of one target."""

from hypothesis import given
from hypothesis import strategies as st

from router.balance.ejection import Ejections, Standing
from router.model import limits

TARGET = "10.0.0.1:80"
STEPS = st.lists(
    st.tuples(st.sampled_from(("fail", "ok", "return", "deny")), st.floats(0.0, 20.0)), max_size=80
)


@given(steps=STEPS, after=st.integers(1, 6), chance=st.floats(0.0, 1.0))
def test_a_target_is_out_only_for_failures_in_a_row_and_longer_each_time(
    steps: list[tuple[str, float]], after: int, chance: float
) -> None:
    records = Ejections(lambda: chance)
    now, row, times, last_return = 0.0, 0, 0, 0.0
    for what, wait_s in steps:
        now += wait_s
        before = records.standing(TARGET)
        if what in ("fail", "deny"):
            due = records.failed(TARGET, "reset", after)
            if before is Standing.EJECTED:
                assert not due
                continue
            row += 1
            assert due == (row >= after or before is Standing.PROBATION)
            if due and what == "fail":
                ejection = records.eject(TARGET)
                longest = min(limits.EJECT_BASE_S * 2**times, limits.EJECT_MAX_S)
                assert longest * (1 - limits.EJECT_JITTER) - 1e-9 <= ejection.seconds <= longest
                times, row = times + 1, 0
                assert records.standing(TARGET) is Standing.EJECTED
        elif what == "ok":
            records.succeeded(TARGET, now)
            if before is not Standing.EJECTED:
                row = 0
                if now - last_return >= limits.EJECT_FORGET_S:
                    times = 0
            if not times:
                assert TARGET not in records.suspects, "nothing is kept of a clean target"
        else:
            records.returned(TARGET, now)
            if before is Standing.EJECTED:
                last_return = now
                assert records.standing(TARGET) is Standing.PROBATION
        assert (records.standing(TARGET) is Standing.IN_SERVICE) == (times == 0)

"""A heap of timers beside a plain list, by chance: same calls in the same order, none missed."""

from functools import partial
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from router.net.timers import PendingCall, TimerHeap

TIMES = st.integers(0, 20).map(float)
STEPS = st.lists(
    st.tuples(st.just("add"), TIMES)
    | st.tuples(st.just("cancel"), TIMES)
    | st.tuples(st.just("run"), TIMES)
    | st.tuples(st.just("look"), TIMES),
    max_size=300,
)


@given(STEPS)
def test_whatever_is_added_and_cancelled_runs_in_its_order_and_next_at_is_never_too_late(
    steps: list[tuple[str, float]],
) -> None:
    heap = TimerHeap()
    pending: list[tuple[float, int, PendingCall]] = []
    ran: list[int] = []
    for number, (what, value) in enumerate(steps):
        if what == "add":
            call = heap.add(value, partial(ran.append, number))
            pending.append((value, number, call))
        elif what == "cancel" and pending:
            pending.pop(int(value) % len(pending))[2].cancel()
        elif what == "run":
            due = sorted(one[:2] for one in pending if one[0] <= value)
            pending = [one for one in pending if one[0] > value]
            ran.clear()
            if heap.next_at <= value:
                newest = heap.newest()
                while (callback := heap.pop_due(value, newest)) is not None:
                    callback()
            assert ran == [number for _, number in due]
        elif what == "look":
            assert heap.earliest() == min((one[0] for one in pending), default=None)
            assert heap.next_at == min((one[0] for one in pending), default=inf)
        assert heap.next_at <= min((one[0] for one in pending), default=inf)

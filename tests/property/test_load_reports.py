"""Load reports: the last state always reaches the others, and never too often."""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.sites.reports import LoadReports
from router.model import limits
from router.model.ids import ServiceKey
from tests.examples import examples, histories

KEYS = [ServiceKey("web", 80), ServiceKey("api", 80)]
LOADS = st.tuples(st.integers(0, 12), st.integers(0, 2), st.none() | st.sampled_from([4, 10, 100]))
STEPS = histories(st.tuples(st.sampled_from(KEYS), LOADS, st.floats(0.0, 0.2)), 40)
Load = tuple[int, int, int | None]


class Wire:
    """Runs the timer as its owner would and keeps what left, with times."""

    def __init__(self) -> None:
        self.reports = LoadReports()
        self.state: dict[ServiceKey, Load] = {}
        self.sent: dict[ServiceKey, list[tuple[float, Load]]] = {key: [] for key in KEYS}

    def note(self, key: ServiceKey, load: Load, now: float) -> None:
        self.state[key] = load
        if self.reports.note(key, *load, now):
            self.sent[key].append((now, load))

    def run_timer_until(self, until: float) -> None:
        for _ in range(10_000):
            deadline = self.reports.next_deadline()
            if deadline is None or deadline > until:
                return
            for key in self.reports.due(deadline):
                self.sent[key].append((deadline, self.state[key]))
        raise AssertionError("the timer spins")


@settings(max_examples=examples(300))
@given(steps=STEPS)
def test_the_last_state_is_always_told(steps: list[tuple[ServiceKey, Load, float]]) -> None:
    wire, now = Wire(), 100.0
    for key, load, passes_s in steps:
        wire.note(key, load, now)
        now += passes_s
        wire.run_timer_until(now)
    wire.run_timer_until(now + limits.LOAD_SETTLE_INTERVAL_S)
    assert {key: sent[-1][1] for key, sent in wire.sent.items() if sent} == wire.state
    assert wire.reports.next_deadline() is None


@settings(max_examples=examples(300))
@given(steps=STEPS)
def test_a_service_is_told_at_most_so_often(steps: list[tuple[ServiceKey, Load, float]]) -> None:
    wire, now = Wire(), 100.0
    for key, load, passes_s in steps:
        wire.note(key, load, now)
        now += passes_s
        wire.run_timer_until(now)
    for sent in wire.sent.values():
        for first, third in zip(sent, sent[2:], strict=False):
            assert third[0] - first[0] >= limits.LOAD_INTERVAL_S - 1e-9


@settings(max_examples=examples(300))
@given(steps=STEPS, load=LOADS)
def test_a_flip_after_quiet_is_told_at_once(
    steps: list[tuple[ServiceKey, Load, float]], load: Load
) -> None:
    wire, now = Wire(), 100.0
    for key, earlier, passes_s in steps:
        wire.note(key, earlier, now)
        now += passes_s
        wire.run_timer_until(now)
    wire.run_timer_until(now + limits.LOAD_INTERVAL_S)
    now += 2 * limits.LOAD_INTERVAL_S + 1e-6
    for key in KEYS:
        known = wire.sent[key][-1][1] if wire.sent[key] else None
        wire.note(key, load, now)
        if known is None or is_full(known) != is_full(load) or (not known[1]) != (not load[1]):
            assert wire.sent[key][-1] == (now, load)


def is_full(load: Load, reserved: int = 0) -> bool:
    """``reserved``: for other routers of the site, which have the reserve."""
    return load[2] is not None and load[0] >= load[2] + reserved


RESERVED, REFUSES = st.sampled_from((0, 0, 3)), st.sampled_from((False, False, False, True))


@settings(max_examples=examples(300))
@given(
    before=LOADS,
    after=LOADS,
    beyond=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    waiting=st.integers(0, 1),
    reserved=st.tuples(RESERVED, RESERVED),
    refuses=st.tuples(REFUSES, REFUSES),
)
def test_how_soon_a_change_is_told_depends_on_what_changed(
    before: Load,
    after: Load,
    beyond: tuple[int, int],
    waiting: int,
    reserved: tuple[int, int],
    refuses: tuple[bool, bool],
) -> None:
    reports, key, at = LoadReports(), KEYS[0], 100.0
    assert reports.note(
        key, *before, at, beyond=beyond[0], reserved=reserved[0], refuses=refuses[0]
    )
    full_for_own = is_full(before, reserved[0]), is_full(after, reserved[1])
    if (before, beyond[0], 0, reserved[0], refuses[0]) == (
        after,
        beyond[1],
        waiting,
        reserved[1],
        refuses[1],
    ):
        wanted = None
    elif (
        is_full(before) != is_full(after)
        or (not before[1]) != (not after[1])
        or refuses[0] != refuses[1]
        or (reserved[1] and full_for_own[0] != full_for_own[1])
    ):
        wanted = at + limits.LOAD_INTERVAL_S
    elif is_large(before, after, beyond):
        wanted = at + limits.LOAD_CHANGE_INTERVAL_S
    else:
        wanted = at + limits.LOAD_SETTLE_INTERVAL_S
    assert not reports.note(
        key,
        *after,
        at,
        beyond=beyond[1],
        waiting=waiting,
        reserved=reserved[1],
        refuses=refuses[1],
    )
    assert reports.next_deadline() == wanted
    assert not reports.due(at)
    if wanted is not None:
        assert reports.due(wanted) == [key]


def is_large(before: Load, after: Load, beyond: tuple[int, int]) -> bool:
    if before[1] != after[1] or (before[2] is None) != (after[2] is None):
        return True
    if before[2] != after[2] and abs((after[2] or 0) - (before[2] or 0)) >= (before[2] or 0) / 10:
        return True
    running = before[0] + beyond[0], after[0] + beyond[1]
    step = max(1.0, (running[0] if after[2] is None else after[2]) / 10)
    return abs(after[0] - before[0]) >= step or abs(running[1] - running[0]) >= step

"""Laws of session affinity: never over capacity, no session moves without need, and the budget."""

from collections import Counter
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import Asked, Decision, NoChoice
from router.balance.retries import RetryBudget
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.balance.site.spills import ABSENCES
from router.balance.targets.sessions import SESSION_KEY_MAX, SessionTable, score
from router.model import limits
from router.model.capacity import TargetTerms
from router.model.ids import SiteId
from tests.examples import examples, histories
from tests.property.test_selection import EXCLUDED, HERE, SITES, balancers

KEYS = st.integers(1, SESSION_KEY_MAX)
NAMES = [f"10.0.0.{n}:80" for n in range(8)]
QUICK = settings(max_examples=examples(200))


def ledger_of(targets: dict[str, int | None]) -> LocalLedger:
    ledger = LocalLedger()
    ledger.set_targets(
        {target: TargetTerms(name="web", capacity=capacity) for target, capacity in targets.items()}
    )
    for target in targets:
        ledger.set_ready(target, True)
    return ledger


def home(ledger: LocalLedger, key: int) -> str:
    """Where ``key`` goes when there is room; the slot is given back."""
    slot = ledger.try_acquire(0.0, session=key)
    assert isinstance(slot, Slot)
    slot.release(0.0)
    return slot.target


@QUICK
@given(
    capacities=st.dictionaries(st.sampled_from(NAMES), st.integers(1, 5), min_size=1),
    keys=histories(KEYS, 60),
    leaving=histories(st.integers(0, 100), 30),
)
def test_sessions_never_exceed_a_capacity_and_are_denied_only_when_all_is_full(
    capacities: dict[str, int], keys: list[int], leaving: list[int]
) -> None:
    ledger = ledger_of(dict(capacities))
    slots: list[Slot] = []
    for number, key in enumerate(keys):
        held = Counter(slot.target for slot in slots)
        room = [target for target, capacity in capacities.items() if held[target] < capacity]
        expected = ledger.target_of(key)
        slot = ledger.try_acquire(0.0, session=key)
        if isinstance(slot, Slot):
            assert slot.target in room
            assert slot.target == expected
            slots.append(slot)
        else:
            assert not room
            assert expected is None
        if number < len(leaving) and slots:
            slots.pop(leaving[number] % len(slots)).release(0.0)


@QUICK
@given(
    targets=st.sets(st.sampled_from(NAMES), min_size=1),
    key=KEYS,
    others=histories(KEYS, 20),
)
def test_a_session_stays_whatever_the_others_do_while_there_is_room(
    targets: set[str], key: int, others: list[int]
) -> None:
    ledger = ledger_of(dict.fromkeys(targets, 100))
    first = home(ledger, key)
    for other in others:
        ledger.try_acquire(0.0, session=other)
        ledger.try_acquire(0.0)
        assert home(ledger, key) == first


@QUICK
@given(
    targets=st.sets(st.sampled_from(NAMES), min_size=2),
    capacity=st.none() | st.integers(1, 9),
    keys=st.sets(KEYS, min_size=1, max_size=50),
    data=st.data(),
)
def test_only_the_sessions_of_a_target_that_goes_move_and_they_come_back(
    targets: set[str], capacity: int | None, keys: set[int], data: st.DataObject
) -> None:
    ledger = ledger_of(dict.fromkeys(targets, capacity))
    before = {key: home(ledger, key) for key in keys}
    gone = data.draw(st.sampled_from(sorted(targets)))
    ledger.set_ready(gone, False)
    for key, target in before.items():
        now = home(ledger, key)
        assert now != gone
        assert now == target or target == gone
    ledger.set_ready(gone, True)
    assert {key: home(ledger, key) for key in keys} == before


def test_sessions_spread_by_capacity() -> None:
    ledger = ledger_of({"a:1": 10, "b:1": 10, "c:1": 20})
    homes = Counter(home(ledger, key * 7_919) for key in range(1, 20_001))
    assert 4_800 < homes["a:1"] < 5_200
    assert 4_800 < homes["b:1"] < 5_200
    assert 9_800 < homes["c:1"] < 10_200


@QUICK
@given(
    balancer=balancers() | balancers(policy="balanced"),
    excluded=EXCLUDED,
    preferred=st.sampled_from([HERE, *SITES]),
)
def test_a_session_stays_where_it_is_unless_that_site_cannot_take_it(
    balancer: ServiceBalancer, excluded: frozenset[SiteId], preferred: SiteId
) -> None:
    reports = {one.site: one for one in balancer.explain(0.05, excluded).candidates}
    plain = balancer.explain(0.05, excluded).decision
    explained = balancer.explain(0.05, excluded, Asked(preferred))
    chosen = balancer.select(0.05, excluded, Asked(preferred))
    assert chosen == explained.decision
    at_home = reports.get(preferred)
    gone = ("draining", "no-target", "excluded", "unreachable", "full")
    if at_home is not None and at_home.verdict not in gone:
        assert isinstance(chosen, Decision)
        assert (chosen.site, chosen.overflow) == (preferred, False)
        assert chosen.reason == f"session stays at {at_home.site_name}"
        assert chosen.local or chosen.spill_reason in ("session", "drained", *ABSENCES)
        verdicts = {one.site: one.verdict for one in explained.candidates}
        assert [site for site, verdict in verdicts.items() if verdict == "chosen"] == [preferred]
    elif isinstance(chosen, Decision):
        assert chosen.site != preferred
        assert isinstance(plain, Decision)
        assert (chosen.site, chosen.overflow) == (plain.site, plain.overflow)
        named = "its site" if at_home is None else at_home.site_name
        assert chosen.reason.startswith(f"session yields: {named} ")
    else:
        assert isinstance(plain, NoChoice)


STEPS = histories(
    st.one_of(
        st.tuples(st.just("requests"), st.integers(0, 5_000)),
        st.tuples(st.just("wait"), st.integers(0, 30_000)),
        st.tuples(st.just("retry"), st.integers(1, 400)),
    ),
    40,
)


@QUICK
@given(percent=st.integers(0, 100), steps=STEPS)
def test_no_more_is_permitted_than_was_saved_and_earned(
    percent: int, steps: list[tuple[str, int]]
) -> None:
    budget = RetryBudget(percent, 5.0)
    now, given_out = 5.0, 0
    for step, number in steps:
        if step == "requests":
            budget.requests += number
        elif step == "wait":
            now += number / 1000
        else:
            given_out += sum(budget.take(now) for _ in range(number))
        earned = (now - 5.0) * limits.RETRIES_PER_S + budget.requests * percent / 100
        most = limits.RETRIES_SAVED_MIN + earned if percent else 0
        assert given_out <= most + 1e-6


SPLITMIX64 = (
    0xE220A8397B1DCDAF,
    0x6E789E6AA1B965F4,
    0x06C45D188009454F,
    0xF88BB8A8724C81EC,
    0x1B39896A51A8749B,
)
"""The first numbers of the generator for the seed 0, as published with it."""


def test_the_mixing_is_that_of_splitmix64() -> None:
    for number, mixed in enumerate(SPLITMIX64, start=1):
        assert score(number ^ 77, 77, 3) == 3 / -log((mixed + 0.5) / 2**64)


@given(
    served=histories(
        st.tuples(st.integers(1, 9), st.sampled_from(SITES), st.sampled_from((0, 1, 600, 1800))), 40
    )
)
def test_a_session_is_remembered_until_it_was_idle_for_too_long(
    served: list[tuple[int, SiteId, int]],
) -> None:
    table, now = SessionTable(), 0.0
    last: dict[int, tuple[SiteId, float]] = {}
    for key, site, later_s in served:
        now += later_s
        last[key] = (site, now)
        table.served(key, site, now)
        fresh = {one: at for one, at in last.items() if now - at[1] < limits.SESSION_IDLE_S}
        assert len(table) == len(fresh)
        for one in range(1, 10):
            assert table.site_of(one, now) == (fresh[one][0] if one in fresh else None)


@QUICK
@given(
    percent=st.integers(1, 100),
    seconds=st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 25)), max_size=8),
)
def test_what_is_saved_is_bounded_by_the_rate_of_the_last_window(
    percent: int, seconds: list[tuple[int, int]]
) -> None:
    budget, now, seen, window_at, per_s = RetryBudget(percent, 0.0), 0.0, 0, 0.0, 0.0
    saved: float = limits.RETRIES_SAVED_MIN
    before = 0
    for requests, later_s in seconds:
        now += later_s
        budget.requests += requests * later_s
        if now - window_at >= limits.RETRY_WINDOW_S:
            per_s = (budget.requests - seen) / (now - window_at)
            window_at, seen = now, budget.requests
        in_window = limits.RETRY_WINDOW_S * (limits.RETRIES_PER_S + per_s * percent / 100)
        saved += later_s * limits.RETRIES_PER_S + (budget.requests - before) * percent / 100
        saved, before = min(saved, max(in_window, limits.RETRIES_SAVED_MIN)), budget.requests
        given_out = 0
        while given_out < 2_000 and budget.take(now):
            given_out += 1
        assert given_out == pytest.approx(min(2_000, saved), abs=1 + 1e-6)
        saved -= given_out

"""Laws of a ledger with slots, rates and a site's cap at once: none of them is ever exceeded."""

from bisect import bisect_left
from math import floor, inf

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Denied, Slot
from router.model.capacity import Rate, SiteCap, TargetTerms
from tests.examples import examples

WINDOW_S = 4.0


def rate_of(limit: int) -> Rate:
    per_s = limit / WINDOW_S
    return Rate(per_s=per_s, resume_per_s=per_s / 2, window_s=WINDOW_S, stay_s=WINDOW_S)


LIMITS = st.none() | st.integers(1, 12)
RATES = LIMITS.map(lambda limit: None if limit is None else rate_of(limit))
TERMS = st.builds(
    TargetTerms, name=st.just("t"), capacity=st.none() | st.integers(0, 4), rate=RATES
)
CAPS = st.none() | st.builds(
    SiteCap, slots=LIMITS, rate=RATES, spill=st.sampled_from(("excess", "all"))
)
# Seconds that pass, then the action: ask, ask for a session, end the oldest, move the oldest.
STEPS = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.0, 0.1, 0.7, 4.0)),
        st.sampled_from(("ask", "ask", "ask", "session", "end", "move")),
    ),
    max_size=80,
)


def most(times: list[float]) -> int:
    return max((bisect_left(times, one + WINDOW_S) - i for i, one in enumerate(times)), default=0)


def allowed(rate: Rate | None) -> float:
    return inf if rate is None else floor(rate.per_s * rate.window_s + 1e-9)


@settings(max_examples=examples(200))
@given(terms=st.lists(TERMS, min_size=1, max_size=3), cap=CAPS, steps=STEPS)
def test_slots_rates_and_the_cap_hold_together(
    terms: list[TargetTerms], cap: SiteCap | None, steps: list[tuple[float, str]]
) -> None:
    ledger = LocalLedger()
    by_address = {f"t{i}:80": one for i, one in enumerate(terms)}
    ledger.set_targets(by_address)
    for address in by_address:
        ledger.set_ready(address, True)
    ledger.set_site_cap(cap)
    held: list[Slot] = []
    admitted: dict[str, list[float]] = {address: [] for address in by_address}
    by_site: list[float] = []
    now = 50.0
    for gap, step in steps:
        now += gap
        if step == "end":
            if held:
                held.pop(0).release(now)
        elif step == "move":
            if held:
                got = ledger.try_acquire(now, frozenset({held[0].target}), moves=True)
                if isinstance(got, Slot):
                    held.pop(0).release(now)
                    held.append(got)
                    admitted[got.target].append(now)
        else:
            ledger.ask(now)
            had_room = ledger.has_room_at(now)
            got = ledger.try_acquire(now, session=7 if step == "session" else 0)
            assert (type(got) is Slot) == had_room
            if isinstance(got, Slot):
                held.append(got)
                admitted[got.target].append(now)
                by_site.append(now)
            else:
                assert got is Denied.FULL
                at = ledger.next_room_at(now)
                assert at > now or at == inf
        assert ledger.load == ledger.in_flight == len(held)
        assert cap is None or cap.slots is None or len(held) <= cap.slots
        for state in ledger.targets(now):
            assert state.capacity is None or state.in_flight <= state.capacity
    for address, one in by_address.items():
        assert most(admitted[address]) <= allowed(one.rate)
    assert most(by_site) <= allowed(cap.rate if cap is not None else None)

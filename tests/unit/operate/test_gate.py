"""A flood of events of one code leaves the journal readable."""

from router.model import limits
from router.model.events import Event
from router.operate.record.journal import EventGate


def event(code: str) -> Event:
    return Event(at="", severity="warning", code=code, subject="links", message="Refused.", hint="")


def test_a_flood_of_one_code_is_cut_and_counted_and_other_codes_pass() -> None:
    gate = EventGate()
    told = [gate.let_through(event("link-refused"), 0.0) for _ in range(5_000)]
    assert sum(one is not None for one in told) == limits.EVENTS_BURST
    assert gate.let_through(event("link-down"), 0.0) is not None
    later = gate.let_through(event("link-refused"), limits.EVENTS_INTERVAL_S)
    assert later is not None
    assert f"{5_000 - limits.EVENTS_BURST} more" in later.message


def test_events_that_are_rare_pass_as_they_are() -> None:
    gate = EventGate()
    for second in range(0, 100_000, int(limits.EVENTS_INTERVAL_S)):
        assert gate.let_through(event("link-down"), float(second)) == event("link-down")

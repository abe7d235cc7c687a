"""Sheddable requests make way for all others at every site, in virtual time."""

from collections.abc import Sequence

import pytest

from router.admin.ports import BadQuestion
from router.balance.deciding.decision_evidence import DecisionReplay
from router.balance.deciding.decisions import Decision
from tests.simulation.test_fill_and_spill import at_rest, count, within_capacity
from tests.simulation.world import SERVICE, Answer, SimSite, World
from tests.unit.operate.views import view_of

BATCH = "X-Priority: batch"


def joined(*, queue: int = 20, share: float = 0.5, seed: int = 7) -> World:
    """Sites a and b with 10 slots each."""
    world = World(seed, "a", "b")
    a, b = world.sites.values()
    a.link(b, 1)
    a.declare(queue=queue, sheddable="x-priority: batch", sheddable_share=share)
    a.serve(2, capacity=5)
    b.serve(2, capacity=5)
    world.run(5)
    return world


def in_flight(site: SimSite) -> int:
    return site.router.readings.load_of(SERVICE).in_flight


def refused(answers: Sequence[Answer]) -> list[str]:
    return [one.fields.get("Spillway-Error", one.error) for one in answers if one.status != 200]


def test_sheddable_requests_fill_their_share_of_each_site_and_no_more() -> None:
    world = joined(queue=0)
    a, b = world.sites.values()
    answers = [a.request(BATCH) for _ in range(20)]
    world.run(0.05)
    assert (in_flight(a), in_flight(b)) == (5, 5)
    others = [a.request() for _ in range(10)]
    world.run(3)
    assert (count(answers, a), count(answers, b)) == (5, 5)
    assert refused(answers) == ["shed"] * 10
    assert all(int(one.fields["Retry-After"]) >= 1 for one in answers if one.status == 503)
    assert (count(others, a), count(others, b)) == (5, 5), "the rest was kept for them"
    at_rest(world)


def test_overload_sheds_the_sheddable_ones_alone() -> None:
    """Others offer 120/s, sheddable ones 200/s; both sites together serve 200/s."""
    world = joined(queue=40, share=0.8)
    a = world["a"]
    others = a.poisson(120, 6, "others")
    batch = a.poisson(200, 6, "batch", BATCH)
    world.run(12)
    within_capacity(world, 5)
    at_rest(world)
    assert not refused(others)
    codes = refused(batch)
    assert set(codes) == {"shed"}
    served = len(batch) - len(codes)
    assert served > 6 * 0.8 * (0.8 * 200 - 120), "what is left of its share was used"
    waits = sorted(one.ended - one.began for one in others)
    assert waits[int(0.99 * len(waits))] < 0.25, "nobody else waits behind them"


def test_a_refused_sheddable_request_does_not_make_its_site_look_full() -> None:
    """c fills the share of b without the knowledge of a, whose next ordinary request finds room."""
    world = World(3, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, 1)
    c.link(b, 1)
    a.declare(queue=0, sheddable="x-priority: batch", sheddable_share=0.5)
    b.serve(1, capacity=4, service_s=2.0)
    world.run(5)
    held = [c.request(BATCH), c.request(BATCH)]
    world.run(0.01)
    first, then = [a.request(BATCH) for _ in range(3)], [a.request() for _ in range(2)]
    world.run(5)
    assert refused(first) == ["shed"] * 3
    assert count(held, b) == 2
    assert count(then, b) == 2
    at_rest(world)


def test_a_changed_rule_holds_for_connections_that_are_open() -> None:
    world = joined(queue=10, share=0.2)
    a, b = world.sites.values()
    b.connectors.clear()
    b.apply()
    world.run(3)
    batch = [a.request(BATCH) for _ in range(8)]
    world.run(0.02)
    assert in_flight(a) == 2
    a.declare(queue=10)
    world.run(0.02)
    assert in_flight(a) == 8, "who waited is let in"
    world.run(3)
    assert not refused(batch)


def test_why_says_what_the_next_sheddable_request_meets_and_what_the_last_ones_met() -> None:
    world = joined(queue=0)
    a, b = world.sites.values()
    for _ in range(7):
        a.request(BATCH)
    world.run(0.05)
    now = a.network.now()
    plain = a.router.readings.explain(SERVICE, now)
    batch = a.router.readings.explain(SERVICE, now, sheddable=True)
    assert plain is not None and batch is not None
    assert [one.verdict for one in plain.candidates] == ["chosen", "dearer"]
    assert [one.verdict for one in batch.candidates] == ["sheddable-share", "chosen"]
    kept = "5 of 10 in flight; free slots are reserved for requests that are not sheddable"
    assert batch.candidates[0].reason == kept
    assert isinstance(batch.decision, Decision) and isinstance(plain.decision, Decision)
    assert (plain.decision.local, batch.decision.site) == (True, b.identity.site)
    assert batch.decision.spill_reason == "sheddable-share"
    past = a.router.readings.past_of(SERVICE, 7, "all")
    seen = [one.seen for one in past if one.spill_reason == "sheddable-share"]
    assert len(seen) == 2
    for decision in seen:
        assert decision is not None
        verdicts = [one.verdict for one in DecisionReplay(decision).reports()]
        assert verdicts == ["sheddable-share", "chosen"]


def test_why_of_a_service_without_sheddable_requests_says_how_to_have_some() -> None:
    world = World(1, "a")
    world["a"].declare()
    world["a"].serve(1, capacity=1)
    world.run(1)
    with pytest.raises(BadQuestion, match="no sheddable requests") as raised:
        view_of(world["a"]).own_why("shop", None, sheddable=True)
    assert "--sheddable" in raised.value.hint

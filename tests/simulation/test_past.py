"""The record of decisions, in whole routers in virtual time."""

from typing import Any

import pytest
from msgspec.structs import replace

from router.admin.views.why import PastDecision
from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import RequestSelection
from router.model.specs import SitePolicySpec
from tests.examples import seeds
from tests.simulation.test_fill_and_spill import all_answered, joined
from tests.simulation.world import SERVICE, SimSite, World
from tests.unit.operate.views import view_of

SEEDS = seeds(2)
ALL = limits.DECISIONS_KEPT


def kept(site: SimSite, which: RequestSelection = "all", *, count: int = ALL) -> list[PastDecision]:
    """As the operator hears of it, of the one service port."""
    past = view_of(site).own_past(SERVICE.name, SERVICE.port, count, which)
    assert past is not None
    return list(past)


def gist(decision: PastDecision) -> PastDecision:
    """Without times of day: the wall's clock runs on while the virtual one stands."""
    return replace(decision, at="", decided_at=None)


def verdicts(decision: PastDecision) -> dict[str, str]:
    return {one.site: one.verdict for one in decision.candidates}


@pytest.mark.parametrize("seed", SEEDS)
def test_of_a_burst_is_told_who_took_each_and_what_was_known_then(seed: int) -> None:
    world = World(seed, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare()
    a.serve(1, capacity=5, service_s=0.5)
    b.serve(1, capacity=50, service_s=0.5)
    world.run(5)
    answers = a.offer(rate=200, seconds=0.1)
    world.run(0.3)
    past = kept(a)
    assert [one.outcome for one in past] == ["under-way"] * 20
    assert [one.site for one in past] == ["b"] * 15 + ["a"] * 5
    world.run(3)
    all_answered(answers)

    past = kept(a)
    assert [one.site for one in past] == [answer.site for answer in reversed(answers)]
    assert all((one.outcome, one.answer, one.attempts) == ("ok", "2xx", 1) for one in past)
    assert [one.at for one in past] == sorted((one.at for one in past), reverse=True)
    here = past[15:]
    assert [(one.in_flight, one.capacity) for one in here] == [(n, 5) for n in (4, 3, 2, 1, 0)]
    for spilled in past[:15]:
        assert (spilled.policy, spilled.overflow_reason) == ("fill", "full")
        assert verdicts(spilled) == {"a": "full", "b": "chosen"}
        full = spilled.candidates[0]
        assert (full.in_flight, full.capacity, full.free) == (5, 5, 0)
        assert full.reason == "5 in flight, its capacity is 5"
    assert [one.candidates[1].in_flight for one in past[:15]] == list(range(14, -1, -1))
    assert [gist(one) for one in kept(a, count=3)] == [gist(one) for one in past[:3]]
    assert kept(a, "denied") == []
    assert kept(b) == [], "they came in at a"


def test_what_was_denied_is_still_there_after_ten_thousand_that_were_served() -> None:
    world = World(1, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare(queue=2, queue_wait_s=0.3)
    a.serve(1, capacity=2, service_s=1.0)
    b.serve(1, capacity=2, service_s=1.0)
    world.run(5)
    answers = a.offer(rate=1000, seconds=0.01)
    world.run(5)
    denied = kept(a, "denied")
    assert len(denied) == sum(answer.status == 503 for answer in answers) > 2
    assert {one.outcome for one in denied} == {"all-full"}
    assert {one.site for one in denied} == {None}
    assert {verdicts(one)["a"] for one in denied} == {"full"}
    assert {verdicts(one)["b"] for one in denied} == {"full", "excluded"}, "b refused some itself"
    for one in denied:
        assert one.retried_for == ("busy" if verdicts(one)["b"] == "excluded" else None)
    waited = [one for one in denied if one.waited_s]
    assert [one.waited_s for one in waited] == [pytest.approx(0.3, abs=0.05)] * len(waited) != []
    assert {one.reason for one in denied} == {
        "no site that is reached and may serve it has room, and the queue is full",
        "no site that is reached and may serve it has room, and no slot came free in time",
    }
    assert [gist(one) for one in kept(a) if one.outcome != "ok"] == list(map(gist, denied))

    for site in (a, b):
        for target in site.targets.values():
            target.service_s = 0.001
    served = a.offer(rate=500, seconds=20)
    world.run(22)
    all_answered(served)
    assert len(served) == 10_000
    assert {one.outcome for one in kept(a)} == {"ok"}
    assert list(map(gist, kept(a, "denied"))) == list(map(gist, denied))


@pytest.mark.parametrize(("status", "outcome"), [(500, "ok"), (0, "target-reset")])
def test_what_failed_is_still_there_after_ten_thousand_that_were_served(
    status: int, outcome: str
) -> None:
    """Also beside many more that were denied."""
    world = World(1, "a")
    (a,) = world.sites.values()
    a.declare(queue=0)
    a.serve(1, capacity=2, service_s=0.001)
    (target,) = a.targets.values()
    world.run(2)
    target.status = status
    a.request(line="POST /")
    world.run(1)
    target.status = 200
    served = a.offer(rate=500, seconds=20)
    world.run(22)
    all_answered(served)
    assert len(served) == 10_000
    (failed,) = kept(a, "failed")
    assert (failed.outcome, failed.site, failed.attempts) == (outcome, "a", 1)
    assert (failed.answer, failed.retried_for) == ("5xx" if status else None, None)
    assert failed not in kept(a) and kept(a, "denied") == []

    target.service_s = 1.0
    turned_away = a.offer(rate=500, seconds=0.1)
    world.run(3)
    assert sum(one.status == 503 for one in turned_away) == 48
    assert [one.outcome for one in kept(a, "failed", count=2 * ALL)] == [
        *["all-full"] * ALL,
        outcome,
    ]


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ({"queue": 0}, "no request may wait: the queue of the service is 0"),
        ({"queue": 3, "queue_wait_s": 5.0}, "the queue is full"),
        ({"queue": 100, "queue_wait_s": 0.5}, "as many wait as can be served in time"),
    ],
)
def test_a_denied_request_says_as_why_does_what_kept_it_from_waiting(
    declared: dict[str, Any], why: str
) -> None:
    world = World(1, "a")
    (a,) = world.sites.values()
    a.declare(**declared)
    a.serve(1, capacity=1, service_s=0.3)
    world.run(2)
    answers = a.offer(rate=50, seconds=4)
    world.run(10)
    assert any(answer.status == 503 for answer in answers)
    told = {one.reason for one in kept(a, "denied") if not one.waited_s}
    assert told == {f"no site that is reached and may serve it has room, and {why}"}


def test_one_that_makes_way_for_another_says_so() -> None:
    world = World(1, "a")
    (a,) = world.sites.values()
    a.declare(queue=3, queue_wait_s=5.0, sheddable="x-priority: batch", sheddable_share=0.9)
    a.serve(1, capacity=1, service_s=1.0)
    world.run(2)
    a.request()
    world.run(0.01)
    batch = [a.request("X-Priority: batch") for _ in range(3)]
    world.run(0.1)
    a.request()
    world.run(0.1)
    assert sum(one.status == 503 for one in batch) == 1
    (denied,) = kept(a, "denied")
    assert denied.outcome == "shed" and denied.waited_s
    assert denied.reason.endswith(
        "and the queue is full, and a request that is not sheddable has its place"
    )


def test_a_service_that_is_not_known_has_no_past() -> None:
    world = World(1, "a")
    (a,) = world.sites.values()
    a.declare()
    world.run(1)
    assert kept(a) == []
    assert view_of(a).own_past("nothing", None, ALL, "all") is None
    assert view_of(a).own_past(SERVICE.name, 1, ALL, "all") is None
    assert a.router.readings.past_of(ServiceKey("nothing", 1), ALL, "all") == []


def test_who_answers_is_the_site_that_turns_away_what_another_one_had_begun() -> None:
    """The way to the other site is lost while it serves a request that had waited for it."""
    world = World(1, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare(queue=5, queue_wait_s=3.0)
    a.serve(1, capacity=1, service_s=20.0)
    b.serve(1, capacity=1, service_s=1.0)
    world.run(5)
    here = a.request()
    world.run(0.01)
    there = a.request()
    world.run(0.9)
    waiting = a.request()
    world.run(0.5)
    assert there.status == 200
    (begun,) = [one for one in kept(a) if one.outcome == "under-way" and one.site == "b"]
    assert 0.05 < begun.waited_s < 0.5
    b.kill()
    world.run(10)
    assert (waiting.status, here.status) == (503, 0)
    lasted = waiting.ended - waiting.began
    assert lasted > 2.5
    (denied,) = [one for one in kept(a) if one.outcome == "all-full"]
    assert denied.site is None
    assert denied.total_s == pytest.approx(lasted, abs=0.1)
    assert denied.waited_s > 2.0
    assert denied.reason.endswith("no slot came free in time")
    (snapshot,) = a.router.readings.services_snapshot()
    named = snapshot.counters.named(a.router.site_name)
    failed = {who: sum(one.counts) for who, one in named.requests.items()}
    assert failed == {("b", "2xx"): 1, ("", "5xx"): 1}


def test_of_a_request_that_leaves_a_draining_site_the_draining_is_told() -> None:
    """While the cheapest site with targets drains: the next one serves, and the record says why."""
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, 5)
    a.link(c, 9)
    a.declare()
    b.serve(1, capacity=5, service_s=10.0)
    c.serve(1, capacity=5)
    world.run(5)
    under_way = a.request()
    world.run(0.2)
    b.stop(lambda: None)
    world.run(1)
    later = a.request()
    world.run(1)
    assert (later.status, under_way.status) == (200, 0)
    spilled = kept(a)[0]
    assert (spilled.site, spilled.spill_reason) == ("c", "no-target"), "a has no target of its own"
    assert verdicts(spilled) == {"b": "draining", "c": "chosen"}
    assert spilled.candidates[0].reason == "it is draining and takes nothing new"


def test_of_a_site_that_drains_one_service_it_is_not_said_that_all_of_it_drains() -> None:
    world = World(7, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, 5)
    a.link(c, 9)
    a.declare()
    b.serve(1, capacity=5)
    c.serve(1, capacity=5)
    world.run(5)
    b.policies["*"] = SitePolicySpec(service="*", takes=0.0)
    b.apply()
    world.run(1)
    a.request()
    world.run(1)
    (spilled,) = kept(a)
    assert verdicts(spilled) == {"b": "draining", "c": "chosen"}
    assert spilled.candidates[0].reason == ("it is drained and takes nothing new of this service")


def full_far_site(queue_wait_s: float) -> World:
    """A world whose site a has no target, and b has one, which is busy for 20 s."""
    world = World(1, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare(queue=5, queue_wait_s=queue_wait_s)
    b.serve(1, capacity=1, service_s=20.0)
    world.run(5)
    a.request()
    world.run(0.2)
    return world


def test_a_request_that_a_draining_site_turns_away_does_not_blame_the_service() -> None:
    world = full_far_site(queue_wait_s=3.0)
    a, b = world.sites.values()
    waiting = a.request()  # In the line of b.
    world.run(0.2)
    b.stop(lambda: None)
    world.run(10)
    assert waiting.status == 503
    (denied,) = kept(a, "denied")
    assert denied.outcome == "draining"
    assert denied.reason == "the site that was asked began to drain while it waited"


def test_a_request_whose_site_falls_silent_while_it_waits_there_says_so() -> None:
    world = full_far_site(queue_wait_s=1.0)
    a, b = world.sites.values()
    world.internet.cut(a.ip, b.ip)
    waiting = a.request()  # In the line of b, which does not hear of it.
    world.run(10)
    assert waiting.status == 504
    failed = kept(a, "failed")[0]  # The latest.
    assert (failed.outcome, failed.site) == ("unanswered", None)
    assert failed.reason == "the site that was asked fell silent while it waited"

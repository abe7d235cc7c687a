"""A viewer of flows sees each of them and its reason; without a viewer, no work is done."""

import gc

import pytest

from router.admin.views.flow import FlowsWanted
from router.exchange.clients.observed_leg import WatchedLeg
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.operate.flows.flow_shapes import Noted, shown
from router.operate.flows.flows import Flows
from router.service.recent_requests import Grounds, RequestRecord
from tests.simulation.world import SimSite, World


def pair(service_s: float = 1.0) -> tuple[World, SimSite, Flows]:
    """Clients come to ``a``, which has one slot and a farther site with many."""
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=5)
    a.declare()
    a.serve(1, capacity=1, service_s=service_s)
    b.serve(1, capacity=50, service_s=service_s)
    world.run(5)
    return world, a, Flows(a.network, a.router)


def test_requests_are_told_under_way_and_over_with_where_they_went_and_why() -> None:
    world, a, flows = pair()
    flows.look()
    a.request(line="GET /first?secret=1")
    world.run(0.1)
    a.request(line="POST /second")
    world.run(0.1)
    second, first = [flow for flow in flows.newest() if flow is not None]
    assert (first.method, first.path, first.outcome) == ("GET", "/first", "under-way")
    assert (second.method, second.path, second.site) == ("POST", "/second", "b")
    assert (first.site, first.overflow, second.overflow) == ("a", "", "full")
    assert first.id < second.id
    assert first.target == "127.0.0.1:9001" and first.client.startswith("127.0.0.1:")
    detail = flows.detail(second.id)
    assert detail is not None and detail.decision is not None
    verdicts = {one.site: one.verdict for one in detail.decision.candidates}
    assert verdicts == {"a": "full", "b": "chosen"}
    turn = flows.turn
    world.run(5)
    ended = flows.since(turn)
    assert [(flow.id, flow.status, flow.outcome, flow.answer) for flow in ended] == [
        (first.id, 200, "ok", "2xx"),
        (second.id, 200, "ok", "2xx"),
    ]
    for flow in ended:
        assert abs(flow.queue_s + flow.network_s + flow.target_s - flow.total_s) < 1e-5
        assert flow.bytes_out == 1 and flow.total_s >= 1
    assert flows.since(flows.turn) == []
    assert "secret" not in str(list(flows.newest()))
    again = flows.detail(second.id)
    assert again is not None and again.decision is not None
    assert again.decision.candidates == detail.decision.candidates
    assert flows.detail(99) is None


def test_what_began_before_anybody_looked_is_told_too_and_so_is_its_end() -> None:
    world, a, flows = pair(service_s=20.0)
    a.request(line="GET /old")
    world.run(3)
    flows.look()
    (flow,) = [flow for flow in flows.newest() if flow is not None]
    assert (flow.path, flow.outcome, flow.site) == ("/old", "under-way", "a")
    assert 2.9 < flow.total_s < 3.2
    assert [one.id for one in flows.lasting()] == [flow.id]
    world.run(20)
    (ended,) = flows.since(0)
    assert (ended.id, ended.outcome) == (flow.id, "ok")


def test_what_was_over_before_anybody_looked_is_told_without_who_asked() -> None:
    world, a, flows = pair()
    a.request(line="GET /old")
    world.run(3)
    flows.look()
    a.request(line="GET /new")
    world.run(3)
    new, old = [flow for flow in flows.newest() if flow is not None]
    assert old.id < new.id
    assert (old.path, old.client, old.outcome, old.site) == ("", "", "ok", "a")
    assert new.path == "/new"
    detail = flows.detail(old.id)
    assert detail is not None and detail.decision is not None


def test_an_answer_of_5xx_from_before_anybody_looked_is_a_failure_too() -> None:
    """Its status is not known any more, its class is."""
    world, a, flows = pair()
    (target,) = a.targets.values()
    target.status = 500
    a.request(line="GET /over")
    world.run(3)
    a.request(line="GET /under-way")
    world.run(0.1)
    flows.look()
    world.run(3)
    told = [flow for flow in flows.newest() if flow is not None]
    assert [(flow.outcome, flow.status, flow.answer) for flow in told] == 2 * [("ok", 0, "5xx")]
    for flow in told:
        assert FlowsWanted(outcome="failed").has(flow) and not FlowsWanted(outcome="ok").has(flow)


def test_nobody_looks_any_more_after_a_minute_and_nothing_is_kept() -> None:
    world, a, flows = pair()

    def is_on() -> bool:
        return a.router.forwarder.observing.is_on

    assert not is_on()
    flows.look()
    assert is_on()
    a.request()
    world.run(limits.FLOWS_WATCH_S - 2)
    assert is_on()
    flows.look()
    world.run(limits.FLOWS_WATCH_S - 2)
    assert is_on()
    world.run(4)
    assert not is_on()
    assert flows.since(0) == []
    assert flows.follow()
    world.run(2 * limits.FLOWS_WATCH_S)
    assert is_on()
    flows.unfollow()
    world.run(limits.FLOWS_WATCH_S + 2)
    assert not is_on()


def test_a_fault_while_flows_are_followed_does_not_end_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, a, flows = pair(service_s=2.0)
    a.request()
    world.run(1)
    flows.look()

    def fails(flow: object) -> None:
        raise LookupError("a fault of ours")

    with monkeypatch.context() as patched, pytest.raises(LookupError):
        patched.setattr("router.operate.flows.flows.noted", fails)
        world.run(limits.FLOWS_WATCH_S - 2)
    world.run(limits.FLOWS_WATCH_S + 2)
    assert not a.router.forwarder.observing.is_on


def test_so_many_follow_and_no_more() -> None:
    _, _, flows = pair()
    assert [flows.follow() for _ in range(limits.FLOW_CLIENTS_MAX + 1)] == [
        *[True] * limits.FLOW_CLIENTS_MAX,
        False,
    ]


def test_beyond_the_rate_requests_are_counted_and_not_looked_at() -> None:
    world, a, flows = pair(service_s=0.01)
    flows.look()
    a.offer(limits.FLOWS_PER_S + 100, 1.0)
    world.run(5)
    assert flows.turn == limits.FLOWS_PER_S
    assert flows.skipped == 100


def test_as_many_are_kept_as_the_limit_says() -> None:
    world, a, flows = pair(service_s=0.001)
    assert flows.follow()
    a.offer(400, limits.FLOWS_KEPT / 400 + 1)
    world.run(limits.FLOWS_KEPT / 400 + 5)
    assert flows.turn == limits.FLOWS_KEPT + 400
    assert len(flows.since(0)) == limits.FLOWS_KEPT
    assert flows.since(0)[0].id == 401


def test_so_many_that_last_are_told_of_again_and_so_many_under_way_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "FLOWS_KEPT", limits.FLOWS_AGAIN_MAX + 1)
    world, a, flows = pair(service_s=30.0)
    (b,) = [site for site in world.sites.values() if site is not a]
    b.serve(2, capacity=limits.FLOWS_AGAIN_MAX, service_s=30.0)
    world.run(3)
    assert flows.follow()
    a.offer(100, (limits.FLOWS_AGAIN_MAX + 2) / 100)
    world.run(1.5)
    assert flows.lasting() == []
    world.run(3)
    again = flows.lasting()
    assert len(again) == limits.FLOWS_AGAIN_MAX
    assert again[0].id == limits.FLOWS_AGAIN_MAX + 1  # The newest; one came beyond the bound.
    assert flows.skipped == 1


def test_so_many_clients_are_searched_for_what_was_there_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "FLOWS_CLIENTS_MAX", 5)
    for count, found in ((5, 5), (6, 5)):
        world, a, flows = pair(service_s=30.0)
        for _ in range(count):
            a.request(line="GET /here")
        world.run(1)
        flows.look()
        known = [flow for flow in flows.newest() if flow is not None]
        assert sum(flow.path == "/here" for flow in known) == found
        assert len(known) == count  # The others are known from the records for `why`.


def test_a_flow_that_is_over_waits_for_no_collector() -> None:
    world, a, flows = pair(service_s=0.1)
    assert flows.follow()
    gc.collect()
    before = watched_legs()
    gc.disable()
    try:
        a.offer(5, 2)
        world.run(5)
        assert flows.turn == 10
        assert watched_legs() <= before + 1, "the simulated network remembers the last"
    finally:
        gc.enable()


def watched_legs() -> int:
    """How many there are."""
    return sum(isinstance(one, WatchedLeg) for one in gc.get_objects())


@pytest.mark.parametrize("site", [None, SiteId("f" * 32)])
def test_a_request_that_no_site_took_did_not_spill(site: SiteId | None) -> None:
    """It may have waited at another site."""
    record = RequestRecord(started_at=0.0, site=site, outcome="all-full", total_s=1.0)
    record.grounds = Grounds("", "", "full")
    flow = shown(Noted(ServiceKey("shop", 80), "http", record), 2.0, str, lambda site: "far")
    assert flow.spill_reason == ("" if site is None else "full")

"""The router's own status, links, services and sites, as operators see them."""

import asyncio
import re
from itertools import pairwise

import msgspec
import pytest

from router.admin.ports import BadQuestion, Labels, MetricValues
from router.admin.views.services import AffinityView, TargetCount
from router.asking.site_path import way_to
from router.balance.deciding.explain import SHORT_OF_MEMORY_THERE
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model.ids import SiteId
from router.model.limits import (
    LOST_LINK_SHOWN_S,
    PATH_ROUTERS_MAX,
    SILENCE_TOLD_S,
)
from router.model.settings import Affinity
from router.model.specs import LinkSpec, ListenerSpec, ServiceSpec, SitePolicySpec
from router.operate.views import OperatorView
from router.operate.why.next_request import SHORT_OF_MEMORY, STOPPING
from router.trust.ports import PendingLink
from router.workers.combined_figures import RouterFigures
from router.workers.recent_port_figures import RecentPortFigures, TargetPart
from router.workers.worker_messages import (
    FiguresQuestion,
    Metrics,
    RecentFiguresByPort,
    WorkerAnswer,
)
from router.workers.workers import Lead, Workers
from simulator.runs.virtual import SimCredentials
from tests.simulation.world import SERVICE, World
from tests.unit.journal import Journal
from tests.unit.operate.views import view_of


def test_a_refused_link_is_a_problem_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: SimCredentials, name: str, spec: LinkSpec) -> OutgoingSpec | PendingLink:
        return PendingLink(
            state="refused",
            error="the claim is used",
            site_name="b",
            site_id="0b" * 16,
            cost=1,
            since=2.0,
        )

    monkeypatch.setattr(SimCredentials, "outgoing", refused)
    world = World(1, "a", "b")
    a, b = world.sites.values()
    views = view_of(a)
    assert views.status().problems == ()
    a.link(b, cost=1)
    world.run(5)
    (link,) = views.links()
    assert (link.neighbour.name, link.neighbour.id) == ("b", "0b" * 16)
    (problem,) = views.status().problems
    assert problem.code == "SW0404"
    assert problem.message == "Link to-b was refused: the claim is used"
    assert problem.hint == "sitectl link delete to-b, then link with a new token"


def test_a_site_that_is_drained_is_shown_so_though_a_rule_leaves_it_out_besides() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, capacity=4)
    world.run(5)

    def drains() -> dict[str, bool]:
        (shop,) = view_of(a).services()
        return {one.site: one.draining for one in shop.sites}

    a.policies["shop"] = SitePolicySpec(service="shop", import_from=())
    a.apply()
    world.run(2)
    assert drains() == {"b": False}
    b.policies["shop"] = SitePolicySpec(service="shop", takes=0.0)
    b.apply()
    world.run(2)
    assert drains() == {"b": True}


def test_of_two_sites_the_one_that_stops_is_shown_draining_at_both() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    a.serve(1, capacity=4, service_s=60)
    b.serve(1, capacity=4)
    world.run(5)
    sent = a.request()
    world.run(1)
    a.stop(lambda: None)
    world.run(1)
    assert not sent.status
    for site in (a, b):
        views = view_of(site)
        assert {one.name: one.draining for one in views.network()} == {"a": True, "b": False}
        (shop,) = views.services()
        assert {one.site: one.draining for one in shop.sites} == {"a": True, "b": False}
    why = view_of(a).own_why("shop", None, None)
    assert why is not None
    assert {one.site: one.verdict for one in why.candidates} == {"a": "draining", "b": "excluded"}
    assert {one.reason for one in why.candidates} == {STOPPING}
    assert {one.site: one.free for one in why.candidates} == {"a": 0, "b": 4}, "a finds none here"


@pytest.mark.parametrize("capacity", [4, None])
def test_why_shows_no_free_slot_of_another_site_whose_router_is_short_of_memory(
    capacity: int | None,
) -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, capacity=capacity)
    world.run(5)
    before = view_of(a).own_why("shop", None, None)
    assert before is not None and before.decision.site == "b"
    for refuses in (True, False):
        b.router.relief.refuse_new(refuses)
        world.run(1)
        why = view_of(a).own_why("shop", None, None)
        assert why is not None
        (there,) = why.candidates
        if not refuses:
            assert (why.decision.site, there.free) == ("b", capacity)
            break
        assert (why.decision.site, why.decision.reason) == (None, "all-full")
        assert (there.verdict, there.reason) == ("full", SHORT_OF_MEMORY_THERE)
        assert (there.free, there.capacity) == (0, capacity)
        refused = a.request()
        world.run(3)
        assert refused.status == 503
        assert b.router.forwarder.memory.refused_total <= 1, "it may only ask to wait there"


def test_why_says_that_a_router_short_of_memory_refuses_the_next_request_until_it_is_calm() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    for site in (a, b):
        site.serve(1, capacity=4)
    world.run(5)
    a.router.relief.refuse_new(True)
    refused = a.request()
    world.run(0.1)
    assert refused.status == 503
    why = view_of(a).own_why("shop", None, None)
    assert why is not None
    assert (why.decision.site, why.decision.reason) == (None, SHORT_OF_MEMORY)
    assert {(one.site, one.verdict, one.reason) for one in why.candidates} == {
        ("a", "excluded", SHORT_OF_MEMORY),
        ("b", "excluded", SHORT_OF_MEMORY),
    }
    assert (why.queue, why.targets) == (None, ())
    a.router.relief.refuse_new(False)
    calm = view_of(a).own_why("shop", None, None)
    assert calm is not None
    assert calm.decision.site == "a"


@pytest.mark.parametrize("is_deleted", [False, True])
def test_why_keeps_a_row_of_a_site_that_is_lost_and_none_of_one_that_was_deleted(
    is_deleted: bool,
) -> None:
    world = World(3, "a", "b", "c")
    a, b, c = world["a"], world["b"], world["c"]
    a.link(b, 1)
    b.link(c, 1)
    a.declare()
    for site in (b, c):
        site.serve(1, None)
    world.run(3)
    if is_deleted:
        c.router.leave()
        c.stop(lambda: None)
    else:
        c.kill()
    world.run(20)
    why = view_of(a).own_why("shop", None, None)
    assert why is not None
    rows = {one.site: one.verdict for one in why.candidates}
    lost = {} if is_deleted else {"c": "unreachable"}
    assert rows == {"b": "chosen"} | lost


def test_a_service_whose_port_another_one_has_here_says_that_no_client_can_connect() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.services["till"] = ServiceSpec(protocol="http", ports=(SERVICE.port,))
    b.apply()
    world.run(5)
    why = view_of(a).own_why("till", None, None)
    assert why is not None
    assert why.closed == (
        f"Service till:{SERVICE.port} has no listener here: another service has that port here."
    )
    assert why.hint == "To give it one: sitectl service set till:8080 --listen PORT"
    open_one = view_of(a).own_why("shop", None, None)
    assert open_one is not None and not open_one.closed
    a.listeners["till"] = ListenerSpec(service="till", listen="none")
    a.apply()
    wanted = view_of(a).own_why("till", None, None)
    assert wanted is not None and not wanted.closed, "it is wanted so"


def test_of_an_edges_links_those_that_stand_by_say_so() -> None:
    world = World(1, "edge", "a", "b", edges=frozenset({"edge"}))
    edge, a, b = world.sites.values()
    edge.link(a, cost=1)
    world.run(2)
    edge.link(b, cost=1)
    a.link(b, cost=1)
    world.run(3)
    told = {link.neighbour.name: (link.state, link.standby) for link in view_of(edge).links()}
    assert told == {"a": ("up", False), "b": ("up", True)}
    assert not any(link.standby for site in (a, b) for link in view_of(site).links())
    a.kill()
    world.run(6)
    assert not any(link.standby for link in view_of(edge).links())


def test_a_refused_link_to_the_site_that_stands_by_does_not_stand_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its access was revoked and it was linked again with another token."""
    world = World(1, "edge", "a", "b", edges=frozenset({"edge"}))
    edge, a, b = world.sites.values()
    edge.link(a, cost=1)
    world.run(2)
    edge.link(b, cost=1)
    world.run(3)
    lines = edge.router.links.status()
    (second,) = [line for line in lines if line.neighbour_name == "b"]
    old = msgspec.structs.replace(second, name="old", state="refused", error="it was revoked")
    monkeypatch.setattr(type(edge.router.links), "status", lambda links: [*lines, old])
    told = {link.name: link.standby for link in view_of(edge).links()}
    assert told == {"to-a": False, "to-b": True, "old": False}


def test_a_link_that_a_neighbor_dialed_and_that_is_lost_is_a_note_for_some_minutes() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    world.run(2)
    view = view_of(b)
    assert [note.code for note in view.status().notes] == []
    a.kill()
    world.run(5)
    status = view.status()
    assert (status.links, status.links_up, status.problems) == (1, 0, ())
    (note,) = status.notes
    assert (note.severity, note.code) == ("info", "SW0676")
    assert re.fullmatch(
        r"Link a from a is down since [0-9:]{8} UTC: the connection was lost.*[^.]\.", note.message
    )
    assert note.hint == "a dials it; is its router running? There: sitectl status"
    world.run(LOST_LINK_SHOWN_S)
    assert view.links() == [] and view.status().notes == ()


def test_a_link_that_falls_silent_says_so_at_both_ends_before_it_is_dropped() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    world.run(2)
    assert [link.silent_since for site in (a, b) for link in view_of(site).links()] == [None] * 2
    world.internet.cut(a.ip, b.ip)
    world.run(SILENCE_TOLD_S + 0.01)
    for site, other in ((a, "Link to-b to b"), (b, "Link a from a")):
        view = view_of(site)
        (link,) = view.links()
        status = view.status()
        assert (link.state, link.error[:21]) == ("up", "nothing was heard for")
        assert link.silent_since is not None
        assert (status.links, status.links_up, status.links_silent) == (1, 1, 1)
        (note,) = status.notes
        assert (note.severity, note.code) == ("warning", "SW0677")
        assert note.message.startswith(f"{other} is silent: nothing was heard over it since ")
    world.internet.heal(a.ip, b.ip)
    world.run(2)
    for site in (a, b):
        (link,) = view_of(site).links()
        assert (link.state, link.error, link.silent_since) == ("up", "", None)
        assert view_of(site).status().notes == ()


def test_a_silent_link_that_drains_or_goes_is_silent_no_more() -> None:
    """Its state says enough, and `links_silent` counts only links that are up."""
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    world.run(2)
    world.internet.cut(a.ip, b.ip)
    world.run(SILENCE_TOLD_S + 0.01)
    assert [view_of(site).status().links_silent for site in (a, b)] == [1, 1]
    for site, state in ((a, "draining"), (b, "draining"), (b, "down")):
        site.router.drain(lambda: None)
        if state == "down":
            world.run(SILENCE_TOLD_S)
        (link,) = view_of(site).links()
        assert (link.state, link.silent_since) == (state, None)
        status = view_of(site).status()
        assert (status.links_up, status.links_silent) == (0, 0)


def test_a_link_shows_when_the_certificate_ends_that_its_dialer_has() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    world.run(2)
    told = []
    for site in (a, b):
        view = view_of(
            site,
            expiries=lambda: {"link/to-b": 0.0},
            shown_until=lambda site: 60.0 if site == a.router.identity.site else None,
        )
        told += [(link.direction, link.certificate_expires) for link in view.links()]
    assert told == [
        ("outgoing", "1970-01-01T00:00:00Z"),
        ("incoming", "1970-01-01T00:01:00Z"),
    ]


def shop_of(affinity: Affinity | None) -> OperatorView:
    """The view of a lone site with two targets of the service."""
    world = World(1, "a")
    (a,) = world.sites.values()
    a.declare(affinity=affinity)
    a.serve(2, capacity=4)
    world.run(3)
    return view_of(a)


def test_a_site_whose_router_is_short_of_memory_is_not_shown_with_free_slots_alone() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, capacity=50)
    world.run(5)
    (there,) = view_of(a).services()[0].sites
    assert (there.capacity, there.note) == (50, "")
    b.router.relief.refuse_new(True)
    world.run(1)
    (there,) = view_of(a).services()[0].sites
    assert there.note == "its router is short of memory and takes nothing new"
    b.router.relief.refuse_new(False)
    world.run(1)
    (there,) = view_of(a).services()[0].sites
    assert there.note == ""


def test_a_service_shows_how_many_targets_are_here_and_how_many_of_them_are_ready() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    a.serve(2, capacity=4)
    b.serve(1, capacity=4)
    world.run(3)
    counts = {site: view_of(site).services()[0].local_targets for site in (a, b)}
    assert counts == {a: TargetCount(2, 2), b: TargetCount(1, 1)}
    a.targets[9001].listener.close()
    a.offer(rate=50, seconds=2)
    world.run(5)
    (shop,) = view_of(a).services()
    assert shop.local_targets == TargetCount(2, 1)


@pytest.mark.parametrize("used", (True, False))
def test_a_scrape_has_each_target_in_one_state_as_the_rows_of_all_workers_do(used: bool) -> None:
    """One target is down. The other one is down at the first worker, and ``used`` at the second."""
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    a.serve(2, capacity=4)
    b.serve(1, capacity=4)
    world.run(3)
    for port in (9001, 9002):
        a.targets[port].listener.close()
    a.offer(rate=50, seconds=2)
    world.run(5)
    port_labels = SERVICE.name, str(SERVICE.port)
    gauge: dict[Labels, float] = {
        (*port_labels, "ready"): float(used),
        (*port_labels, "not-ready"): 2.0 - used,
    }
    parts = {
        "127.0.0.1:9001": TargetPart(0, 4, None, "refused"),
        "127.0.0.1:9002": TargetPart(0, 4, None, "" if used else "refused"),
    }
    lately = RecentPortFigures(key=SERVICE, change=None, targets=parts)
    told = Metrics((MetricValues({"spillway_local_targets": gauge}, {}),))

    async def whole_of() -> RouterFigures:
        workers = Workers(2, (), lambda: Lead("", frozenset()), Journal().tell, logs_to_file=False)
        (other,) = workers.all
        other.ask(1, FiguresQuestion("metrics"))
        other.hear(WorkerAnswer(1, True, 0, told, more=True))
        other.hear(WorkerAnswer(1, True, 0, RecentFiguresByPort((lately,))))
        return RouterFigures(workers)

    view = view_of(a, whole=asyncio.run(whole_of()))
    (shop,) = view.services()
    assert shop.local_targets == TargetCount(2, int(used))
    shown: dict[Labels, float] = {}
    for values in view.metrics():
        shown |= values.numbers.get("spillway_local_targets", {})
    assert shown == gauge


def test_why_tells_of_a_session_where_it_is_and_to_which_target_it_would_go() -> None:
    view = shop_of(Affinity(by="client"))
    plain = view.own_why("shop", None)
    assert plain is not None
    assert plain.affinity == AffinityView("client", "")
    assert plain.session is None
    asked = [view.own_why("shop", None, ("client", f"10.0.0.{n}")) for n in range(20)]
    sessions = [why.session for why in asked if why is not None and why.session is not None]
    assert len({session.key for session in sessions}) == 20
    assert {session.target for session in sessions} == {"127.0.0.1:9001", "127.0.0.1:9002"}
    assert view.own_why("shop", None, ("client", "10.0.0.1")) == asked[1], "asking changes nothing"
    (service,) = view.services()
    assert service.affinity == AffinityView("client", "")


def test_why_refuses_to_guess_what_makes_a_session() -> None:
    with pytest.raises(BadQuestion, match="keeps sessions by client, not by header"):
        shop_of(Affinity(by="client")).own_why("shop", None, ("header", "x"))
    with pytest.raises(BadQuestion, match="keeps no sessions") as raised:
        shop_of(None).own_why("shop", None, ("client", "10.0.0.1"))
    assert raised.value.hint == "sitectl service set shop --affinity client"


def test_a_cookie_that_is_none_of_ours_begins_a_session() -> None:
    why = shop_of(Affinity(by="cookie")).own_why("shop", None, ("cookie", "nonsense"))
    assert why is not None
    assert why.affinity == AffinityView("cookie", "spillway-shop")
    assert why.session is None


def test_a_site_that_is_farther_than_a_path_may_be_long_is_shown_with_the_reason() -> None:
    names = [f"s{number:02}" for number in range(PATH_ROUTERS_MAX + 2)]
    world = World(1, *names)
    for one, other in pairwise(world.sites.values()):
        one.link(other, cost=1)
    world.run(30)
    here = world.sites[names[0]]
    sites = {site.name: site for site in view_of(here).network()}
    last, far = sites[names[-2]], sites[names[-1]]
    assert (last.reachable, last.path_cost, last.reason) == (True, PATH_ROUTERS_MAX, "")
    assert (far.reachable, far.path_cost, far.next_hops) == (False, None, ())
    assert far.reason == "farther than 32 routers"
    route = here.router.routing.table.sites[SiteId(far.id)]
    way = way_to(route, here.router.routing, None, lambda site: "")
    assert way is not None and way.reason == f"{names[-1]} is farther than 32 routers"


def test_the_neighbours_of_a_site_are_listed_by_cost_and_name_whatever_their_ids() -> None:
    world = World(1, "onprem", *(f"shop-{number}" for number in range(6)))
    onprem = world.sites["onprem"]
    costs = {"shop-4": 1, "shop-5": 1, "shop-0": 3, "shop-1": 3, "shop-2": 3, "shop-3": 3}
    for name, cost in costs.items():
        onprem.link(world.sites[name], cost=cost)
    world.run(30)
    for asked in world.sites.values():
        shown = next(site for site in view_of(asked).network() if site.name == "onprem")
        assert [(one.site, one.cost) for one in shown.neighbours] == list(costs.items())


def test_a_site_that_is_not_reachable_is_counted_among_those_that_are_known() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    world.run(2)
    view = view_of(a)
    assert (view.status().sites, view.status().sites_known) == (2, 2)
    b.kill()
    world.run(5)
    assert (view.status().sites, view.status().sites_known) == (1, 2) == (1, len(view.network()))

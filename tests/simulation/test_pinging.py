"""Echoes along the way to a site, in virtual time: hops, round trips and where the way breaks."""

import pytest

from router.admin.ports import BadQuestion
from router.admin.views.links import LinkView
from router.admin.views.ping import PingView
from router.asking.exchange import QuestionReply, QuestionSender
from router.link.ports import ECHOES
from router.model import limits
from router.model.rights.sharing import Terms
from router.operate.figures.link_views import link_views
from router.operate.sites.ping_view import Pings
from tests.simulation.world import SERVICE, World

DELAY_S = 0.01


def line(edges: frozenset[str] = frozenset()) -> World:
    world = World(1, "a", "b", "c", delay_s=DELAY_S, edges=edges)
    a, b, c = world.sites.values()
    a.link(b, cost=2)
    b.link(c, cost=3)
    world.run(5)
    return world


def links_of(world: World, name: str) -> list[LinkView]:
    return link_views(world[name].router, {}, lambda site: None, str)


def ping(world: World, source: str, site: str, rounds: int = 1, via: str = "") -> PingView:
    answers: list[PingView] = []
    pings = Pings(world[source].router, lambda: links_of(world, source))
    assert pings.ping(site, rounds, via, answers.append)
    assert not answers
    world.run(limits.INQUIRY_WAIT_S + rounds * limits.PING_INTERVAL_ROUNDS_S + 0.1)
    (view,) = answers
    return view


def test_each_hop_of_the_way_tells_its_cost_and_takes_longer_than_the_one_before() -> None:
    world = line()
    view = ping(world, "a", "c", rounds=3)
    assert (view.site, view.reachable, view.path_cost, view.paths) == ("c", True, 5, 1)
    first, second = view.hops
    assert [(hop.site, hop.cost, hop.path_cost) for hop in view.hops] == [("b", 2, 2), ("c", 3, 5)]
    assert [(hop.sent, hop.answered, hop.error) for hop in view.hops] == [(3, 3, "")] * 2
    assert first.rtt_ms is not None
    assert second.rtt_ms is not None
    assert first.rtt_ms[0] == pytest.approx(2_000 * DELAY_S, abs=1)
    assert second.rtt_ms[0] == pytest.approx(4_000 * DELAY_S, abs=1)
    assert all(hop.version == "simulated" for hop in view.hops)
    assert all(site.router.links.streams == 0 for site in world.sites.values())


def test_a_site_that_is_frozen_is_named_before_anybody_takes_its_link_for_dead() -> None:
    world = line()
    world.internet.freeze(world["c"].ip)
    view = ping(world, "a", "c")
    assert not view.reachable
    assert [hop.answered for hop in view.hops] == [1, 0]
    assert view.reason == "b answered and c did not: no answer within 2 s"


def test_of_a_broken_line_the_part_that_is_whole_answers() -> None:
    world = line()
    world["c"].kill()
    world.run(5)
    view = ping(world, "a", "c")
    assert not view.reachable
    assert view.path_cost is None
    b, c = view.hops
    assert (b.site, b.answered, b.path_cost) == ("b", 1, 2)
    assert (c.site, c.sent, c.path_cost) == ("c", 0, None)
    assert view.reason.startswith(
        "nothing goes over the link between b and c: b does not report it"
    )
    assert c.error == view.reason


def test_with_the_middle_gone_it_is_our_own_link_that_is_down_and_why() -> None:
    world = line()
    world["b"].kill()
    world.run(5)
    view = ping(world, "a", "c")
    assert [(hop.site, hop.sent) for hop in view.hops] == [("b", 0), ("c", 0)]
    assert "nothing goes over the link between a and b: a does not report it" in view.reason
    assert "(link to-b to b is down: " in view.reason
    b, c = view.hops
    assert view.reason.startswith(b.error)
    assert c.error == "beyond the break"


def test_of_two_ways_of_one_cost_a_link_may_be_chosen() -> None:
    world = World(1, "a", "b", "c", "d", delay_s=DELAY_S)
    a, b, c, d = world.sites.values()
    a.link(b, cost=1)
    a.link(c, cost=1)
    b.link(d, cost=1)
    c.link(d, cost=1)
    world.run(5)
    assert ping(world, "a", "d").paths == 2
    for name in ("b", "c"):
        view = ping(world, "a", "d", via=f"to-{name}")
        assert [hop.site for hop in view.hops] == [name, "d"]
    pings = Pings(a.router, lambda: links_of(world, "a"))
    with pytest.raises(BadQuestion, match="begins with link to-b"):
        pings.ping("c", 1, "to-b", lambda view: None)
    with pytest.raises(BadQuestion, match="no link 'nothing'"):
        pings.ping("c", 1, "nothing", lambda view: None)
    with pytest.raises(BadQuestion, match="this site itself"):
        pings.ping("a", 1, "", lambda view: None)
    assert pings.ping("nobody", 1, "", lambda view: None) is None


def test_only_so_many_ways_are_measured_at_once() -> None:
    world = line()
    pings = Pings(world["a"].router, lambda: [])
    done: list[PingView] = []
    for _ in range(limits.PINGS_AT_ONCE_MAX):
        assert pings.ping("c", 1, "", done.append)
    assert pings.ping("c", 1, "", done.append) is False
    world.run(1)
    assert len(done) == limits.PINGS_AT_ONCE_MAX
    assert pings.ping("c", 1, "", done.append)
    world.run(1)
    assert len(done) == limits.PINGS_AT_ONCE_MAX + 1


def test_an_edge_measures_the_way_through_its_neighbour() -> None:
    world = World(1, "a", "b", "c", delay_s=DELAY_S, edges=frozenset({"a"}))
    a, b, c = world.sites.values()
    a.link(b, cost=2)
    b.link(c, cost=3)
    c.declare()
    c.serve(1, capacity=3)
    a.apply()
    world.run(5)
    view = ping(world, "a", "c")
    assert (view.reachable, view.path_cost) == (True, 5)
    assert [(hop.site, hop.answered) for hop in view.hops] == [("b", 1), ("c", 1)]
    back = ping(world, "c", "a")
    assert [(hop.site, hop.answered) for hop in back.hops] == [("b", 1), ("a", 1)]


def asked(
    world: World, source: str, path: tuple[str, ...], service: str, flags: int
) -> QuestionReply:
    """The reply to a question with any service."""
    site = world[source]
    replies: list[QuestionReply] = []
    asker = QuestionSender(site.network, site.router.links, site.identity.site)
    routers = tuple(world[name].identity.router for name in path)
    asker.ask(routers, flags, replies.append, service=service, port=SERVICE.port)
    world.run(limits.INQUIRY_WAIT_S + 0.1)
    (reply,) = replies
    return reply


def test_an_echo_that_names_a_service_is_a_request_and_judged_as_one() -> None:
    world = line()
    assert asked(world, "a", ("b",), "shop", ECHOES).refusal == "no-target"
    assert asked(world, "a", ("b",), ".", ECHOES).content is not None


def test_a_router_that_knows_no_echo_has_no_target_of_that_name_and_says_so() -> None:
    world = line()
    reply = asked(world, "a", ("b", "c"), ".", 1 << 20)  # A question of some later release.
    assert reply.refusal == "no-target"
    assert reply.rtt_s == pytest.approx(4 * DELAY_S, abs=0.001)


def test_a_site_on_terms_may_measure_the_way_and_use_no_service_by_it() -> None:
    world = World(1, "a", "b", "c", delay_s=DELAY_S)
    a, b, c = world.sites.values()
    b.credentials.terms[b"certificate of a"] = Terms((), (), ())
    a.link(b, cost=2)
    b.link(c, cost=3)
    c.declare()
    c.serve(1, capacity=3)
    world.run(5)
    view = ping(world, "a", "c")
    assert [(hop.site, hop.answered) for hop in view.hops] == [("b", 1), ("c", 1)]
    assert [hop.answered for hop in ping(world, "c", "a").hops] == [1, 1]
    assert asked(world, "a", ("b", "c"), "shop", ECHOES).refusal == "not-allowed"
    assert c.served == 0

"""Rules of sites changed live, under load, in virtual time: at once for all whom they concern."""

from typing import Any

import pytest

from router.model.specs import SitePolicySpec
from tests.examples import seeds
from tests.simulation.world import SERVICE, Answer, SimSite, World
from tests.unit.operate.views import view_of

SEEDS = seeds(2)
REACTS_S = 0.5  # An LSA may wait its 0.1 s at each site; then everybody has it.


def rule(site: SimSite, **fields: Any) -> None:
    """What ``site`` says of shop; nothing at all: no rule."""
    site.policies.clear()
    if fields:
        site.policies["shop"] = SitePolicySpec(service="shop", **fields)
    site.apply()


def listens(site: SimSite) -> bool:
    state = site.router.forwarder.listeners.states().get(SERVICE)
    return state is not None and state.listening


def served(answers: list[Answer]) -> set[str]:
    return {answer.site for answer in answers}


def lost(answers: list[Answer]) -> list[Any]:
    return [(a.began, a.status, a.error) for a in answers if a.status != 200]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_export_changed_under_load_loses_nothing_of_those_whom_it_still_names(
    seed: int,
) -> None:
    world = World(seed, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    b.link(c, cost=1)
    a.declare()
    a.serve(2, capacity=50)
    world.run(5)
    assert listens(b)
    assert listens(c)

    at_c = c.offer(rate=50, seconds=8)
    at_b = b.offer(rate=50, seconds=2)
    world.run(2)
    rule(a, export_to=("c",))
    world.run(REACTS_S)
    assert not listens(b)
    assert listens(c)
    kept_out = [b.request() for _ in range(3)]
    world.run(1.5)
    assert served(kept_out) == {""}
    rule(a)
    world.run(REACTS_S)
    assert listens(b)
    back = b.offer(rate=50, seconds=1)
    world.run(2)
    cut_at = a.network.now()
    rule(a, export_to=("b",))
    world.run(8)
    assert not listens(c)
    allowed = [one for one in at_c if one.began < cut_at]
    assert len(allowed) > 300
    assert lost(allowed) == []
    assert len(lost(at_c)) > 50, "whom it names no more is refused"
    assert lost(at_b) == []
    assert lost(back) == []
    assert served(at_b) == served(back) == {"a"}
    rule(a)
    world.run(2)
    assert listens(c)
    assert a.router.readings.load_of(SERVICE).in_flight == 0


def test_what_was_served_before_is_judged_by_a_new_rule_at_once() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    b.link(a, cost=1)
    a.declare()
    a.serve(1, capacity=50)
    world.run(5)
    for _ in range(4):
        answer = b.request()
        world.run(0.5)
        assert answer.status == 200
    rule(a, export_to=("nobody",))
    at_once = b.request()  # It has not heard yet.
    world.run(REACTS_S)
    assert at_once.status != 200
    rule(a)
    world.run(2)
    again = b.request()
    world.run(1)
    assert again.status == 200


@pytest.mark.parametrize("seed", SEEDS)
def test_an_import_changed_under_load_moves_all_to_those_whom_it_names(seed: int) -> None:
    world = World(seed, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    a.link(c, cost=5)
    a.declare()
    b.serve(1, capacity=50)
    c.serve(1, capacity=50)
    world.run(5)
    answers = a.offer(rate=50, seconds=6)
    world.run(2)
    rule(a, import_from=("c",))
    since = a.network.now()
    world.run(2)
    rule(a, import_from=("b", "c"))
    until = a.network.now()
    world.run(5)
    assert lost(answers) == []
    during = [one for one in answers if since < one.began < until]
    assert served(during) == {"c"}
    assert served([one for one in answers if one.began < since or one.began > until]) == {"b"}
    assert a.router.routing.table.sites[b.identity.site].reachable


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_exported_to_an_edge_alone_its_neighbour_passes_on_and_does_not_use(
    seed: int,
) -> None:
    world = World(seed, "edge", "near", "far", edges=frozenset({"edge"}))
    edge, near, far = world.sites.values()
    edge.link(near, cost=1)
    near.link(far, cost=1)
    far.declare()
    far.serve(1, capacity=5)
    rule(far, export_to=("edge",))
    world.run(5)
    assert not listens(near)
    assert listens(edge)
    answers = edge.offer(rate=30, seconds=2)
    world.run(4)
    assert lost(answers) == []
    explained = edge.router.readings.explain(SERVICE, edge.network.now())
    assert explained is not None
    assert all(one.age_s < 10 for one in explained.candidates if one.site_name == "far")
    rule(far, export_to=("near",))
    world.run(2)
    assert listens(near)
    assert not listens(edge)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_edge_exports_by_name_and_its_neighbour_keeps_the_others_from_it(seed: int) -> None:
    world = World(seed, "edge", "near", "far", edges=frozenset({"edge"}))
    edge, near, far = world.sites.values()
    edge.link(near, cost=1)
    near.link(far, cost=1)
    edge.declare()
    edge.serve(1, capacity=5)
    rule(edge, export_to=("far",))
    world.run(5)
    assert not listens(near)
    assert listens(far)
    answers = far.offer(rate=20, seconds=2)
    world.run(4)
    assert lost(answers) == []
    assert served(answers) == {"edge"}
    rule(edge, export_to=())
    world.run(2)
    assert not listens(far)
    own = edge.request()
    world.run(1)
    assert (own.status, own.site) == (200, "edge")


@pytest.mark.parametrize("seed", SEEDS)
def test_an_edge_takes_only_from_those_whom_it_names(seed: int) -> None:
    world = World(seed, "edge", "near", "far", edges=frozenset({"edge"}))
    edge, near, far = world.sites.values()
    edge.link(near, cost=1)
    near.link(far, cost=1)
    edge.declare()
    near.serve(1, capacity=5)
    far.serve(1, capacity=5)
    world.run(5)
    assert edge.router.readings.explain(SERVICE, edge.network.now()) is not None
    rule(edge, import_from=("far",))
    world.run(2)
    answers = edge.offer(rate=10, seconds=2)
    world.run(4)
    assert lost(answers) == []
    assert served(answers) == {"far"}


@pytest.mark.parametrize("edges", [frozenset[str](), frozenset({"near"})], ids=["router", "edge"])
def test_a_rule_may_name_an_owner_that_has_no_targets(edges: frozenset[str]) -> None:
    world = World(1, "near", "hub", "owner", edges=edges)
    near, hub, owner = world.sites.values()
    near.link(hub, cost=1)
    hub.link(owner, cost=1)
    owner.declare()
    hub.serve(1, capacity=5)
    rule(near, import_from=("owner", "hub"))
    world.run(5)
    assert listens(near)
    assert [one.code for one in near.router.problems()] == []
    rule(near, import_from=("hub",))
    world.run(2)
    assert not listens(near)
    assert refused(near)[0].endswith("importFrom of near does not name owner, which declares shop.")
    owner.services.clear()
    owner.apply()
    world.run(2)
    assert owner.identity.site in near.router.routing.table.sites, "it is reached"
    hub.unlink(owner)
    world.run(30)
    assert not near.router.routing.table.sites[owner.identity.site].reachable
    hub.link(owner, cost=1)
    owner.declare()
    rule(near, import_from=("owner", "hub"))
    world.run(5)
    assert listens(near)


def test_a_name_means_who_bore_it_and_neither_of_two_and_an_id_still_does() -> None:
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    a.serve(1, capacity=5)
    rule(a, export_to=("b",))
    world.run(5)
    assert listens(b)
    c.identity.name = "b"
    c.stop(c.start)
    world.run(5)
    a.link(c, cost=1)
    world.run(5)
    assert a.router.routing.table.name_conflicts == ("b",)
    assert listens(b) and not listens(c), "the name means the site that bore it then"
    assert "SW0318" not in {problem.code for problem in a.router.problems()}
    assert "SW0346" in {note.code for note in a.router.notes}
    rule(a, export_to=())
    rule(a, export_to=("b",))
    world.run(5)
    assert "SW0318" in {problem.code for problem in a.router.problems()}
    assert not listens(b)
    assert not listens(c)
    rule(a, export_to=(str(b.identity.site),))
    world.run(2)
    assert listens(b)
    assert not listens(c)
    rule(a, export_to=(f"b@{c.identity.site[:8]}",))
    world.run(2)
    assert not listens(b)
    assert listens(c)


def test_what_was_withdrawn_from_a_site_while_it_was_off_has_no_listener_when_it_is_back() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    b.link(a, cost=1)
    a.declare()
    a.serve(1, capacity=5)
    world.run(5)
    assert listens(b)
    b.stop(lambda: None)
    world.run(2)
    rule(a, export_to=())
    world.run(2)
    b.start()
    world.run(5)
    assert b.router.routing.table.sites[a.identity.site].reachable
    assert not listens(b)


def test_a_rule_holds_for_what_is_remembered_of_the_last_life_too() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    b.link(a, cost=1)
    a.declare()
    a.serve(1, capacity=5)
    world.run(5)
    b.stop(lambda: None)
    a.stop(lambda: None)
    world.run(2)
    b.policies["shop"] = SitePolicySpec(service="shop", import_from=("c",))
    b.start()
    world.run(2)
    assert not listens(b)
    rule(b)
    world.run(1)
    assert listens(b), "without a rule it counts until somebody says otherwise"


def refused(site: SimSite) -> list[str]:
    """Messages on services that a rule of ``site`` closes."""
    return [one.message for one in site.router.problems() if one.code == "SW0343"]


def told(world: World) -> list[str]:
    """Events of declarations that count no more, or again: severity and what follows."""
    lines = [line.split(" ", 2) for line in world.journal if " declaration-" in line]
    return [f"{severity} {rest}" for _, severity, rest in lines]


@pytest.mark.parametrize("edges", [frozenset(), frozenset({"near"})])
def test_a_rule_that_names_no_site_that_declares_the_service_is_a_problem(
    edges: frozenset[str],
) -> None:
    world = World(1, "near", "hub", "far", edges=edges)
    near, hub, far = world.sites.values()
    near.link(hub, cost=1)
    hub.link(far, cost=1)
    hub.declare()
    far.serve(1, capacity=5)
    world.run(5)
    assert listens(near)
    rule(near, import_from=("far",))
    world.run(2)
    assert not listens(near)
    (problem,) = [one for one in near.router.problems() if one.code == "SW0343"]
    said = "importFrom of near does not name hub, which declares shop"
    assert problem.message == f"Service shop has no listener here, so clients are refused: {said}."
    assert problem.hint == (
        "Let hub in: sitectl service set shop --import-from far,hub. If no client here should "
        "reach it: sitectl service set shop --import-from none"
    )
    assert near.router.why_unknown("shop") == problem
    assert near.router.why_unknown("other") is None
    refusal = f"warning declaration-refused shop: {problem.message}"
    assert told(world) == [refusal]
    rule(near, import_from=("far", "hub"))
    world.run(2)
    assert listens(near) and not refused(near)
    assert near.router.why_unknown("shop") is None
    accepted = "Service shop is known here again: its declaration counts."
    assert told(world) == [refusal, f"info declaration-accepted shop: {accepted}"]


def test_a_rule_that_names_no_site_at_all_is_a_choice_which_is_reported_once() -> None:
    world = World(1, "near", "hub")
    near, hub = world.sites.values()
    near.link(hub, cost=1)
    hub.declare()
    world.run(5)
    rule(near, import_from=())
    world.run(2)
    assert not listens(near) and not refused(near)
    (event,) = told(world)
    assert event.startswith("warning declaration-refused shop: Service shop has no listener here")
    found = near.router.why_unknown("shop")
    assert found is not None
    assert found.hint.startswith("Let hub in: sitectl service set shop --import-from hub. ")
    world.run(300)
    assert told(world) == [event]


def test_a_rule_that_newly_names_an_unknown_site_is_reported_though_it_lets_in_no_other() -> None:
    world = World(1, "near", "hub")
    near, hub = world.sites.values()
    rule(near, import_from=())
    near.link(hub, cost=1)
    hub.declare()
    world.run(5)
    assert not told(world) and not refused(near)
    rule(near, import_from=("hubb",))
    world.run(2)
    (message,) = refused(near)
    assert told(world) == [f"warning declaration-refused shop: {message}"]


def test_a_rule_that_newly_names_the_site_that_declares_reports_no_refusal() -> None:
    world = World(1, "near", "hub")
    near, hub = world.sites.values()
    rule(near, import_from=())
    near.link(hub, cost=1)
    hub.declare()
    world.run(5)
    rule(near, import_from=("hub",))
    world.run(2)
    assert listens(near) and not told(world)


def test_an_owner_that_a_rule_refuses_is_not_called_out_of_reach() -> None:
    """The rule names another site that declares the service, which does not own it."""
    world = World(1, "near", "hub", "far")
    near, hub, far = world.sites.values()
    near.link(hub, cost=1)
    hub.link(far, cost=1)
    hub.declare()
    world.run(20)
    far.declare(policy="balanced")
    world.run(5)
    rule(near, import_from=("far",))
    world.run(2)
    assert not listens(near)
    codes = [one.code for one in near.router.problems()]
    assert codes == ["SW0343"]
    assert "does not name hub, which declares shop" in refused(near)[0]


@pytest.mark.parametrize("edges", [frozenset(), frozenset({"near"})])
def test_a_service_that_its_site_offers_here_no_more_is_explained_to_a_person_who_asks(
    edges: frozenset[str],
) -> None:
    """It was called unknown, as a name that was never heard of."""
    world = World(1, "near", "hub", "far", edges=edges)
    near, hub, far = world.sites.values()
    near.link(hub, cost=1)
    hub.link(far, cost=1)
    hub.declare()
    far.serve(1, capacity=5)
    world.run(5)
    assert near.router.why_unknown("shop") is None
    world.run(0.4)  # Not at the turn of a second.
    since = near.router.wall_clock.utc(near.network.now())[11:19] + " UTC"
    rule(hub, export_to=("far",))
    world.run(90)
    assert not listens(near)
    why = near.router.why_unknown("shop")
    assert why is not None
    assert why.message.startswith("Service shop has not been known here since ")
    assert why.message.endswith(
        f"{since}. hub declared it last, and does not now, or not for this site."
    )
    near.set_clock(86_400.0)  # As after a day.
    world.run(2)
    day = near.router.wall_clock.utc(near.network.now() - 92)[:10]
    why = near.router.why_unknown("shop")
    assert why is not None and f" not been known here since {day} {since}. hub " in why.message
    assert why.hint == (
        "See who may use what: sitectl access. If hub gave it up: sitectl service create shop PORT"
    )
    rule(hub)
    world.run(2)
    assert near.router.why_unknown("shop") is None


def test_a_site_that_may_not_see_the_service_any_more_is_explained_by_the_rule() -> None:
    """Its target was ready; it was said to have none, and to be looked at."""
    world = World(1, "near", "hub")
    near, hub = world.sites.values()
    near.link(hub, cost=1)
    near.declare()
    near.serve(1, capacity=5)
    hub.serve(1, capacity=5)
    world.run(5)
    for target in near.targets.values():
        target.listener.close()
    rule(near, export_to=("far",))
    near.offer(2, 30)
    world.run(30)
    assert listens(near)
    why = view_of(near).own_why("shop", None)
    assert why is not None
    (row,) = [one for one in why.candidates if one.site == "hub"]
    assert row.verdict == "excluded"
    assert row.reason.startswith("exportTo of near does not name it, and it has not offered ")
    problems = near.router.problems(near.router.wall_clock.utc)
    (problem,) = [one for one in problems if one.code == "SW0309"]
    assert f"; hub: {row.reason}." in problem.message
    assert problem.hint == (
        "See why under ERROR: sitectl service status shop. See who may use it: sitectl access shop"
    )

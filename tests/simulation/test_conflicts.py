"""Sites that want different things of one name."""

import re
from typing import Literal

import pytest

from router.model.limits import LSA_MAX_AGE_S, SERVICE_SYNC_TTL_S
from router.model.specs import ServiceProtocol, SitePolicySpec
from router.model.wording.withdrawal import withdrawal
from router.node.name_ownership import problems_of
from simulator.runs.virtual import SimIdentity
from tests.simulation.world import SERVICE, SimSite, World


def test_every_site_names_who_differs_and_whose_declaration_is_in_force() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.declare()
    world.run(1)
    b.declare(policy="balanced")
    a.link(b, cost=1)
    world.run(5)
    for site in (a, b):
        (problem,) = [p for p in site.router.problems() if p.code == "SW0304"]
        other, policy = (b, "fill") if site is a else (a, "balanced")
        assert f"declared differently by {other.name};" in problem.message
        assert "this site uses its own (http" in problem.message or site is b
        assert f"(http, port 8080, policy {policy})" in problem.message
        # A site does not know whether the other's declaration is an object of a user.
        assert problem.hint.startswith(f"At {other.name} make it alike, or delete it: ")
        assert "a user's own object there, that command names the one that works" in problem.hint


def test_of_many_sites_that_differ_some_are_named_and_the_others_counted() -> None:
    world = World(1, "a", *(f"b{number:02}" for number in range(11)))
    a, *others = world.sites.values()
    a.declare()
    world.run(1)
    for other in others:
        other.declare(policy="balanced")
        a.link(other, cost=1)
    world.run(5)
    (problem,) = [p for p in a.router.problems() if p.code == "SW0304"]
    assert " and 3 more;" in problem.message
    assert sum(other.name in problem.message for other in others) == 8


def test_a_site_that_declares_another_protocol_is_not_said_to_serve() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.declare()
    world.run(1)
    b.declare(protocol="tcp")
    b.serve(1, 10)
    a.link(b, cost=1)
    world.run(5)
    answer = a.request()
    world.run(1)
    assert answer.status == 503
    codes = [problem.code for problem in a.router.problems()]
    assert sorted(codes) == ["SW0304"]
    explanation = a.router.readings.explain(SERVICE, a.network.now())
    assert explanation is not None
    (there,) = [one for one in explanation.candidates if one.site_name == "b"]
    assert there.verdict == "excluded"
    assert there.reason == "b declares it as tcp, and http counts here"
    a.serve(1, 10)
    world.run(5)
    for target in a.targets.values():
        target.listener.close()
    world.run(30)
    assert "SW0309" in [problem.code for problem in a.router.problems()]


@pytest.mark.parametrize("follows", ["a", "b"])
@pytest.mark.parametrize("binds", ["first", "last"])
def test_of_sites_that_both_own_a_name_each_knows_whom_a_third_one_follows(
    follows: str, binds: str
) -> None:
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    if binds == "first":
        c.serve(1, 10)
    a.declare()
    b.declare(protocol="tcp")
    world.run(5)
    c.link(a, cost=1 if follows == "a" else 9)
    c.link(b, cost=5)
    world.run(5)
    if binds == "last":
        c.serve(1, 10)
        world.run(5)
    seen = {}
    for site in (a, b):
        (there,) = site.router.routing.table.candidates[SERVICE]
        seen[site.name] = there.unused
    said = {"a": "c serves it as tcp, and http counts here", "b": "c serves it as http, and tcp"}
    assert seen[follows] == ""
    (other,) = {"a", "b"} - {follows}
    assert seen[other].startswith(said[other])
    if follows == "b":  # It is a's client that would be refused.
        answer = a.request()
        world.run(1)
        assert answer.status == 503
        explanation = a.router.readings.explain(SERVICE, a.network.now())
        assert explanation is not None
        verdicts = {one.site_name: one.verdict for one in explanation.candidates}
        assert verdicts == {"a": "no-target", "c": "excluded"}


@pytest.mark.parametrize("kind", ["interior", "edge"])
@pytest.mark.parametrize("binds", ["first", "last"])
def test_who_may_not_see_another_declaration_is_told_whom_a_third_site_follows(
    kind: str, binds: str
) -> None:
    world = World(1, "a", "b", "c", edges=frozenset({"c"} if kind == "edge" else ()))
    a, b, c = world.sites.values()
    a.policies["shop"] = SitePolicySpec(service="shop", export_to=("c",))
    b.policies["shop"] = SitePolicySpec(service="shop", export_to=("a",))
    a.link(b, cost=1)
    c.link(a, cost=1)
    if binds == "first":
        c.serve(1, 10)
    a.declare()
    world.run(1)
    b.declare(protocol="tcp")
    world.run(5)
    if binds == "last":
        c.serve(1, 10)
        world.run(5)
    assert c.router.routing.table.declarations["shop"].declaration.spec.protocol == "http"
    assert not b.router.routing.table.declarations["shop"].conflicts
    (there,) = b.router.routing.table.candidates[SERVICE]
    assert there.unused == "c serves it as http, and tcp counts here"
    (there,) = a.router.routing.table.candidates[SERVICE]
    assert there.unused == ""


def with_an_edge() -> tuple[World, SimSite, SimSite, SimSite]:
    """a, which declares the service, b, and its edge e."""
    world = World(1, "a", "b", "e", edges=frozenset({"e"}))
    a, b, e = world.sites.values()
    a.link(b, cost=1)
    e.link(b, cost=1)
    a.declare()
    return world, a, b, e


def test_an_edge_whose_neighbor_differs_from_the_owner_names_both_and_serves_as_its_neighbor() -> (
    None
):
    world, a, b, e = with_an_edge()
    e.serve(1, 10)
    world.run(5)
    b.declare(protocol="tcp")
    world.run(5)
    (problem,) = [p for p in e.router.problems() if p.code == "SW0304"]
    assert problem.message == (
        "Service shop is declared differently by a; in force here is that of b (tcp, port 8080, "
        "policy fill), which this edge follows, but a owns the name."
    )
    assert problem.hint.startswith(
        "At b make it alike, or leave the name to a: sitectl service delete shop"
    )
    (problem,) = [p for p in b.router.problems() if p.code == "SW0304"]
    assert problem.message == (
        "Service shop is declared differently by a; this site and its edge e use its own (tcp, "
        "port 8080, policy fill), but other sites use that of a, which owns the name."
    )
    (there,) = a.router.routing.table.candidates[SERVICE]
    assert there.unused == "e serves it as tcp, as its neighbor does, and http counts here"
    (there,) = b.router.routing.table.candidates[SERVICE]
    assert there.unused == ""


def test_an_edge_is_said_to_follow_only_the_neighbor_that_it_is_attached_to() -> None:
    world = World(1, "a", "b", "e", edges=frozenset({"e"}))
    a, b, e = world.sites.values()
    a.link(b, cost=1)
    e.link(a, cost=1)
    a.declare()
    world.run(5)
    e.link(b, cost=1)  # A standby.
    b.declare(protocol="tcp")
    world.run(5)
    assert e.router.routing.table.declarations["shop"].site == a.identity.site

    def said() -> str:
        (problem,) = [p for p in b.router.problems() if p.code == "SW0304"]
        return problem.message

    assert "; this site uses its own (tcp" in said()
    a.kill()
    world.run(30)
    assert e.router.routing.table.declarations["shop"].site == b.identity.site
    assert "; this site and its edge e use its own (tcp" in said()


def test_an_edge_that_declares_a_service_as_its_neighbor_does_knows_who_differs_from_both() -> None:
    world, _, b, e = with_an_edge()
    world.run(5)
    for site in (b, e):
        site.declare(protocol="tcp")
    world.run(5)
    (problem,) = [p for p in e.router.problems() if p.code == "SW0304"]
    assert problem.message == (
        "Service shop is declared differently by a; this site uses its own (tcp, port 8080, policy "
        "fill), but other sites use that of a, which owns the name."
    )


@pytest.mark.parametrize("edges", [frozenset[str](), frozenset({"c"})])
def test_a_site_that_declares_a_service_as_its_owner_does_need_not_change_it(
    edges: frozenset[str],
) -> None:
    world = World(1, "a", "b", "c", edges=edges)
    a, b, c = world.sites.values()
    b.link(a, cost=1)
    c.link(a, cost=1)
    a.declare()
    world.run(5)
    b.declare(protocol="tcp")
    c.declare()
    world.run(5)
    (problem,) = [p for p in c.router.problems() if p.code == "SW0304"]
    assert problem.message == (
        "Service shop is declared differently by b; this site uses its own (http, port 8080, "
        "policy fill)."
    )
    assert problem.hint.startswith("At b make it alike, or delete it")


@pytest.mark.parametrize("own", ["", "tcp", "http"])
def test_an_edge_leaves_out_candidates_that_serve_another_protocol_than_counts_there(
    own: ServiceProtocol | Literal[""],
) -> None:
    """``own``: the edge's own declaration; empty: none, so that of its neighbor counts."""
    world = World(1, "a", "b", "c", "e", edges=frozenset({"e"}))
    a, b, c, e = world.sites.values()
    a.link(b, cost=1)
    c.link(a, cost=1)
    e.link(b, cost=1)
    a.declare()
    for site in (a, b, c):
        site.serve(1, 10)
    world.run(5)
    b.declare(protocol="tcp")
    if own:
        e.declare(protocol=own)
    world.run(5)
    unused = {one.site_name: one.unused for one in e.router.routing.table.candidates[SERVICE]}
    if own == "http":
        assert unused == {"a": "", "b": "b declares it as tcp, and http counts here", "c": ""}
    else:
        assert unused == {
            "a": "a declares it as http, and tcp counts here",
            "b": "",
            "c": "c serves it as http, and tcp counts here",
        }
    explanation = e.router.readings.explain(SERVICE, e.network.now())
    assert explanation is not None
    verdicts = {one.site_name: one.verdict for one in explanation.candidates}
    excluded = {name for name, verdict in verdicts.items() if verdict == "excluded"}
    assert excluded == {name for name, reason in unused.items() if reason}
    assert (
        e.router.left_out(SERVICE, explanation).let_in
        == {
            "": f"At b leave the name to a: {withdrawal('shop', 'there')}",
            "tcp": f"Leave the name to a: {withdrawal('shop')}",
            "http": "At b: sitectl service set shop --protocol http",
        }[own]
    )


def test_who_declared_first_is_remembered_over_restarts_and_told_to_who_differs() -> None:
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    c.link(a, cost=1)
    c.link(b, cost=1)
    a.declare()
    world.run(20)
    a.kill()
    b.declare(policy="balanced")
    world.run(5)
    c.kill()
    c.start()
    world.run(400)
    (problem,) = [p for p in c.router.problems() if p.code == "SW0341"]
    assert "declared by b, but a owns the name" in problem.message
    a.start()
    world.run(60)
    (problem,) = [p for p in c.router.problems() if p.code == "SW0304"]
    assert "declared differently by b; in force here is that of a, which" in problem.message
    (problem,) = [p for p in b.router.problems() if p.code == "SW0304"]
    assert problem.message.endswith(
        f"this site uses its own (http, port {SERVICE.port}, policy balanced), but other sites use "
        "that of a, which owns the name."
    )
    assert "leave the name to a: sitectl service delete shop (its targets" in problem.hint
    table = b.router.routing.table
    (problem,) = problems_of(table, {"shop": "kubectl delete listener/shop"}, ())
    assert problem.hint.endswith(" leave the name to a: kubectl delete listener/shop")


def test_the_terms_of_several_owners_are_not_said_to_be_those_of_the_site_that_differs() -> None:
    world = World(1, "a", "b", "c", "e", edges=frozenset({"e"}))
    a, b, c, e = world.sites.values()
    a.link(b, cost=1)
    c.link(a, cost=1)
    e.link(c, cost=1)
    e.serve(1, 10)
    a.declare()
    b.declare()
    world.run(20)
    c.declare(policy="balanced")
    world.run(5)
    (problem,) = [p for p in c.router.problems() if p.code == "SW0304"]
    assert problem.message == (
        "Service shop is declared differently by b, a; this site and its edge e use its own (http, "
        f"port {SERVICE.port}, policy balanced), but other sites use that of b, a, which own the "
        "name."
    )
    (problem,) = [p for p in e.router.problems() if p.code == "SW0304"]
    assert problem.message.endswith("which this edge follows, but b, a own the name.")


def test_a_name_that_its_owner_withdraws_is_not_said_to_be_that_of_a_site_out_of_reach() -> None:
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    c.link(a, cost=1)
    c.link(b, cost=1)
    a.declare()
    world.run(5)
    b.declare(policy="balanced")
    c.serve(1, 10)
    world.run(5)
    a.services.clear()
    a.apply()
    world.run(2)
    (problem,) = c.router.problems()
    assert problem.code == "SW0341"
    assert "declared by b, but a owns the name and does not declare it now:" in problem.message
    assert problem.hint.startswith("If a has just deleted it, that of b counts within 10 s.")
    world.run(10)
    assert not c.router.problems()


@pytest.mark.parametrize("common", [True, False])
def test_a_router_out_of_reach_that_may_declare_a_name_is_said_to_hold_it_back(
    common: bool,
) -> None:
    world = World(1, "a", "b", "c", "a2", common=common)
    a, b, c, a2 = world.sites.values()
    a2.join(a)
    for other in (a, b):
        c.link(other, cost=1)
    for router in (a, a2):
        router.declare()
    world.run(5)
    b.declare(policy="balanced")
    a2.kill()
    world.run(SERVICE_SYNC_TTL_S + 1)
    a.services.clear()
    a.apply()
    world.run(2)
    (problem,) = [p for p in c.router.problems() if p.code == "SW0341"]
    when = (
        "within 10 s."
        if common
        else "15 min after its router that is out of reach was last heard: that one may declare it."
    )
    assert problem.hint.startswith(f"If a has just deleted it, that of b counts {when}")
    world.run(10)
    assert ("SW0341" in {p.code for p in c.router.problems()}) is not common
    world.run(LSA_MAX_AGE_S)
    assert "SW0341" not in {p.code for p in c.router.problems()}


def test_the_deleted_site_that_declared_a_service_is_named_for_as_long_as_nobody_declares_it() -> (
    None
):
    world = World(1, "a", "b")
    a, b = world.sites.values()
    b.link(a, cost=1)
    a.declare()
    b.serve(1, 10)
    world.run(5)
    a.router.leave()
    a.stop(lambda: None)
    world.run(1)
    why = "no site declares the service shop. a, which declared it last, was deleted."
    for seconds in (0, 20, LSA_MAX_AGE_S):  # It owns the name for 10 s more.
        world.run(seconds)
        (problem,) = b.router.problems()
        assert problem.message.endswith(why)
        assert problem.hint == f"sitectl service create shop {SERVICE.port} --protocol http"
        unknown = b.router.why_unknown("shop")
        assert unknown is not None
        assert unknown.message == f"N{why[1:]}"
        assert unknown.hint == problem.hint
    b.declare()
    world.run(5)
    assert not b.router.problems()


def test_a_copy_is_refused_by_the_neighbour_that_has_the_original_and_told_where_both_are() -> None:
    world = World(1, "a", "b", "c")
    a, b, twin = world.sites.values()
    a.link(b, cost=1)
    world.run(5)
    twin.kill()
    twin.identity = a.identity
    twin.keeper.keep_epoch(100)  # As `restore` does.
    twin.start()
    twin.link(b, cost=1)
    generation = a.router.routing.table.generation
    world.run(60)
    (problem,) = twin.router.problems()
    assert problem.code == "SW0401"
    assert f"linked here from {a.ip}" in problem.message
    assert f"from {twin.ip}, is its copy" in problem.message
    assert not twin.router.links.adjacent
    assert not a.router.problems()
    assert a.router.routing.table.generation == generation, "the original notices nothing"
    a.kill()
    world.run(10)
    assert twin.router.links.adjacent, "the original is gone"
    assert not twin.router.problems()
    a.start()
    world.run(10)
    assert a.router.links.adjacent, "the original is back, and first born"
    assert [problem.code for problem in twin.router.problems()] == ["SW0401"]


def test_a_copy_with_a_router_id_of_its_own_is_found_out_too() -> None:
    """As in two namespaces: routers there have other ids in each pod."""
    world = World(1, "a", "b", "c", "d")
    a, b, replica, twin = world.sites.values()
    for other in (replica, twin):
        other.kill()
        other.identity = SimIdentity("a", other.identity.router)
    twin.restored = 7
    twin.start()
    twin.link(b, cost=1)
    world.run(5)
    assert twin.router.links.adjacent, "while it is alone"
    a.link(b, cost=1)
    world.run(5)
    assert a.router.links.adjacent
    assert not a.router.problems()
    assert [problem.code for problem in twin.router.problems()] == ["SW0401"]
    replica.start()
    replica.link(b, cost=1)
    world.run(10)
    assert a.router.links.adjacent
    assert replica.router.links.adjacent, "of the original's place"
    a.kill()
    replica.kill()
    world.run(10)
    assert twin.router.links.adjacent


def test_of_two_routers_with_one_identity_the_later_leaves_the_network_and_says_so() -> None:
    world = World(1, "a", "b", "c", "d")
    a, b, twin, far = world.sites.values()
    a.link(b, cost=1)
    b.link(far, cost=1)
    world.run(5)
    twin.kill()
    twin.identity = a.identity
    twin.start()
    twin.link(far, cost=1)
    far.link(twin, cost=1)
    world.run(120)
    assert [problem.code for problem in twin.router.problems()] == ["SW0401"]
    assert not twin.router.links.adjacent
    (problem,) = twin.router.problems()
    assert "another router, linked to b, runs with the identity of a" in problem.message
    told = {line.partition(" a: ")[2] for line in world.journal if "link-down a: " in line}
    why = "this router of a is a copy; one that started earlier has its identity"
    ends = ("Link a from a", "The last link to a")
    assert told == {f"{one} went down: a closed: {why}." for one in ends}
    assert {line.name for line in far.router.links.status()} == {"b", "to-c"}, "nothing is missing"
    assert not twin.router.links.status()
    (kept,) = twin.router.wanted_links.pending.values()
    assert (kept.state, kept.error_code, kept.site_name) == ("refused", "copy", "d")
    assert kept.error == f"{why}; it has no links until it is started again"
    twin.apply()  # A new configuration does not bring it back.
    world.run(30)
    assert not twin.router.links.adjacent
    assert b.router.links.adjacent
    (seen,) = a.router.problems(lambda at: f"second {at:.0f}")
    assert seen.code == "SW0401"
    heard = re.search(r"\. The last sign of it was at second (\d+)$", seen.message)
    assert heard is not None and int(heard[1]) < 60, "long before it left"
    assert "last sign" not in problem.message, "this one has left for good"
    assert problem.message.endswith("started later, and has no links until it is started again")
    world.run(180)
    assert not a.router.problems(), "the twin left long ago"
    assert [problem.code for problem in twin.router.problems()] == ["SW0401"]


@pytest.mark.parametrize("first", [0, 5])
@pytest.mark.parametrize("is_edge", [False, True])
@pytest.mark.parametrize("has_own_router_id", [False, True])
@pytest.mark.parametrize("linked_elsewhere", [False, True])
def test_what_was_restored_beside_its_original_is_kept_out_and_its_neighbour_says_so(
    first: int, is_edge: bool, has_own_router_id: bool, linked_elsewhere: bool
) -> None:
    """A backup, or a bundle that was launched twice: gateways are edges of one site or of two.

    ``first``: when the original itself was restored or launched.
    """
    edges = frozenset({"a", "twin"} if is_edge else ())
    world = World(1, "a", "twin", "b", "c", edges=edges)
    a, twin, b, c = world.sites.values()
    a.kill()
    a.restored = first
    a.start()
    b.link(c, cost=1)
    a.link(b, cost=1)
    c.declare()
    a.serve(1, capacity=5)
    world.run(5)
    twin.kill()
    twin.identity = SimIdentity("a", twin.identity.router) if has_own_router_id else a.identity
    twin.keeper.keep_epoch(100)
    twin.restored = 7
    twin.serve(1, capacity=5)
    near = c if linked_elsewhere else b
    twin.link(near, cost=1)
    before = a.router.links.outgoing_status("to-b")
    twin.start()
    world.run(60)
    assert "SW0401" in {problem.code for problem in twin.router.problems()}
    assert not twin.router.links.adjacent
    after = a.router.links.outgoing_status("to-b")
    assert before is not None
    assert after is not None
    assert (after.state, after.since) == ("up", before.since), "the original notices nothing"
    if has_own_router_id or not linked_elsewhere:
        (problem,) = near.router.problems()
        assert problem.code == "SW0665"
        there = "linked to b" if linked_elsewhere else f"linked here from {a.ip}"
        assert f"with the identity of a ({a.identity.site}): one is {there}" in problem.message
        assert f"at {twin.ip}, is its copy" in problem.message
        assert not a.router.problems()
        linked = [line for line in world.journal if "Linked to a, cost" in line]
        assert len(linked) == 1, "the copy is not let in for moments"
        told = [line for line in world.journal if "tried to link here: another router" in line]
        assert len(told) <= 1, "a problem while it goes on, an event once"
        a.kill()
        world.run_while(lambda: not twin.router.links.adjacent, 20)
        assert twin.router.links.adjacent, "the original is gone"
        assert not near.router.problems(), "who is let in is not kept out"
        a.start()
        world.run(20)
        assert not twin.router.links.adjacent, "the original is back"
        assert a.router.links.adjacent
        for _ in range(20):
            world.run(1)
            assert [one.code for one in near.router.problems()] == ["SW0665"]
        twin.kill()
        world.run(12)
        assert not near.router.problems(), "the copy has ended"


def test_a_router_that_comes_back_from_a_silent_end_is_no_copy_of_itself() -> None:
    """A host without power says nothing; here it has another address afterwards."""
    world = World(1, "a", "b", "a-again")
    a, b, again = world.sites.values()
    a.link(b, cost=1)
    world.run(5)
    again.kill()
    again.identity = a.identity
    again.keeper.keep_epoch(100)
    world.internet.cut(a.ip, b.ip)
    a.kill()
    world.run(1.8)
    again.start()
    again.link(b, cost=1)
    world.run(0.5)
    assert again.router.links.adjacent, "before b would have missed it, and at the first try"
    assert not b.router.problems()


def test_an_original_that_was_cut_off_takes_its_place_back_from_a_copied_directory() -> None:
    world = World(1, "a", "b", "c")
    a, b, twin = world.sites.values()
    a.link(b, cost=1)
    world.run(5)
    world.internet.cut(a.ip, b.ip)
    twin.kill()
    twin.identity = a.identity
    twin.keeper.keep_epoch(100)
    world.run(10)
    twin.start()
    twin.link(b, cost=1)
    world.run(10)
    assert twin.router.links.adjacent, "while it is alone"
    world.internet.heal(a.ip, b.ip)
    world.run(40)
    assert a.router.links.adjacent
    assert not twin.router.links.adjacent
    assert [problem.code for problem in b.router.problems()] == ["SW0665"]


def test_each_site_knows_which_other_one_declares_a_service() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    world.run(5)
    assert [one.router.name_adoption.declared_elsewhere("shop") for one in (a, b)] == ["", "a"]
    assert b.router.name_adoption.declared_elsewhere("gone") == ""

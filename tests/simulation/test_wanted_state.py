"""Wanted state that changes while routers serve: removed parts end, returning ones are taken."""

from router.model import limits
from router.model.specs import ConnectorSpec, ServiceSpec, TargetSpec
from router.net.ports import Connection
from simulator.runs.virtual import LINK_PORT
from tests.simulation.world import SERVICE, World


def test_a_service_that_no_site_declares_any_more_ends_everywhere() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, capacity=5)
    world.run(5)
    before = b.request()
    world.run(5)
    assert before.status == 200

    del a.services["shop"]
    a.apply()
    world.run(5)
    after = [site.request() for site in (a, b)]
    world.run(5)
    assert [(answer.status, answer.error) for answer in after] == [(0, "refused")] * 2
    for site in (a, b):
        assert SERVICE not in site.router.services
        assert site.router.readings.explain(SERVICE, site.network.now()) is None


def test_a_draining_site_finishes_what_it_has_and_gets_nothing_more() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, capacity=5, service_s=2.0)
    world.run(5)
    under_way = a.request()
    world.run(1)
    drained: list[float] = []
    b.router.drain(lambda: drained.append(b.network.now()))
    began = b.network.now()
    world.run(0.5)
    late = a.request()
    explanation = a.router.readings.explain(SERVICE, a.network.now())
    assert explanation is not None
    assert {report.site_name: report.verdict for report in explanation.candidates}["b"] == (
        "draining"
    )
    (problem,) = a.router.problems()
    assert problem.code == "SW0309"
    assert problem.message.endswith("may serve it: b stops and takes nothing new.")
    world.run(5)
    assert (under_way.status, under_way.site) == (200, "b")
    assert late.status == 503
    assert drained and drained[0] >= began + 0.5


def test_a_site_that_starts_without_its_neighbor_names_the_link_beyond_which_targets_may_be() -> (
    None
):
    """It was told to bind a target, since no site was known to have one."""
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, capacity=1)
    world.run(5)
    b.kill()
    a.kill()
    a.start()
    world.run(5)
    answer = a.request()
    world.run(5)
    assert answer.status == 503
    a.router.site_services.follow_refusals(lambda: [SERVICE])
    (problem,) = [one for one in a.router.problems() if one.code == "SW0309"]
    assert problem.message.endswith(": no such site has a target, and link to-b is not up.")
    assert problem.hint == "Sites beyond link to-b may have targets: sitectl link status"


def test_a_target_that_comes_or_goes_reads_no_credential_of_a_link_again() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    asked = len(a.credentials.asked)
    a.serve(1, capacity=5)
    a.serve(2, capacity=5)
    assert len(a.credentials.asked) == asked
    a.link(b, cost=2)
    assert len(a.credentials.asked) == asked + 1
    a.router.refresh_links()
    assert len(a.credentials.asked) == asked + 2


def test_links_are_accepted_as_soon_as_the_port_is_free() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    b.kill()
    network = world.internet.host(b.ip)

    def nobody(connection: Connection) -> None:
        return None

    taken = network.listen(b.ip, LINK_PORT, nobody)
    b.start()
    assert [problem.code for problem in b.router.problems()] == ["SW0201"]
    a.link(b, cost=1)
    world.run(5)
    assert not b.router.links.adjacent
    taken.close()
    world.run(60)
    assert b.router.links.adjacent
    assert b.router.problems() == ()


def test_what_others_declare_is_written_down_once_a_second_at_most() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    world.run(5)
    written = b.keeper.writes
    for number in range(20):
        a.services[f"s{number}"] = ServiceSpec(ports=(7_000 + number,))
        a.apply()
        world.run(0.15)
    world.run(2)
    assert len(b.router.services) == 20
    assert len(b.keeper.learnt()) == 20
    assert b.keeper.writes - written <= 2 * 5, "what is declared, and who owns the names"


def test_a_declaration_of_a_lost_site_outlives_restarts_by_its_ttl_and_no_longer() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    b.declare()
    world.run(100)
    b.kill()
    lost_at = world.internet.now
    for _ in range(3):
        world.run(40)
        assert SERVICE in a.router.services
        a.kill()
        a.start()
    world.run(lost_at + limits.SERVICE_SYNC_TTL_S - 10 - world.internet.now)
    assert SERVICE in a.router.services
    world.run(20)
    assert SERVICE not in a.router.services
    assert a.keeper.learnt() == ()


def test_a_changed_ttl_holds_also_for_declarations_from_before_the_restart() -> None:
    """The operator gives a site that is away more time, and then less."""
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    b.declare()
    world.run(100)
    b.kill()
    a.kill()
    a.start()
    a.service_ttl_s = 10 * limits.SERVICE_SYNC_TTL_S
    a.apply()
    world.run(2 * limits.SERVICE_SYNC_TTL_S)
    assert SERVICE in a.router.services
    a.service_ttl_s = limits.SERVICE_SYNC_TTL_S
    a.apply()
    world.run(2)
    assert SERVICE not in a.router.services


def test_a_service_that_went_with_its_site_is_explained_to_a_person_who_asks_for_it() -> None:
    """It was called unknown, with the command that creates a service as the next step."""
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    b.declare()
    world.run(5)
    assert a.router.why_unknown("shop") is None
    b.kill()
    world.run(limits.SERVICE_SYNC_TTL_S + 10)
    assert SERVICE not in a.router.services
    why = a.router.why_unknown("shop")
    assert why is not None and why.message == (
        "No site declares the service shop. b, which declared it last, is not reached."
    )
    assert why.hint == "The service is back once b is. See: sitectl link status"
    assert a.router.why_unknown("other") is None
    b.start()
    world.run(5)
    assert SERVICE in a.router.services and a.router.why_unknown("shop") is None


def test_a_declaration_that_was_withdrawn_is_not_carried_into_the_next_life() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    b.declare()
    world.run(5)
    del b.services["shop"]
    b.apply()
    world.run(5)
    assert a.keeper.learnt() == ()


def test_a_service_whose_targets_are_all_down_is_a_problem_where_it_belongs() -> None:
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    c.link(b, cost=1)
    a.declare()
    world.run(5)
    assert a.router.problems() == (), "nobody has bound a target yet"
    b.connectors["here"] = ConnectorSpec(service="shop", targets=(TargetSpec("127.0.0.1", 9000),))
    b.apply()
    world.run(5)
    for site, step in ((a, "At b"), (b, "See why under ERROR")):
        (problem,) = site.router.problems()
        assert problem.code == "SW0309"
        assert problem.hint == f"{step}: sitectl service status shop"
    assert c.router.problems() == (), "it neither declares nor serves it"
    c.serve(1, capacity=1)
    world.run(5)
    assert [site.router.problems() for site in (a, b, c)] == [(), (), ()]


def test_a_connector_that_finds_no_target_is_not_to_be_bound_again() -> None:
    """As one in a namespace whose workload has no such port (SW0435)."""
    world = World(1, "a")
    (a,) = world.sites.values()
    a.declare()
    a.connectors["here"] = ConnectorSpec(service="shop")
    a.apply()
    world.run(5)
    (problem,) = a.router.problems()
    assert problem.message.endswith("the connectors of this site have no target.")
    assert problem.hint == "See what the connectors lack: sitectl check"


def test_targets_that_never_were_ready_are_told_of_no_more_once_they_are_gone() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.connectors["here"] = ConnectorSpec(service="shop", targets=(TargetSpec("127.0.0.1", 9999),))
    b.apply()
    world.run(5)
    (told,) = a.router.routing.table.candidates[SERVICE]
    assert told.targets_ready == 0

    a.services["shop"] = ServiceSpec(protocol="http", ports=(SERVICE.port, 8090))
    a.apply()  # The target has no port for either.
    world.run(5)
    assert not b.router.services[SERVICE].targets
    assert SERVICE not in a.router.routing.table.candidates

"""Edge routers, whole, in virtual time: attach, lose, attach elsewhere, drain, spill, serve."""

import random
from collections import Counter

import pytest

from router.link.routing_messages import LsaMessage
from router.model import limits
from router.model.settings import Affinity
from router.model.specs import ListenerSpec, ServiceSpec
from router.routing.edges.edge import EdgeRouting
from tests.examples import seeds
from tests.simulation.world import SERVICE, Answer, SimSite, World

SEEDS = seeds(2)


def all_answered(answers: list[Answer]) -> None:
    lost = [(a.began, a.status, a.error) for a in answers if a.status != 200]
    assert not lost, lost[:5]


def count(answers: list[Answer], site: SimSite) -> int:
    return sum(1 for answer in answers if answer.site == site.name)


def at_rest(world: World) -> None:
    for site in world.sites.values():
        explanation = site.router.readings.explain(SERVICE, site.network.now())
        assert explanation is not None
        assert all(one.in_flight == 0 for one in explanation.candidates), site.name
        assert site.router.links.streams == 0


def attached_to(edge: SimSite) -> list[str]:
    """The sites that the edge's own LSA names, as it is held by itself: its adjacency."""
    adjacencies = edge.router.routing.table.adjacencies
    return [s.name for s in edge.world.sites.values() if s.identity.router in adjacencies]


def costs(site: SimSite) -> dict[str, int | None]:
    return {route.name: route.path_cost for route in site.router.routing.table.sites.values()}


def line(seed: int) -> tuple[World, SimSite, SimSite, SimSite]:
    """edge - a - b: the edge at cost 1, b at cost 5 beyond a."""
    world = World(seed, "edge", "a", "b", edges=frozenset({"edge"}))
    edge, a, b = world.sites.values()
    edge.link(a, cost=1)
    a.link(b, cost=5)
    return world, edge, a, b


@pytest.mark.parametrize("seed", SEEDS)
def test_an_edge_fills_its_neighbour_then_spills_through_it_to_a_third_site(seed: int) -> None:
    world, edge, a, b = line(seed)
    b.declare()
    a.serve(1, capacity=5)
    b.serve(2, capacity=5)
    world.run(5)
    assert costs(edge) == {"edge": 0, "a": 1, "b": 6}

    calm = edge.offer(rate=20, seconds=2)
    world.run(4)
    burst = edge.offer(rate=120, seconds=3)
    world.run(5)
    after = edge.offer(rate=20, seconds=2)
    world.run(6)
    all_answered([*calm, *burst, *after])
    assert (count(calm, a), count(after, a)) == (40, 40)
    assert count(burst, a) >= 0.9 * 150
    assert count(burst, b) >= 0.9 * 210
    assert max(t.most_in_hand for s in (a, b) for t in s.targets.values()) <= 5
    at_rest(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_other_sites_reach_the_targets_of_an_edge_as_those_of_any_site(seed: int) -> None:
    world, edge, _, b = line(seed)
    b.declare()
    b.serve(1, capacity=5)
    edge.serve(1, capacity=10)
    world.run(5)
    assert costs(b) == {"b": 0, "a": 5, "edge": 6}
    burst = b.offer(rate=100, seconds=3)
    world.run(6)
    all_answered(burst)
    assert count(burst, b) >= 0.9 * 150
    assert count(burst, edge) == 300 - count(burst, b)
    assert edge.targets[9001].most_in_hand <= 10
    at_rest(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_edge_declares_a_service_and_serves_itself_first(seed: int) -> None:
    world, edge, a, b = line(seed)
    edge.declare()
    edge.serve(1, capacity=2)
    b.serve(1, capacity=10)
    world.run(5)
    answers = [edge.request() for _ in range(6)] + [a.request() for _ in range(2)]
    world.run(2)
    all_answered(answers)
    assert count(answers[:6], edge) == 2
    assert count(answers[:6], b) == 4
    at_rest(world)


@pytest.mark.parametrize("declarer", ["a", "b"])
def test_an_edge_tells_a_site_that_offers_it_nothing_more_from_one_that_is_not_reached(
    declarer: str,
) -> None:
    """Of others its table has the sites that offer something, so that both went from it."""
    world, edge, a, b = line(1)
    said: list[str] = []
    edge.told.append(lambda code, _, text: said.append(text) if code == "service-gone" else None)
    world[declarer].declare()
    b.serve(1, capacity=5)
    world.run(5)
    b.services.clear()
    b.connectors.clear()
    b.apply()
    world.run(5)
    assert costs(edge) == {"edge": 0, "a": 1, "b": 6}
    assert edge.router.news.absent.unreached(SERVICE) == []
    gone = "Service shop is not known here any more: b does not declare it for this site any more."
    assert said == ([gone] if declarer == "b" else [])
    a.unlink(b)
    world.run(20)
    assert costs(edge) == {"edge": 0, "a": 1, "b": None}


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_router_that_stops_does_not_blame_its_edge(is_deleted: bool) -> None:
    """The edge asks for other services at once, before it knows that its link drains."""
    world, edge, a, b = line(1)
    b.declare()
    edge.serve(3, capacity=5, service_s=3.0)
    world.run(8)
    b.offer(4, 20)
    edge.offer(1, 5)
    world.run(6)
    if is_deleted:
        a.router.leave()
    a.stop(lambda: None)
    world.run(20)
    assert [line for line in world.journal if "lsa-rejected" in line] == []


def test_one_edge_serves_another_of_the_same_site() -> None:
    world = World(1, "one", "two", "a", edges=frozenset({"one", "two"}))
    one, two, a = world.sites.values()
    one.link(a, cost=1)
    two.link(a, cost=2)
    one.declare()
    two.serve(1, capacity=5)
    world.run(5)
    answer = one.request()
    world.run(2)
    assert (answer.status, answer.site) == (200, "two")
    assert costs(one) == {"one": 0, "a": 1, "two": 3}


def test_an_edge_is_never_crossed_and_its_second_link_stands_by() -> None:
    world = World(1, "a", "edge", "b", edges=frozenset({"edge"}))
    a, edge, b = world.sites.values()
    edge.link(a, cost=1)
    world.run(2)
    edge.link(b, cost=1)
    edge.declare()
    b.serve(1, capacity=5)
    world.run(5)
    assert attached_to(edge) == ["a"]
    assert [link.state for link in edge.router.links.status()] == ["up", "up"]
    at_edge, at_a = edge.request(), a.request()
    world.run(5)
    assert (at_edge.status, at_a.status) == (503, 503)


@pytest.mark.parametrize("seed", SEEDS)
def test_when_its_neighbour_dies_who_stands_by_takes_its_place(seed: int) -> None:
    world = World(seed, "edge", "a", "b", "c", edges=frozenset({"edge"}))
    edge, a, b, c = world.sites.values()
    edge.link(a, cost=1)
    world.run(1)
    edge.link(b, cost=3)
    a.link(c, cost=1)
    b.link(c, cost=1)
    c.declare()
    c.serve(1, capacity=100)
    world.run(5)
    assert attached_to(edge) == ["a"]
    answers = edge.offer(rate=50, seconds=6)
    world.run(2)
    a.kill()
    world.run(6)
    assert attached_to(edge) == ["b"]
    assert costs(edge)["c"] == 4
    all_answered(answers)

    a.start()
    world.run(40)
    assert attached_to(edge) == ["b"], "whoever comes back stands by"
    b.kill()
    world.run(3)
    assert attached_to(edge) == ["a"]
    answer = edge.request()
    world.run(1)
    all_answered([answer])


@pytest.mark.parametrize("seed", SEEDS)
def test_an_edge_leaves_a_neighbour_that_stops_and_loses_nothing(seed: int) -> None:
    world = World(seed, "edge", "a", "b", "c", edges=frozenset({"edge"}))
    edge, a, b, c = world.sites.values()
    edge.link(a, cost=1)
    world.run(1)
    edge.link(b, cost=3)
    a.link(c, cost=1)
    b.link(c, cost=1)
    c.declare()
    c.serve(1, capacity=100, service_s=0.5)
    world.run(5)
    answers = edge.offer(rate=50, seconds=6)
    world.run(2)
    a.stop(lambda: None)
    world.run(10)
    all_answered(answers)
    assert attached_to(edge) == ["b"]
    at_rest_of = edge.router.readings.explain(SERVICE, edge.network.now())
    assert at_rest_of is not None
    assert all(one.in_flight == 0 for one in at_rest_of.candidates)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_its_neighbour_an_edge_keeps_its_listeners_and_its_own_targets(seed: int) -> None:
    world, edge, a, b = line(seed)
    b.declare(queue_wait_s=0.2)
    b.serve(1, capacity=5)
    world.run(5)
    a.kill()
    world.run(5)
    lost = edge.request()
    world.run(2)
    assert lost.status == 503
    assert costs(edge)["b"] is None

    edge.serve(1, capacity=5)
    world.run(3)
    own = edge.request()
    world.run(1)
    assert (own.status, own.site) == (200, "edge")

    a.start()
    world.run(40)
    del edge.connectors["here"]
    edge.apply()
    world.run(3)
    again = edge.request()
    world.run(1)
    assert (again.status, again.site) == (200, "b")


def test_services_of_a_lost_neighbour_end_with_their_ttl() -> None:
    world, edge, a, b = line(1)
    b.declare()
    world.run(5)
    a.kill()
    world.run(limits.SERVICE_SYNC_TTL_S - 10)
    assert SERVICE in edge.router.services
    world.run(30)
    assert SERVICE not in edge.router.services
    assert edge.request().status == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_an_edge_that_stops_finishes_what_it_has(seed: int) -> None:
    world, edge, a, b = line(seed)
    b.declare()
    edge.serve(1, capacity=10, service_s=0.5)
    b.serve(1, capacity=10, service_s=0.5)
    world.run(5)
    under_way = [a.request() for _ in range(4)] + [edge.request() for _ in range(2)]
    world.run(0.1)
    edge.stop(lambda: None)
    world.run(0.2)
    later = [a.request() for _ in range(4)]
    world.run(5)
    all_answered(under_way + later)
    assert count(under_way, edge) == 6
    assert count(later, b) == 4


@pytest.mark.parametrize("seed", SEEDS)
def test_an_edge_restarted_with_an_older_epoch_overtakes_its_former_life(seed: int) -> None:
    world, edge, _, b = line(seed)
    b.declare()
    edge.serve(1, capacity=10)
    world.run(5)
    edge.kill()
    edge.keeper.keep_epoch(-1)  # Its state came from a backup: it begins with epoch 0.
    world.run(1)
    edge.start()
    world.run(40)
    answer = b.request()
    world.run(1)
    assert (answer.status, answer.site) == (200, "edge")
    assert edge.keeper.epoch > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_sessions_of_an_edge_stay_at_their_site(seed: int) -> None:
    world, edge, a, b = line(seed)
    b.declare(affinity=Affinity(by="header", name="X-User"))
    a.serve(2, capacity=2)
    b.serve(2, capacity=2)
    world.run(5)
    first = {user: edge.request(f"X-User: {user}") for user in "stuvwxyz"}
    world.run(1)
    all_answered(list(first.values()))
    calm = []
    for user in first:
        calm.append([edge.request(f"X-User: {user}") for _ in range(2)])
        world.run(0.5)
    assert [{one.site for one in pair} for pair in calm] == [{a.site} for a in first.values()]
    assert all(one.target == other.target for one, other in calm)


def test_an_edge_holds_state_for_the_services_that_it_uses() -> None:
    world, edge, a, b = line(1)
    b.declare()
    for number in range(300):
        a.services[f"s{number}"] = ServiceSpec(protocol="http", ports=(20_000 + number,))
    a.service_sync = b.service_sync = edge.service_sync = False
    edge.listeners["shop"] = ListenerSpec(service="shop")
    a.apply()
    b.serve(1, capacity=5)
    edge.apply()
    world.run(5)
    routing = edge.router.routing
    assert isinstance(routing, EdgeRouting)
    assert routing.rows_held == 4  # a and b, shop and its candidate at b.
    assert set(edge.router.services) == {SERVICE}
    assert len(a.router.services) == 301
    answer = edge.request()
    world.run(1)
    all_answered([answer])


def test_no_lsa_but_its_own_ever_goes_to_an_edge() -> None:
    world, edge, a, b = line(1)
    sent: list[str] = []
    send = a.router.links.send

    def noted(router: object, message: object) -> bool:
        if router == edge.identity.router and isinstance(message, LsaMessage):
            sent.append("lsa")
        return send(router, message)  # type: ignore[arg-type]

    a.router.links.send = noted  # type: ignore[method-assign]
    b.declare()
    b.serve(1, capacity=5)
    world.run(400)
    assert sent == []


@pytest.mark.parametrize("seed", seeds(6))
def test_rolling_restarts_around_an_edge_lose_nothing_and_run_nothing_twice(seed: int) -> None:
    """Its neighbors and the site beyond them, one after the other; all methods."""
    chance = random.Random(seed)
    world = World(seed, "edge", "a", "b", "c", edges=frozenset({"edge"}), delay_s=0.005)
    edge, a, b, c = world.sites.values()
    for near in chance.sample([a, b], 2):
        edge.link(near, cost=chance.randint(1, 3))
        near.link(c, cost=chance.randint(1, 3))
    a.link(b, cost=1)
    c.declare(queue=100, queue_wait_s=20.0)
    for site in chance.choice([(a, c, edge), (a, c)]):
        site.serve(1, capacity=3, service_s=chance.choice([0.02, 0.2]))
    world.run(5)
    answers: list[Answer] = []
    for site in chance.choices([a, b, c], k=4):
        down = [site]
        for _ in range(chance.randint(5, 20)):
            at = chance.choice([edge, edge, b if site is not b else a])
            line = f"{chance.choice(['GET', 'PUT', 'POST'])} /{len(answers)}"
            answers.append(at.request(line=line))
            world.run(chance.uniform(0, 0.05))
        site.stop(down.clear)
        for _ in range(chance.randint(5, 20)):
            at = chance.choice([edge, edge, b if site is not b else a])
            line = f"{chance.choice(['GET', 'PUT', 'POST'])} /{len(answers)}"
            answers.append(at.request(line=line))
            world.run(chance.uniform(0, 0.05))
        world.run_while(lambda: bool(down), 60)  # noqa: B023
        site.start()
        world.run(chance.choice([5, 40]))
    world.run(45)
    all_answered(answers)
    ran = Counter(seen.split(b" HTTP/1.1")[0].decode() for seen in world.seen)
    assert {line: count for line, count in ran.items() if line != "GET /"} == {
        answer.line: 1 for answer in answers
    }
    at_rest(world)


EDGES, SERVICES = 100, 40


def test_a_hundred_edges_hear_of_a_change_at_once_in_few_bytes_and_hold_little() -> None:
    names = [f"e{number}" for number in range(EDGES)]
    world = World(1, "a", "b", *names, edges=frozenset(names))
    a, b, *edges = world.sites.values()
    a.link(b, cost=5)
    for number in range(SERVICES):
        b.services[f"s{number}"] = ServiceSpec(protocol="http", ports=(20_000 + number,))
    b.service_sync = a.service_sync = False
    b.declare()
    b.serve(1, capacity=10)
    for edge in edges:
        edge.service_sync = False
        edge.listeners = {name: ListenerSpec(service=name) for name in ("shop", "s7")}
        edge.link(a, cost=1)
    attached_at = world.internet.now

    def know(count: int) -> bool:
        tables = [edge.router.routing.table for edge in edges]
        return all(len(table.candidates.get(SERVICE, ())) == count for table in tables)

    world.run_while(lambda: not know(1), 30)
    assert world.internet.now - attached_at < 2.5
    world.run(3)
    assert a.router.edges.rows_held <= EDGES * 6
    assert {len(edge.router.routing.table.declarations) for edge in edges} == {2}

    def said() -> int:
        return sum(
            link.bytes_out for link in a.router.links.status() if link.direction == "incoming"
        )

    before, changed_at = said(), world.internet.now
    b.connectors.clear()
    b.apply()
    world.run_while(lambda: not know(0), 30)
    assert world.internet.now - changed_at < 0.5
    assert (said() - before) / EDGES < 200


def test_a_router_that_starts_again_loses_no_request_on_the_way_over_another_site() -> None:
    """It knows the way over `mid` to the gateway before its sibling knows that mid leads to it."""
    world = World(1, "one", "two", "mid", "gate", edges=frozenset({"gate"}))
    one, two, mid, gate = world.sites.values()
    two.join(one)
    world.internet.set_delay(one.ip, two.ip, 0.02)
    world.internet.set_delay(one.ip, mid.ip, 0.05)
    for site in (one, two):
        site.endpoints["to-mid"] = mid.ip
        site.link(mid, cost=1)
    gate.endpoints["to-one"] = one.ip
    gate.link(one, cost=1)
    one.declare()
    gate.serve(1, capacity=None)
    world.run(20)
    two.kill()
    world.run(0.5)
    two.start()
    answers: list[Answer] = []
    for _ in range(300):
        answers.append(two.request())
        world.run(0.002)
    world.run(5)
    assert any("mid brought a stream to shop in the name" in one for one in world.journal)
    connected = [one for one in answers if one.error != "refused"]  # It listens.
    assert {one.status for one in connected} == {200}


def test_a_former_neighbor_that_is_apart_does_not_count_an_edge_as_its_own() -> None:
    """It holds the edge's former LSA, and no newer one reaches it through the other sites."""
    world, edge, a, b = line(1)
    edge.serve(1, capacity=5)
    a.declare()
    world.run(2)
    edge.link(b, cost=2)
    world.run(5)
    assert attached_to(edge) == ["a"]
    world.internet.cut(a.ip, b.ip)
    world.internet.freeze(a.ip)
    world.run(10)
    assert attached_to(edge) == ["b"]
    world.internet.thaw(a.ip)
    world.run(10)
    assert "up" in {link.state for link in a.router.links.status()}, "the edge's second link"
    assert costs(a)["edge"] is None
    assert costs(b)["edge"] == 2

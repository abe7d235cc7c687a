"""Law of flooding: whatever happened on the way, joined routers end with one database.

The lanes of these networks lose, repeat and reorder; real ones do not, but break.
"""

from collections.abc import Iterable
from itertools import combinations, pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.model.ids import ServiceKey, SiteId
from router.routing.adverts.lsa import LsaKey, Version
from router.routing.events import IdentityConflict, LsaRejected
from router.routing.spf import Graph, Vertex, shortest_paths
from tests.examples import examples
from tests.unit.routing.fakes import advert, declare
from tests.unit.routing.network import Network

NAMES = "abcdef"
PAIRS = list(combinations(NAMES, 2))
CUTS = st.tuples(st.just("toggle"), st.sampled_from(PAIRS), st.integers(1, 4))
COSTS = st.tuples(st.just("cost"), st.sampled_from(PAIRS), st.integers(1, 9))
SERVES = st.tuples(st.just("serve"), st.sampled_from(PAIRS), st.integers(0, 3))
DRAINS = st.tuples(st.just("drain"), st.sampled_from(PAIRS), st.integers(0, 1))
RESTARTS = st.tuples(st.just("restart"), st.sampled_from(PAIRS), st.integers(0, 1))
STEPS = st.lists(
    st.tuples(CUTS | CUTS | COSTS | SERVES | DRAINS | RESTARTS, st.sampled_from([0.0, 0.03, 1.5])),
    max_size=15,
)


class World:
    """The network and what should be true of it."""

    def __init__(self, seed: int, trouble: float, older: Iterable[str] = ()) -> None:
        self.network = Network(NAMES, seed=seed, trouble=trouble, older=older)
        self.services: dict[str, int] = dict.fromkeys(NAMES, 0)
        self.draining: set[str] = set()
        self.life = 1

    def step(self, what: str, pair: tuple[str, str], number: int) -> None:
        network, (one, other) = self.network, pair
        link = frozenset(pair)
        match what:
            case "toggle" if link in network.links:
                network.cut(one, other)
            case "toggle":
                network.connect(one, other, number)
            case "cost" if link in network.links:
                network.links[link] = number
                for here, there in (pair, (other, one)):
                    router = network.identities[there].router
                    core = network.cores[here]
                    network.take(here, core.adjacency_cost(router, number, network.now))
            case "serve":
                self.serve(one, number)
            case "drain":
                self.draining = self.draining | {one} if number else self.draining - {one}
                core = network.cores[one]
                network.take(one, core.set_draining(bool(number), network.now))
            case "restart":
                self.life += 1
                # Every other time it has lost the epoch that it had written down.
                network.restart(one, self.life * 10 if number else 1, b"life %d" % self.life)
                self.draining.discard(one)
                self.serve(one, self.services[one])

    def serve(self, name: str, count: int) -> None:
        self.services[name] = count
        names = [f"service-{number}" for number in range(count)]
        declarations = [declare(service, at=ord(name)) for service in names]
        self.network.serve(name, declarations, [advert(service) for service in names])

    def oracle(self, root: str) -> dict[SiteId, int]:
        """Costs as the links really are."""
        node = {name: who.node for name, who in self.network.identities.items()}
        vertices = {node[name]: Vertex(name not in self.draining, {}) for name in NAMES}
        for link, cost in self.network.links.items():
            one, other = link
            vertices[node[one]].reported[node[other]] = cost
            vertices[node[other]].reported[node[one]] = cost
        routes = shortest_paths(Graph(vertices), node[root])
        return {there.site: route.cost for there, route in routes.items()}

    def component(self, name: str) -> set[str]:
        """All that LSAs reach: draining routers pass them on too."""
        reached, frontier = {name}, [name]
        while frontier:
            here = frontier.pop()
            more = {o for link in self.network.links if here in link for o in link} - reached
            reached |= more
            frontier += more
        return reached

    def database(self, name: str) -> dict[LsaKey, Version]:
        return {lsa.key: lsa.newness for lsa in self.network.cores[name].database()}

    def check(self) -> None:
        network = self.network
        sites = {name: who.site for name, who in network.identities.items()}
        for name in NAMES:
            table, costs = network.table(name), self.oracle(name)
            reachable = {s: r.path_cost for s, r in table.sites.items() if r.reachable}
            assert reachable == costs
            for number in range(3):
                service = f"service-{number}"
                having = {sites[who] for who in NAMES if self.services[who] > number}
                candidates = table.candidates.get(ServiceKey(service, 80), ())
                assert {c.site for c in candidates} == having & costs.keys() - {sites[name]}
                assert [c.path_cost for c in candidates] == sorted(
                    costs[c.site] for c in candidates
                )
            for other in self.component(name) - {name}:
                assert self.database(name) == self.database(other)
        facts = [event for _, event in network.events]
        assert not any(isinstance(fact, LsaRejected | IdentityConflict) for fact in facts)


@settings(max_examples=examples(60))
@example(  # c sends two different LSAs under one number; e's ack of the first crosses the second.
    steps=[
        (("cost", ("a", "b"), 1), 0.03),
        (("toggle", ("b", "c"), 1), 0.0),
        (("restart", ("c", "d"), 0), 0.0),
    ],
    seed=65521,
    trouble=0.4,
    older="a",
)
@given(
    steps=STEPS,
    seed=st.integers(0, 2**32),
    trouble=st.sampled_from([0.0, 0.1, 0.4]),
    older=st.sampled_from(["", "a", "bd", NAMES]),
)
def test_joined_routers_agree_and_see_the_links_as_they_are(
    steps: list[tuple[tuple[str, tuple[str, str], int], float]],
    seed: int,
    trouble: float,
    older: str,
) -> None:
    """Whichever of them are ``older``, and know no digests."""
    world = World(seed, trouble, older)
    for one, other in pairwise(NAMES):
        world.step("toggle", (one, other), 1)
    for (what, pair, number), pause_s in steps:
        world.step(what, pair, number)
        world.network.run(pause_s)
    world.network.run(60.0)
    world.check()


@settings(max_examples=examples(20))
@given(seed=st.integers(0, 2**32))
def test_both_halves_agree_after_a_partition_in_which_both_changed(seed: int) -> None:
    world = World(seed, trouble=0.2)
    for pair in (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f"), ("a", "f")):
        world.step("toggle", pair, 1)
    world.network.run(20.0)
    world.step("toggle", ("c", "d"), 1)
    world.step("toggle", ("a", "f"), 1)
    for name in NAMES:
        world.serve(name, ord(name) % 4)
    world.network.run(20.0)
    world.check()
    world.step("toggle", ("c", "d"), 2)
    world.network.run(20.0)
    world.check()


@settings(max_examples=examples(20))
@given(seed=st.integers(0, 2**32), cut=st.sampled_from(["ab", "bc", "cd"]))
def test_a_ring_of_sound_lanes_is_right_again_in_moments(seed: int, cut: str) -> None:
    world = World(seed, trouble=0.0)
    for pair in (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f"), ("a", "f")):
        world.step("toggle", pair, 1)
    world.network.run(5.0)
    world.step("toggle", (cut[0], cut[1]), 1)
    world.network.run(0.1)
    world.check()
    sent = len(world.network.sent)
    world.network.run(200.0)
    assert len(world.network.sent) == sent  # An idle network sends only refreshes.

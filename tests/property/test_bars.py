"""One member that bars whom it likes does no more than by cutting its links."""

from itertools import combinations, pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.model.ids import ServiceKey, SiteId
from router.routing.adverts.lsa import Bar
from router.routing.spf import Graph, Vertex, shortest_paths
from tests.examples import examples
from tests.unit.routing.fakes import advert, declare
from tests.unit.routing.network import Network

LIAR = "a"
HONEST = "bcdef"
NAMES = LIAR + HONEST
PAIRS = list(combinations(NAMES, 2))
TOGGLES = st.tuples(st.just("toggle"), st.sampled_from(PAIRS))
BARS = st.tuples(st.just("bar"), st.sets(st.sampled_from(HONEST)))
RESTARTS = st.tuples(st.just("restart"), st.sampled_from(NAMES))
STEPS = st.lists(
    st.tuples(TOGGLES | TOGGLES | BARS | RESTARTS, st.sampled_from([0.0, 0.03, 1.5, 30.0])),
    max_size=15,
)


class World:
    """Each site declares a different service and has targets of it."""

    def __init__(self, seed: int, trouble: float) -> None:
        self.network = Network(NAMES, seed=seed, trouble=trouble)
        self.barred: set[str] = set()
        self.life = 1
        for name in NAMES:
            self.serve(name)

    def serve(self, name: str) -> None:
        self.network.serve(name, [declare(f"of-{name}")], [advert(f"of-{name}")])

    def step(self, what: str, value: Any) -> None:
        network = self.network
        match what:
            case "toggle" if frozenset(value) in network.links:
                network.cut(*value)
            case "toggle":
                network.connect(*value)
            case "bar":
                self.barred = value
                self.tell()
            case "restart":
                self.life += 1
                network.restart(value, self.life * 10, b"life %d" % self.life)
                self.serve(value)
                self.tell()

    def tell(self) -> None:
        network = self.network
        bars = tuple(Bar(network.identities[name].site, 1) for name in sorted(self.barred))
        network.take(LIAR, network.cores[LIAR].set_bars(bars, frozenset(), network.now))

    def reached(self, root: str) -> dict[SiteId, int]:
        """Path costs from ``root`` if the liar's links to the sites that it bars were cut."""
        node = {name: who.node for name, who in self.network.identities.items()}
        vertices = {node[name]: Vertex(True, {}) for name in NAMES}
        for link, cost in self.network.links.items():
            if LIAR in link and link & self.barred:
                continue
            one, other = link
            vertices[node[one]].reported[node[other]] = cost
            vertices[node[other]].reported[node[one]] = cost
        return {
            there.site: route.cost
            for there, route in shortest_paths(Graph(vertices), node[root]).items()
        }

    def check(self) -> None:
        sites = {name: who.site for name, who in self.network.identities.items()}
        for name in HONEST:
            table, costs = self.network.table(name), self.reached(name)
            for other in NAMES.replace(name, ""):
                if sites[other] not in costs:
                    continue
                assert table.sites[sites[other]].path_cost == costs[sites[other]]
                assert table.declarations[f"of-{other}"].reachable
                (candidate,) = table.candidates[ServiceKey(f"of-{other}", 80)]
                assert candidate.path_cost == costs[sites[other]]
                assert sites[other] not in table.put_out


@settings(max_examples=examples(30))
@given(steps=STEPS, seed=st.integers(0, 2**32), trouble=st.sampled_from([0.0, 0.1]))
def test_no_honest_site_that_another_way_reaches_loses_anything(
    steps: list[tuple[tuple[str, Any], float]], seed: int, trouble: float
) -> None:
    world = World(seed, trouble)
    for pair in pairwise(NAMES):
        world.step("toggle", pair)
    for (what, value), pause_s in steps:
        world.step(what, value)
        world.network.run(pause_s)
    world.network.run(60.0)
    world.check()


@settings(max_examples=examples(20))
@given(barred=st.sets(st.sampled_from("cdef"), min_size=1))
def test_a_site_that_all_its_neighbours_bar_counts_nowhere(barred: set[str]) -> None:
    """``a`` and ``b`` are joined, and all others to both."""
    network = Network(NAMES)
    network.connect("a", "b")
    for name in "cdef":
        network.serve(name, [declare(f"of-{name}")], [advert(f"of-{name}")])
        network.connect("a", name)
        network.connect("b", name)
    network.run(5.0)
    bars = tuple(Bar(network.identities[name].site, 1) for name in sorted(barred))
    others = sorted(set(NAMES) - barred)
    mine = {f"of-{name}" for name in barred}
    for sayer in "ab":
        assert all(mine <= network.table(name).declarations.keys() for name in others)
        network.take(sayer, network.cores[sayer].set_bars(bars, frozenset(), network.now))
        network.run(0.5)
    for name in others:
        assert not mine & network.table(name).declarations.keys()
        assert not mine & {key.name for key in network.table(name).candidates}

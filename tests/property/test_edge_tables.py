"""An edge's table: piece by piece, over whatever link, it becomes all that the edge wants."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import Declaration, RemoteCandidate, TargetsAdvert
from router.model.messages.edges import EdgeMessage, TableMessage
from router.model.specs import ServiceSpec
from router.routing.declared import Declared
from router.routing.edges.attached import AttachedEdges
from router.routing.edges.edge import EdgeRouting
from router.routing.edges.offers import EdgeTableSource
from router.routing.events import RoutingEvent, SendEdge
from router.routing.table import RouteTable, SiteRoute
from tests.unit.routing.fakes import FakeIdentity

EDGE, TELLER = FakeIdentity("edge"), FakeIdentity("teller")
OTHERS = [FakeIdentity(name) for name in ("near", "a", "c")]
"""With ids before and behind those of the teller."""
NAMES = ("cart", "mail", "shop")
LINK_COST = 3

Candidates = dict[tuple[str, int], tuple[int, int | None]]  # (service, router) -> ready, capacity
STATES = st.fixed_dictionaries(
    {
        "candidates": st.dictionaries(
            st.tuples(st.sampled_from(NAMES), st.integers(0, len(OTHERS))),
            st.tuples(st.integers(0, 3), st.sampled_from([None, 1, 20])),
            max_size=8,
        ),
        "costs": st.tuples(*[st.integers(1, 5)] * len(OTHERS)),
        "declared": st.sets(st.sampled_from(NAMES)),
        "declarer": st.sampled_from(OTHERS),
        "own": st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3)),
        "draining": st.booleans(),
    }
)
WISHES = st.one_of(st.none(), st.frozensets(st.sampled_from(NAMES)))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("table"), STATES),
        st.tuples(st.just("wish"), WISHES),
        st.tuples(st.just("cut"), st.none()),
        st.tuples(st.just("half-cut"), st.none()),  # The edge does not notice.
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.02, 0.06, 1.1])),
    ),
    max_size=12,
)


def make_table(state: dict[str, object], generation: int) -> RouteTable:
    """As the teller has it: others are reached over themselves; router number 3 is the edge."""
    costs, candidates = state["costs"], state["candidates"]
    declared, draining = state["declared"], state["draining"]
    declarer = state["declarer"]
    assert isinstance(declarer, FakeIdentity)
    assert isinstance(costs, tuple) and isinstance(candidates, dict)
    assert isinstance(declared, set) and isinstance(draining, bool)
    others = [*OTHERS, EDGE]
    found: dict[ServiceKey, list[RemoteCandidate]] = {}
    for (name, number), (ready, capacity) in sorted(candidates.items()):
        who = others[number]
        found.setdefault(ServiceKey(name, 80), []).append(
            RemoteCandidate(
                site=who.site,
                site_name=who.name,
                router=who.router,
                path_cost=(*costs, LINK_COST)[number],
                paths=((who.router,),),
                targets_ready=ready,
                capacity=capacity,
                draining=False,
            )
        )
    sites = {
        who.site: SiteRoute(
            site=who.site,
            name=who.name,
            router=who.router,
            path_cost=cost,
            paths=((who.router,),) if cost else ((),),
            next_hops=(who.router,) if cost else (),
            neighbours=(),
            version="1",
            reachable=True,
            draining=draining and who is TELLER,
        )
        for who, cost in zip([*others, TELLER], (*costs, LINK_COST, 0), strict=True)
    }
    return RouteTable(
        generation=generation,
        site=TELLER.site,
        sites=sites,
        candidates={key: tuple(rows) for key, rows in found.items()},
        declarations={
            name: Declared(
                declaration=Declaration(
                    name=name, spec=ServiceSpec(ports=(80,)), declared_at_s=1.0
                ),
                site=declarer.site,
                reachable=True,
                conflicts=(),
            )
            for name in declared
        },
        name_conflicts=(),
        next_hops={},
        epochs={who.router: 7 for who in others},
        adjacencies=(EDGE.router,),
    )


def teller_of(state: dict[str, object]) -> EdgeTableSource:
    own = state["own"]
    assert isinstance(own, dict)
    return EdgeTableSource(
        router=TELLER.router,
        site=TELLER.site,
        version="1",
        epoch=7,
        adverts=tuple(
            TargetsAdvert(name=name, port=80, targets_ready=ready, capacity=None)
            for name, ready in sorted(own.items())
        ),
    )


class Pair:
    """Teller and edge, and the messages under way between them."""

    def __init__(self, seed: int, trouble: bool) -> None:
        self.random, self.trouble = Random(seed), trouble
        self.now, self.generation = 0.0, 0
        self.teller, self.edge = AttachedEdges(), self.make_edge()
        self.flying: list[tuple[float, bool, EdgeMessage]] = []
        self.largest = 0
        self.up()

    def make_edge(self) -> EdgeRouting:
        return EdgeRouting(EDGE, epoch=1, boot_nonce=b"n", version="1", now=0.0)

    def up(self) -> None:
        self.teller.up(EDGE.router, self.now, EDGE.site)
        self.take(self.edge.adjacency_up(TELLER.router, TELLER.site, LINK_COST, self.now))

    def take(self, events: list[RoutingEvent]) -> None:
        for event in events:
            if isinstance(event, SendEdge):
                copies = self.random.choice([0, 1, 1, 1, 2]) if self.trouble else 1
                for _ in range(copies):
                    late_s = self.random.uniform(0, 0.3) if self.trouble else 0.001
                    to_edge = isinstance(event.message, TableMessage)
                    self.flying.append((self.now + late_s, to_edge, event.message))

    def step(self, kind: str, what: object) -> None:
        if kind == "table":
            assert isinstance(what, dict)
            self.state = what
            self.generation += 1
            table = make_table(what, self.generation)
            self.take(self.teller.update(teller_of(what), table, self.now))
        elif kind == "wish":
            assert what is None or isinstance(what, frozenset)
            self.wishes = what
            self.take(self.edge.set_wishes(what, self.now))
        elif kind == "cut":
            self.flying.clear()
            self.teller.down(EDGE.router)
            self.take(self.edge.adjacency_down(TELLER.router, self.now))
            self.up()
        elif kind == "half-cut":
            self.teller.up(EDGE.router, self.now, EDGE.site)
        else:
            assert isinstance(what, float)
            self.run(what)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            times = [self.teller.next_deadline(), self.edge.next_deadline()]
            due = min([time for time in times if time is not None], default=end + 1)
            arrival = min([at for at, _, _ in self.flying], default=end + 1)
            if min(due, arrival) > end:
                break
            self.now = max(self.now, min(due, arrival))
            if arrival <= due:
                message = min(self.flying, key=lambda flying: flying[0])
                self.flying.remove(message)
                self.deliver(message[1], message[2])
            else:
                self.take(self.teller.handle_timeout(self.now))
                self.take(self.edge.handle_timeout(self.now))
        self.now = end

    def deliver(self, to_edge: bool, message: EdgeMessage) -> None:
        if to_edge:
            self.take(self.edge.receive_edge(TELLER.router, message, self.now))
        else:
            self.take(self.teller.receive_edge(EDGE.router, message, self.now))


Seen = dict[tuple[str, RouterId], tuple[int, int, int | None]]


def wanted(state: dict[str, object], wishes: frozenset[str] | None) -> Seen:
    """What an edge with these wishes must see, straight from the teller's table."""
    candidates, costs, own = state["candidates"], state["costs"], state["own"]
    assert isinstance(candidates, dict) and isinstance(costs, tuple) and isinstance(own, dict)
    seen: Seen = {
        (name, OTHERS[number].router): (LINK_COST + costs[number], ready, capacity)
        for (name, number), (ready, capacity) in candidates.items()
        if number < len(OTHERS) and not state["draining"]
    }
    seen |= {(name, TELLER.router): (LINK_COST, ready, None) for name, ready in own.items()}
    return {key: value for key, value in seen.items() if wishes is None or key[0] in wishes}


def seen(table: RouteTable) -> Seen:
    return {
        (key.name, one.router): (one.path_cost, one.targets_ready, one.capacity)
        for key, candidates in table.candidates.items()
        for one in candidates
    }


@given(
    first=STATES,
    wishes=WISHES,
    steps=STEPS,
    last=STATES,
    seed=st.integers(0, 99),
    calm=st.booleans(),
)
def test_whatever_is_lost_late_or_doubled_the_edge_ends_with_the_whole_table(
    first: dict[str, object],
    wishes: frozenset[str] | None,
    steps: list[tuple[str, object]],
    last: dict[str, object],
    seed: int,
    calm: bool,
) -> None:
    pair = Pair(seed, trouble=not calm)
    pair.step("table", first)
    pair.step("wish", wishes)
    for kind, what in steps:
        pair.step(kind, what)
    pair.step("table", last)
    pair.trouble = False
    pair.run(65)  # Two wishes said again heal what the teller has forgotten.
    assert seen(pair.edge.table) == wanted(last, pair.wishes)
    declared = last["declared"]
    assert isinstance(declared, set)
    names = declared if pair.wishes is None else declared & pair.wishes
    assert set(pair.edge.table.declarations) == names
    used = {router for _, router in wanted(last, pair.wishes)} | {TELLER.router}
    if names and not last["draining"]:
        declarer = last["declarer"]
        assert isinstance(declarer, FakeIdentity)
        used.add(declarer.router)  # It declares all of them, and import rules may name it.
    told = set(pair.edge.table.routers)
    reached = set() if last["draining"] else {who.router for who in OTHERS}
    assert used <= told <= used | reached, "of sites that it used once it knows that they are there"
    assert pair.edge.rows_held == len(told) + len(names) + len(wanted(last, pair.wishes))
    assert pair.edge.table.candidate(EDGE.router, ServiceKey("shop", 80)) is None
    quiet = pair.teller.next_deadline()
    assert quiet is None, "all was acknowledged"
    assert SiteId(TELLER.site) in pair.edge.table.sites
    assert pair.edge.table.next_hop_is_cheapest(RouterId(TELLER.router), TELLER.router)

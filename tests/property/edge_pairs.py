"""An edge, the router that tells it of others, and all messages between them, in virtual time."""

from random import Random
from typing import Any

from hypothesis import strategies as st

from router.model.ids import ServiceKey
from router.model.messages.adverts import Declaration, RemoteCandidate, TargetsAdvert
from router.model.messages.edges import EdgeMessage, TableMessage
from router.model.rights.sharing import FREE, Terms
from router.model.specs import ServiceSpec
from router.routing.declared import Claim, Declared
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
RULES = st.one_of(
    st.none(),
    st.lists(st.sampled_from(["edge", "moved", "other", EDGE.site]), max_size=2).map(tuple),
)
PATTERNS = st.one_of(
    st.none(), st.lists(st.sampled_from([*NAMES, "sh*", "*"]), max_size=2).map(tuple)
)
TERMS = st.builds(Terms, import_=PATTERNS)
CLAIMS = st.lists(
    st.tuples(st.sampled_from([*OTHERS, EDGE]), RULES),
    min_size=1,
    max_size=3,
    unique_by=lambda claim: claim[0].site,
)
RULED = st.builds(
    lambda state, rules: state | rules,
    STATES,
    st.fixed_dictionaries(
        {
            "rules": st.dictionaries(
                st.tuples(st.sampled_from(NAMES), st.integers(0, len(OTHERS))), RULES, max_size=6
            ),
            "own_rules": st.dictionaries(st.sampled_from(NAMES), RULES),
            "withheld": st.sets(st.sampled_from(NAMES)),
            "claims": st.dictionaries(st.sampled_from(NAMES), CLAIMS),
            "edge_name": st.sampled_from(["edge", "moved"]),
        }
    ),
)
"""`STATES` with rules: of targets and of several declarations of a name, for whom they are; names
whose targets are not for the teller's site; and another name of the edge's site."""
WISHES = st.one_of(st.none(), st.frozensets(st.sampled_from(NAMES)))
State = dict[str, Any]
Step = tuple[str, Any]


def steps(
    states: st.SearchStrategy[State], *more: st.SearchStrategy[Step]
) -> st.SearchStrategy[list[Step]]:
    """What may happen to a pair: its router's table becomes one of ``states``, and so on."""
    return st.lists(
        st.one_of(
            st.tuples(st.just("table"), states),
            st.tuples(st.just("wish"), WISHES),
            st.tuples(st.just("cut"), st.none()),
            st.tuples(st.just("half-cut"), st.none()),  # The edge does not notice.
            st.tuples(st.just("wait"), st.sampled_from([0.0, 0.02, 0.06, 1.1])),
            *more,
        ),
        max_size=12,
    )


def make_table(state: State, generation: int) -> RouteTable:
    """As the teller has it: others are reached over themselves; router number 3 is the edge."""
    costs, candidates = state["costs"], state["candidates"]
    declared, draining = state["declared"], state["draining"]
    declarer, rules = state["declarer"], state.get("rules", {})
    withheld = state.get("withheld", ())
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
                export_to=rules.get((name, number)),
            )
        )
    sites = {
        who.site: SiteRoute(
            site=who.site,
            name=state.get("edge_name", who.name) if who is EDGE else who.name,
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
        candidates={k: tuple(rows) for k, rows in found.items() if k.name not in withheld},
        withheld={k: tuple(rows) for k, rows in found.items() if k.name in withheld},
        declarations={
            name: Declared(
                declaration=_declaration(name), site=declarer.site, reachable=True, conflicts=()
            )
            for name in declared
        },
        claims={
            name: tuple(
                Claim(_declaration(name, rule), who.site, who.router, cost=1)
                for who, rule in claims
            )
            for name, claims in state.get("claims", {}).items()
        },
        name_conflicts=(),
        next_hops={},
        epochs={who.router: 7 for who in others},
        adjacencies=(EDGE.router,),
    )


def _declaration(name: str, export_to: tuple[str, ...] | None = None) -> Declaration:
    spec = ServiceSpec(ports=(80,))
    return Declaration(name=name, spec=spec, declared_at_s=1.0, export_to=export_to)


def teller_of(state: State) -> EdgeTableSource:
    own, rules = state["own"], state.get("own_rules", {})
    return EdgeTableSource(
        router=TELLER.router,
        site=TELLER.site,
        version="1",
        epoch=7,
        adverts=tuple(
            TargetsAdvert(
                name=name, port=80, targets_ready=ready, capacity=None, export_to=rules.get(name)
            )
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
        self.terms = FREE
        self.up()

    def make_edge(self) -> EdgeRouting:
        return EdgeRouting(EDGE, epoch=1, boot_nonce=b"n", version="1", now=0.0)

    def up(self) -> None:
        self.teller.up(EDGE.router, self.now, EDGE.site, self.terms)
        self.take(self.edge.adjacency_up(TELLER.router, TELLER.site, LINK_COST, self.now))

    def take(self, events: list[RoutingEvent]) -> None:
        for event in events:
            if isinstance(event, SendEdge):
                copies = self.random.choice([0, 1, 1, 1, 2]) if self.trouble else 1
                for _ in range(copies):
                    late_s = self.random.uniform(0, 0.3) if self.trouble else 0.001
                    to_edge = isinstance(event.message, TableMessage)
                    self.flying.append((self.now + late_s, to_edge, event.message))

    def step(self, kind: str, what: Any) -> None:
        if kind == "table":
            self.state = what
            self.generation += 1
            table = make_table(what, self.generation)
            self.take(self.teller.update(teller_of(what), table, self.now))
        elif kind == "wish":
            self.wishes = what
            self.take(self.edge.set_wishes(what, self.now))
        elif kind == "cut":
            self.flying.clear()
            self.teller.down(EDGE.router)
            self.take(self.edge.adjacency_down(TELLER.router, self.now))
            self.up()
        elif kind == "half-cut":
            self.teller.up(EDGE.router, self.now, EDGE.site, self.terms)
        elif kind == "terms":
            self.terms = what
            self.take(self.teller.set_terms(EDGE.router, what, self.now))
        else:
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

    def settle(self) -> None:
        """Nothing is lost any more: two wishes said again heal what the teller has forgotten."""
        self.trouble = False
        self.run(65)

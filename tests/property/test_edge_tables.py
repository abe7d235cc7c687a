"""An edge's table: piece by piece, over whatever link, it becomes all that the edge wants."""

from hypothesis import given
from hypothesis import strategies as st

from router.model.ids import RouterId, ServiceKey, SiteId
from router.routing.table import RouteTable
from tests.property.edge_pairs import (
    EDGE,
    LINK_COST,
    OTHERS,
    RULED,
    STATES,
    TELLER,
    TERMS,
    WISHES,
    Pair,
    State,
    Step,
    steps,
)

Seen = dict[tuple[str, RouterId], tuple[int, int, int | None]]


def wanted(state: State, wishes: frozenset[str] | None) -> Seen:
    """What an edge with these wishes must see, straight from the teller's table."""
    candidates, costs, own = state["candidates"], state["costs"], state["own"]
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


def _played(
    pair: Pair, first: State, wishes: frozenset[str] | None, steps: list[Step], last: State
) -> Pair:
    """The pair after these steps, settled on the last table."""
    pair.step("table", first)
    pair.step("wish", wishes)
    for kind, what in steps:
        pair.step(kind, what)
    pair.step("table", last)
    pair.settle()
    return pair


@given(
    first=STATES,
    wishes=WISHES,
    steps=steps(STATES),
    last=STATES,
    seed=st.integers(0, 99),
    calm=st.booleans(),
)
def test_whatever_is_lost_late_or_doubled_the_edge_ends_with_the_whole_table(
    first: State,
    wishes: frozenset[str] | None,
    steps: list[Step],
    last: State,
    seed: int,
    calm: bool,
) -> None:
    pair = _played(Pair(seed, trouble=not calm), first, wishes, steps, last)
    assert seen(pair.edge.table) == wanted(last, pair.wishes)
    declared = last["declared"]
    names = declared if pair.wishes is None else declared & pair.wishes
    assert set(pair.edge.table.declarations) == names
    used = {router for _, router in wanted(last, pair.wishes)} | {TELLER.router}
    if names and not last["draining"]:
        declarer = last["declarer"]
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


@given(
    first=RULED,
    wishes=WISHES,
    steps=steps(RULED, st.tuples(st.just("terms"), TERMS)),
    last=RULED,
    seed=st.integers(0, 99),
    calm=st.booleans(),
)
def test_an_edge_ends_with_the_table_that_a_new_one_on_the_same_terms_gets(
    first: State,
    wishes: frozenset[str] | None,
    steps: list[Step],
    last: State,
    seed: int,
    calm: bool,
) -> None:
    pair = _played(Pair(seed, trouble=not calm), first, wishes, steps, last)
    fresh = Pair(seed, trouble=False)
    fresh.step("terms", pair.terms)
    fresh.step("wish", pair.wishes)
    fresh.step("table", last)
    fresh.settle()
    assert _shown(pair.edge.table) == _shown(fresh.edge.table)


def _shown(table: RouteTable) -> tuple[object, ...]:
    """All that decisions and people get from the table, without what the order of news leaves."""
    return (
        {key: frozenset(rows) for key, rows in table.candidates.items()},
        {key: frozenset(rows) for key, rows in table.withheld.items()},
        table.declarations,
        table.owners,
        table.deleted,
    )

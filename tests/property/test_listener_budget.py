"""No site takes listeners from another, whatever it declares."""

from hypothesis import example, given
from hypothesis import strategies as st

from router.model.ids import ServiceKey, SiteId
from router.node.services.listeners.budget import (
    ListenerBudget,
    ListenerRefusal,
    ListenerRequest,
    Tenure,
    refusals,
)

HOST = "10.0.0.1"
SITES = [SiteId(name) for name in ("alpha", "beta", "gamma")]
MEMBER = SiteId("mallory")


def requests_of(site: SiteId | None, ports: list[int], *, low: bool) -> list[ListenerRequest]:
    name = str(site or "own")
    return [ListenerRequest(ServiceKey(name, port), site, (HOST, port), low) for port in ports]


PORTS = st.lists(st.integers(1, 65_535), max_size=12, unique=True)


@st.composite
def honest(draw: st.DrawFn) -> list[ListenerRequest]:
    found = requests_of(None, draw(PORTS), low=True)
    found += [
        ListenerRequest(ServiceKey("other", port), None, (HOST, port)) for port in draw(PORTS)
    ]
    for site in SITES:
        found += requests_of(site, draw(PORTS), low=draw(st.booleans()))
    return found


DOORS = st.lists(st.tuples(st.sampled_from((HOST, "0.0.0.0")), st.integers(1, 65_535)), max_size=3)
BUDGETS = st.builds(ListenerBudget, st.integers(0, 8), st.integers(1, 30), DOORS.map(tuple))


TWO_AT_A_PORT = [
    *requests_of(None, [1, 2, 3], low=True),
    ListenerRequest(ServiceKey("other", 1), None, (HOST, 1)),
]


@example(requests=TWO_AT_A_PORT, held={3}, budget=ListenerBudget(0, 2))
@given(requests=honest(), held=st.sets(st.integers(0, 100)), budget=BUDGETS)
def test_what_is_granted_is_within_every_budget(
    requests: list[ListenerRequest], held: set[int], budget: ListenerBudget
) -> None:
    before = {one.key for number, one in enumerate(requests) if number in held}
    refused = refusals(requests, Tenure(before), budget)
    granted = [one for one in requests if one.key not in refused]
    assert len(granted) <= budget.total
    for site in SITES:
        assert sum(one.origin == site for one in granted) <= budget.per_site
    own = [one for one in requests if one.origin is None]
    free = len({one.place for one in own[: budget.total]})
    assert free <= sum(one.origin is None for one in granted) <= min(len(own), budget.total)
    own_places = {one.place for one in granted if one.origin is None}
    for one in granted:
        assert one.origin is None or one.place not in own_places
        assert one.origin is None or one.key.port not in [port for _, port in budget.doors]
        assert one.origin is None or one.is_given or one.key.port >= 1_024


@given(
    requests=honest(),
    ports=st.lists(st.integers(1, 65_535), max_size=200, unique=True),
    squatted=st.booleans(),
    low=st.booleans(),
    budget=BUDGETS,
)
def test_a_member_that_declares_anything_changes_no_listener_of_others(
    requests: list[ListenerRequest],
    ports: list[int],
    squatted: bool,
    low: bool,
    budget: ListenerBudget,
) -> None:
    alone = refusals(requests, Tenure(), budget)
    held = {one.key for one in requests if one.key not in alone}
    ports = [one.key.port for one in requests if squatted] + ports
    theirs = requests_of(MEMBER, list(dict.fromkeys(ports)), low=low)
    together = refusals([*theirs, *requests], Tenure(held), budget)
    assert {key for key in together if key.name != MEMBER} == alone.keys()


@given(requests=honest(), budget=BUDGETS)
def test_a_member_whose_name_is_younger_takes_no_port_of_others(
    requests: list[ListenerRequest], budget: ListenerBudget
) -> None:
    """Also where nothing had a listener before: whose wish there is, one of theirs is granted."""
    rank = {"alpha": 0, "beta": 1, "gamma": 2, "mallory": 3}
    roomy = ListenerBudget(budget.per_site, 1_000, budget.doors)
    ports = list(dict.fromkeys(one.key.port for one in requests))
    theirs = requests_of(MEMBER, ports[: budget.per_site], low=True)
    alone = refusals(requests, Tenure(rank=rank), roomy)
    together = refusals([*theirs, *requests], Tenure(rank=rank), roomy)
    granted = {one.key for one in requests if one.key not in alone}
    assert granted.isdisjoint(together)


@given(requests=honest(), held=st.sets(st.integers(0, 100)), budget=BUDGETS)
def test_a_port_has_one_listener_and_none_where_it_is_kept(
    requests: list[ListenerRequest], held: set[int], budget: ListenerBudget
) -> None:
    before = {one.key for number, one in enumerate(requests) if number in held}
    kept = {one.key.port: SITES[0] for one in requests[::3]}
    refused = refusals(requests, Tenure(before, kept=kept), budget)
    granted = [one for one in requests if one.key not in refused]
    assert len({one.place for one in granted}) == len(granted)
    granted = [one for one in granted if one.origin is not None]
    assert all(one.origin == SITES[0] for one in granted if one.key.port in kept)


@given(requests=honest(), budget=BUDGETS)
def test_what_was_granted_is_granted_again(
    requests: list[ListenerRequest], budget: ListenerBudget
) -> None:
    first = refusals(requests, Tenure(), budget)
    held = {one.key for one in requests if one.key not in first}
    assert refusals(requests, Tenure(held), budget) == first


@given(requests=honest(), budget=BUDGETS)
def test_new_sites_share_the_room_evenly(
    requests: list[ListenerRequest], budget: ListenerBudget
) -> None:
    refused = refusals(requests, Tenure(), budget)
    counts, wishes = {}, {}
    for site in SITES:
        mine = [one.key for one in requests if one.origin == site]
        counts[site] = sum(key not in refused for key in mine)
        wishes[site] = sum(
            refused.get(key) in (None, ListenerRefusal.SITE, ListenerRefusal.TOTAL) for key in mine
        )
    for site, count in counts.items():
        if count < min(wishes[site], budget.per_site):
            assert count >= max(counts.values()) - 1


@given(
    ports=PORTS,
    invented=st.lists(st.integers(1, 65_535), min_size=20, max_size=60, unique=True),
    total=st.integers(1, 30),
)
def test_sites_that_a_member_invents_take_turns_as_one(
    ports: list[int], invented: list[int], total: int
) -> None:
    """Each neighbor gets half of the remaining room, or as much as it asks for."""
    theirs = [SiteId(f"invented {number}") for number in range(len(invented))]
    mine = requests_of(SITES[0], ports, low=True)
    requests = [*mine]
    for site, port in zip(theirs, invented, strict=True):
        requests += requests_of(site, [port], low=True)
    neighbours = {**dict.fromkeys(theirs, MEMBER), SITES[0]: SITES[0]}
    refused = refusals(requests, Tenure(), ListenerBudget(64, total, (), neighbours))
    taken = sum(refused.get(one.key) is ListenerRefusal.PLACE for one in mine)
    granted = sum(one.key not in refused for one in mine)
    assert granted >= min(len(mine) - taken, total // 2)

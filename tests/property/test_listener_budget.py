"""No site takes listeners from another, whatever it declares."""

from hypothesis import given
from hypothesis import strategies as st

from router.main.listener_budget import ListenerBudget, ListenerRequest, Refusal, refusals
from router.model.ids import ServiceKey, SiteId

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
    for site in SITES:
        found += requests_of(site, draw(PORTS), low=draw(st.booleans()))
    return found


DOORS = st.lists(st.tuples(st.sampled_from((HOST, "0.0.0.0")), st.integers(1, 65_535)), max_size=3)
BUDGETS = st.builds(ListenerBudget, st.integers(0, 8), st.integers(1, 30), DOORS.map(tuple))


@given(requests=honest(), held=st.sets(st.integers(0, 100)), budget=BUDGETS)
def test_what_is_granted_is_within_every_budget(
    requests: list[ListenerRequest], held: set[int], budget: ListenerBudget
) -> None:
    before = {one.key for number, one in enumerate(requests) if number in held}
    refused = refusals(requests, before, budget)
    granted = [one for one in requests if one.key not in refused]
    assert len(granted) <= budget.total
    for site in SITES:
        assert sum(one.origin == site for one in granted) <= budget.per_site
    own = [one for one in requests if one.origin is None]
    assert sum(one.origin is None for one in granted) == min(len(own), budget.total)
    own_places = {one.place for one in granted if one.origin is None}
    for one in granted:
        assert one.origin is None or one.place not in own_places
        assert one.origin is None or one.key.port not in [port for _, port in budget.doors]
        assert one.origin is None or one.may_be_low or one.key.port >= 1_024


@given(
    requests=honest(),
    ports=st.lists(st.integers(1, 65_535), max_size=200, unique=True),
    low=st.booleans(),
    budget=BUDGETS,
)
def test_a_member_that_declares_anything_changes_no_listener_of_others(
    requests: list[ListenerRequest], ports: list[int], low: bool, budget: ListenerBudget
) -> None:
    alone = refusals(requests, frozenset(), budget)
    held = {one.key for one in requests if one.key not in alone}
    together = refusals([*requests_of(MEMBER, ports, low=low), *requests], held, budget)
    assert {key: why for key, why in together.items() if key.name != MEMBER} == alone


@given(requests=honest(), budget=BUDGETS)
def test_what_was_granted_is_granted_again(
    requests: list[ListenerRequest], budget: ListenerBudget
) -> None:
    first = refusals(requests, frozenset(), budget)
    held = {one.key for one in requests if one.key not in first}
    assert refusals(requests, held, budget) == first


@given(requests=honest(), budget=BUDGETS)
def test_new_sites_share_the_room_evenly(
    requests: list[ListenerRequest], budget: ListenerBudget
) -> None:
    refused = refusals(requests, frozenset(), budget)
    counts, wishes = {}, {}
    for site in SITES:
        mine = [one.key for one in requests if one.origin == site]
        counts[site] = sum(key not in refused for key in mine)
        wishes[site] = sum(refused.get(key) in (None, Refusal.SITE, Refusal.TOTAL) for key in mine)
    for site, count in counts.items():
        if count < min(wishes[site], budget.per_site):
            assert count >= max(counts.values()) - 1

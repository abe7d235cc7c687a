"""Links that flap: when they count again, and what others hear of them."""

import pytest

from router.model.ids import RouterId
from router.model.limits import (
    ADJACENCIES_MAX,
    FLAP_HOLD_ALONE_S,
    FLAP_HOLD_S,
    FLAP_HOLD_S_MAX,
    FLAP_WINDOW_S,
    FLAPS_FREE,
    FLAPS_REMEMBERED,
    SPF_INTERVAL_S,
)
from router.routing.damping import FlapDamping, hold_of
from router.routing.events import AdjacencyDamped, SendLsa
from tests.unit.routing.network import Network

pytestmark = pytest.mark.usefixtures("both_orders")

R = RouterId("r")


def flapped(times: int, now: float = 10.0) -> FlapDamping:
    damping = FlapDamping()
    for _ in range(times):
        damping.went(R, now)
    return damping


def test_the_first_losses_are_free_and_the_next_one_is_not() -> None:
    assert flapped(FLAPS_FREE).came(R, False, 10.0) is None
    assert flapped(FLAPS_FREE + 1).came(R, False, 10.0) == 10.0 + FLAP_HOLD_S


def test_the_hold_doubles_up_to_its_longest() -> None:
    holds = [hold_of(lost) for lost in range(FLAPS_FREE, FLAPS_REMEMBERED + 1)]
    assert holds[:4] == [0.0, FLAP_HOLD_S, 2 * FLAP_HOLD_S, 4 * FLAP_HOLD_S]
    assert holds == sorted(holds)
    assert holds[-1] == hold_of(10**3) == FLAP_HOLD_S_MAX


def test_no_more_losses_are_remembered_than_make_the_longest_hold() -> None:
    assert flapped(10_000).came(R, False, 10.0) == 10.0 + FLAP_HOLD_S_MAX
    assert hold_of(FLAPS_REMEMBERED) == FLAP_HOLD_S_MAX


@pytest.mark.parametrize(("later_s", "until"), [(-0.001, True), (0.0, False)])
def test_a_loss_counts_until_the_window_has_passed(later_s: float, until: bool) -> None:
    now = 10.0 + FLAP_WINDOW_S + later_s
    held = flapped(FLAPS_FREE + 1).came(R, False, now)
    assert (held is not None) is until


def test_it_counts_when_it_has_stayed_and_not_a_moment_before() -> None:
    damping = flapped(FLAPS_FREE + 1)
    damping.came(R, False, 10.0)
    assert damping.next_deadline() == 10.0 + FLAP_HOLD_S
    assert damping.due(10.0 + FLAP_HOLD_S - 0.001) == []
    assert R in damping
    assert damping.due(10.0 + FLAP_HOLD_S) == [R]
    assert R not in damping
    assert damping.next_deadline() is None


def test_what_is_lost_while_it_is_held_need_not_be_told() -> None:
    damping = flapped(FLAPS_FREE)
    assert damping.came(R, False, 10.0) is None
    assert damping.went(R, 10.1) is False
    damping.came(R, False, 10.2)
    assert damping.went(R, 10.3) is True


def test_the_only_way_is_held_for_a_short_time_only() -> None:
    assert flapped(100).came(R, True, 10.0) == 10.0 + FLAP_HOLD_ALONE_S
    damping = flapped(100)
    damping.came(R, False, 10.0)
    damping.other_ways_went(lambda router: True)
    assert damping.held == {R: 10.0 + FLAP_HOLD_S_MAX}
    damping.other_ways_went(lambda router: False)
    assert damping.held == {R: 10.0 + FLAP_HOLD_ALONE_S}


def test_neighbours_are_judged_apart_and_no_more_are_remembered_than_fit() -> None:
    damping = flapped(100)
    assert damping.came(RouterId("other"), False, 10.0) is None
    for number in range(ADJACENCIES_MAX - 1):
        damping.went(RouterId(f"{number}"), 10.0)
    damping.went(RouterId("0"), 10.0)
    assert damping.came(R, False, 10.0) is not None
    damping.went(R, 10.0)
    damping.went(RouterId("one more"), 10.0)
    assert damping.came(R, False, 10.0) is None


def ring() -> Network:
    network = Network("abcd")
    for one, other in ("ab", "bc", "cd", "da"):
        network.connect(one, other)
    network.run(5.0)
    return network


def flap(network: Network, *, times: int, half_s: float = 0.05) -> None:
    for _ in range(times):
        network.cut("a", "b")
        network.run(half_s)
        network.connect("a", "b")
        network.run(half_s)


def test_ten_flaps_a_second_for_a_minute_cost_others_a_few_messages_and_no_paths() -> None:
    network = ring()
    runs = {name: core.spf_runs for name, core in network.cores.items()}
    before = len(network.sent)
    flap(network, times=600)
    told = [sent for sent in network.sent[before:] if isinstance(sent[3], SendLsa)]
    over_others = [sent for sent in told if {sent[1], sent[2]} != {"a", "b"}]
    assert len(over_others) < 100  # Without damping: 3,600.
    assert all(core.spf_runs - runs[name] < 40 for name, core in network.cores.items())
    assert network.cost("a", "b") == 3
    assert network.cost("c", "b") == network.cost("d", "c") == 1
    network.run(FLAP_HOLD_S_MAX + 2.0)
    assert network.cost("a", "b") == 1


def test_a_flapping_neighbour_is_told_of_once_a_flap_and_when_it_counts_again() -> None:
    network = ring()
    flap(network, times=FLAPS_FREE + 1)
    network.run(FLAP_HOLD_S + 0.5)
    told = [event for event in network.facts("a", AdjacencyDamped)]
    assert [event.until is None for event in told if isinstance(event, AdjacencyDamped)] == [
        False,
        True,
    ]


def test_bad_news_of_a_link_that_counts_is_told_at_once_however_often_it_flapped() -> None:
    network = ring()
    flap(network, times=FLAPS_FREE + 2)
    network.run(10.0)
    assert network.cost("d", "b") == 2
    network.cut("a", "b")
    assert network.cost("a", "b") == 3
    network.run(0.1)
    assert network.cost("d", "b") == 2  # Over c.
    assert network.table("d").sites[network.identities["b"].site].next_hops == (
        network.identities["c"].router,
    )


def test_a_site_with_one_link_is_back_soon_after_it_stops_flapping() -> None:
    network = Network("ab")
    network.connect("a", "b")
    network.run(5.0)
    flap(network, times=50)
    network.run(FLAP_HOLD_ALONE_S + 0.2)
    assert network.cost("a", "b") == network.cost("b", "a") == 1


def test_what_is_known_flows_over_a_held_link_so_that_nothing_lacks_when_it_counts() -> None:
    network = Network("ab")
    network.connect("a", "b")
    network.run(5.0)
    flap(network, times=10)
    assert network.identities["b"].router in network.cores["a"].held
    network.serve("b", [], [])
    network.run(0.5)
    assert len(network.cores["a"].database()) == len(network.cores["b"].database()) >= 2


def test_neighbours_lost_together_cost_one_computation_now_and_one_soon() -> None:
    network = Network("abcdef")
    for other in "bcdef":
        network.connect("a", other)
    network.run(5.0)
    core, runs = network.cores["a"], network.cores["a"].spf_runs
    for other in "bcdef":
        network.cut("a", other)
    assert core.spf_runs == runs + 1
    network.run(SPF_INTERVAL_S)
    assert core.spf_runs == runs + 2
    assert core.table.adjacencies == ()


def test_a_held_link_counts_soon_when_the_other_way_is_lost() -> None:
    network = ring()
    flap(network, times=20)
    assert network.cost("a", "b") == 3
    network.cut("b", "c")
    network.run(FLAP_HOLD_ALONE_S + 0.2)
    assert network.cost("a", "b") == 1
    assert network.cost("d", "b") == 2

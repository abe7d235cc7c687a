from collections import Counter

from router.balance.deciding.decisions import Decision, NoChoice
from tests.unit.balance.builders import balancer_of, ledger_of, load, remote, site_of, take


def test_local_slots_are_filled_first_and_used_again_at_once() -> None:
    ledger = ledger_of(2)
    balancer = balancer_of(ledger, remote("a"))
    slots = []
    for _ in range(2):
        assert site_of(balancer.select(0.0)) == "00"
        slots.append(take(ledger))
    spilled = balancer.select(0.0)
    assert isinstance(spilled, Decision)
    assert (spilled.site, spilled.overflow, spilled.overflow_reason) == ("a", True, "full")
    assert spilled.path == ("via0", "ra")
    slots[0].release(0.0)
    assert site_of(balancer.select(0.0)) == "00"


def test_without_local_targets_the_cheapest_site_is_taken_and_nothing_overflows() -> None:
    answer = balancer_of(ledger_of(), remote("b", 5), remote("a", 9)).select(0.0)
    assert isinstance(answer, Decision)
    assert (answer.site, answer.local, answer.overflow) == ("b", False, False)


def test_a_full_remote_is_passed_over_for_a_dearer_one() -> None:
    near, far = remote("a", 1), remote("b", 2)
    balancer = balancer_of(ledger_of(), near, far)
    load(balancer, near, 10)
    answer = balancer.select(0.0)
    assert isinstance(answer, Decision)
    assert (answer.site, answer.overflow_reason) == ("b", "full")


def test_all_full_names_those_to_wait_for_in_fill_order() -> None:
    ledger = ledger_of(1)
    near, far, empty = remote("b", 1), remote("a", 2), remote("c", 1, targets_ready=0, capacity=0)
    balancer = balancer_of(ledger, far, near, empty)
    take(ledger)
    load(balancer, near, 10)
    load(balancer, far, 12)
    answer = balancer.select(0.0)
    assert isinstance(answer, NoChoice)
    assert answer.reason == "all-full"
    assert [wait.site for wait in answer.waitable] == ["b", "a"]
    assert answer.local_waitable


def test_a_full_site_that_was_tried_is_still_one_to_wait_for() -> None:
    near = remote("a")
    balancer = balancer_of(ledger_of(), near)
    balancer.refused(near.site, 10, 0.0)
    answer = balancer.select(0.0, frozenset({near.site}))
    assert isinstance(answer, NoChoice)
    assert answer.reason == "all-full"
    assert not answer.local_waitable


def test_nobody_alive_is_no_route() -> None:
    down, leaving = remote("a", targets_ready=0), remote("b", draining=True)
    answer = balancer_of(ledger_of(), down, leaving).select(0.0)
    assert answer == NoChoice(reason="no-route", waitable=(), local_waitable=False)


def test_a_site_that_failed_otherwise_is_not_waited_for() -> None:
    near = remote("a")
    answer = balancer_of(ledger_of(), near).select(0.0, frozenset({near.site}))
    assert answer == NoChoice(reason="no-route", waitable=(), local_waitable=False)


def test_at_equal_cost_the_most_free_capacity_per_target_wins() -> None:
    one, two = remote("a", capacity=10), remote("b", targets_ready=2, capacity=20)
    balancer = balancer_of(ledger_of(), one, two)
    load(balancer, one, 4)
    load(balancer, two, 10)
    assert site_of(balancer.select(0.0)) == "a"
    load(balancer, two, 6)
    assert site_of(balancer.select(0.0)) == "b"


def test_ties_give_each_target_its_share_when_idle() -> None:
    balancer = balancer_of(ledger_of(), remote("a", targets_ready=2, capacity=20), remote("b"))
    assert Counter(site_of(balancer.select(0.0)) for _ in range(30)) == {"a": 20, "b": 10}


def test_ties_give_each_target_its_share_when_loaded() -> None:
    double, single = remote("a", targets_ready=2, capacity=20), remote("b")
    balancer = balancer_of(ledger_of(), double, single)
    opened: Counter[str] = Counter()
    for _ in range(30):
        answer = balancer.select(0.0)
        assert isinstance(answer, Decision)
        balancer.opened(answer.site)
        opened[answer.site] += 1
    assert opened == {"a": 20, "b": 10}
    assert isinstance(balancer.select(0.0), NoChoice)


def test_equal_paths_to_one_site_take_turns() -> None:
    balancer = balancer_of(ledger_of(), remote("a", paths=3))
    firsts = []
    for _ in range(6):
        answer = balancer.select(0.0)
        assert isinstance(answer, Decision)
        firsts.append(answer.path[0])
    assert firsts == ["via0", "via1", "via2"] * 2


def test_without_stated_capacity_cost_is_the_extra_requests_borne_per_target() -> None:
    ledger = ledger_of(None, None)
    balancer = balancer_of(ledger, remote("a", 3))
    for _ in range(7):  # 2 targets x 3, and the one that goes above.
        assert site_of(balancer.select(0.0)) == "00"
        take(ledger)
    answer = balancer.select(0.0)
    assert isinstance(answer, Decision)
    assert (answer.site, answer.overflow_reason) == ("a", "higher-level")


def test_without_a_dearer_candidate_a_soft_one_never_yields() -> None:
    ledger = ledger_of(None)
    balancer = balancer_of(ledger, remote("a", 1, targets_ready=0))
    for _ in range(500):
        assert site_of(balancer.select(0.0)) == "00"
        take(ledger)


def test_without_any_configured_capacity_requests_spread_instead_of_landing_on_the_costliest() -> (
    None
):
    """Issue 18: of 40 clients the single target elsewhere got 35, and each of four here 1 or 2."""
    ledger = ledger_of(None, None, None, None)
    balancer = balancer_of(ledger, remote("a", 1, capacity=None))
    opened: Counter[str] = Counter()
    for _ in range(40):
        answer = balancer.select(0.0)
        assert isinstance(answer, Decision)
        opened[answer.site] += 1
        if answer.local:
            take(ledger)
        else:
            balancer.opened(answer.site)
    assert opened == {"00": 33, "a": 7}


def test_a_configured_capacity_fills_before_a_soft_site_goes_beyond_its_cost() -> None:
    ledger = ledger_of(None)
    balancer = balancer_of(ledger, remote("a", 2), remote("b", 4, capacity=None))
    opened: list[str] = []
    for _ in range(18):
        answer = balancer.select(0.0)
        assert isinstance(answer, Decision)
        opened.append(answer.site)
        if answer.local:
            take(ledger)
        else:
            balancer.opened(answer.site)
    # Three here (0, 1 and 2 in flight), ten slots there, two here up to level 4, then in turns.
    assert opened == ["00"] * 3 + ["a"] * 10 + ["00"] * 2 + ["b", "00", "b"]


def test_a_site_without_capacity_never_refuses() -> None:
    ledger = ledger_of(None)
    near = remote("a", 2)
    balancer = balancer_of(ledger, near)
    load(balancer, near, 10)
    for _ in range(20):
        answer = balancer.select(0.0)
        assert isinstance(answer, Decision)
        assert (answer.site, answer.overflow) == ("00", False)
        take(ledger)
    assert answer.reason == "local site has room"


def test_a_tie_of_levels_goes_to_the_cheaper_site() -> None:
    ledger = ledger_of(None)
    soft, hard = remote("a", 2, capacity=None), remote("b", 4)
    balancer = balancer_of(ledger, soft, hard)
    load(balancer, hard, 10)
    for _ in range(9):
        take(ledger)
    load(balancer, soft, 6)  # 6 + 2 < 9
    assert site_of(balancer.select(0.0)) == "a"
    load(balancer, soft, 8)  # 8 + 2 > 9
    assert site_of(balancer.select(0.0)) == "00"
    load(balancer, soft, 7)  # 7 + 2 = 9: the cheaper one, each time.
    assert [site_of(balancer.select(0.0)) for _ in range(4)] == ["00"] * 4


def test_levels_are_compared_exactly() -> None:
    """1 + 1/3 and 0 + 4/3 tie, though as floats the sum of the first is another number."""
    ledger = ledger_of(None, None, None)
    near = remote("a", 1, targets_ready=3, capacity=None)
    balancer = balancer_of(ledger, near)
    for cost, above in ((1, 1), (1, 2), (1, 4), (1, 5), (1, 7)):
        while ledger.load < cost * 3 + above:
            take(ledger)
        load(balancer, near, above)
        assert site_of(balancer.select(0.0)) == "00"
        load(balancer, near, above - 1)
        assert site_of(balancer.select(0.0)) == "a"


def test_soft_sites_of_equal_cost_share_by_targets() -> None:
    double = remote("a", targets_ready=2, capacity=None)
    balancer = balancer_of(ledger_of(), double, remote("b", capacity=None))
    opened: Counter[str] = Counter()
    for _ in range(30):
        answer = balancer.select(0.0)
        assert isinstance(answer, Decision)
        balancer.opened(answer.site)
        opened[answer.site] += 1
    assert opened == {"a": 20, "b": 10}


def test_a_local_target_without_a_limit_beside_a_full_limited_one_is_soft() -> None:
    ledger = ledger_of(1, None)
    balancer = balancer_of(ledger, remote("a", 1))
    for _ in range(3):
        assert site_of(balancer.select(0.0)) == "00"
        take(ledger)
    assert site_of(balancer.select(0.0)) == "a"

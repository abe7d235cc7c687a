"""When a remote site is due to be ejected, and whether the others can spare it."""

import msgspec
import pytest

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import Asked, Decision, NoChoice
from router.balance.sites.site_ejection import EjectionKind, SiteNews, SiteReturned
from router.model import limits
from router.model.ids import RouterId, SiteId
from tests.unit.balance.builders import balancer_of, ledger_of, remote, serve_at_once

FAILS = SiteId("a")
HUGE = 1_000_000


def fail_four_of_five(balancer: ServiceBalancer, requests: int) -> None:
    """Ten a second, until its site is ejected."""
    for number in range(requests):
        now = (number + 1) / 10
        if FAILS in balancer.ejections.active:
            return
        if number % 5:
            balancer.ejections.failed(FAILS, None, "reset", now)
        else:
            balancer.ejections.succeeded(FAILS, None, now)


def fail(balancer: ServiceBalancer, site: str, now: float = 0.0) -> None:
    for number in range(limits.EJECT_AFTER):
        balancer.ejections.failed(SiteId(site), None, "reset", now + number)


def ejected(balancer: ServiceBalancer) -> set[str]:
    active = balancer.ejections.active.values()
    return {one.site for one in active if not one.in_reserve}


def reserve(balancer: ServiceBalancer) -> set[str]:
    return {one.site for one in balancer.ejections.active.values() if one.in_reserve}


def place(choice: Decision | NoChoice) -> str:
    assert isinstance(choice, Decision)
    return choice.site


def test_a_site_that_fails_four_of_five_is_ejected_and_says_by_which_rule() -> None:
    balancer = balancer_of(ledger_of(10), remote("a"))
    fail_four_of_five(balancer, 50)
    ejection = balancer.ejections.active[FAILS]
    words = "17 of the last 21 requests failed, at last a request was reset"
    assert ejection.reason == f"ejected for 2 s: {words}"


def test_what_a_site_claims_does_not_let_others_be_ejected() -> None:
    balancer = balancer_of(
        ledger_of(), remote("a", 1), remote("b", 2), remote("liar", 3, capacity=HUGE)
    )
    serve_at_once(balancer, "a", 5)
    serve_at_once(balancer, "b", 5)
    fail(balancer, "a")
    fail(balancer, "b", 10.0)
    assert (ejected(balancer), reserve(balancer)) == ({"a"}, {"b"})


@pytest.mark.parametrize("local", [0, 1, 3])
@pytest.mark.parametrize("fails", [1, 2, 3, 4])
@pytest.mark.parametrize("others", [(), (1,), (2,), (1, 1), (3, 1), (1, 2)])
def test_no_more_is_ejected_than_is_left_by_what_each_served_at_once(
    local: int, fails: int, others: tuple[int, ...]
) -> None:
    names = [f"b{number}" for number in range(len(others))]
    ledger = ledger_of(*[local] if local else ())
    balancer = balancer_of(ledger, remote("a"), *[remote(name, 2) for name in names])
    for name, served in zip(["a", *names], [fails, *others], strict=True):
        serve_at_once(balancer, name, served)
    fail(balancer, "a")
    left = local + sum(others)
    assert (ejected(balancer) == {"a"}) is (left >= fails)
    assert (reserve(balancer) == {"a"}) is (left < fails)


def test_many_routers_of_a_site_that_served_nothing_count_as_one_slot() -> None:
    routers = [
        msgspec.structs.replace(remote("liar", 3, capacity=1), router=RouterId(f"r{number}"))
        for number in range(64)
    ]
    balancer = balancer_of(ledger_of(), remote("a", 1), *routers)
    serve_at_once(balancer, "a", 5)
    fail(balancer, "a")
    assert reserve(balancer) == {"a"}


def test_refusals_and_malformed_answers_are_no_service() -> None:
    balancer = balancer_of(ledger_of(1), remote("a"))
    serve_at_once(balancer, "a", 5, served=False)
    assert [one.served.most(0.0) for one in balancer.routers.values()] == [1]


def test_what_was_served_counts_for_a_while_only() -> None:
    balancer = balancer_of(ledger_of(1), remote("a"))
    serve_at_once(balancer, "a", 5, now=1.0)
    (egress,) = balancer.routers.values()
    assert egress.served.most(1.0 + limits.EJECT_SERVED_S) == 5
    assert egress.served.most(1.0 + 2 * limits.EJECT_SERVED_S) == 1


def test_a_site_in_reserve_is_used_while_no_other_has_room_and_the_decision_says_so() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2, capacity=2))
    serve_at_once(balancer, "a", 5)
    fail(balancer, "a")
    assert reserve(balancer) == {"a"}
    assert place(balancer.select(5.0)) == "b"
    other = balancer.routers[RouterId("rb")]
    for _ in range(2):
        other.open()
    choice = balancer.select(5.0)
    assert place(choice) == "a"
    assert isinstance(choice, Decision)
    assert choice.reason == "requests fail there, and no other site has room"
    other.end(1, 5.0)
    assert place(balancer.select(5.0)) == "b"
    report = next(one for one in balancer.explain(5.0).candidates if one.site == "a")
    assert report.verdict == "ejected"
    why = "in reserve: 5 requests in a row were reset"
    assert report.reason == f"{why}; it is used while no other site has room"


def test_a_session_stays_at_its_site_in_reserve_only_while_no_other_has_room() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2, capacity=1))
    serve_at_once(balancer, "a", 5)
    fail(balancer, "a")
    other = balancer.routers[RouterId("rb")]
    for opened, site in ((False, "b"), (True, "a"), (False, "b"), (True, "a")):
        if opened:
            other.open()
        choice = balancer.select(5.0, asked=Asked(FAILS))
        assert place(choice) == site
        assert choice == balancer.explain(5.0, asked=Asked(FAILS)).decision
        if opened:
            other.end(0, 5.0)


def test_of_several_sites_in_reserve_the_one_that_failed_longest_ago_and_has_room_is_used() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1, capacity=2), remote("b", 2, capacity=1))
    serve_at_once(balancer, "a", 2)
    fail(balancer, "a")
    fail(balancer, "b")
    assert reserve(balancer) == {"a", "b"}
    for number, (failed, other) in enumerate((("b", "a"), ("a", "b"), ("b", "a"))):
        during = balancer.ejections.active[SiteId(failed)]
        now = 4.5 + number / 10
        assert now < during.until
        balancer.ejections.failed(SiteId(failed), during, "reset", now)
        assert place(balancer.select(now)) == other
    for _ in range(2):
        balancer.routers[RouterId("ra")].open()
    assert place(balancer.select(5.0)) == "b"


def test_a_request_that_failed_at_all_others_may_go_to_the_one_in_reserve() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2))
    serve_at_once(balancer, "a", 5)
    fail(balancer, "a")
    assert place(balancer.select(5.0, frozenset({"b"}))) == "a"


def test_the_only_site_in_reserve_takes_everything() -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    fail(balancer, "a")
    assert reserve(balancer) == {"a"}
    assert place(balancer.select(4.5)) == "a"


def test_once_another_site_served_as_much_a_failed_probe_ejects_the_one_in_reserve() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2))
    serve_at_once(balancer, "a", 5)
    fail(balancer, "a")
    serve_at_once(balancer, "b", 5)
    held = balancer.ejections.active[FAILS]
    balancer.ejections.failed(FAILS, held, "reset", held.until)
    assert ejected(balancer) == {"a"}
    assert balancer.ejections.active[FAILS].reason.startswith("ejected for 4 s: ")


def test_one_that_is_ejected_for_long_is_tried_at_once_when_the_last_other_one_fails() -> None:
    """It may have been well for most of that time."""
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2))
    serve_at_once(balancer, "b", 5)
    fail(balancer, "a")
    while (held := balancer.ejections.active[FAILS]).period_s < limits.EJECT_MAX_S:
        balancer.ejections.failed(FAILS, held, "reset", held.until)
    since = held.until - held.period_s
    now = since + limits.EJECT_BASE_S + limits.EJECT_AFTER
    assert place(balancer.select(now)) == "b"
    fail(balancer, "b", since + limits.EJECT_BASE_S)
    assert (ejected(balancer), reserve(balancer)) == ({"a"}, {"b"})
    assert held.reason == "ejected for 2 s: a request was reset again"
    assert held.until - held.period_s == since
    assert place(balancer.select(now)) == "a"
    held.begin()
    balancer.ejections.failed(FAILS, held, "reset", now)
    assert balancer.ejections.active[FAILS].period_s == limits.EJECT_MAX_S


def test_a_newcomer_starts_with_one_request_and_gets_twice_as_many_each_second() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2))
    balancer.ejections.introduce(FAILS, 0.0)
    assert place(balancer.select(0.0)) == "a"
    for places in (1, 2, 4):
        now = float(places.bit_length() - 1)
        ejection = balancer.ejections.active[FAILS]
        while ejection.under_way < places:
            ejection.begin()
        assert place(balancer.select(now)) == "b"
        assert (
            f"it newly offers this, with {places} at once"
            in balancer.routers[RouterId("ra")].ejected
        )
    balancer.select(float(limits.EJECT_PLACES_MAX.bit_length()))
    assert FAILS not in balancer.ejections.active


def test_a_newcomer_with_all_that_it_may_have_is_full_and_not_ejected() -> None:
    """No request failed there: `status` would name it among those where requests fail."""
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2))
    balancer.ejections.introduce(FAILS, 0.0)
    balancer.ejections.active[FAILS].under_way = 1
    (one,) = [seen for seen in balancer.explain(0.0).candidates if seen.site == FAILS]
    assert (one.verdict, one.ejected_s) == ("full", None)
    assert one.reason == "it newly offers this, with 1 at once now"


def test_a_newcomer_that_was_woken_and_has_its_first_request_is_full_and_not_ejected() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2))
    balancer.ejections.wake(FAILS, 0.0)
    balancer.ejections.active[FAILS].under_way = 1
    (one,) = [seen for seen in balancer.explain(0.1).candidates if seen.site == FAILS]
    assert (one.verdict, one.ejected_s) == ("full", None)
    assert one.reason == "it was woken, and is to answer a request first; its probe is under way"


@pytest.mark.parametrize("how", ["ejected", "in reserve", "woken"])
def test_only_an_ejected_site_is_said_to_return(how: str) -> None:
    balancer, told = balancer_of(ledger_of(), remote("a", 1), remote("b", 2)), list[SiteNews]()
    balancer.ejections.follow(told.append, lambda: None)
    if how == "woken":
        balancer.ejections.wake(FAILS, 0.0)
    else:
        serve_at_once(balancer, "b" if how == "ejected" else "a", 5)
        fail(balancer, "a")
    ejection = balancer.ejections.active[FAILS]
    assert ejection.in_reserve == (how == "in reserve")
    balancer.ejections.answered(FAILS, ejection, ejection.until)
    returned = [SiteReturned(FAILS)] if how == "ejected" else []
    assert [one for one in told if isinstance(one, SiteReturned)] == returned


def test_a_newcomer_that_was_woken_gets_a_place_more_with_each_answer() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2))
    balancer.ejections.introduce(FAILS, 0.0)  # Its advert came before its target was ready.
    balancer.ejections.wake(FAILS, 0.1)
    ejection = balancer.ejections.active[FAILS]
    assert ejection.places(0.2) == 1
    for answers in (1, 2, 3):
        balancer.ejections.answered(FAILS, ejection, 0.2)
        assert ejection.places(0.2) == 1 + answers


def test_before_a_request_is_refused_a_newcomer_gets_twice_as_many_places() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2))
    assert not balancer.ejections.make_room(0.0)
    balancer.ejections.introduce(FAILS, 0.0)
    ejection = balancer.ejections.active[FAILS]
    assert balancer.ejections.make_room(0.0)
    assert ejection.places(0.0) == 1  # It has one left.
    ejection.under_way = 1
    assert balancer.ejections.make_room(0.0)
    assert ejection.places(0.0) == 2


def test_before_a_request_is_refused_a_site_that_returned_gets_twice_as_many_places() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2))
    fail(balancer, "a")
    ejection = balancer.ejections.active[FAILS]
    ejection.under_way = 1
    assert not balancer.ejections.make_room(ejection.until)  # Its probe is not answered yet.
    balancer.ejections.answered(FAILS, ejection, ejection.until)
    assert balancer.ejections.make_room(ejection.until)
    assert ejection.places(ejection.until) == 2


def test_one_that_was_woken_gets_no_places_since_others_would_be_refused() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1), remote("b", 2))
    balancer.ejections.wake(FAILS, 0.0)
    balancer.ejections.active[FAILS].under_way = 1
    assert not balancer.ejections.make_room(0.0)


def test_a_newcomer_that_is_the_only_one_gets_everything() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1))
    balancer.ejections.introduce(FAILS, 0.0)
    balancer.ejections.active[FAILS].under_way = 5
    choice = balancer.select(0.0)
    assert place(choice) == "a"
    assert isinstance(choice, Decision)
    assert choice.reason == "it newly offers this, and no other site takes the request"


def test_who_is_ejected_or_is_this_site_is_no_newcomer() -> None:
    balancer = balancer_of(ledger_of(10), remote("a", 1), remote("b", 2))
    balancer.ejections.introduce(balancer.ejections._own, 0.0)
    assert not balancer.ejections.active
    fail(balancer, "a")
    before = balancer.ejections.active[FAILS]
    balancer.ejections.introduce(FAILS, 10.0)
    assert balancer.ejections.active[FAILS] is before


def test_a_probe_that_says_nothing_is_followed_by_the_next_one_a_period_later() -> None:
    balancer = balancer_of(ledger_of(10), remote("a"))
    fail(balancer, "a")
    ejection = balancer.ejections.active[FAILS]
    due = ejection.until
    ejection.under_way = 2
    ejection.end(due - 0.1)
    assert (ejection.under_way, ejection.until) == (1, due), "it began before the ejection was over"
    ejection.end(due + 1.0)
    assert (ejection.under_way, ejection.until) == (0, due + 1.0 + ejection.period_s)
    ejection.under_way = 1
    balancer.ejections.answered(FAILS, ejection, ejection.until)
    due = ejection.until
    ejection.end(due + 1.0)
    assert (ejection.under_way, ejection.until) == (0, due), "it is back"


@pytest.mark.parametrize("how", ["ejected", "new", "woken"])
def test_a_site_that_is_gone_for_long_is_remembered_by_its_failures_alone(how: str) -> None:
    balancer = balancer_of(ledger_of(10), remote("a", 1), remote("b", 2))
    if how == "ejected":
        fail(balancer, "a")
    else:
        (balancer.ejections.introduce if how == "new" else balancer.ejections.wake)(FAILS, 0.0)
    until = balancer.ejections.active[FAILS].until
    balancer.set_remotes([remote("b", 2)])
    for now, is_known in ((until + limits.EJECT_FORGET_S - 1, True), (until + 3_600.0, False)):
        balancer.forget_gone(now)
        assert (FAILS in balancer.ejections.active) is is_known
    now = until + 7_200.0
    balancer.ejections.introduce(FAILS, now)
    balancer.set_remotes([remote("a", 1), remote("b", 2)])
    assert balancer.ejections.active[FAILS].places(now) == 1, "it begins small again"
    balancer.ejections.failed(FAILS, balancer.ejections.active[FAILS], "reset", now)
    is_out = balancer.ejections.active[FAILS].kind is EjectionKind.EJECTED
    assert is_out is (how == "ejected"), "after an ejection one failure is enough"


def test_a_site_that_is_a_candidate_is_not_forgotten_while_nobody_asks_it() -> None:
    balancer = balancer_of(ledger_of(10), remote("a", 1), remote("b", 2))
    fail(balancer, "a")
    balancer.forget_gone(3_600.0)
    assert FAILS in ejected(balancer)

import pytest

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import CandidateReport, Decision, NoChoice
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.specs import PolicyName
from tests.unit.balance.builders import balancer_of, ledger_of, remote, site_of

A = SiteId("a")


def seen(balancer: ServiceBalancer, now: float = 0.0) -> CandidateReport:
    """The balancer's report of the first remote candidate."""
    return balancer.explain(now).candidates[1]


def told_of(balancer: ServiceBalancer, now: float) -> CandidateReport:
    """The report of that candidate in the outlook for operators."""
    return balancer.outlook(now).candidates[1]


def test_a_refusal_makes_a_site_full_though_it_tells_a_lower_count() -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    balancer.opened(A)
    balancer.refused(A, 8, 1.0)
    assert isinstance(balancer.select(1.0), NoChoice)
    assert seen(balancer, 1.0).verdict == "full"


def test_a_refusal_without_news_is_tried_again_with_one_request_at_a_time() -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    balancer.refused(A, 10, 1.0)
    later = 1.0 + limits.REFUSED_FULL_S
    assert isinstance(balancer.select(later - 0.001), NoChoice)
    assert site_of(balancer.select(later)) == A
    balancer.opened(A)
    assert isinstance(balancer.select(later), NoChoice)


def test_a_site_that_is_asked_again_is_not_said_to_have_room() -> None:
    far = remote("b", cost=9)
    balancer = balancer_of(ledger_of(), remote("a"), far)
    balancer.refused(A, 10, 1.0)
    late = 1.0 + limits.REFUSED_FULL_S
    decision = balancer.outlook(late).decision
    assert isinstance(decision, Decision)
    reason = "it refused a request a moment ago and is asked again"
    assert (decision.site, decision.reason) == (A, reason)
    told = told_of(balancer, late)
    assert (told.in_flight, told.free, told.verdict) == (10, 0, "chosen")
    assert told.reason == f"{reason} (0 of 10 free)"
    balancer.report_load(A, 9, 1, 10, 1.5)
    told = told_of(balancer, 1.5)
    assert (told.free, told.reason) == (1, "cheapest site with room (1 of 10 free)")


@pytest.mark.parametrize("policy", ("fill", "balanced", "spread", "failover"))
def test_every_site_stays_full_for_whoever_looks_while_one_is_asked_again(
    policy: PolicyName,
) -> None:
    balancer = balancer_of(ledger_of(), remote("a"), policy=policy)
    balancer.refused(A, 10, 1.0)
    late = 1.0 + limits.REFUSED_FULL_S
    assert site_of(balancer.select(late)) == A
    decision = balancer.outlook(late).decision
    assert isinstance(decision, NoChoice)
    assert decision.reason == "all-full"
    told = told_of(balancer, late)
    assert (told.in_flight, told.free, told.verdict) == (10, 0, "full")
    assert told.reason == "10 in flight, its capacity is 10"
    assert site_of(balancer.select(late)) == A, "looking changed nothing"


def test_a_refusal_by_a_site_without_stated_capacity_passes_too() -> None:
    balancer = balancer_of(ledger_of(), remote("a", capacity=None))
    balancer.refused(A, 10, 1.0)
    assert isinstance(balancer.select(1.0), NoChoice)
    assert "refused" in seen(balancer, 1.0).reason
    assert site_of(balancer.select(1.0 + limits.REFUSED_FULL_S)) == A


def test_no_capacity_at_all_is_never_tried() -> None:
    balancer = balancer_of(ledger_of(), remote("a", capacity=0))
    balancer.refused(A, 0, 1.0)
    assert isinstance(balancer.select(9.0), NoChoice)


def test_sites_that_remain_keep_their_estimates() -> None:
    balancer = balancer_of(ledger_of(), remote("a"), remote("b", 2))
    balancer.report_load(A, 10, 1, 10, 0.0)
    balancer.set_remotes([remote("a", 3)])
    assert (seen(balancer).in_flight, seen(balancer).path_cost) == (10, 3)


def test_a_report_is_bounded_by_the_signed_advert() -> None:
    balancer = balancer_of(ledger_of(), remote("a", targets_ready=2, capacity=20))
    balancer.report_load(A, 0, 9, 1_000, 0.0)
    assert (seen(balancer).targets_ready, seen(balancer).capacity) == (2, 20)
    balancer.report_load(A, 0, 1, 10, 0.0)
    assert (seen(balancer).targets_ready, seen(balancer).capacity) == (1, 10)


def test_a_new_advert_replaces_what_a_report_said_of_targets() -> None:
    balancer = balancer_of(ledger_of(), remote("a", targets_ready=2, capacity=20))
    balancer.report_load(A, 0, 0, None, 0.0)
    assert isinstance(balancer.select(0.0), NoChoice)
    balancer.set_remotes([remote("a", targets_ready=2, capacity=20)])
    assert isinstance(balancer.select(0.0), NoChoice)
    balancer.set_remotes([remote("a", targets_ready=1, capacity=10)])
    assert site_of(balancer.select(0.0)) == A


def test_slots_of_a_target_that_is_back_before_its_advert_are_not_taken_for_learnt_ones() -> None:
    balancer = balancer_of(ledger_of(), remote("a", targets_ready=0, capacity=None))
    balancer.report_load(A, 0, 1, 2, 1.0)
    assert (seen(balancer, 1.0).targets_ready, seen(balancer, 1.0).is_learnt) == (0, False)
    balancer = balancer_of(ledger_of(), remote("a", targets_ready=1, capacity=None))
    balancer.report_load(A, 0, 1, 2, 1.0)
    assert seen(balancer, 1.0).is_learnt


def test_news_of_unknown_sites_are_dropped() -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    gone = SiteId("gone")
    balancer.report_load(gone, 1, 1, 1, 0.0)
    balancer.report_count(gone, 1, 0.0)
    balancer.opened(gone)
    balancer.ended(gone)
    balancer.refused(gone, 1, 0.0)
    assert site_of(balancer.select(0.0)) == A


def test_streams_of_ours_are_counted_by_site_until_they_end_whatever_is_known_of_it() -> None:
    advert = remote("a")
    balancer = balancer_of(ledger_of(), advert)
    first = balancer.egress(A, advert.paths[0])
    first.open()
    first.open()
    balancer.set_remotes(())
    former = balancer.egress(A, advert.paths[0])
    former.open()
    assert balancer.under_way == {A: 3}
    balancer.set_remotes((advert,))
    assert seen(balancer).in_flight == 0, "what is under way since before is not of its estimate"
    former.end(7, 1.0)
    first.end()
    assert balancer.under_way == {A: 1}
    first.end(5, 2.0)
    assert balancer.under_way == {}
    assert seen(balancer, 2.0).in_flight == 0


@pytest.mark.parametrize(
    ("capacity", "streams", "held"), [(2, 0, 0), (2, 1, 1), (2, 2, 2), (2, 3, 2), (None, 3, 3)]
)
def test_slots_that_our_streams_hold_elsewhere_are_at_most_those_that_each_site_has(
    capacity: int | None, streams: int, held: int
) -> None:
    balancer = balancer_of(ledger_of(), remote("aa", capacity=capacity), remote("bb", capacity=1))
    for _ in range(streams):
        balancer.opened(SiteId("aa"))
        balancer.opened(SiteId("bb"))
    assert balancer.held_elsewhere == held + min(streams, 1)
    balancer.set_remotes([])
    assert balancer.held_elsewhere == 2 * streams, "of one that is gone all hold something"


def test_a_site_says_what_runs_there_beyond_its_capacity_and_what_waits_apart() -> None:
    balancer = balancer_of(ledger_of(), remote("a", capacity=3))
    balancer.report_load(A, 3, 1, 3, 1.0, beyond=9, waiting=4)
    told = seen(balancer, 1.0)
    assert (told.in_flight, told.waiting, told.free, told.verdict) == (12, 4, 0, "full")
    assert told.reason == "12 in flight, its capacity is 3"
    balancer.report_load(A, 2, 1, 3, 2.0)
    told = seen(balancer, 2.0)
    assert (told.in_flight, told.waiting, told.free) == (2, 0, 1)


def test_what_only_stands_there_for_us_is_not_in_flight() -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    balancer.report_load(A, 10, 1, 10, 1.0)
    egress = balancer.routers[RouterId("ra")]
    egress.stand()
    egress.stand()
    assert (seen(balancer, 1.0).in_flight, balancer.under_way) == (10, {})
    balancer.report_load(A, 9, 1, 10, 2.0)
    assert seen(balancer, 2.0).in_flight == 9, "nor is it so when a figure came meanwhile"
    egress.stood()
    egress.hear(10, 2.0)
    assert (seen(balancer, 2.0).in_flight, balancer.under_way) == (10, {A: 1})
    egress.stood()  # The other one gave up.
    egress.end()
    assert (seen(balancer, 2.0).in_flight, balancer.under_way) == (10, {A: 1})


def test_requests_on_their_way_to_a_site_that_is_full_do_not_run_there() -> None:
    balancer = balancer_of(ledger_of(), remote("a", capacity=1))
    balancer.report_load(A, 1, 1, 1, 1.0)
    balancer.opened(A)
    assert seen(balancer, 1.0).in_flight == 1
    balancer.report_load(A, 1, 1, 1, 2.0, beyond=4)
    balancer.opened(A)
    assert seen(balancer, 2.0).in_flight == 5, "it was lowered meanwhile"


def test_one_that_gives_up_where_it_stood_takes_nothing_that_runs_along() -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    balancer.report_load(A, 10, 1, 10, 1.0)
    egress = balancer.routers[RouterId("ra")]
    egress.stand()
    egress.stood()
    egress.end()
    assert (seen(balancer, 1.0).in_flight, balancer.under_way) == (10, {})


def test_a_refusal_is_shown_with_the_count_that_it_told() -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    balancer.opened(A)
    balancer.refused(A, 8, 1.0)
    told = seen(balancer, 1.0)
    assert (told.in_flight, told.verdict) == (8, "full")
    assert told.reason == "it has just refused a request for want of room"
    late = 1.0 + limits.REFUSED_FULL_S
    told = seen(balancer, late)
    assert (told.in_flight, told.free, told.verdict) == (8, 1, "chosen")


def test_a_site_that_refused_a_sheddable_request_keeps_the_rest_for_a_moment_only() -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    balancer.set_sheddable_share(0.5)
    egress = balancer.routers[RouterId("ra")]
    egress.open()
    egress.refuse_sheddable(3, 1.0)
    later = 1.0 + limits.REFUSED_FULL_S
    assert (seen(balancer, 1.0).in_flight, seen(balancer, 1.0).verdict) == (3, "chosen")
    assert [balancer.kept_places(now) for now in (1.0, later - 0.001, later)] == [{A}, {A}, set()]
    egress.end(-1)
    assert seen(balancer, later).in_flight == 3, "its end is none: it never had a slot"
    egress.hear(5, later)
    assert balancer.kept_places(later) == {A}, "half of ten are used"

"""What other sites get of a site's slots, as they see it and as they explain it."""

from msgspec.structs import replace

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decision_evidence import DecisionReplay
from router.balance.deciding.decisions import CandidateReport, Decision, NoChoice
from router.balance.deciding.placement import NOTHING_TO_MOVE
from router.balance.site.lending import Lending, lent_of
from router.model.capacity import LendingTerms
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import RemoteCandidate
from tests.unit.balance.builders import HERE, balancer_of, ledger_of, remote, site_of, take

NEAR = SiteId("near")


def lender(reserved: int = 0, most: int | None = None, capacity: int = 10) -> RemoteCandidate:
    """As its advert says: of ``capacity`` others get all but ``reserved``."""
    found = remote("a", capacity=capacity - reserved)
    return replace(found, reserved=reserved, most_for_one=most)


def report_of(balancer: ServiceBalancer, site: str = "a") -> CandidateReport:
    return next(one for one in balancer.explain(0.0).candidates if one.site == site)


def test_others_get_a_slot_while_fewer_are_in_use_than_the_reserve_leaves() -> None:
    ledger = ledger_of(4, 6)
    ledger.set_lending(LendingTerms(reserve_for_own=0.3), HERE)
    lending = ledger.lending
    assert lending is not None and (ledger.reserved, ledger.most_for_one) == (3, None)
    for _ in range(7):
        assert lending.denial(ledger.load, NEAR) is None
        take(ledger)
    assert lending.denial(ledger.load, NEAR) == "reserved"
    assert lending.denial(ledger.load, HERE) is None
    assert lending.denial(ledger.load, SiteId("")) is None


def test_it_follows_the_targets_that_are_ready() -> None:
    ledger = ledger_of(10, 10)
    ledger.set_lending(LendingTerms(reserve_for_own=0.3, max_share=0.4), HERE)
    assert (ledger.reserved, ledger.most_for_one) == (6, 8)
    ledger.set_ready("t0:80", False)
    assert (ledger.reserved, ledger.most_for_one) == (3, 4)
    ledger.set_lending(None, HERE)
    assert (ledger.reserved, ledger.most_for_one, ledger.lending) == (0, None, None)


def test_slots_without_a_number_are_lent_one_and_all() -> None:
    for capacities in ((None,), (10, None), ()):
        ledger = ledger_of(*capacities)
        ledger.set_lending(LendingTerms(reserve_for_own=0.9, max_share=0.1), HERE)
        assert ledger.lending is not None
        assert (ledger.reserved, ledger.most_for_one) == (0, None)
        assert ledger.lending.denial(10**6, NEAR) is None


def test_the_reserve_rounds_up_and_the_share_down_but_to_one_at_least() -> None:
    terms = LendingTerms(reserve_for_own=0.3, max_share=0.4)
    each = [lent_of(terms, slots) for slots in (1, 2, 3, 10, 100)]
    assert each == [(1, 1), (1, 1), (1, 1), (3, 4), (30, 40)]


def test_borrowers_that_hold_nothing_are_forgotten() -> None:
    lending = Lending(HERE, LendingTerms(max_share=0.5))
    for number in range(100):
        lending.borrow(SiteId(f"n{number}")).held -= 1
    assert lending.borrow(NEAR).held == 1 == lending.held_by(NEAR)
    assert lending.borrowers() == {NEAR: 1}


def test_a_reserve_is_full_for_others_in_decision_and_words() -> None:
    balancer = balancer_of(ledger_of(), lender(reserved=3), remote("b", 9))
    balancer.report_load(SiteId("a"), 6, 1, 7, 0.0, reserved=3)
    assert site_of(balancer.select(0.0)) == "a"
    assert (report_of(balancer).capacity, report_of(balancer).free) == (10, 1)
    balancer.report_load(SiteId("a"), 8, 1, 7, 0.0, reserved=3)
    assert site_of(balancer.select(0.0)) == "b"
    report = report_of(balancer)
    assert (report.capacity, report.reserved, report.free) == (10, 3, 0)
    assert report.verdict == "full"
    assert report.reason == (
        "full for others: 8 in flight, and of its 10 slots 3 are reserved for clients of that site"
    )
    balancer.report_load(SiteId("a"), 10, 1, 7, 0.0, reserved=3)
    assert report_of(balancer).reason == "10 in flight, its capacity is 10"


def test_this_site_asks_for_no_more_than_its_share_and_says_so() -> None:
    balancer = balancer_of(ledger_of(), lender(most=2), remote("b", 9))
    for left in (2, 1):
        assert site_of(balancer.select(0.0)) == "a"
        report = report_of(balancer)
        assert report.free == left
        assert report.reason.endswith(f"({left} free of the 2 slots that one neighbor may hold)")
        balancer.opened(SiteId("a"))
    chosen = balancer.select(0.0)
    assert isinstance(chosen, Decision) and (chosen.site, chosen.overflow_reason) == ("b", "full")
    said = "this site holds 2 slots of its 10, the most that site lets one neighbor hold"
    assert report_of(balancer).reason == said
    kept = DecisionReplay(balancer.seen(0.0, chosen)).reports()
    assert next(one.reason for one in kept if one.site == "a") == said
    balancer.ended(SiteId("a"), 1, 0.0)
    assert site_of(balancer.select(0.0)) == "a"


def test_a_reported_share_holds_until_the_advert_changes() -> None:
    """A change at another site makes the balancer take over all adverts again."""
    balancer = balancer_of(ledger_of(), lender(most=4), remote("b", 9))
    balancer.report_load(SiteId("a"), 0, 1, 8, 0.0, reserved=2, most_for_one=1)
    balancer.opened(SiteId("a"))
    balancer.set_remotes([lender(most=4), remote("b", 8)])
    assert site_of(balancer.select(0.0)) == "b"
    assert (report_of(balancer).reserved, report_of(balancer).most_for_one) == (2, 1)
    balancer.set_remotes([lender(most=3), remote("b", 8)])
    assert site_of(balancer.select(0.0)) == "a"
    assert (report_of(balancer).capacity, report_of(balancer).reserved) == (10, 0)


def test_where_its_share_is_used_up_it_waits() -> None:
    balancer = balancer_of(ledger_of(), lender(most=1))
    balancer.opened(SiteId("a"))
    choice = balancer.select(0.0)
    assert isinstance(choice, NoChoice) and choice.reason == "all-full"
    assert [wait.site for wait in choice.waitable] == ["a"]


def test_routers_of_a_site_lend_together() -> None:
    """The share is the site's: streams are counted by site."""
    two = [replace(lender(most=1), router=RouterId(f"ra{n}")) for n in range(2)]
    balancer = balancer_of(ledger_of(), *two, remote("b", 9))
    for number in range(2):
        assert site_of(balancer.select(0.0)) == "a"
        balancer.opened(SiteId("a"), RouterId(f"ra{number}"))
    assert site_of(balancer.select(0.0)) == "b"
    assert "2 slots of its 20" in report_of(balancer).reason


def test_another_router_of_this_site_lends_all_that_it_has() -> None:
    own = replace(lender(reserved=3, most=1), site=HERE, path_cost=0)
    ledger = ledger_of(1)
    balancer = balancer_of(ledger, own)
    take(ledger)
    for number in range(10):
        chosen = balancer.select(0.0)
        assert isinstance(chosen, Decision) and chosen.router == own.router, number
        balancer.opened(HERE, own.router)
    assert isinstance(balancer.select(0.0), NoChoice)
    balancer.report_load(HERE, 9, 1, 7, 0.0, router=own.router, reserved=3, most_for_one=1)
    assert isinstance(balancer.select(0.0), Decision)


def test_connections_are_not_moved_beyond_the_share() -> None:
    """Two here in thought belong to a, which lets one neighbor hold one."""
    balancer = balancer_of(ledger_of(), lender(most=1), remote("b", 9))
    placed = {SiteId("a"): 1, SiteId("b"): 1}
    for site in placed:
        balancer.opened(site)
    assert balancer.placement(0.0, placed) == NOTHING_TO_MOVE


def test_what_runs_at_a_site_that_has_fewer_slots_now_is_shown_until_it_reports_again() -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    balancer.report_load(SiteId("a"), 6, 1, 10, 0.0)
    balancer.set_remotes([remote("a", capacity=2)])
    assert report_of(balancer).in_flight == 6
    balancer.report_load(SiteId("a"), 2, 1, 2, 1.0, beyond=4)
    assert report_of(balancer).in_flight == 6
    for _ in range(3):
        balancer.opened(SiteId("a"))
    assert report_of(balancer).in_flight == 6, "those on their way wait there"

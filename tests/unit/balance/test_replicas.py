"""A site of several routers: one candidate, and which of the routers is taken."""

from collections import Counter

import msgspec
import pytest

from router.balance.deciding.decision_evidence import DecisionReplay
from router.balance.deciding.decisions import Asked, CandidateReport, Decision, NoChoice
from router.balance.deciding.explain import SHORT_OF_MEMORY_THERE
from router.balance.site.ledger import LocalLedger
from router.balance.sites.egresses import OWN_ROUTER
from router.model import limits
from router.model.capacity import TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RateLoad, RemoteCandidate
from router.model.specs import PolicySpec
from tests.unit.balance.builders import ToldBalancer

OWN, OTHER, THIRD = SiteId("own"), SiteId("other"), SiteId("third")


def candidate(router: str, site: SiteId = OTHER, **fields: object) -> RemoteCandidate:
    plain = RemoteCandidate(
        site=site,
        site_name=site,
        router=RouterId(router),
        path_cost=0 if site == OWN else 1,
        paths=((RouterId(router),),),
        targets_ready=1,
        capacity=4,
        draining=False,
    )
    return msgspec.structs.replace(plain, **fields)


class Here:
    """A balancer of a router with one target of ``capacity``; None: without targets."""

    def __init__(self, capacity: int | None, policy: PolicySpec | None = None) -> None:
        self.ledger = LocalLedger()
        if capacity is not None:
            self.ledger.set_targets({"t:1": TargetTerms(name="t", capacity=capacity)})
            self.ledger.set_ready("t:1", True)
        self.balancer = ToldBalancer(
            ServiceKey("db", 1), OWN, "own", self.ledger, policy or PolicySpec()
        )

    def take(self, excluded: frozenset[str] = frozenset(), session: int = 0) -> str:
        """The place of the next request, which begins there; why there is none."""
        choice = self.balancer.select(0.0, excluded, asked=Asked(session=session))
        if isinstance(choice, NoChoice):
            return choice.reason
        if choice.local:
            self.ledger.try_acquire(0.0)
        else:
            self.balancer.opened(choice.site, choice.path[-1])
        return choice.place


def test_own_slots_come_first_then_those_of_other_routers_then_other_sites() -> None:
    here = Here(2)
    here.balancer.set_remotes([candidate("2", OWN), candidate("9", OTHER, capacity=1)])
    taken = [here.take() for _ in range(8)]
    assert taken == [OWN_ROUTER] * 2 + ["2"] * 4 + [OTHER, "all-full"]


def test_a_site_whose_routers_all_refused_is_not_said_to_have_room() -> None:
    here = Here(None)
    here.balancer.set_remotes([candidate("7"), candidate("8")])
    for router in ("7", "8"):
        here.balancer.refused(OTHER, 4, 1.0, RouterId(router))

    def free() -> tuple[int | None, bool]:
        explanation = here.balancer.outlook(1.0 + limits.REFUSED_FULL_S)
        (other,) = [one for one in explanation.candidates if one.site == OTHER]
        return other.free, isinstance(explanation.decision, NoChoice)

    assert free() == (0, True)
    here.balancer.report_load(OTHER, 3, 1, 4, 1.05, router=RouterId("7"))
    assert free() == (2, False), "the other one is asked again"


def test_a_router_that_is_short_of_memory_adds_no_room_to_its_site() -> None:
    here = Here(None)
    here.balancer.set_remotes([candidate("7"), candidate("8", capacity=None)])

    def report(router: str, *, refuses: bool) -> None:
        capacity = 4 if router == "7" else None
        here.balancer.report_load(
            OTHER, 1, 1, capacity, 1.0, router=RouterId(router), refuses=refuses
        )

    def there() -> CandidateReport:
        (other,) = [one for one in here.balancer.explain(2.0).candidates if one.site == OTHER]
        return other

    def shown() -> tuple[int | None, str]:
        other = there()
        return other.free, other.verdict

    for router in ("7", "8"):
        report(router, refuses=True)
    assert (shown(), here.take()) == ((0, "full"), "all-full")
    assert (there().reason, there().capacity) == (SHORT_OF_MEMORY_THERE, 4)
    here.balancer.ended(OTHER, 0, 1.5, RouterId("7"))
    assert shown() == (0, "full"), "what ends there makes no room"
    report("7", refuses=False)
    assert shown() == (4, "chosen")
    assert [here.take() for _ in range(5)] == ["7", "7", "7", "7", "all-full"]


def test_what_one_router_has_beyond_its_slots_takes_none_of_another_one() -> None:
    here = Here(None)
    far = candidate("9", THIRD, path_cost=2)
    here.balancer.set_remotes([candidate("7", capacity=2), candidate("8", capacity=1), far])
    here.balancer.report_load(OTHER, 3, 1, 2, 1.0, router=RouterId("7"))
    here.balancer.report_load(OTHER, 0, 1, 1, 1.0, router=RouterId("8"))
    (other,) = [one for one in here.balancer.explain(2.0).candidates if one.site == OTHER]
    assert (other.verdict, other.free, other.level) == ("chosen", 1, 1.0)
    assert other.reason == "cheapest site with room (1 of 3 free)"
    assert [here.take() for _ in range(2)] == ["8", THIRD]


def test_a_slot_that_is_assumed_to_be_free_again_is_not_said_to_run_without_one() -> None:
    here = Here(6)
    here.balancer.set_remotes([candidate("2", OWN)])
    for _ in range(5):
        here.ledger.try_acquire(0.0)
    here.balancer.refused(OWN, 4, 1.0, RouterId("2"))
    now = 1.0 + limits.REFUSED_FULL_S
    (own,) = here.balancer.explain(now).candidates
    assert (own.in_flight, own.capacity, own.free) == (9, 10, 2)
    assert own.reason == (
        "local site has room (2 of 10 free, 1 of them assumed: another router or worker was full)"
    )
    kept = here.balancer.seen(now, here.balancer.select(now))
    assert [one.reason for one in DecisionReplay(kept).reports()] == [own.reason]


def test_what_a_router_of_this_site_that_drains_still_has_is_not_assumed() -> None:
    here = Here(6)
    here.balancer.set_remotes([candidate("2", OWN, draining=True)])
    here.balancer.report_load(OWN, 3, 1, 4, 1.0, router=RouterId("2"))
    (own,) = here.balancer.explain(2.0).candidates
    assert (own.in_flight, own.capacity, own.free) == (3, 6, 6)
    assert own.reason == "local site has room (6 of 6 free; 3 more in flight take no slot)"


def test_a_request_that_another_router_of_this_site_takes_is_no_overflow() -> None:
    here = Here(0)
    here.balancer.set_remotes([candidate("2", OWN), candidate("9")])
    choice = here.balancer.select(0.0)
    assert isinstance(choice, Decision)
    assert (choice.site, choice.local, choice.router) == (OWN, False, "2")
    assert not choice.overflow
    assert choice.reason == "local site has room, at another of its routers or workers"


@pytest.mark.parametrize("name", ["fill", "balanced", "spread", "failover"])
def test_under_every_policy_the_routers_of_a_site_give_out_all_their_slots(name: str) -> None:
    here = Here(1, PolicySpec(name=name))
    here.balancer.set_remotes([candidate("2", OWN), candidate("3", OWN)])
    assert Counter(here.take() for _ in range(10)) == {OWN_ROUTER: 1, "2": 4, "3": 4, "all-full": 1}


def test_a_weight_is_the_sites_however_many_routers_it_has() -> None:
    here = Here(50, PolicySpec(name="split", weights={"own": 1, "other": 1}))
    here.balancer.set_remotes(
        [candidate("2", OWN), *(candidate(n, OTHER, capacity=50) for n in "789")]
    )
    taken = Counter(here.take() for _ in range(40))
    assert taken[OWN_ROUTER] + taken["2"] == 20


def test_one_that_refused_is_left_out_and_its_sibling_asked_before_a_dearer_site() -> None:
    here = Here(None)
    here.balancer.set_remotes([candidate("7"), candidate("8"), candidate("9", THIRD, path_cost=5)])
    here.balancer.refused(OTHER, 4, 0.0, RouterId("7"))
    assert here.take(frozenset({"7"})) == "8"
    assert here.take(frozenset({"7", "8"})) == THIRD
    assert here.take(frozenset({OTHER})) == THIRD


def test_one_waits_at_every_full_router_and_here() -> None:
    here = Here(0)
    here.balancer.set_remotes([candidate("2", OWN, capacity=0), candidate("7", capacity=0)])
    choice = here.balancer.select(0.0)
    assert isinstance(choice, NoChoice)
    assert choice.local_waitable
    assert [(one.place, one.overflow) for one in choice.waitable] == [("2", False), (OTHER, True)]


@pytest.mark.parametrize(
    ("own", "siblings", "others", "waits"),
    [
        (0, {"2": 4, "3": 0}, {"7": 0}, ["2"]),
        (1, {"2": 0, "3": 0}, {"7": 0}, [OWN_ROUTER]),
        (0, {"2": 0, "3": 0}, {"7": 4, "8": 0}, ["7"]),
        (0, {}, {"7": 4}, [OTHER]),
        (1, {}, {"7": 0}, [OWN_ROUTER]),
        (0, {}, {"7": 0}, [OWN_ROUTER, OTHER]),
    ],
)
def test_one_waits_at_no_router_without_slots_while_another_one_has_some(
    own: int, siblings: dict[str, int], others: dict[str, int], waits: list[str]
) -> None:
    """Routers of a site divide its capacity: the share of one may be 0, and stay so."""
    here = Here(own)
    here.balancer.set_remotes(
        [
            candidate(router, site, capacity=slots)
            for site, each in ((OWN, siblings), (OTHER, others))
            for router, slots in each.items()
        ]
    )
    for _ in range(own + sum(siblings.values()) + sum(others.values())):
        assert here.take() != "all-full"
    choice = here.balancer.select(0.0)
    assert isinstance(choice, NoChoice)
    here_too = [OWN_ROUTER] if choice.local_waitable else []
    assert here_too + [one.place for one in choice.waitable] == waits


def test_one_waits_here_again_once_the_share_of_this_router_has_grown() -> None:
    here = Here(0)
    here.balancer.set_remotes([candidate(OTHER, capacity=1)])
    assert here.take() == OTHER
    for slots in (0, 1, 0):
        here.ledger.set_targets({"t:1": TargetTerms(name="t", capacity=slots)})
        if slots:
            assert here.take() == OWN
        choice = here.balancer.select(0.0)
        assert isinstance(choice, NoChoice)
        assert choice.local_waitable == bool(slots)


def test_one_waits_at_a_router_that_refused_but_at_none_without_targets() -> None:
    here = Here(None)
    here.balancer.set_remotes([candidate("2", OWN), candidate("3", OWN, targets_ready=0)])
    here.balancer.refused(OWN, 4, 0.0, RouterId("2"))
    choice = here.balancer.select(0.0, frozenset({"2"}), refused=frozenset({"2"}))
    assert isinstance(choice, NoChoice)
    assert [one.place for one in choice.waitable] == ["2"]
    assert not choice.local_waitable


@pytest.mark.parametrize(
    ("site", "fields", "taken"),
    [
        (OWN, {"reserved": 3}, 5),
        (OWN, {"most_for_one": 1}, 2),
        (OWN, {"reserved": 3, "most_for_one": 1}, 5),
        (OWN, {}, 2),
        (OTHER, {"reserved": 3}, 2),
    ],
)
def test_a_router_of_this_site_gives_its_clients_the_reserve_and_no_share_limits_them(
    site: SiteId, fields: dict[str, int], taken: int
) -> None:
    here = Here(None)
    last = msgspec.structs.replace(candidate("9", THIRD, capacity=9), path_cost=8)
    here.balancer.set_remotes([candidate("2", site, capacity=2, **fields), last])
    nearest = "2" if site == OWN else OTHER
    assert [here.take() for _ in range(7)] == [nearest] * taken + [THIRD] * (7 - taken)


@pytest.mark.parametrize("site", [OWN, SiteId("before"), SiteId("xyz")])
def test_a_load_report_gives_us_the_reserve_of_our_own_site_alone(site: SiteId) -> None:
    here = Here(None)
    here.balancer.set_remotes([candidate("2", site, capacity=None)])
    here.balancer.report_load(site, 0, 1, 2, 0.0, router=RouterId("2"), reserved=3)
    (found,) = [one for one in here.balancer.explain(0.0).candidates if one.site == site]
    assert (found.free, found.capacity) == ((5, 5) if site == OWN else (2, 5))


def test_what_is_free_for_a_sheddable_request_is_the_sum_over_the_routers() -> None:
    here = Here(5)
    here.ledger.set_sheddable_share(0.5)
    here.balancer.set_sheddable_share(0.5)
    here.balancer.set_remotes([candidate("near", OWN), candidate("one"), candidate("two")])
    own, other = here.balancer.explain(0.0, asked=Asked(sheddable=True)).candidates
    assert (own.free, other.free) == (2 + 2, 2 + 2)
    own, other = here.balancer.explain(0.0).candidates
    assert (own.free, other.free) == (9, 8)


def test_equal_ones_are_used_alike_by_free_slots() -> None:
    here = Here(None)
    here.balancer.set_remotes([candidate("7", capacity=2), candidate("8", capacity=6)])
    assert [here.take() for _ in range(4)] == ["8"] * 4


def test_a_session_stays_here_where_all_routers_have_the_same_targets() -> None:
    here = Here(9)
    here.balancer.set_remotes([candidate("2", OWN, shares_targets=True)])
    assert {here.take(session=n) for n in range(1, 9)} == {OWN_ROUTER}


def test_a_session_at_this_site_goes_to_another_router_when_this_one_is_full() -> None:
    here = Here(0)
    here.balancer.set_remotes([candidate("2", OWN, shares_targets=True), candidate("9")])
    choice = here.balancer.select(0.0, asked=Asked(OWN, 5))
    assert isinstance(choice, Decision)
    assert (choice.router, choice.reason) == ("2", "session stays at own")


def test_the_load_of_each_router_is_its_own() -> None:
    here = Here(None)
    here.balancer.set_remotes([candidate("7"), candidate("8")])
    assert here.balancer.reaches(OTHER, RouterId("7"))
    assert not here.balancer.reaches(OTHER, RouterId("9"))
    here.balancer.report_load(OTHER, 4, 1, 4, 0.0, None, RouterId("7"))
    assert [here.take() for _ in range(5)] == ["8"] * 4 + ["all-full"]
    here.balancer.set_remotes([candidate("7")])
    (other,) = [one for one in here.balancer.explain(1.0).candidates if one.site == OTHER]
    assert other.in_flight == 4


def test_a_site_that_a_rule_leaves_out_is_no_site_that_drains_however_many_routers_it_has() -> None:
    rows = []
    rule = "importFrom of own does not name other for db"
    for routers in (["7"], ["7", "8"]):
        here = Here(2)
        here.balancer.set_remotes([candidate(router, barred=rule) for router in routers])
        (other,) = [one for one in here.balancer.explain(0.0).candidates if one.site == OTHER]
        rows.append((other.verdict, other.reason, other.targets_ready, other.capacity, other.free))
    assert rows == [("excluded", rule, 1, 4, 4), ("excluded", rule, 2, 8, 8)]


def test_a_site_that_takes_nothing_has_its_rate_however_many_routers_it_has() -> None:
    def told(barred: str) -> Here:
        here = Here(2)
        routers = [candidate(name, capacity=None, barred=barred) for name in ("7", "8")]
        here.balancer.set_remotes(routers)
        for one in routers:
            rate = RateLoad(8.0, 20)
            here.balancer.report_load(OTHER, 0, 1, None, 0.0, rate, one.router)
        return here

    def shown(here: Here) -> tuple[str, RateLoad | None]:
        (other,) = [one for one in here.balancer.explain(0.0).candidates if one.site == OTHER]
        return other.verdict, other.rate

    left_out, ejected = told("a rule"), told("")
    for number in range(limits.EJECT_AFTER):
        ejected.balancer.ejections.failed(OTHER, None, "reset", number)
    assert shown(left_out) == ("excluded", RateLoad(16.0, 40))
    assert shown(ejected) == ("ejected", RateLoad(16.0, 40))


def test_a_site_that_is_ejected_has_its_targets_however_many_routers_it_has() -> None:
    rows = []
    for routers in (["7"], ["7", "8"]):
        here = Here(2)
        here.balancer.set_remotes([*map(candidate, routers)])
        for number in range(limits.EJECT_AFTER):
            here.balancer.ejections.failed(OTHER, None, "reset", number)
        (other,) = [one for one in here.balancer.explain(number).candidates if one.site == OTHER]
        rows.append((other.verdict, other.reason, other.targets_ready, other.capacity, other.free))
    (verdict, reason, *_), several = rows
    assert verdict == "ejected"
    assert several == (verdict, reason, 2, 8, 8)


def test_what_a_decision_saw_of_a_site_with_several_routers_can_be_told_again() -> None:
    here = Here(0)
    here.balancer.set_remotes([candidate("2", OWN, capacity=1), candidate("9")])
    here.take()
    choice = here.balancer.select(0.0, frozenset({"2"}))
    assert isinstance(choice, Decision)
    seen = here.balancer.seen(0.0, choice, frozenset({"2"}))
    assert seen.chosen == OTHER


def test_candidates_told_again_are_known_unless_several_routers_count_as_one_site() -> None:
    here = Here(2)
    told = [candidate("9", OTHER), candidate("7", THIRD)]
    assert not here.balancer.has(told)
    here.balancer.set_remotes(told)
    assert here.balancer.has([candidate("9", OTHER), candidate("7", THIRD)])
    assert not here.balancer.has([candidate("9", OTHER)])
    assert not here.balancer.has([candidate("9", OTHER), candidate("7", THIRD, path_cost=2)])
    for several in ([candidate("2", OWN)], [candidate("8", OTHER), candidate("9", OTHER)]):
        here.balancer.set_remotes(several)
        assert not here.balancer.has(several)


@pytest.mark.parametrize("excluded", [frozenset(), frozenset({"nobody"})])
def test_a_free_slot_here_comes_first_however_much_routers_without_capacity_have(
    excluded: frozenset[str],
) -> None:
    here = Here(4)
    here.balancer.set_remotes([candidate("2", OWN, capacity=None), candidate("9")])
    here.balancer.report_load(OWN, 100, 1, None, 0.0, None, RouterId("2"))
    told = here.balancer.explain(0.0, excluded)
    assert told.decision == here.balancer.select(0.0, excluded)
    assert (told.decision.place, told.candidates[0].verdict) == (OWN_ROUTER, "chosen")  # type: ignore[union-attr]
    seen = here.balancer.seen(0.0, told.decision)
    assert DecisionReplay(seen).tied == {OWN}
    assert Counter(here.take(excluded) for _ in range(6)) == {OWN_ROUTER: 4, OTHER: 2}
    assert DecisionReplay(seen).tied == {OWN}
    told = here.balancer.explain(0.0, excluded)
    assert told.candidates[0].verdict == "higher-level"
    assert DecisionReplay(here.balancer.seen(0.0, told.decision)).tied == {OTHER}


@pytest.mark.parametrize("shares", [True, False])
def test_routers_without_capacity_yield_as_the_one_site_that_they_are(shares: bool) -> None:
    here = Here(4)
    here.ledger.set_targets({"t:1": TargetTerms(name="t")})
    sibling = candidate("2", OWN, capacity=None, shares_targets=shares)
    here.balancer.set_remotes([sibling, candidate("9", path_cost=4)])
    here.balancer.report_load(OWN, 100, 1, None, 0.0, None, RouterId("2"))
    told = here.balancer.explain(0.0)
    assert told.decision == here.balancer.select(0.0)
    assert told.decision.place == OTHER  # type: ignore[union-attr]


def test_what_is_kept_of_a_decision_has_the_slots_of_routers_that_it_left_out() -> None:
    here = Here(2)
    here.balancer.set_remotes([candidate("2", OWN), candidate("9", OTHER)])
    left_out = frozenset({"2"})
    choice = here.balancer.select(0.0, left_out)
    seen = here.balancer.seen(0.0, choice, left_out)
    own = next(one for one in DecisionReplay(seen).reports() if one.site == OWN)
    assert (own.capacity, own.free) == (6, 2)
    assert "2 of 6 free" in own.reason


def test_a_past_decision_has_the_age_that_the_figures_of_this_site_had() -> None:
    """`why --last` said that figures with a report in them were exact."""
    here = Here(2)
    here.balancer.set_remotes([candidate("2", OWN), candidate("9", OTHER)])
    here.balancer.report_load(OWN, 1, 1, 4, 1.0, None, RouterId("2"))
    here.balancer.report_load(OTHER, 1, 1, 4, 2.0, None, RouterId("9"))
    told = here.balancer.explain(5.0)
    assert [one.age_s for one in told.candidates] == [4.0, 3.0]
    seen = here.balancer.seen(5.0, here.balancer.select(5.0))
    assert [one.age_s for one in DecisionReplay(seen).reports()] == [4.0, 3.0]


@pytest.mark.parametrize("capacity", [2, None])
def test_a_site_is_as_near_as_the_nearest_of_its_routers_that_has_a_target_now(
    capacity: int | None,
) -> None:
    here = Here(2)
    here.ledger.set_targets({"t:1": TargetTerms(name="t", capacity=capacity)})
    here.ledger.set_ready("t:1", False)
    sibling = candidate("2", OWN, path_cost=2, capacity=None, targets_ready=1)
    here.balancer.set_remotes([sibling, candidate("9", OTHER, path_cost=1)])

    def costs() -> tuple[int, str]:
        explanation = here.balancer.explain(0.0)
        (own,) = [one for one in explanation.candidates if one.site == OWN]
        assert isinstance(explanation.decision, Decision)
        return own.path_cost, explanation.decision.site

    assert costs() == (2, OTHER), "its only router with a target is behind the other site"
    here.ledger.set_ready("t:1", True)
    assert (costs(), here.take()) == ((0, OWN), OWN_ROUTER)
    here.ledger.set_ready("t:1", False)
    assert (costs(), here.take()) == ((2, OTHER), OTHER)


def test_failover_waits_for_the_cheapest_site_though_this_one_is_listed_first() -> None:
    here = Here(None, PolicySpec("failover"))
    here.balancer.set_remotes([candidate("2", OWN, path_cost=2), candidate("9", path_cost=1)])
    assert [here.take() for _ in range(6)] == [OTHER] * 4 + ["all-full"] * 2


def test_failover_asks_another_site_as_near_though_this_one_is_farther_and_listed_first() -> None:
    here = Here(None, PolicySpec("failover"))
    other, third = candidate("9", path_cost=1), candidate("8", THIRD, path_cost=1)
    here.balancer.set_remotes([candidate("2", OWN, path_cost=2), other, third])
    chosen = here.balancer.select(0.0)
    assert isinstance(chosen, Decision)
    assert here.balancer.beside(chosen, 0.0, frozenset()) == "room"


def test_failover_asks_a_site_as_near_as_this_one_whose_router_elsewhere_was_full() -> None:
    here = Here(None, PolicySpec("failover"))
    here.balancer.set_remotes(
        [candidate("2", OWN, path_cost=2), candidate("8", THIRD, path_cost=2)]
    )
    chosen = here.balancer.select(0.0)
    assert isinstance(chosen, Decision)
    assert chosen.site == OWN
    assert here.balancer.beside(chosen, 0.0, frozenset()) == "room"


def test_a_request_that_passes_over_a_full_nearer_site_says_so_though_this_one_is_farther() -> None:
    here = Here(None)
    siblings = [candidate("2", OWN, path_cost=2), candidate("9", path_cost=1)]
    here.balancer.set_remotes([*siblings, candidate("8", THIRD, path_cost=2)])
    assert [here.take() for _ in range(4)] == [OTHER] * 4
    passing = [here.balancer.select(0.0) for _ in range(2)]
    assert all(isinstance(one, Decision) for one in passing)
    assert {(one.site, one.overflow_reason) for one in passing if isinstance(one, Decision)} == {
        (OWN, "full"),
        (THIRD, "full"),
    }


def test_sites_are_ordered_anew_when_a_report_shows_that_a_nearer_router_is_ready() -> None:
    here = Here(2)
    here.ledger.set_targets({"t:1": TargetTerms(name="t", capacity=None)})
    routers = [candidate("7", path_cost=1), candidate("8", path_cost=5)]
    here.balancer.set_remotes(routers)
    here.balancer.report_load(OTHER, 0, 0, 4, 0.1, router=RouterId("7"))
    here.balancer.set_remotes(routers)
    assert [here.take() for _ in range(3)] == [OWN_ROUTER] * 3
    here.balancer.report_load(OTHER, 0, 1, 4, 0.2, router=RouterId("7"))
    assert here.take() == "7"


@pytest.mark.parametrize(("ejected", "reason"), [(False, "no-target"), (True, "ejected")])
def test_a_router_of_this_site_that_is_reached_through_another_site_gives_no_reason(
    ejected: bool, reason: str
) -> None:
    """A worker that hangs: its lanes from here are gone, those from the other site not yet."""
    here = Here(4)
    here.ledger.set_ready("t:1", False, ejected=ejected)
    here.balancer.set_remotes(
        [candidate("2", OWN, path_cost=10), candidate("9", OTHER, path_cost=5)]
    )
    decision = here.balancer.select(0.0)
    assert isinstance(decision, Decision)
    assert (decision.site, decision.spill_reason) == (OTHER, reason)


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        ("rule", "excluded", "its policy keeps requests at this site"),
        ("targets", "no-target", "no target is ready there"),
    ],
)
def test_what_changes_of_a_site_between_two_sheddable_requests_is_known_of_all_its_routers(
    change: str, verdict: str, reason: str
) -> None:
    here = Here(1)
    here.balancer.set_sheddable_share(0.5)
    here.balancer.set_remotes([candidate("7"), candidate("8")])
    sheddable = Asked(sheddable=True)
    here.balancer.select(0.0, asked=sheddable)
    if change == "rule":
        here.balancer.set_policy(PolicySpec(isolation="strict"))
    else:
        for router in ("7", "8"):
            here.balancer.report_load(OTHER, 0, 0, 0, 1.0, router=RouterId(router))
    here.balancer.select(1.0, asked=sheddable)  # It judges the routers first, one by one.
    (other,) = [one for one in here.balancer.outlook(1.0).candidates if one.site == OTHER]
    assert (other.verdict, other.reason) == (verdict, reason)


def test_the_share_at_a_site_is_of_all_its_routers_also_after_one_was_left_out() -> None:
    """One router refused the request before: the next one may take what the share leaves there."""
    here = Here(None, PolicySpec("balanced"))
    last = msgspec.structs.replace(candidate("9", THIRD), path_cost=8)
    both = [candidate(router, most_for_one=1) for router in ("7", "8")]
    here.balancer.set_remotes([*both, last])
    assert here.take() == "7"
    here.balancer.select(0.0, frozenset({"7"}))
    assert [here.take(), here.take()] == ["8", THIRD]


def test_the_mark_is_of_the_slots_of_all_routers_of_the_site() -> None:
    """This router is below its own part of the mark, and the site above it: 11 of 20."""
    here = Here(10, PolicySpec("fill", spill_at=0.5))
    here.balancer.set_remotes([candidate("2", OWN, capacity=10), candidate("9", capacity=9)])
    for _ in range(3):
        here.ledger.try_acquire(0.0)
    here.balancer.report_load(OWN, 8, 1, 10, 0.0, router=RouterId("2"))
    assert here.take() == OTHER
    here.balancer.report_load(OWN, 5, 1, 10, 0.0, router=RouterId("2"))
    assert [here.take() for _ in range(3)] == [OWN_ROUTER, OWN_ROUTER, OTHER]


def test_a_sheddable_request_goes_to_no_router_that_is_full_while_another_keeps_its_slots() -> None:
    here = Here(None)
    far = candidate("9", THIRD, path_cost=8)
    here.balancer.set_remotes([candidate("7"), candidate("8"), far])
    here.balancer.set_sheddable_share(0.5)
    here.balancer.report_load(OTHER, 2, 1, 4, 0.0, router=RouterId("7"))
    used_up = RateLoad(0.5, permits=0)
    here.balancer.report_load(OTHER, 0, 1, 4, 0.0, used_up, router=RouterId("8"))
    choice = here.balancer.select(0.0, asked=Asked(sheddable=True))
    assert isinstance(choice, Decision) and choice.site == THIRD


def test_a_drain_of_another_router_of_this_site_is_not_why_requests_leave() -> None:
    here = Here(1)
    drained = candidate("own2", OWN, targets_ready=0, draining=True, drained=True)
    here.balancer.set_remotes([drained, candidate("far")])
    here.take()
    choice = here.balancer.select(0.0, frozenset(), asked=Asked())
    assert not isinstance(choice, NoChoice)
    assert (choice.site, choice.overflow_reason) == (OTHER, "full")


@pytest.mark.parametrize("second", [True, False, None])
def test_a_site_of_several_routers_is_drained_if_one_that_takes_nothing_is(
    second: bool | None,
) -> None:
    """The documents of a site are the same for all its routers; one of them may stop as well."""
    here = Here(None)
    routers = [
        candidate(name, targets_ready=0, draining=True, drained=drained)
        for name, drained in (("far1", second), ("far2", True))
    ]
    here.balancer.set_remotes(routers)
    (_, there) = here.balancer.explain(0.0).candidates
    assert there.reason == "it is drained and takes nothing new of this service"


@pytest.mark.parametrize(("ready", "verdict"), [(1, "chosen"), (0, "no-target")])
def test_a_site_is_not_drained_while_one_of_its_routers_is_not(ready: int, verdict: str) -> None:
    here = Here(None)
    drained = candidate("far1", targets_ready=0, draining=True, drained=True)
    here.balancer.set_remotes([drained, candidate("far2", targets_ready=ready)])
    (_, there) = here.balancer.explain(0.0).candidates
    assert there.verdict == verdict

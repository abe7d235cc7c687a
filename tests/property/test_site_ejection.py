"""Failing sites under load, in virtual time: which are ejected, for how long, and at what cost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import Decision
from router.balance.sites.remote_site import RemoteSite
from router.balance.sites.site_ejection import SiteEjected, SiteEjection, SiteNews, SiteReturned
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import RemoteCandidate
from tests.examples import examples
from tests.unit.balance.builders import balancer_of, ledger_of, remote, serve_at_once, take

Conduct = Literal["serves", "resets", "silent", "stalls", "flaky", "busy", "lost"]
"""``flaky``: resets four of five."""
FAILING: tuple[Conduct, ...] = ("resets", "silent", "stalls")
TAKES_S: dict[Conduct, float] = {"resets": 0.01, "silent": 1.0, "stalls": 2.0}
PER_S = 40
SERVICE_S = 0.1


class Ingress:
    """A site with two local slots, and clients that ask it `PER_S` times a second.

    ``conduct``: how each remote site treats requests that begin now.
    """

    def __init__(self, *remotes: RemoteCandidate, local: int = 2) -> None:
        self.now = 0.0
        self.conduct: dict[str, Conduct] = {one.site: "serves" for one in remotes}
        self.ledger = ledger_of(*([local] if local else []))
        self.balancer: ServiceBalancer = balancer_of(self.ledger, *remotes)
        self.balancer.ejections.follow(self._hear, lambda: None)
        self.reserved: list[SiteEjection] = []
        """In which a site was in reserve."""
        self.news: list[tuple[float, SiteNews]] = []
        self.results: list[tuple[float, str, bool]] = []
        """When it began, where, and whether it went well."""
        self.probes: list[float] = []
        self._capacity = {one.site: one.capacity or one.targets_ready for one in remotes}
        self._says = {one.site: inf if one.capacity is None else one.capacity for one in remotes}
        self._under_way = dict.fromkeys(self._says, 0)
        self._served: dict[str, list[tuple[float, int]]] = {one.site: [] for one in remotes}
        self._local = local
        self._flaky = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def run(self, until: float) -> None:
        """Requests come evenly."""
        while self.now < until:
            arrives = self.now + 1 / PER_S
            while self._due and self._due[0][0] <= arrives:
                self.now, _, act = heappop(self._due)
                act()
            self.now = arrives
            self._ask(frozenset())

    def failed_share(self, since: float, until: float) -> float:
        """Of the requests that began then."""
        all_of_them = [good for began, _, good in self.results if since <= began < until]
        return all_of_them.count(False) / len(all_of_them)

    def ejected(self, site: str) -> list[tuple[float, float]]:
        """When, and for how long."""
        return [
            (at, one.seconds)
            for at, one in self.news
            if isinstance(one, SiteEjected) and one.site == site
        ]

    def _ask(self, excluded: frozenset[str]) -> None:
        choice = self.balancer.select(self.now, excluded)
        active = self.balancer.ejections.active.values()
        self.reserved += [one for one in active if one.in_reserve and one not in self.reserved]
        if not isinstance(choice, Decision):
            return
        if choice.local:
            slot = take(self.ledger)
            self._later(SERVICE_S, lambda: slot.release(self.now))
            return
        self._send(self.balancer.egress(choice.site, choice.path), excluded)

    def _send(self, egress: RemoteSite, excluded: frozenset[str]) -> None:
        """As a leg does."""
        began, site, ejections = self.now, egress.site, self.balancer.ejections
        conduct, during = self.conduct[site], egress.ejection
        if conduct == "flaky":
            self._flaky += 1
            conduct = "resets" if self._flaky % 5 else "serves"
        if during is not None:
            during.begin()
            if not during.is_back and not egress.spared:
                assert during.under_way == 1, "one probe at a time"
                assert self.now >= during.until, "no request before the probe is due"
                self.probes.append(self.now)
        egress.open()
        self._under_way[site] += 1

        def ends() -> None:
            at_once, self._under_way[site] = self._under_way[site], self._under_way[site] - 1
            if conduct == "busy":
                egress.refuse(self._capacity[site], self.now)
                ejections.answered(site, during, self.now)
                egress.end(-1, self.now)
                self._ask(excluded | {site})
            elif conduct == "serves":
                self._served[site].append((self.now, at_once))
                egress.end(0, self.now)
                ejections.succeeded(site, during, self.now)
                self.results.append((began, site, True))
            else:
                egress.end(-1, self.now)
                cause = {"resets": "reset", "silent": "unanswered", "stalls": "timeout"}
                ejections.failed(site, during, cause[conduct], self.now)  # type: ignore[arg-type]
                self.results.append((began, site, False))
            if during is not None:
                during.end(self.now)

        self._later(TAKES_S.get(conduct, SERVICE_S), ends)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        heappush(self._due, (self.now + seconds, next(self._numbers), act))

    def _hear(self, news: SiteNews) -> None:
        last = next((one for _, one in reversed(self.news) if one.site == news.site), None)
        self.news.append((self.now, news))
        if isinstance(news, SiteEjected) and not isinstance(last, SiteEjected):
            # A failed probe changes nothing about who is out.
            out = {one.site for one in self.balancer.routers.values() if one.is_ejected}
            known = {site: self._known(site) for site in self._says}
            left = self._local + sum(known[site] for site in known if site not in out)
            assert 0 < sum(known[site] for site in out) <= left

    def _known(self, site: SiteId) -> float:
        """What the balancer takes for the capacity of a site: no more than was seen of late."""
        (served,) = (
            one.served.most(self.now) for one in self.balancer.routers.values() if one.site == site
        )
        since = self.now - 2 * limits.EJECT_SERVED_S
        assert served <= max([1, *(count for at, count in self._served[site] if at >= since)])
        return min(served, self._says[site])


HONEST = remote("aa", cost=10, capacity=50)
FAILS = remote("bb", cost=1, capacity=1_000_000)


@contextmanager
def failing(conduct: Conduct) -> Iterator[Ingress]:
    ingress = Ingress(FAILS, HONEST)
    ingress.conduct["bb"] = conduct
    yield ingress


@pytest.mark.parametrize("conduct", FAILING)
def test_after_ten_seconds_at_most_two_in_a_hundred_requests_fail(conduct: Conduct) -> None:
    with failing(conduct) as ingress:
        ingress.run(60.0)
        assert ingress.failed_share(10.0, 58.0) <= 0.02
        periods = [seconds for _, seconds in ingress.ejected("bb")]
        assert periods == sorted(periods)
        assert periods[:3] == [2.0, 4.0, 8.0]
        assert len(ingress.probes) <= len(periods)
        assert all(
            later - earlier >= limits.EJECT_BASE_S
            for earlier, later in zip(ingress.probes, ingress.probes[1:], strict=False)
        )


def test_a_site_that_fails_four_of_five_is_left_by_the_share_of_its_failures() -> None:
    with failing("flaky") as ingress:
        ingress.run(60.0)
        assert ingress.failed_share(10.0, 58.0) <= 0.02
        (at, first), *_ = [(at, one) for at, one in ingress.news if isinstance(one, SiteEjected)]
        assert at < 5.0
        assert " requests failed, at last " in first.reason
        ingress.conduct["bb"] = "serves"
        ingress.run(ingress.now + 2 * limits.EJECT_MAX_S)
        assert not ingress.balancer.ejections.active, "one probe brought it back"
        assert ingress.results[-1][1] == "bb" or ingress.results[-2][1] == "bb"


def test_a_site_that_fails_two_of_five_stays() -> None:
    ingress = Ingress(FAILS, HONEST)
    ejections = ingress.balancer.ejections
    for number in range(1_000):
        now = number / PER_S
        if number % 5 < 2:
            ejections.failed(SiteId("bb"), None, "reset", now)
        else:
            ejections.succeeded(SiteId("bb"), None, now)
    assert not ejections.active


@pytest.mark.parametrize("conduct", FAILING)
def test_it_is_back_within_one_period_after_it_recovered(conduct: Conduct) -> None:
    with failing(conduct) as ingress:
        ingress.run(20.0)
        at, period_s = ingress.ejected("bb")[-1]
        ingress.conduct["bb"] = "serves"
        ingress.run(at + period_s + 2.5)
        returned = [at for at, one in ingress.news if isinstance(one, SiteReturned)]
        assert returned and returned[0] <= at + period_s + 0.2
        since = ingress.now
        ingress.run(since + 15.0)
        assert ingress.failed_share(since, ingress.now) == 0.0
        assert any(began > since + 12.0 and site == "bb" for began, site, _ in ingress.results)
        assert not ingress.balancer.ejections.active


def test_a_site_that_returns_has_one_request_at_once_then_twice_as_many_each_second() -> None:
    ingress = Ingress(FAILS, HONEST, local=0)
    ingress.conduct["bb"] = "resets"
    ingress.run(1.0)
    (at, _), *_ = ingress.ejected("bb")
    ingress.conduct["bb"] = "serves"
    ingress.run(at + 2.2)
    ejection = ingress.balancer.ejections.active[SiteId("bb")]
    assert ejection.returned_at is not None
    places = [ejection.places(ejection.returned_at + seconds) for seconds in (0.5, 1.5, 2.5, 9.5)]
    assert places == [1, 2, 4, 512]


def test_a_full_site_that_refuses_is_never_ejected() -> None:
    with failing("busy") as ingress:
        ingress.run(30.0)
        assert ingress.news == []
        assert ingress.failed_share(0.0, 30.0) == 0.0


@settings(max_examples=examples(60))
@given(
    answers=st.lists(
        st.tuples(st.sampled_from(("serves", "busy")), st.floats(0.01, 2.0)), max_size=30
    )
)
def test_a_site_that_serves_or_is_full_is_never_ejected(
    answers: list[tuple[Conduct, float]],
) -> None:
    ingress = Ingress(FAILS, HONEST)
    for conduct, for_s in answers:
        ingress.conduct["bb"] = conduct
        ingress.run(ingress.now + for_s)
    assert (ingress.news, ingress.reserved) == ([], [])
    assert not ingress.balancer.ejections.suspects


def test_when_all_sites_fail_the_least_bad_is_tried_and_the_decision_says_so() -> None:
    ingress = Ingress(FAILS, HONEST, local=0)
    ingress.conduct = {"aa": "resets", "bb": "resets"}
    ingress.run(10.0)
    out = [one for one in ingress.balancer.routers.values() if one.is_ejected]
    assert len(out) == 1, "the last one stays in reserve"
    reserve = [one.site for one in ingress.balancer.ejections.active.values() if one.in_reserve]
    assert reserve == ["aa" if out[0].site == "bb" else "bb"]
    (last,) = (one for one in (FAILS, HONEST) if one.site == out[0].site)
    ingress.balancer.set_remotes([last])
    explained = ingress.balancer.explain(ingress.now)
    assert isinstance(explained.decision, Decision)
    assert explained.decision.site == last.site
    assert "failed least" in explained.decision.reason
    ingress.balancer.set_remotes([FAILS, HONEST])
    again = ingress.balancer.explain(ingress.now)
    verdicts = {one.site: one.verdict for one in again.candidates}
    assert verdicts[last.site] == "ejected"


def test_what_breaks_at_once_is_one_failure() -> None:
    ingress = Ingress(FAILS, HONEST)
    ejections = ingress.balancer.ejections
    for _ in range(100):
        ejections.failed(SiteId("bb"), None, "lost", 1.0)
    assert not ejections.active


def test_the_time_left_is_in_the_explanation() -> None:
    with failing("resets") as ingress:
        ingress.run(1.0)
        (at, _), *_ = ingress.ejected("bb")
        report = next(
            one for one in ingress.balancer.explain(at + 0.5).candidates if one.site == "bb"
        )
        assert report.verdict == "ejected"
        assert report.reason == "ejected for 2 s: 5 requests in a row were reset (1.5 s left)"


def test_records_are_bounded() -> None:
    ingress = Ingress(FAILS, HONEST)
    ejections = ingress.balancer.ejections
    for number in range(limits.EJECT_SITES_MAX + 100):
        ejections.failed(SiteId(f"s{number}"), None, "reset", float(number))
    assert len(ejections.suspects) == limits.EJECT_SITES_MAX


def test_a_site_that_served_well_and_then_fails_is_left_for_one_that_nobody_tried() -> None:
    """It served more at once than this site has places: it is in reserve before it is ejected."""
    ingress = Ingress(FAILS, HONEST, local=0)
    ingress.run(20.0)
    ingress.conduct["bb"] = "flaky"
    ingress.run(60.0)
    assert ingress.failed_share(30.0, 58.0) <= 0.02
    assert any(" requests failed, at last " in one.reason for one in ingress.reserved)
    assert ingress.ejected("bb"), "the other one served as much by then"


@pytest.mark.parametrize("failed_s", [2.0, 12.0, 40.0, 150.0])
def test_a_near_liar_that_fails_gives_way_to_an_honest_site_that_failed_before_it(
    failed_s: float,
) -> None:
    """It refuses as full until the honest site fails, and then would be the last one in use."""
    ingress = Ingress(FAILS, HONEST, local=0)
    ingress.conduct["bb"] = "busy"
    ingress.run(1.0)
    ingress.conduct["aa"] = "resets"
    ingress.run(1.0 + failed_s)
    assert "aa" in [one.site for one in ingress.reserved]
    ingress.conduct |= {"aa": "serves", "bb": "resets"}
    since = ingress.now
    ingress.run(since + 37.0)
    assert ingress.failed_share(since + 5.0, since + 35.0) <= 0.02


@pytest.mark.parametrize("well", ["aa", "bb"])
def test_of_two_sites_that_failed_for_minutes_the_one_that_is_well_again_is_found_soon(
    well: str,
) -> None:
    ingress = Ingress(FAILS, HONEST, local=0)
    ingress.run(5.0)
    ingress.conduct |= {"aa": "resets", "bb": "resets"}
    ingress.run(200.0)
    assert len(ingress.balancer.ejections.active) == 2
    ingress.conduct[well] = "serves"
    ingress.run(235.0)
    assert ingress.failed_share(205.0, 235.0) <= 0.02


@given(
    seen=st.lists(st.integers(1, 20), min_size=1, max_size=5),
    local=st.integers(0, 3),
    claim=st.sampled_from((None, 1, 1_000_000)),
    order=st.randoms(),
)
def test_whatever_a_liar_claims_at_most_half_of_what_was_seen_is_ejected(
    seen: list[int], local: int, claim: int | None, order: Random
) -> None:
    honest = [remote(f"s{number}", cost=number + 1) for number in range(len(seen))]
    liar = remote("liar", cost=9, targets_ready=50, capacity=claim)
    ledger = ledger_of(*([local] if local else []))
    balancer = balancer_of(
        ledger, *(msgspec.structs.replace(one, capacity=20) for one in honest), liar
    )
    for one, at_once in zip(honest, seen, strict=True):
        serve_at_once(balancer, one.site, at_once)
    failing = [one.site for one in honest]
    order.shuffle(failing)
    for now, site in enumerate(failing):
        for number in range(limits.EJECT_AFTER):
            balancer.ejections.failed(site, None, "reset", now + number / limits.EJECT_AFTER)
    known = {one.site: at_once for one, at_once in zip(honest, seen, strict=True)}
    out = {one.site for one in balancer.ejections.active.values() if not one.in_reserve}
    left = local + 1 + sum(known[site] for site in known if site not in out)
    assert sum(known[site] for site in out) <= left
    assert set(balancer.ejections.active) == set(known), "the others are in reserve"


@settings(max_examples=examples(60))
@given(
    capacities=st.lists(st.none() | st.integers(1, 60), min_size=1, max_size=4),
    changes=st.lists(
        st.tuples(
            st.floats(0.1, 4.0),
            st.integers(0, 3),
            st.sampled_from(("serves", "resets", "silent", "stalls", "flaky", "busy")),
        ),
        max_size=8,
    ),
    local=st.integers(0, 2),
)
def test_whatever_sites_do_at_most_half_is_ejected_and_probed_one_by_one(
    capacities: list[int | None], changes: list[tuple[float, int, Conduct]], local: int
) -> None:
    sites = [
        remote(f"s{number}", cost=number + 1, capacity=capacity)
        for number, capacity in enumerate(capacities)
    ]
    ingress = Ingress(*sites, local=local)
    for after_s, number, conduct in changes:
        ingress.conduct[f"s{number % len(sites)}"] = conduct
        ingress.run(ingress.now + after_s)
    ingress.conduct = dict.fromkeys(ingress.conduct, "serves")
    ingress.run(ingress.now + 90.0)
    for one in ingress.balancer.routers.values():
        if one.is_ejected:  # Nothing spilled so far: its probe is due.
            assert one.ejection is not None and one.ejection.places(ingress.now) == 1
    choice = ingress.balancer.select(ingress.now)
    explained = ingress.balancer.explain(ingress.now).decision
    assert isinstance(choice, Decision) == isinstance(explained, Decision)


def test_a_site_that_says_it_has_many_routers_is_ejected_as_any_other() -> None:
    """What none of them was seen to serve counts as one slot in all."""
    routers = [
        msgspec.structs.replace(remote("a", capacity=1), router=RouterId(f"r{number}"))
        for number in range(64)
    ]
    balancer = balancer_of(ledger_of(10), remote("b", capacity=20), *routers)
    for number in range(2 * limits.EJECT_AFTER):
        balancer.ejections.failed(SiteId("a"), None, "reset", float(number))
    assert SiteId("a") in balancer.ejections.active

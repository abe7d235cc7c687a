"""A site by several routers, beside the plain sums over those that take requests."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.deciding.candidates import SENDS_AWAY
from router.balance.sites.remote_site import RemoteSite
from router.balance.sites.replicas import RoutersOfSite
from router.balance.sites.site_ejection import SiteEjections
from router.balance.targets.sessions import score, seed_of
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import LoadReport, RateLoad, RemoteCandidate
from tests.examples import examples
from tests.unit.balance.builders import HERE

SITE = SiteId("a")
NUMBERS = st.sampled_from((0, 0, 1, 2, 5))
RATES = st.none() | st.builds(
    RateLoad, st.just(2.0), st.sampled_from((0, 3)), st.sampled_from((0, 1, SENDS_AWAY))
)


@st.composite
def members(draw: st.DrawFn) -> list[RemoteSite]:
    ejections = SiteEjections(HERE, lambda site, now: False, lambda ejection: None)
    is_shared = draw(st.booleans())
    found = []
    for number in range(draw(st.integers(1, 4))):
        router = RouterId(f"r{number}")
        away = tuple(RouterId(f"via{hop}") for hop in range(draw(st.integers(0, 2))))
        capacity = draw(st.none() | st.sampled_from((0, 2, 6)))
        advert = RemoteCandidate(
            site=SITE,
            site_name="east",
            router=router,
            path_cost=draw(st.integers(1, 3)),
            paths=((*away, router),) if draw(st.integers(0, 5)) else (),
            targets_ready=draw(NUMBERS),
            capacity=draw(st.sampled_from((capacity, None))),
            draining=draw(st.integers(0, 5)) == 0,
            shares_targets=is_shared,
        )
        one = RemoteSite(advert, defaultdict(int), ejections)
        if draw(st.integers(0, 3)):
            heard_at = draw(st.sampled_from((1.0, 2.0, 3.0)))
            rate, beyond, waiting = draw(RATES), draw(NUMBERS), draw(NUMBERS)
            figures = 0, advert.targets_ready, capacity, rate, beyond, waiting
            one.report(LoadReport(router, 1, "web", 80, *figures), heard_at)
            one.hear(draw(NUMBERS), heard_at)
        found.append(one)
    return found


@settings(max_examples=examples(300))
@given(
    each=members(),
    news=st.lists(st.tuples(st.integers(0, 3), st.sampled_from((0.0, 1.5, 3.0))), max_size=6),
    excluded=st.frozensets(st.sampled_from([RouterId(f"r{number}") for number in range(4)])),
    session=st.integers(1, 2**62),
)
def test_its_figures_are_the_sums_over_those_that_take_requests(
    each: list[RemoteSite],
    news: list[tuple[int, float]],
    excluded: frozenset[str],
    session: int,
) -> None:
    site = RoutersOfSite(each)
    taking = [one for one in each if one.targets_ready and not one.draining]
    assert site.cost == min(one.cost for one in taking or each)
    agrees(site, each, [one for one in each if one.able])
    for number, heard_at in news:
        one = each[number % len(each)]
        if heard_at:
            one.hear(number, heard_at)
        else:
            one.open()
        site.refresh(3.0)
        agrees(site, each, [one for one in each if one.able])
    able = [one for one in each if one.able]
    left = [one for one in able if one.router not in excluded]
    assert site.is_out(excluded) == (not left)
    assert site.is_refused(excluded) == any(one.router in excluded for one in each)
    if not left:
        assert site.hard_full == any(one.hard_full for one in able)
        return
    agrees(site, each, left)
    roomy = [one for one in left if not one.hard_full] or left
    assert site.pick() is min(roomy, key=nearness)
    owner = max(roomy, key=lambda one: score(session, seed_of(one.router), one.targets_ready))
    expected = site.pick() if each[0].shares_targets else owner
    assert site.pick(session) is expected
    assert site.next_path() == site.pick().next_path()


def nearness(one: RemoteSite) -> tuple[object, ...]:
    return one.sends_away, one.cost, len(one.paths[0]), one.in_flight - (one.capacity or 0)


def agrees(site: RoutersOfSite, each: list[RemoteSite], left: list[RemoteSite]) -> None:
    """``left`` of ``each`` take requests."""
    running = sum(one.in_flight + one.beyond for one in each)
    capacities = [one.capacity for one in left if one.capacity is not None]
    stated = [one.stated_capacity for one in each if one.able and one.stated_capacity is not None]
    ready = [one.targets_ready for one in left] or [0]
    heard = [one.heard_at for one in left if one.heard_at is not None]
    rates = [one.rate for one in left if one.rate is not None]
    assert site.able == any(one.able for one in each)
    assert site.draining == all(one.draining for one in each)
    assert site.in_flight == sum(one.in_flight for one in left)
    assert site.beyond == running - site.in_flight
    assert site.hard_full == (bool(left) and all(one.hard_full for one in left))
    assert site.capacity == (sum(capacities) if capacities else None)
    assert site.stated_capacity == (sum(stated) if stated else None)
    assert site.targets_ready == (max(ready) if each[0].shares_targets else sum(ready))
    assert site.heard_at == (min(heard) if heard and len(heard) == len(left) else None)
    assert site.sends_away == (bool(left) and all(one.sends_away for one in left))
    assert site.waiting_there() == sum(one.waiting for one in each)
    assert site.is_learnt == any(one.is_learnt for one in left)
    assert site.age_s(4.0) == max((one.age_s(4.0) for one in left), default=float("inf"))
    freed = [one.freed_per_s(0.5) for one in left]
    assert site.freed_per_s(0.5) == (sum(freed) if all(freed) else 0.0)
    assert site.full_ones() == [one for one in each if one.able and one.hard_full]
    if not rates or len(rates) < len(left):
        assert site.rate is None
        return
    assert site.rate is not None
    assert site.rate.per_s == sum(one.rate.per_s for one in each if one.able and one.rate)
    assert site.rate.permits == sum(rate.permits for rate in rates)
    assert site.rate.state == min(rate.state for rate in rates)

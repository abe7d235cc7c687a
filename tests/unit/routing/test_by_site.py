"""Several routers of one site: what they are together to others."""

import msgspec

from router.model.adverts import LoadReport, RemoteCandidate
from router.model.ids import RouterId, SiteId
from router.routing.by_site import by_site, site_load

OWN, WEST, HUB = SiteId("0" * 32), SiteId("1" * 32), SiteId("2" * 32)
OLD, NEW = RouterId("r-old"), RouterId("r-new")


def candidate(
    router: str, site: SiteId = WEST, cost: int = 1, targets: int = 1, *, draining: bool = False
) -> RemoteCandidate:
    return RemoteCandidate(
        site=site,
        site_name="west",
        router=RouterId(router),
        path_cost=cost,
        paths=((RouterId(router),),),
        targets_ready=targets,
        capacity=4,
        draining=draining,
    )


def report(router: RouterId, in_flight: int, targets: int = 1) -> LoadReport:
    return LoadReport(router, 1, "shop", 80, in_flight, targets, 4)


def test_a_site_of_one_router_is_that_router_and_sites_are_sorted_by_cost() -> None:
    far, near = candidate("a", WEST, 3), candidate("b", HUB, 1)
    assert by_site([far, near], OWN) == (near, far)


def test_a_router_that_drains_or_has_no_target_hides_no_other_of_its_site() -> None:
    for gone in (candidate(OLD, draining=True), candidate(OLD, targets=0)):
        for found in ([gone, candidate(NEW)], [candidate(NEW), gone]):
            (site,) = by_site(found, OWN)
            assert (site.paths, site.targets_ready, site.draining) == (((NEW,),), 1, False)


def test_a_site_of_which_all_drain_drains() -> None:
    (site,) = by_site([candidate(OLD, draining=True), candidate(NEW, draining=True)], OWN)
    assert site.draining


def test_equal_routers_share_the_requests_and_a_dearer_one_gets_none() -> None:
    (site,) = by_site([candidate(OLD), candidate(NEW), candidate("far", cost=2)], OWN)
    assert (site.path_cost, set(site.paths)) == (1, {(OLD,), (NEW,)})
    assert (site.targets_ready, site.capacity) == (1, 4)  # They have the same targets.


def test_other_routers_of_our_own_site_are_no_candidates() -> None:
    assert by_site([candidate("sibling", OWN)], OWN) == ()


def test_what_is_in_flight_adds_up_and_one_that_withdrew_takes_no_target_away() -> None:
    reports = {NEW: report(NEW, 2)}
    both = [candidate(OLD), candidate(NEW)]
    whole = site_load(report(OLD, 3), both, reports.get)
    assert (whole.in_flight, whole.targets_ready, whole.capacity) == (5, 1, 4)
    leaving = [candidate(OLD, targets=0), candidate(NEW)]
    for known in (reports, dict[RouterId, LoadReport]()):
        whole = site_load(report(OLD, 0, targets=0), leaving, known.get)
        assert whole.targets_ready == 1


def test_the_report_of_an_only_router_is_its_sites() -> None:
    alone = msgspec.structs.replace(report(NEW, 2), capacity=None)
    assert site_load(alone, [candidate(NEW)], lambda router: None) == alone

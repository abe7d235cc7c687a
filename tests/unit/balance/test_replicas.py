"""By which of its routers a remote site is reached."""

import msgspec

from router.balance.balancer import ServiceBalancer
from router.balance.ledger import LocalLedger
from router.balance.replicas import one_of_each_site
from router.model.adverts import RemoteCandidate
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.specs import PolicySpec

OWN, OTHER = SiteId("own"), SiteId("other")


def candidate(router: str, site: SiteId = OTHER, **fields: object) -> RemoteCandidate:
    plain = RemoteCandidate(
        site=site,
        site_name=site,
        router=RouterId(router),
        path_cost=1,
        paths=((RouterId(router),),),
        targets_ready=1,
        capacity=4,
        draining=False,
    )
    return msgspec.structs.replace(plain, **fields)


def test_one_that_takes_requests_comes_before_a_nearer_one_that_does_not() -> None:
    useful = candidate("far", path_cost=9)
    for useless in (
        candidate("near", draining=True),
        candidate("near", targets_ready=0),
        candidate("near", capacity=0),
    ):
        assert one_of_each_site([useless, useful], OWN) == [useful]
        assert one_of_each_site([useful, useless], OWN) == [useful]
    assert one_of_each_site([useful, candidate("near")], OWN) == [candidate("near")]


def test_equal_ones_are_shared_out_among_those_who_ask_and_each_keeps_its_own() -> None:
    both = [candidate("1"), candidate("2")]
    chosen = {name: one_of_each_site(both, SiteId(name))[0].router for name in map(str, range(20))}
    assert set(chosen.values()) == {"1", "2"}
    for name, router in chosen.items():
        assert one_of_each_site(both[::-1], SiteId(name))[0].router == router


def test_no_request_goes_around_to_another_router_of_its_own_site() -> None:
    assert one_of_each_site([candidate("1", OWN), candidate("2")], OWN) == [candidate("2")]


def test_the_load_of_the_router_that_is_not_used_says_nothing_of_the_one_that_is() -> None:
    balancer = ServiceBalancer(ServiceKey("db", 1), OWN, "own", LocalLedger(), PolicySpec())
    balancer.set_remotes([candidate("1", draining=True), candidate("2")])
    assert balancer.reaches(OTHER, RouterId("2"))
    assert not balancer.reaches(OTHER, RouterId("1"))
    balancer.report_load(OTHER, 4, 1, 4, 0.0)
    balancer.set_remotes([candidate("1"), candidate("2", draining=True)])
    (other,) = [one for one in balancer.explain(1.0).candidates if one.site == OTHER]
    assert other.in_flight == 0, "that was of the other router"

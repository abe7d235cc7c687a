"""Targets of another site, as its routers tell of them: each has a share of the same ones."""

from itertools import permutations

from router.asking.targets import RouterTargets, TargetAnswer, TargetRate, public_targets
from router.model.ids import ServiceKey, SiteId
from router.operate.sites.site_view import as_one
from router.service.figures import TargetInfo


def told(
    name: str = "shop-0",
    *,
    ready: bool = True,
    capacity: int | None = 2,
    rate: TargetRate | None = None,
    state_s: float | None = 5.0,
) -> TargetAnswer:
    return TargetAnswer(
        name=name,
        port=80,
        ready=ready,
        in_flight=1,
        capacity=capacity,
        requests_total=10,
        error="" if ready else "refused",
        state_s=state_s,
        rate=rate,
    )


def whole(*parts: tuple[TargetAnswer, ...], shares: bool = True) -> list[TargetAnswer]:
    key, site = ServiceKey("shop", 80), SiteId("1" * 32)
    return as_one([RouterTargets(site, key, targets, shares) for targets in parts])


def test_a_target_that_each_router_has_a_share_of_is_one() -> None:
    (one,) = whole((told(),), (told(),))
    assert (one.name, one.in_flight, one.capacity, one.requests_total) == ("shop-0", 2, 4, 20)
    assert one.ready


def test_one_that_any_router_can_use_is_ready() -> None:
    (one,) = whole((told(ready=False),), (told(capacity=None),))
    assert (one.ready, one.error, one.capacity) == (True, "", 2)
    (one,) = whole((told(ready=False),), (told(ready=False),))
    assert (one.ready, one.error) == (False, "refused")


def test_a_target_is_ready_since_the_first_router_could_use_it() -> None:
    (one,) = whole((told(state_s=5.0),), (told(state_s=60.0),), (told(ready=False, state_s=90.0),))
    assert one.state_s == 60.0
    (one,) = whole((told(ready=False, state_s=5.0),), (told(ready=False, state_s=60.0),))
    assert one.state_s == 60.0
    (one,) = whole((told(state_s=None),), (told(state_s=None),))
    assert one.state_s is None


def test_rates_add_up() -> None:
    share = TargetRate(per_s=5.0, admitted_per_s=2.0, is_over=False)
    over = TargetRate(per_s=5.0, admitted_per_s=5.0, is_over=True)
    (one,) = whole((told(rate=share),), (told(rate=over),))
    assert one.rate == TargetRate(per_s=10.0, admitted_per_s=7.0, is_over=True)


def test_two_targets_of_one_connector_stay_two() -> None:
    each = whole((told("shop-0"), told("shop-1")), (told("shop-0"), told("shop-1")))
    assert [one.name for one in each] == ["shop-0", "shop-1"]
    twins = whole((told(), told()), (told(), told()))
    assert [one.capacity for one in twins] == [4, 4]


def test_routers_that_name_other_targets_are_not_summed() -> None:
    each = whole((told("shop-0"),), (told("shop-1"),), ())
    assert [one.name for one in each] == ["shop-0", "shop-1"]
    assert whole((told(),), ()) == [told()]
    assert whole((), ()) == []


def test_a_target_that_leaves_at_one_router_only_parts_no_other_one() -> None:
    new, old = told("shop-1", capacity=1), told("shop-0", ready=False, capacity=None)
    each = whole((new,), (new, old))
    assert [(one.name, one.capacity, one.in_flight) for one in each] == [
        ("shop-1", 2, 2),
        ("shop-0", None, 1),
    ]
    assert [one.capacity for one in whole((told(), old), (told(),), (told(),))] == [6, None]


def test_targets_are_told_in_one_order_whichever_came_first() -> None:
    infos = [
        TargetInfo(
            name=name,
            host=host,
            port=80,
            ready=not leaving,
            in_flight=0,
            capacity=1,
            requests_total=0,
            error="",
            leaving=leaving,
        )
        for name, host, leaving in (
            ("shop", "10.0.0.2", False),
            ("cart", "10.0.0.4", True),
            ("shop", "10.0.0.1", False),
            ("pay", "10.0.0.3", False),
        )
    ]
    orders = {public_targets(each, 0.0) for each in permutations(infos)}
    (order,) = orders
    assert [one.name for one in order] == ["pay", "shop", "shop", "cart"]


def test_targets_of_one_name_at_peers_with_documents_of_their_own_stay_two() -> None:
    assert whole((told(),), (told(),), shares=False) == [told(), told()]

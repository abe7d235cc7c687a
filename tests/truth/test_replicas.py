"""Two routers of one namespace: what one of them writes is true of both, and written once."""

import re
from collections.abc import Iterator

import pytest

from tests.kubernetes.routers import Router
from tests.scenario.clients import Load, by_site
from tests.scenario.waiting import until
from tests.truth.conftest import in_a_namespace
from tests.truth.namespaces import NamespaceSite
from tests.truth.scene import PER_S, Shop, door

OF_A_ROUTER = re.compile(r"SW0335 Router \S+: Service shop:\S+ at this router: ")


@pytest.fixture
def replica(shop: Shop) -> Iterator[Router]:
    """The second router of `near`, linked, too. The first one writes."""
    assert isinstance(shop.near, NamespaceSite)
    router = shop.near.replica()
    try:
        until(lambda: router.is_up("far"), "it is linked, too")
        yield router
    finally:
        router.stop()


@in_a_namespace
@pytest.mark.parametrize("asked", ["both", "the one that writes", "the other one"])
def test_a_fault_is_told_once_and_so_is_its_end(shop: Shop, replica: Router, asked: str) -> None:
    near = shop.near
    assert isinstance(near, NamespaceSite)
    first, port = door(near)
    doors = {
        "both": [(first, port), (replica.address, port)],
        "the one that writes": [(first, port)],
        "the other one": [(replica.address, port)],
    }
    with Load(doors[asked], PER_S) as load:
        until(lambda: by_site(load.answers)["near"] >= PER_S, "clients are served")
        for target in shop.targets:
            target.stop()
        until(lambda: by_site(load.answers)["far"] >= PER_S, "the other site serves")
        until(lambda: OF_A_ROUTER.search(near.status()), "the status has it, and says of which")
        until(lambda: near.counts("NoTargetBegun"), "an Event tells it")
        for target in shop.targets:
            target.start()
        near.until_well()
        until(lambda: near.counts("NoTargetEnded"), "an Event tells its end", 30)
    assert near.counts("NoTargetBegun") == near.counts("NoTargetEnded") == [1]


@in_a_namespace
def test_a_fault_that_only_clients_of_the_other_router_meet_is_told(
    shop: Shop, replica: Router
) -> None:
    near = shop.near
    assert isinstance(near, NamespaceSite)
    for target in shop.targets:
        target.forced = "/status/500"
    with Load([(replica.address, door(near)[1])], PER_S) as load:
        until(lambda: len(load.failed) >= PER_S, "clients get 500")
        until(lambda: "SW0338 Router " in near.status(), "the status has it")
        assert "NoProblems: False (1 problem)" in near.status()
        until(lambda: "SW0338" in shop.codes(), "the router itself has it, too")
        assert not [
            one
            for one in near.get("status")["problems"]
            if one["code"] == "SW0338" and not one["message"].startswith("Router ")
        ], "the first router has no such client"
    near.until_well()

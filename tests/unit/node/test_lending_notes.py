"""A reserve or a share that has no effect is said to have none."""

import pytest
from msgspec.structs import replace

from router.documents import Wanted
from router.model.specs import ConnectorSpec, ServiceProtocol, SitePolicySpec, SiteSpec, TargetSpec
from router.node.services.lending_notes import notes
from router.node.services.plan import Planner
from tests.unit.node.test_plan import declaration


def said(
    *capacities: int | str | None,
    reserve: float = 0.3,
    share: float = 1.0,
    protocol: ServiceProtocol = "http",
    cap: int | str | None = None,
) -> list[str]:
    policy = SitePolicySpec(
        service="shop", reserve_for_own=reserve, max_share=share, site_capacity=cap
    )
    wanted = Wanted(
        name="east",
        site=SiteSpec(),
        connectors={
            f"c{number}": ConnectorSpec(
                service="shop",
                targets=(TargetSpec(host=f"10.0.0.{number}", port=80),),
                capacity=capacity,
            )
            for number, capacity in enumerate(capacities)
        },
        policies={"shop": policy},
    )
    told = declaration()
    told = replace(told, spec=replace(told.spec, protocol=protocol))
    found = notes(Planner().plan(wanted, {"shop": told}).services.values())
    assert all(one.code == "SW0355" for one in found)
    return [one.message for one in found]


@pytest.mark.parametrize("capacities", [(10,), (10, 20), ("auto",), ("10,15/s",), ()])
def test_with_slots_there_is_nothing_to_say(capacities: tuple[int | str, ...]) -> None:
    assert said(*capacities) == []


def test_a_cap_of_the_site_is_a_number_of_slots_too() -> None:
    assert said(None, cap=10) == []
    assert len(said(None, cap="15/s")) == 1


@pytest.mark.parametrize("capacities", [(None,), (10, None), ("15/s",)])
def test_without_a_number_of_slots_it_has_no_effect(
    capacities: tuple[int | str | None, ...],
) -> None:
    assert said(*capacities) == [
        "Service shop: not all its targets here have configured or learned slots, so the reserve "
        "of 30% for its own clients has no effect."
    ]


def test_connections_have_no_learned_slots() -> None:
    assert len(said("auto", protocol="tcp")) == 1


def test_both_are_named_and_nothing_is_said_where_neither_is_set() -> None:
    (message,) = said(None, share=0.4)
    assert "30% for its own clients and the share of 40% for one neighbor have no effect" in message
    assert said(None, reserve=0.0) == []

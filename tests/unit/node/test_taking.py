"""A site that takes a share of its capacity."""

import pytest

from router.documents import Wanted
from router.documents.division import WHOLE, Division, divided
from router.model.capacity import SiteCap
from router.model.specs import ConnectorSpec, SitePolicySpec, SiteSpec, TargetSpec
from router.node.services.drain_share import DRAINED, notes
from router.node.services.plan import Planner
from router.node.services.planned import PlannedService
from tests.unit.node.test_plan import SHOP, declaration


def service(
    *capacities: int | str | None,
    takes: float,
    of_all: float = 1.0,
    by: Division = WHOLE,
    peers: tuple[str, ...] = (),
) -> PlannedService:
    """``shop`` with a connector of one target for each of the capacities."""
    wanted = Wanted(
        name="east",
        site=SiteSpec(peers=peers),
        services={},
        listeners={},
        connectors={
            f"c{number}": ConnectorSpec(
                service="shop",
                targets=(TargetSpec(host=f"10.0.0.{number}", port=80),),
                capacity=capacity,
            )
            for number, capacity in enumerate(capacities)
        },
        policies={
            "shop": SitePolicySpec(service="shop", takes=takes),
            "default": SitePolicySpec(service="*", takes=of_all),
        },
    )
    return Planner().plan(divided(wanted, by), {"shop": declaration()}).services[SHOP]


@pytest.mark.parametrize(
    ("capacities", "takes", "slots"),
    [((10, 10), 0.3, 6), ((1, 1, 1, 1), 0.5, 2), ((1,), 0.1, 1), ((10, None), 0.5, None)],
)
def test_slots_are_counted_over_all_targets(
    capacities: tuple[int | None, ...], takes: float, slots: int | None
) -> None:
    found = service(*capacities, takes=takes)
    assert (found.cap.slots if found.cap is not None else None) == slots
    assert [target.capacity for target in found.targets.values()] == list(capacities)


def test_nothing_new_puts_targets_out_of_use_and_the_smallest_share_counts() -> None:
    for found in (service(10, takes=0.0), service(10, takes=0.7, of_all=0.0)):
        assert [target.unusable for target in found.targets.values()] == [DRAINED]
    assert service(10, takes=0.7, of_all=0.2).cap == SiteCap(slots=2)
    assert service(10, takes=1.0).cap is None


def test_the_reason_names_no_place_since_other_sites_show_it_too() -> None:
    (target,) = service(10, takes=0.0).targets.values()
    assert target.unusable == "it takes nothing new: its service is drained"


def test_a_service_without_a_connector_here_is_not_drained() -> None:
    """Its requests would leave anyway, so no drain is why they do."""
    for takes in (0.0, 0.3):
        found = service(takes=1.0, of_all=takes)
        assert (found.takes, found.way_back) == (1.0, "")
        assert notes([found]) == []


@pytest.mark.parametrize(("takes", "slots"), [(0.3, 3), (0.1, 1), (0.05, 1), (0.9, 9)])
def test_routers_that_share_the_slots_take_no_more_than_one_would(takes: float, slots: int) -> None:
    for count in (2, 4, 7):
        caps = [
            service(10, takes=takes, by=Division(count=count, index=index)).cap
            for index in range(count)
        ]
        assert sum(cap.slots or 0 for cap in caps if cap is not None) == slots


def test_a_rate_is_divided() -> None:
    (target,) = service("15/s", takes=0.2).targets.values()
    assert target.rate is not None and target.rate.per_s == pytest.approx(3.0)


def test_it_is_noted_once_and_what_states_no_capacity_is_said() -> None:
    (note,) = notes([service(10, takes=0.3)])
    assert (note.code, note.message) == (
        "SW0353",
        "Service shop: this site takes 30% of its capacity.",
    )
    assert note.hint == f"To take all of it: sitectl service drain {SHOP.name} --to 100%"
    assert "state none" in notes([service(None, takes=0.3)])[0].message
    assert "nothing new" in notes([service(None, takes=0.0)])[0].message
    assert notes([service(10, takes=1.0)]) == []


def test_of_several_routers_with_documents_of_their_own_only_this_one_is_said_to_be_drained() -> (
    None
):
    peers = ("10.0.0.9:55671",)
    messages = [notes([service(10, takes=takes, peers=peers)])[0].message for takes in (0.3, 0.0)]
    assert messages == [
        "Service shop: this router takes 30% of its capacity.",
        "Service shop: this router takes nothing new of it.",
    ]


def test_the_next_step_is_the_command_that_ends_the_drain_that_holds() -> None:
    one, site = "sitectl service drain shop --to 100%", "sitectl site drain --to 100%"
    for own, of_all, way_back in (
        (0.3, 1.0, one),
        (1.0, 0.3, site),
        (1.0, 0.0, site),
        (0.5, 0.3, f"{one}, and: {site}"),
    ):
        (note,) = notes([service(10, takes=own, of_all=of_all)])
        assert note.hint == f"To take all of it: {way_back}"

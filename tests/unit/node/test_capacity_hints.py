"""Which services are pointed out for having no configured capacity."""

import pytest

from router.documents import Wanted
from router.model.events import Note
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import Declaration, RemoteCandidate
from router.model.specs import (
    ConnectorSpec,
    PolicySpec,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
    TargetSpec,
)
from router.node.problems.capacity_hints import capacity_hints
from router.routing.declared import Declared
from router.routing.table import RouteTable

HERE, THERE = SiteId("a" * 32), SiteId("b" * 32)
TARGET = TargetSpec(host="127.0.0.1", port=9001)
PLAIN = ConnectorSpec(service="shop", targets=(TARGET,))


def wanted(*connectors: ConnectorSpec, policies: dict[str, SitePolicySpec] | None = None) -> Wanted:
    return Wanted(
        name="onprem",
        site=SiteSpec(),
        connectors={f"shop-{number}": one for number, one in enumerate(connectors)},
        policies=policies or {},
    )


def table(
    policy: PolicySpec | None = None,
    at: tuple[SiteId, ...] = (THERE,),
    targets_ready: int = 1,
    ports: tuple[int, ...] = (8080, 8081),
) -> RouteTable:
    """``ports``: those that count here."""
    spec = ServiceSpec(ports=ports, policy=policy or PolicySpec())
    declaration = Declaration(name="shop", spec=spec, declared_at_s=1.0)
    candidates = tuple(
        RemoteCandidate(
            site=site,
            site_name="cloud",
            router=RouterId(f"{site[0]}-1"),
            path_cost=1,
            paths=((RouterId(f"{site[0]}-1"),),),
            targets_ready=targets_ready,
            capacity=None,
            draining=False,
        )
        for site in at
    )
    return RouteTable(
        generation=1,
        site=HERE,
        sites={},
        candidates={ServiceKey("shop", port): candidates for port in (8080, 8081)},
        declarations={
            "shop": Declared(declaration=declaration, site=HERE, reachable=True, conflicts=())
        },
        name_conflicts=(),
        next_hops={},
        epochs={},
        adjacencies=(),
    )


def hints(wanted: Wanted, table: RouteTable, ready: bool = True) -> list[Note]:
    return capacity_hints(wanted, table, {"shop"} if ready else ())


def test_a_service_of_two_ports_without_a_capacity_is_pointed_out_once() -> None:
    (note,) = hints(wanted(PLAIN, PLAIN), table())
    assert (note.severity, note.code) == ("info", "SW0331")
    assert note.message == (
        "Service shop has no configured capacity here, so this site is never full: requests spread "
        "over it and cloud by load and path cost."
    )
    assert "sitectl service set shop --capacity N" in note.hint


WITH_CAPACITY = [
    ConnectorSpec(service="shop", targets=(TARGET,), capacity="auto"),
    ConnectorSpec(service="shop", targets=(TargetSpec(host="127.0.0.1", port=9002, capacity=2),)),
]


@pytest.mark.parametrize("connector", WITH_CAPACITY)
def test_a_capacity_of_any_kind_is_one(connector: ConnectorSpec) -> None:
    assert hints(wanted(connector), table()) == []


@pytest.mark.parametrize("connector", WITH_CAPACITY)
def test_one_target_without_a_capacity_makes_a_site_that_is_never_full(
    connector: ConnectorSpec,
) -> None:
    (note,) = hints(wanted(PLAIN, connector), table())
    assert note.message == (
        "Service shop has a target without a configured capacity here, so this site is never full: "
        "requests spread over it and cloud by load and path cost."
    )


def test_a_cap_of_the_site_is_a_capacity() -> None:
    cap = {"cap": SitePolicySpec(service="shop", site_capacity=10)}
    assert hints(wanted(PLAIN, policies=cap), table()) == []


def test_where_the_other_site_serves_another_port_nothing_can_spill() -> None:
    assert hints(wanted(PLAIN), table(ports=(9090,))) == []
    assert hints(wanted(PLAIN), table(ports=())) != [], "of a service without ports any may be"


def test_where_no_other_site_has_targets_nothing_can_spill() -> None:
    assert hints(wanted(PLAIN), table(at=())) == []
    another_router_of_this_site = table(at=(HERE,))
    assert hints(wanted(PLAIN), another_router_of_this_site) == []
    assert hints(wanted(PLAIN), table(targets_ready=0)) == []


def test_a_site_that_serves_nothing_now_is_not_said_to_share_the_load() -> None:
    assert hints(wanted(PLAIN), table(), ready=False) == []


def test_a_site_without_targets_has_no_capacity_to_configure() -> None:
    assert hints(wanted(), table()) == []


@pytest.mark.parametrize("name", ["balanced", "spread", "failover"])
def test_other_policies_do_not_fill(name: str) -> None:
    policy = PolicySpec(name)
    assert hints(wanted(PLAIN), table(policy)) == []

"""Which declarations of other sites get listeners here."""

import msgspec
import pytest

from router.documents import Wanted
from router.main.listener_budget import Refusal
from router.main.listener_grants import ListenerOffice
from router.main.plan import Planner
from router.model import limits
from router.model.adverts import Declaration
from router.model.ids import ServiceKey, SiteId
from router.model.specs import ConnectorSpec, ConsoleSpec, ListenerSpec, ServiceSpec, SiteSpec

BETA, GAMMA = SiteId("beta"), SiteId("gamma")


def told(name: str, *ports: int) -> Declaration:
    return Declaration(name=name, spec=ServiceSpec(ports=ports), declared_at_s=0.0)


def wanted(
    *listeners: ListenerSpec, own: tuple[str, ...] = (), per_site: int = 2, sync: bool = True
) -> Wanted:
    return Wanted(
        name="alpha",
        site=SiteSpec(listeners_per_site=per_site, service_sync=sync),
        services={name: ServiceSpec(ports=(8_080,)) for name in own},
        listeners={str(number): one for number, one in enumerate(listeners)},
    )


def test_a_site_s_own_services_have_no_budget_but_the_total() -> None:
    names = [f"own-{number}" for number in range(5)]
    declared = {name: told(name, 9_000 + number) for number, name in enumerate(names)} | {
        "theirs": told("theirs", 7_000, 7_001, 7_002)
    }
    here = msgspec.structs.replace(wanted(), services={n: declared[n].spec for n in names})
    grants = ListenerOffice(6).grants(here, declared, {"theirs": BETA})
    assert grants.refused == {"theirs": {7_001: Refusal.TOTAL, 7_002: Refusal.SITE}}


def test_a_service_that_the_operator_named_counts_as_own_and_may_have_low_ports() -> None:
    declared = {
        "web": told("web", 80),
        "more": told("more", 7_000, 7_001, 7_002),
        "low": told("low", 81),
    }
    origins = dict.fromkeys(declared, BETA)
    listener = ListenerSpec(service="web", listen="80")
    grants = ListenerOffice(99).grants(wanted(listener), declared, origins)
    over = {"more": {7_002: Refusal.SITE}}
    assert grants.refused == {"low": {81: Refusal.LOW_PORT}, **over}
    auto = ListenerSpec(service="low", listen="auto")
    grants = ListenerOffice(99).grants(wanted(listener, auto), declared, origins)
    assert grants.refused == over


def test_a_service_that_the_operator_named_gets_no_more_ports_than_a_document_may_have() -> None:
    most = limits.PORTS_PER_SERVICE_MAX
    declared = {"bulk": told("bulk", *range(7_000, 7_000 + most + 5))}
    listener = ListenerSpec(service="bulk", listen="auto")
    grants = ListenerOffice(999).grants(wanted(listener), declared, {"bulk": BETA})
    assert set(grants.refused["bulk"]) == set(range(7_000 + most + 2, 7_000 + most + 5))


def test_an_address_of_an_own_service_is_its_own() -> None:
    declared = {"a": told("a", 8_080), "own": told("own", 8_080)}
    grants = ListenerOffice(99).grants(wanted(own=("own",)), declared, {"a": BETA})
    assert grants.refused == {"a": {8_080: Refusal.TAKEN}}


def test_an_address_of_the_site_s_own_doors_is_its_own() -> None:
    site = SiteSpec(
        bind_ip="10.0.0.1",
        bind_port=7_000,
        admin="10.0.0.1:7001",
        console=ConsoleSpec(bind="0.0.0.0:7002"),
    )
    here = Wanted(name="alpha", site=site)
    declared = {"a": told("a", 7_000, 7_001, 7_002, 7_003)}
    grants = ListenerOffice(99).grants(here, declared, {"a": BETA})
    assert grants.refused == {"a": dict.fromkeys((7_000, 7_001, 7_002), Refusal.TAKEN)}


def test_a_service_that_this_site_declares_too_is_its_own() -> None:
    declared = {"own": told("own", 8_080, 9_090)}
    here = wanted(own=("own",), per_site=0)
    grants = ListenerOffice(99).grants(here, declared, {"own": BETA})
    assert grants.refused == {"own": {9_090: Refusal.SITE}}


def test_ports_that_are_not_listened_for_count_for_nothing() -> None:
    declared = {"a": told("a", 1, 2, 3)}
    assert not ListenerOffice(1).grants(wanted(sync=False), declared, {"a": BETA}).refused
    none = wanted(ListenerSpec(service="a", listen="none"))
    assert not ListenerOffice(1).grants(none, declared, {"a": BETA}).refused


def test_behind_services_of_kubernetes_ports_count_before_they_have_an_address() -> None:
    here = msgspec.structs.replace(wanted(), inner_ports={})
    declared = {"a": told("a", 80, 81, 82), "b": told("b", 80)}
    grants = ListenerOffice(99).grants(here, declared, {"a": BETA, "b": GAMMA})
    assert grants.refused == {"a": {82: Refusal.SITE}}
    spec = grants.listened("a", declared["a"].spec)
    assert spec is not None and spec.ports == (80, 81)
    assert grants.listened("b", declared["b"].spec) is declared["b"].spec


def test_ports_beyond_all_reason_are_not_even_planned() -> None:
    most = limits.SERVICE_PORTS_OF_SITE_MAX
    declared = {
        f"bulk-{number}": told(f"bulk-{number}", *range(1_024, 2_024)) for number in range(20)
    } | {"used": told("used", 9_000)}
    here = msgspec.structs.replace(wanted(), connectors={"c": ConnectorSpec(service="used")})
    grants = ListenerOffice(999).grants(here, declared, dict.fromkeys(declared, BETA))
    services = Planner().plan(here, declared, grants).services
    assert len(services) == most + 1
    assert sum(one.listen is not None for one in services.values()) == 2
    assert services[ServiceKey("used", 9_000)].has_connector
    (unlistened,) = grants.unlistened
    assert (unlistened.origin, unlistened.refusal) == (BETA, Refusal.SITE)
    assert unlistened.count == 20_001 - 2
    assert grants.listened("bulk-9", declared["bulk-9"].spec) is None


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_listener_stays_when_its_site_declares_more(is_restarted: bool) -> None:
    office = ListenerOffice(99)
    declared = {"m": told("m", 7_000, 7_001)}
    assert not office.grants(wanted(), declared, {"m": BETA}).refused
    declared["a"] = told("a", 7_002)
    if is_restarted:
        office = ListenerOffice(99)
    refused = office.grants(wanted(), dict(declared), {"a": BETA, "m": BETA}).refused
    assert refused == (
        {"m": {7_001: Refusal.SITE}} if is_restarted else {"a": {7_002: Refusal.SITE}}
    )

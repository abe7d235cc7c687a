"""Which declarations of other sites get listeners here."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest

from router.documents import Wanted
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import Declaration
from router.model.rights.owners import NOBODY, Owner
from router.model.specs import ConnectorSpec, ConsoleSpec, ListenerSpec, ServiceSpec, SiteSpec
from router.node.services.listeners.budget import ListenerRefusal
from router.node.services.listeners.grants import FORMER, ListenerOffice, PortHolder
from router.node.services.listeners.shown_ports import shown_ports
from router.node.services.plan import Planner
from router.process.state import FileKeeper

BETA, GAMMA = SiteId("beta"), SiteId("gamma")
Offices = Callable[[int], ListenerOffice]


@pytest.fixture
def office(tmp_path: Path) -> Offices:
    """Makes the office of a router that allows so many listeners; each time after a restart."""
    return lambda total: ListenerOffice(total, FileKeeper(tmp_path / "state.json"))


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


def test_a_site_s_own_services_have_no_budget_but_the_total(office: Offices) -> None:
    names = [f"own-{number}" for number in range(5)]
    declared = {name: told(name, 9_000 + number) for number, name in enumerate(names)} | {
        "theirs": told("theirs", 7_000, 7_001, 7_002)
    }
    here = msgspec.structs.replace(wanted(), services={n: declared[n].spec for n in names})
    grants = office(6).grants(here, declared, {"theirs": BETA}, NOBODY)
    assert grants.refused == {"theirs": {7_001: ListenerRefusal.TOTAL, 7_002: ListenerRefusal.SITE}}


def test_a_service_that_the_operator_named_counts_as_own_and_may_have_low_ports(
    office: Offices,
) -> None:
    declared = {
        "web": told("web", 80),
        "more": told("more", 7_000, 7_001, 7_002),
        "low": told("low", 81),
    }
    origins = dict.fromkeys(declared, BETA)
    listener = ListenerSpec(service="web", listen="80")
    grants = office(99).grants(wanted(listener), declared, origins, NOBODY)
    over = {"more": {7_002: ListenerRefusal.SITE}}
    assert grants.refused == {"low": {81: ListenerRefusal.LOW_PORT}, **over}
    auto = ListenerSpec(service="low", listen="auto")
    grants = office(99).grants(wanted(listener, auto), declared, origins, NOBODY)
    assert grants.refused == over


def test_a_service_that_the_operator_named_gets_no_more_ports_than_a_document_may_have(
    office: Offices,
) -> None:
    most = limits.PORTS_PER_SERVICE_MAX
    declared = {"bulk": told("bulk", *range(7_000, 7_000 + most + 5))}
    listener = ListenerSpec(service="bulk", listen="auto")
    grants = office(999).grants(wanted(listener), declared, {"bulk": BETA}, NOBODY)
    assert set(grants.refused["bulk"]) == set(range(7_000 + most + 2, 7_000 + most + 5))


def test_an_address_of_an_own_service_is_its_own(office: Offices) -> None:
    declared = {"a": told("a", 8_080), "own": told("own", 8_080)}
    grants = office(99).grants(wanted(own=("own",)), declared, {"a": BETA}, NOBODY)
    assert grants.refused == {"a": {8_080: ListenerRefusal.PLACE}}
    assert grants.unlistened[0].holders == (PortHolder("own", None),)
    assert grants.unlistened[0].places == (None,), "it is the port that its service names"


def test_an_own_service_takes_no_port_of_another_own_one_also_over_a_restart(
    office: Offices,
) -> None:
    first, both = wanted(own=("shop",)), wanted(own=("a", "shop"))
    declared = {name: told(name, 8_080) for name in ("a", "shop")}
    before = office(99)
    assert before.grants(first, {"shop": declared["shop"]}, {}, NOBODY).refused == {}
    refused = {"a": {8_080: ListenerRefusal.PLACE}}
    assert before.grants(both, declared, {}, NOBODY).refused == refused
    before.keep()
    after = office(99).grants(both, declared, {}, NOBODY)
    assert after.refused == refused
    assert after.unlistened[0].holders == (PortHolder("shop", None),)


def test_an_own_service_that_listens_elsewhere_takes_no_port_of_another_own_one(
    office: Offices,
) -> None:
    declared = {name: told(name, 8_080) for name in ("a", "shop")}
    apart = ListenerSpec(service="a", listen="9000")
    one = office(99)
    assert one.grants(wanted(apart, own=("a", "shop")), declared, {}, NOBODY).refused == {}
    refused = {"a": {8_080: ListenerRefusal.PLACE}}
    assert one.grants(wanted(own=("a", "shop")), declared, {}, NOBODY).refused == refused
    assert one.grants(wanted(apart, own=("a", "shop")), declared, {}, NOBODY).refused == {}


@pytest.mark.parametrize("origins", [{}, {"a": BETA, "shop": GAMMA}])
def test_nor_does_one_that_listened_elsewhere_before_the_restart(
    office: Offices, origins: dict[str, SiteId]
) -> None:
    """Its Listener was taken away while the router did not run."""
    declared = {name: told(name, 8_080) for name in ("a", "shop")}
    own = () if origins else ("a", "shop")
    apart = ListenerSpec(service="a", listen="9000")
    before = office(99)
    assert before.grants(wanted(apart, own=own), declared, origins, NOBODY).refused == {}
    before.keep()
    refused = {"a": {8_080: ListenerRefusal.PLACE}}
    assert office(99).grants(wanted(own=own), declared, origins, NOBODY).refused == refused


def test_nor_does_one_of_another_site_that_the_operator_had_listen_elsewhere(
    office: Offices,
) -> None:
    declared = {name: told(name, 8_080) for name in ("a", "shop")}
    origins = {"a": BETA, "shop": GAMMA}
    apart = ListenerSpec(service="a", listen="9000")
    one = office(99)
    assert one.grants(wanted(apart), declared, origins, NOBODY).refused == {}
    assert one.grants(wanted(), declared, origins, NOBODY).refused == {
        "a": {8_080: ListenerRefusal.PLACE}
    }


def test_the_holder_of_an_address_is_who_listens_there_whatever_its_service_port(
    office: Offices,
) -> None:
    declared = {"a": told("a", 8_080), "b": told("b", 8_081), "other": told("other", 8_081)}
    at = ("10.0.0.2:9000", "10.0.0.2:9000", "10.0.0.3:9000")
    listeners = [ListenerSpec(service=n, listen=t) for n, t in zip("abc", at, strict=True)]
    declared["c"] = told("c", 8_082)
    grants = office(99).grants(wanted(*listeners, own=tuple(declared)), declared, {}, NOBODY)
    assert grants.refused == {"b": {8_081: ListenerRefusal.PLACE}}
    assert grants.unlistened[0].places == (("10.0.0.2", 9_000),)
    assert grants.unlistened[0].holders == (PortHolder("a", None, is_given=True),)


def test_an_own_service_that_is_deleted_keeps_no_port(office: Offices) -> None:
    one = office(99)
    shop, a = told("shop", 8_080), told("a", 8_080)
    one.grants(wanted(own=("shop",)), {"shop": shop}, {}, NOBODY)
    owners = {"shop": Owner((BETA,), "")}
    assert one.grants(wanted(own=("a",)), {"a": a}, {}, owners).refused == {}


def test_own_listeners_at_one_port_of_different_addresses_are_no_conflict(office: Offices) -> None:
    declared = {name: told(name, 8_080) for name in ("a", "b", "c")}
    apart = [ListenerSpec(service=n, listen=f"10.0.0.{i}:80") for i, n in enumerate("ab", 1)]
    here = wanted(*apart, own=("a", "b", "c"))
    assert office(99).grants(here, declared, {}, NOBODY).refused == {}
    everywhere = ListenerSpec(service="c", listen="0.0.0.0:80")
    here = wanted(*apart, everywhere, own=("a", "b", "c"))
    refused = office(99).grants(here, declared, {}, NOBODY).refused
    assert refused == {"c": {8_080: ListenerRefusal.PLACE}}


def test_an_address_of_the_site_s_own_doors_is_its_own(office: Offices) -> None:
    site = SiteSpec(
        bind_ip="10.0.0.1",
        bind_port=7_000,
        admin="10.0.0.1:7001",
        console=ConsoleSpec(bind="0.0.0.0:7002"),
    )
    here = Wanted(name="alpha", site=site)
    declared = {"a": told("a", 7_000, 7_001, 7_002, 7_003)}
    grants = office(99).grants(here, declared, {"a": BETA}, NOBODY)
    assert grants.refused == {"a": dict.fromkeys((7_000, 7_001, 7_002), ListenerRefusal.TAKEN)}


def test_a_service_that_this_site_declares_too_is_its_own(office: Offices) -> None:
    declared = {"own": told("own", 8_080, 9_090)}
    here = wanted(own=("own",), per_site=0)
    grants = office(99).grants(here, declared, {"own": BETA}, NOBODY)
    assert grants.refused == {"own": {9_090: ListenerRefusal.SITE}}


def test_ports_that_are_not_listened_for_count_for_nothing(office: Offices) -> None:
    declared = {"a": told("a", 1, 2, 3)}
    assert not office(1).grants(wanted(sync=False), declared, {"a": BETA}, NOBODY).refused
    none = wanted(ListenerSpec(service="a", listen="none"))
    assert not office(1).grants(none, declared, {"a": BETA}, NOBODY).refused


def test_behind_services_of_kubernetes_ports_count_before_they_have_an_address(
    office: Offices,
) -> None:
    here = msgspec.structs.replace(wanted(), inner_ports={})
    declared = {"a": told("a", 80, 81, 82), "b": told("b", 80)}
    grants = office(99).grants(here, declared, {"a": BETA, "b": GAMMA}, NOBODY)
    assert grants.refused == {"a": {82: ListenerRefusal.SITE}}
    spec = grants.listened("a", declared["a"].spec)
    assert spec is not None and spec.ports == (80, 81)
    assert grants.listened("b", declared["b"].spec) is declared["b"].spec


def test_ports_beyond_all_reason_are_not_even_planned(office: Offices) -> None:
    most = limits.SERVICE_PORTS_OF_SITE_MAX
    declared = {
        f"bulk-{number}": told(f"bulk-{number}", *range(1_024, 2_024)) for number in range(20)
    } | {"used": told("used", 9_000)}
    here = msgspec.structs.replace(wanted(), connectors={"c": ConnectorSpec(service="used")})
    grants = office(999).grants(here, declared, dict.fromkeys(declared, BETA), NOBODY)
    services = Planner().plan(here, declared, grants).services
    assert len(services) == most + 1
    assert sum(one.listen is not None for one in services.values()) == 2
    assert services[ServiceKey("used", 9_000)].has_connector
    # The services have the same ports: of these only the first one's are tried.
    counts = {(one.origin, one.refusal): one.count for one in grants.unlistened}
    assert counts == {
        (BETA, ListenerRefusal.PLACE): 2,
        (BETA, ListenerRefusal.SITE): 1_021,
        (BETA, ListenerRefusal.UNPLANNED): 20_000 - most,
    }
    assert grants.unlistened[-1].first[0] == ServiceKey("bulk-1", 1_048)
    assert grants.listened("bulk-9", declared["bulk-9"].spec) is None


def test_sites_behind_each_neighbor_have_a_part_of_the_ports_that_are_planned() -> None:
    """Those that a member invents take nothing from the sites behind another neighbor."""
    most = limits.SERVICE_PORTS_OF_SITES_MAX
    invented = [SiteId(f"invented {number}") for number in range(8)]
    origins = {f"x{at}-{n}": site for at, site in enumerate(invented) for n in range(1_000)}
    honest = {f"h{n}": BETA for n in range(900)}
    declared = {name: told(name, 80) for name in origins | honest}
    neighbours = {**dict.fromkeys(invented, GAMMA), BETA: BETA}

    def shown(known_first: Iterable[str] = ()) -> Counter[SiteId]:
        everybody = origins | honest
        ranks = {name: rank for rank, name in enumerate(known_first)}
        left_out = shown_ports(wanted(), declared, everybody, ranks, lambda: neighbours)
        assert set(left_out.values()) == {0}
        assert len(left_out) == len(everybody) - most
        return Counter(site for name, site in everybody.items() if name not in left_out)

    assert shown()[BETA] == 900 and shown().total() == most
    last = shown([name for name, site in origins.items() if site == invented[-1]])
    assert last[invented[-1]] == 1_000, "what is known longest stays"
    assert last[BETA] == 900


def test_a_part_follows_a_site_that_is_reached_by_another_neighbor(office: Offices) -> None:
    ports = limits.SERVICE_PORTS_OF_SITE_MAX
    sites = [BETA, GAMMA, SiteId("delta")]
    declared = {f"{site}-{n}": told(f"{site}-{n}", 80) for site in sites for n in range(ports)}
    origins = {name: SiteId(name.partition("-")[0]) for name in declared}
    apart = {site: str(site) for site in sites}
    here, kept = wanted(), office(9_999)

    def shown(one: ListenerOffice, holders: dict[SiteId, str]) -> object:
        return one.grants(here, declared, origins, NOBODY, lambda: holders).shown

    for holders in (apart, {**apart, GAMMA: "beta"}, apart):
        assert shown(kept, holders) == shown(office(9_999), holders)


def test_while_all_have_room_nobody_asks_which_neighbor_leads_to_them() -> None:
    origins = {f"x{n}": SiteId(f"site {n}") for n in range(limits.SERVICE_PORTS_OF_SITES_MAX)}
    declared = {name: told(name, 80) for name in origins}

    def asked() -> dict[SiteId, SiteId]:
        raise AssertionError("there is room for all")

    assert shown_ports(wanted(), declared, origins, {}, asked) == {}


def test_a_listener_stays_when_its_site_declares_more_also_over_a_restart(office: Offices) -> None:
    here, before = wanted(), office(99)
    declared = {"m": told("m", 7_000, 7_001)}
    assert not before.grants(here, declared, {"m": BETA}, NOBODY).refused
    before.keep()
    declared["a"] = told("a", 7_002)
    for one in (before, office(99)):
        refused = one.grants(here, declared, {"a": BETA, "m": BETA}, NOBODY).refused
        assert refused == {"a": {7_002: ListenerRefusal.SITE}}


def owned(**sites: SiteId) -> dict[str, Owner]:
    return {name: Owner((site,), "") for name, site in sites.items()}


def test_a_port_stays_with_the_service_that_had_it_also_over_a_restart(office: Offices) -> None:
    declared = {"shop": told("shop", 8_080)}
    before = office(99)
    assert not before.grants(wanted(), declared, {"shop": GAMMA}, owned(shop=GAMMA)).refused
    before.keep()
    declared["aaa"] = told("aaa", 8_080)
    origins, owners = {"shop": GAMMA, "aaa": BETA}, owned(aaa=BETA, shop=GAMMA)
    for one in (before, office(99)):
        grants = one.grants(wanted(), declared, origins, owners)
        assert grants.refused == {"aaa": {8_080: ListenerRefusal.PLACE}}
        (unlistened,) = grants.unlistened
        assert unlistened.holders == (PortHolder("shop", GAMMA),)


def test_a_port_that_no_service_had_goes_to_the_one_whose_owner_is_known_longer(
    office: Offices,
) -> None:
    declared = {"aaa": told("aaa", 8_080), "shop": told("shop", 8_080)}
    origins = {"aaa": BETA, "shop": GAMMA}
    grants = office(99).grants(wanted(), declared, origins, owned(shop=GAMMA, aaa=BETA))
    assert grants.refused == {"aaa": {8_080: ListenerRefusal.PLACE}}
    grants = office(99).grants(wanted(), declared, origins, NOBODY)
    assert grants.refused == {"shop": {8_080: ListenerRefusal.PLACE}}, "of strangers the lower id"


def test_the_port_of_an_owned_service_that_is_away_is_kept_for_it(office: Offices) -> None:
    before = office(99)
    before.grants(wanted(), {"shop": told("shop", 8_080)}, {"shop": GAMMA}, owned(shop=GAMMA))
    before.keep()
    others = {"aaa": told("aaa", 8_080)}
    owners = owned(shop=GAMMA, aaa=BETA)
    for one in (before, office(99)):
        grants = one.grants(wanted(), others, {"aaa": BETA}, owners)
        assert grants.refused == {"aaa": {8_080: ListenerRefusal.PLACE}}
        assert grants.unlistened[0].holders == (PortHolder("shop", GAMMA, is_away=True),)
    renamed = {"new": told("new", 8_080)}
    assert not before.grants(wanted(), renamed, {"new": GAMMA}, owners).refused, "its own site"
    last = office(99)
    assert not last.grants(wanted(), others, {"aaa": BETA}, owned(aaa=BETA)).refused, "withdrawn"


def test_ports_kept_for_services_that_are_away_are_within_the_budget_of_their_site(
    office: Offices,
) -> None:
    one, owners = office(99), owned(a=GAMMA, b=GAMMA)
    one.grants(wanted(), {"a": told("a", 7_000, 7_001)}, {"a": GAMMA}, owners)
    one.grants(wanted(), {"b": told("b", 7_002, 7_003)}, {"b": GAMMA}, owners)
    others = {"c": told("c", 7_000, 7_002)}
    refused = one.grants(wanted(), others, {"c": BETA}, owners).refused
    assert refused == {"c": {7_002: ListenerRefusal.PLACE}}


def test_only_so_many_ports_are_remembered(
    office: Offices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(limits, "LISTENERS_REMEMBERED_MAX", 1)
    one = office(99)
    one.grants(wanted(), {"m": told("m", 7_001)}, {"m": GAMMA}, NOBODY)
    both = {"m": told("m", 7_001), "a": told("a", 7_000)}
    one.grants(wanted(), both, dict.fromkeys(both, GAMMA), NOBODY)
    one.keep()
    held = FileKeeper(tmp_path / "state.json").listeners()
    assert [(kept.service, kept.port, kept.site) for kept in held] == [("m", 7_001, GAMMA)]


def test_remembered_declarations_count_for_the_site_that_made_them(office: Offices) -> None:
    one = office(99)
    one.grants(wanted(), {"shop": told("shop", 8_080)}, {"shop": GAMMA}, NOBODY)
    one.keep()
    owners = {**owned(bulk=BETA), "both": Owner((BETA, GAMMA), "")}
    assert office(99).origins_of(("shop", "bulk", "both", "old"), owners) == {
        "shop": GAMMA,
        "bulk": BETA,
        "both": FORMER,
        "old": FORMER,
    }

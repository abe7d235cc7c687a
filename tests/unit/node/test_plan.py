"""Wanted state and declarations, resolved into service ports."""

from typing import Any

import msgspec
import pytest

from router.documents import Wanted
from router.model.ids import ServiceKey
from router.model.messages.adverts import Declaration
from router.model.settings import Health
from router.model.specs import (
    ConnectorSpec,
    ListenerSpec,
    PolicySpec,
    ServiceProtocol,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
    TargetSpec,
)
from router.node.problems import listener_problems
from router.node.services.plan import Planner, PortPlan, Undeclared, wishes
from router.node.services.planned import PlannedTarget

SHOP = ServiceKey("shop", 8080)


def declaration(*ports: int) -> Declaration:
    return Declaration(
        name="shop",
        spec=ServiceSpec(protocol="http", ports=ports or (8080,)),
        declared_at_s=0.0,
    )


def planned(
    *targets: TargetSpec,
    ports: tuple[int, ...] = (8080,),
    listener: ListenerSpec | None = None,
    sync: bool = True,
    declared_here: bool = True,
) -> PortPlan:
    wanted = Wanted(
        name="east",
        site=SiteSpec(bind_ip="127.0.0.5", service_sync=sync),
        services={"shop": ServiceSpec(protocol="http", ports=ports)} if declared_here else {},
        connectors={"here": ConnectorSpec(service="shop", targets=targets, capacity=7)}
        if targets
        else {},
        listeners={"shop": listener} if listener else {},
    )
    return Planner().plan(wanted, {"shop": declaration(*ports)})


def test_a_service_listens_on_its_own_port_at_the_sites_address() -> None:
    assert planned().services[SHOP].listen == ("127.0.0.5", 8080)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (PolicySpec("of-tomorrow"), "policy of-tomorrow is not in this version"),
        (PolicySpec("split"), "policy split needs weights"),
        (PolicySpec("split", {"west": -1}), "policy split needs weights"),
    ],
)
def test_a_policy_that_cannot_be_run_is_fill_here_and_told(policy: PolicySpec, said: str) -> None:
    told = declaration()
    spec = msgspec.structs.replace(told.spec, policy=policy)
    told = msgspec.structs.replace(told, spec=spec)
    wanted = Wanted(name="east", site=SiteSpec(), services={}, connectors={}, listeners={})
    result = Planner().plan(wanted, {"shop": told})
    assert result.services[SHOP].declaration == declaration()
    (problem,) = result.problems
    assert problem.code == "SW0308" and said in problem.message


def test_a_listener_without_a_port_demands_certificates_at_every_port() -> None:
    """Its site need not know yet how many ports the service of another site has."""
    trust = planned(
        ports=(8080, 8081),
        listener=ListenerSpec(service="shop", listen="9443", tls_client_trust="clients"),
        declared_here=False,
    )
    assert [one.tls_client_trust for one in trust.services.values()] == ["clients", "clients"]


def test_a_listener_of_one_port_demands_certificates_there_alone() -> None:
    of_one = ListenerSpec(service="shop", port=8081, tls_client_trust="clients")
    trust = planned(ports=(8080, 8081), listener=of_one)
    assert [one.tls_client_trust for one in trust.services.values()] == ["", "clients"]


@pytest.mark.parametrize("names", [("all", "one"), ("one", "all")])
def test_a_listener_that_names_a_port_goes_before_one_of_all_ports(names: tuple[str, str]) -> None:
    of_all = ListenerSpec(service="shop", listen="127.0.0.2:auto")
    of_one = ListenerSpec(service="shop", port=8081, listen="9443", tls_client_trust="clients")
    each = {"all": of_all, "one": of_one}
    wanted = Wanted(
        name="east",
        site=SiteSpec(bind_ip="127.0.0.5"),
        services={"shop": ServiceSpec(protocol="http", ports=(8080, 8081))},
        connectors={},
        listeners={name: each[name] for name in names},
    )
    found = Planner().plan(wanted, {"shop": declaration(8080, 8081)}).services.values()
    assert [one.listen for one in found] == [("127.0.0.2", 8080), ("127.0.0.5", 9443)]
    assert [one.tls_client_trust for one in found] == ["", "clients"]


def test_a_target_that_has_a_name_is_known_by_it() -> None:
    targets = planned(TargetSpec("10.0.0.1", 80, name="shop-1"), TargetSpec("10.0.0.2", 80))
    names = [target.name for target in targets.services[SHOP].targets.values()]
    assert names == ["shop-1", ""]


def test_targets_carry_their_connector_and_capacity() -> None:
    service = planned(TargetSpec("10.0.0.1", 9001), TargetSpec("::1", 9002)).services[SHOP]
    here = PlannedTarget(connector="here", capacity=7)
    assert service.targets == {"10.0.0.1:9001": here, "[::1]:9002": here}
    assert service.has_connector


def test_a_target_gives_one_port_for_each_port_of_the_service() -> None:
    result = planned(TargetSpec("10.0.0.1", ports=(9001, 9002)), ports=(8080, 8081))
    assert list(result.services[SHOP].targets) == ["10.0.0.1:9001"]
    assert list(result.services[ServiceKey("shop", 8081)].targets) == ["10.0.0.1:9002"]


def test_a_target_that_lacks_a_port_is_a_problem_of_its_own() -> None:
    result = planned(
        TargetSpec("10.0.0.1", 9001), TargetSpec("10.0.0.2", ports=(1, 2)), ports=(8080, 8081)
    )
    assert list(result.services[SHOP].targets) == ["10.0.0.2:1"]
    assert {problem.code for problem in result.problems} == {"SW0302"}


def test_a_listener_document_moves_or_removes_the_listener() -> None:
    moved = planned(listener=ListenerSpec(service="shop", listen="127.0.0.9:80"))
    assert moved.services[SHOP].listen == ("127.0.0.9", 80)
    port_only = planned(listener=ListenerSpec(service="shop", listen="9090"))
    assert port_only.services[SHOP].listen == ("127.0.0.5", 9090)
    auto = planned(listener=ListenerSpec(service="shop", listen="auto"))
    assert auto.services[SHOP].listen == ("127.0.0.5", 8080)
    none = planned(listener=ListenerSpec(service="shop", listen="none"))
    assert none.services[SHOP].listen is None


def test_a_listener_without_a_number_moves_every_port_of_its_service() -> None:
    def listens(listen: str) -> list[tuple[str, int] | None]:
        listener = ListenerSpec(service="shop", listen=listen)
        services = planned(ports=(80, 90), listener=listener, sync=False, declared_here=False)
        return [service.listen for service in services.services.values()]

    assert listens("127.0.0.2:auto") == [("127.0.0.2", 80), ("127.0.0.2", 90)]
    assert listens("[::1]:auto") == [("::1", 80), ("::1", 90)]
    assert listens("auto") == [("127.0.0.5", 80), ("127.0.0.5", 90)]
    assert listens("none") == [None, None]
    assert listens("7777") == [("127.0.0.5", 7777), None]  # One number: the first of two ports.


def test_a_number_that_fits_no_port_lets_in_no_client_without_a_certificate() -> None:
    """A site may not know yet how many ports the service of another site has."""
    listener = ListenerSpec(service="shop", listen="7777", tls_client_trust="clients")
    for ports in ((80,), (80, 90)):
        services = planned(ports=ports, listener=listener).services.values()
        assert {service.tls_client_trust for service in services} == {"clients"}
    of_one_port = ListenerSpec(service="shop", port=80, tls_client_trust="clients")
    each = planned(ports=(80, 90), listener=of_one_port).services.values()
    assert [service.tls_client_trust for service in each] == ["clients", ""]


def test_without_service_sync_only_ones_own_services_get_a_listener() -> None:
    assert planned(sync=False).services[SHOP].listen is not None
    foreign = planned(sync=False, declared_here=False).services[SHOP]
    assert foreign.listen is None
    assert "service sync" in foreign.why_not


def test_a_target_that_is_the_listener_itself_is_refused_and_not_listened_on() -> None:
    result = planned(TargetSpec("127.0.0.5", 8080), TargetSpec("10.0.0.1", 9001))
    service = result.services[SHOP]
    assert service.listen is None
    assert list(service.targets) == ["10.0.0.1:9001"]
    (problem,) = result.problems
    assert problem.code == "SW0303"
    assert "sitectl service set shop:8080 --listen" in problem.hint


def test_what_names_a_service_that_nobody_declares_is_told() -> None:
    wanted = Wanted(
        name="east",
        site=SiteSpec(),
        connectors={"here": ConnectorSpec(service="shop", targets=(TargetSpec("10.0.0.1", 1),))},
        policies={
            "cap": SitePolicySpec(service="cart", site_capacity=3),
            "kept": SitePolicySpec(service="till", reserve_for_own=0.3, max_share=0.4),
            "of-all": SitePolicySpec(service="*", reserve_for_own=0.3),
            "none": SitePolicySpec(service="cart"),
        },
    )
    assert Planner().plan(wanted, {}).undeclared == (
        Undeclared("Connector", "here", "shop", targets="10.0.0.1:1"),
        Undeclared("Policy", "cap", "cart", "--site-capacity none"),
        Undeclared("Policy", "kept", "till", "--reserve-for-own none --max-share none"),
    )


def test_a_service_that_is_not_declared_any_more_is_known_by_its_ports_and_protocol() -> None:
    bound = Wanted(
        name="east",
        site=SiteSpec(),
        services={},
        connectors={"here": ConnectorSpec(service="shop", targets=(TargetSpec("10.0.0.1", 1),))},
    )
    told = Declaration(
        name="shop", spec=ServiceSpec(ports=(80, 81), protocol="http"), declared_at_s=0.0
    )
    planner = Planner()
    assert planner.plan(bound, {}).undeclared[0].creation == "sitectl service create shop PORT"
    assert planner.plan(bound, {"shop": told}).undeclared == ()
    removed = "sitectl service create shop 80 81 --protocol http"
    assert planner.plan(bound, {}).undeclared[0].creation == removed
    other = msgspec.structs.replace(told, name="till")
    assert planner.plan(bound, {"till": other}).undeclared[0].creation == removed, "still"
    gateway = msgspec.structs.replace(bound, site=SiteSpec(service_sync=False))
    planner = Planner()
    planner.plan(gateway, {"shop": told})
    for declared in ({}, {"till": other}):
        (one,) = planner.plan(gateway, declared).undeclared
        assert one.creation == f"{removed} --listen none", "its target may be at that very port"
    checked = ConnectorSpec(
        service="shop", targets=(TargetSpec("10.0.0.1", 1),), health=Health(path="/up")
    )
    (implied,) = (
        Planner().plan(msgspec.structs.replace(bound, connectors={"": checked}), {}).undeclared
    )
    assert implied.creation == "sitectl service create shop PORT --protocol http"
    assert implied.targets == "", "`service bind` would need more words"


@pytest.mark.parametrize("protocol", ["tcp", "http2"])
def test_a_path_of_tcp_is_a_problem_and_the_target_is_checked_by_connecting(
    protocol: ServiceProtocol,
) -> None:
    targets = (TargetSpec("10.0.0.1", 1),)
    connector = ConnectorSpec(
        service="db", targets=targets, health=Health(path="/ok", interval_s=9.0)
    )
    wanted = Wanted(name="east", site=SiteSpec(), connectors={"here": connector})
    declared = Declaration(
        name="db", spec=ServiceSpec(protocol=protocol, ports=(80,)), declared_at_s=0.0
    )
    result = Planner().plan(wanted, {"db": declared})
    (planned_target,) = result.services[ServiceKey("db", 80)].targets.values()
    if protocol == "http2":
        assert not result.problems
        assert planned_target.health == Health(path="/ok", interval_s=9.0)
        return
    (problem,) = result.problems
    assert problem.code == "SW0307"
    assert "db is tcp, only targets of http and http2" in problem.message
    assert planned_target.health == Health(interval_s=9.0)


def test_the_proxy_protocol_is_told_of_and_left_out_where_it_is_not_spoken() -> None:
    protocols: tuple[ServiceProtocol, ...] = ("tcp", "http", "http2")
    for protocol in protocols:
        spoken = protocol == "tcp"
        spec = ServiceSpec(protocol=protocol, ports=(8080,))
        connector = ConnectorSpec(
            service="shop", targets=(TargetSpec("10.0.0.1", 9001),), proxy_protocol=True
        )
        wanted = Wanted(
            name="east",
            site=SiteSpec(),
            services={"shop": spec},
            connectors={"here": connector},
            listeners={},
        )
        result = Planner().plan(
            wanted, {"shop": Declaration(name="shop", spec=spec, declared_at_s=0.0)}
        )
        (target,) = result.services[SHOP].targets.values()
        assert target.proxy_protocol is spoken
        assert [problem.code for problem in result.problems] == ([] if spoken else ["SW0306"])


def test_a_site_with_service_sync_uses_every_service() -> None:
    assert wishes(Wanted(name="east", site=SiteSpec())) is None


def test_a_site_without_it_uses_what_it_declares_serves_and_listens_for() -> None:
    wanted = Wanted(
        name="east",
        site=SiteSpec(service_sync=False),
        services={"own": ServiceSpec(ports=(80,))},
        connectors={"here": ConnectorSpec(service="served")},
        listeners={
            "shop": ListenerSpec(service="shop"),
            "mail": ListenerSpec(service="mail", listen="none"),
        },
    )
    assert wishes(wanted) == frozenset({"own", "served", "shop"})


def test_behind_kubernetes_services_a_site_uses_those_that_lead_to_it() -> None:
    wanted = Wanted(
        name="east",
        site=SiteSpec(),
        inner_ports={SHOP: 1024},
        listeners={"x": ListenerSpec(service="x")},
    )
    assert wishes(wanted) == frozenset({"shop"})


def test_a_service_that_is_led_nowhere_on_purpose_says_so() -> None:
    def why(headless: str = "", listener: ListenerSpec | None = None) -> str:
        told = declaration()
        spec = msgspec.structs.replace(told.spec, headless=headless)
        listeners = {"shop": listener} if listener else {}
        wanted = Wanted(name="east", site=SiteSpec(), inner_ports={}, listeners=listeners)
        found = Planner().plan(wanted, {"shop": msgspec.structs.replace(told, spec=spec)})
        return found.services[SHOP].why_not

    assert why() == "no Kubernetes Service leads here"
    assert why(headless="shop").startswith("wanted so (headless")
    assert why(listener=ListenerSpec(service="shop", listen="none")) == "wanted so (listen: none)"


def test_in_a_namespace_without_service_sync_what_it_does_not_ask_for_is_not_called_missing() -> (
    None
):
    def closed(**documents: Any) -> str:
        site = SiteSpec(service_sync=False)
        wanted = Wanted(name="east", site=site, inner_ports={}, **documents)
        planned = Planner().plan(wanted, {"shop": declaration()}).services[SHOP]
        return "\n".join(listener_problems.closed(SHOP, {}, planned))

    assert closed() == (
        f"Service {SHOP} has no listener here: wanted so (service sync is off at this site).\n"
        f"To give it one: sitectl service set {SHOP} --listen PORT"
    )
    asking: dict[str, Any] = {
        "services": ServiceSpec(ports=(80,)),
        "connectors": ConnectorSpec(service="shop"),
        "listeners": ListenerSpec(service="shop"),
    }
    for kind, document in asking.items():
        assert "no Kubernetes Service leads here" in closed(**{kind: {"shop": document}}), kind


def test_a_namespace_that_makes_no_services_says_so_and_what_makes_them() -> None:
    listeners = {"shop": ListenerSpec(service="shop")}
    wanted = Wanted(name="east", site=SiteSpec(), inner_ports={}, listeners=listeners)
    planner, declared = Planner(), {"shop": declaration()}
    planner.plan(wanted, declared)  # A plan from before the setting changed is not reused.
    wanted = msgspec.structs.replace(wanted, makes_services=False)
    planned = planner.plan(wanted, declared).services[SHOP]
    assert listener_problems.closed(SHOP, {}, planned) == (
        f'Service {SHOP} has no listener here: wanted so (service-controller is "false": no '
        "Service is made).",
        'To give it one, set service-controller: "true" in ConfigMap/skupper-site',
    )


def test_where_a_service_of_kubernetes_is_missing_the_step_leads_to_why_it_was_refused() -> None:
    wanted = Wanted(name="east", site=SiteSpec(), inner_ports={})
    planned = Planner().plan(wanted, {"shop": declaration()}).services[SHOP]
    assert listener_problems.closed(SHOP, {}, planned) == (
        f"Service {SHOP} has no listener here: no Kubernetes Service leads here.",
        "sitectl status says whether one was refused, and why. If none was: "
        f"sitectl service set {SHOP} --listen PORT",
    )


def test_a_routing_key_is_listened_for_only_where_a_listener_says_so() -> None:
    told = declaration()
    spec = msgspec.structs.replace(told.spec, ports=(1,), routing_key="shop.db")
    key = ServiceKey("shop", 1)

    def planned(*listeners: ListenerSpec) -> tuple[tuple[str, int] | None, str]:
        documents = {str(at): one for at, one in enumerate(listeners)}
        wanted = Wanted(name="east", site=SiteSpec(), listeners=documents, services={"shop": spec})
        found = (
            Planner().plan(wanted, {"shop": msgspec.structs.replace(told, spec=spec)}).services[key]
        )
        return found.listen, found.why_not

    listen, why = planned()
    assert listen is None and "a routing key" in why
    here = ListenerSpec(service="shop", listen="127.0.0.1:5432")
    assert planned(here) == (("127.0.0.1", 5432), "")


@pytest.mark.parametrize("protocol", ["tcp", "http", "http2"])
def test_capacity_auto_of_a_tcp_service_is_a_problem_and_none_stated(
    protocol: ServiceProtocol,
) -> None:
    connector = ConnectorSpec(service="db", targets=(TargetSpec("10.0.0.5", 80),), capacity="auto")
    wanted = Wanted(name="east", site=SiteSpec(), connectors={"here": connector})
    declared = Declaration(
        name="db", spec=ServiceSpec(protocol=protocol, ports=(80,)), declared_at_s=0.0
    )
    result = Planner().plan(wanted, {"db": declared})
    (target,) = result.services[ServiceKey("db", 80)].targets.values()
    assert target.auto is (protocol != "tcp")
    assert target.capacity is None
    assert [one.code for one in result.problems] == (["SW0317"] if protocol == "tcp" else [])


def test_planned_again_from_the_same_it_is_the_very_plan() -> None:
    wanted = Wanted(name="east", site=SiteSpec(), services={"shop": ServiceSpec(ports=(8080,))})
    planner = Planner()
    before = planner.plan(wanted, {"shop": declaration()})
    assert planner.plan(wanted, {"shop": declaration()}) is before
    after = planner.plan(wanted, {"shop": declaration(9090)})
    assert after is not before
    assert list(after.services) == [ServiceKey("shop", 9090)]

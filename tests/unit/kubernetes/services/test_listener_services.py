"""Services that Listener documents name: their ports, their memory, and who has a name first."""

import copy
from typing import Any

from router.documents.skupper2.keys import declaration_of
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Delete
from router.kubernetes.objects.picture import RequestedService, SiteOptions
from router.kubernetes.services import adoption
from router.kubernetes.services.services import Memory, ServicePlan, plan
from router.model.ids import ServiceKey
from router.model.specs import ListenerSpec, ServiceSpec
from tests.unit.kubernetes.cluster import Cluster, users_service

DB, WEB = ServiceKey("db", 1), ServiceKey("k-web", 1)


class Site:
    """A namespace with declarations of routing keys and Listeners."""

    def __init__(self, **listeners: ListenerSpec) -> None:
        self.cluster, self.now = Cluster(), 0.0
        self.listeners = listeners
        self.declared = {"db": declaration_of("db"), "k-web": declaration_of("Web/Shop")}
        self.memory = Memory(began_at=0.0)

    def restart(self) -> None:
        self.memory = Memory(began_at=self.now)

    def settle(self) -> ServicePlan:
        for _ in range(5):
            found = plan(
                self.cluster.snapshot(),
                SiteOptions(name="here"),
                {name: RequestedService(address=name, source="x") for name in self.declared},
                self.declared,
                set(self.declared),
                self.memory,
                self.now,
                listeners=self.listeners,
            )
            self.memory = found.memory
            if not found.changes:
                return found
            for change in found.changes:
                self.cluster.carry_out(change)
        raise AssertionError("does not settle")

    def ports(self, name: str) -> list[tuple[Any, ...]]:
        found = self.cluster.service(name)["spec"]["ports"]
        return [(port["name"], port["port"], port["targetPort"]) for port in found]


def listener(service: str, host: str, port: int) -> ListenerSpec:
    return ListenerSpec(service=service, host=host, listen=str(port))


def test_a_routing_key_has_no_service_unless_a_listener_says_so() -> None:
    site = Site()
    assert site.settle().inner_ports == {}
    assert site.cluster.objects["Service"] == {}


def test_listeners_of_one_host_are_ports_of_one_service_named_as_they_are() -> None:
    site = Site(a=listener("db", "stores", 5432), b=listener("k-web", "stores", 80))
    found = site.settle()
    assert site.ports("stores") == [
        ("a", 5432, found.inner_ports[DB]),
        ("b", 80, found.inner_ports[WEB]),
    ]
    assert site.cluster.service("stores")["spec"]["selector"] == {
        "spillway.dev/component": "router"
    }


def test_a_host_may_be_called_as_its_key() -> None:
    site = Site(db=listener("db", "db", 5432))
    found = site.settle()
    assert site.ports("db") == [("db", 5432, found.inner_ports[DB])]
    assert found.findings == ()


def test_a_restarted_router_finds_the_numbers_in_the_services() -> None:
    site = Site(a=listener("db", "stores", 5432), b=listener("k-web", "others", 80))
    before = site.settle().inner_ports
    site.restart()
    site.declared = dict(reversed(site.declared.items()))
    site.listeners = {"0": listener("k-web", "others", 81), **site.listeners}
    del site.listeners["b"]
    after = site.settle().inner_ports
    assert after == before, "another port of the Service leads to the same place"


def test_the_service_goes_with_its_listener_also_just_after_a_start() -> None:
    site = Site(a=listener("db", "stores", 5432))
    site.settle()
    site.restart()
    site.listeners = {}
    site.settle()
    assert "stores" not in site.cluster.objects["Service"]


def test_a_service_of_somebody_else_is_left_alone_and_named() -> None:
    site = Site(a=listener("db", "mine", 5432))
    site.cluster.put(users_service("mine"))
    before = dict(site.cluster.service("mine"))
    (finding,) = site.settle().findings
    assert (finding.code, finding.source) == ("SW0420", "Service/mine")
    assert "Listener a" in finding.reason
    assert site.cluster.service("mine") == before


def test_a_service_of_the_network_keeps_its_name() -> None:
    site = Site(a=listener("db", "shop", 5432))
    site.declared["shop"] = ServiceSpec(protocol="http", ports=(80,))
    found = site.settle()
    assert [name for name, *_ in site.ports("shop")] == ["port80"]
    assert [finding.code for finding in found.findings] == ["SW0420"]


def test_nothing_is_deleted_that_still_leads_somewhere() -> None:
    site = Site(a=listener("db", "stores", 5432), b=listener("k-web", "others", 80))
    site.settle()
    del site.listeners["b"]
    found = plan(
        site.cluster.snapshot(),
        SiteOptions(name="here"),
        {},
        site.declared,
        set(),
        site.memory,
        0.0,
        listeners=site.listeners,
    )
    assert [(type(change), change.name) for change in found.changes] == [(Delete, "others")]


def skuppers(port: int = 80) -> dict[str, Any]:
    """As Skupper v2 makes it for a Listener called ``a``."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "stores",
            "labels": {names.SKUPPER_LISTENER: "a"},
            "annotations": {names.SKUPPER_CONTROLLED: "true"},
        },
        "spec": {
            "selector": {"application": "skupper-router", "skupper.io/component": "router"},
            "ports": [{"name": "a", "port": port, "targetPort": 1031}],
        },
    }


def test_beside_skuppers_service_our_router_listens_and_touches_nothing() -> None:
    site = Site(a=listener("db", "stores", 80))
    site.cluster.put(skuppers())
    before = copy.deepcopy(site.cluster.service("stores"))
    found = site.settle()
    assert found.inner_ports.keys() == {DB}, "clients that come by an older route find it"
    assert [finding.code for finding in found.findings] == ["SW0424"]
    assert "sitectl migrate --plan" in found.findings[0].hint
    assert site.cluster.service("stores") == before


def test_skuppers_service_is_led_here_once_it_has_our_label_at_the_port_that_listens() -> None:
    site = Site(a=listener("db", "stores", 80))
    service = site.cluster.put(skuppers())
    inner = site.settle().inner_ports
    service["metadata"]["labels"][names.SERVICE_LABEL] = "stores"
    del service["metadata"]["annotations"]
    site.cluster.put(service)
    assert site.settle().inner_ports == inner
    assert site.ports("stores") == [("a", 80, inner[DB])]
    assert site.cluster.service("stores")["spec"]["selector"] == adoption.ROUTERS
    assert names.SKUPPER_LISTENER in site.cluster.service("stores")["metadata"]["labels"]


def test_target_ports_of_skuppers_router_take_no_inner_port_from_others() -> None:
    site = Site(b=listener("k-web", "pages", 80), a=listener("db", "stores", 80))
    before = site.settle().inner_ports[WEB]
    service = skuppers()
    service["spec"]["ports"][0]["targetPort"] = before
    service["metadata"]["labels"][names.SERVICE_LABEL] = "stores"
    del service["metadata"]["annotations"], site.cluster.objects["Service"]["stores"]
    stored = site.cluster.put(service)
    stored["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    site.restart()
    inner = site.settle().inner_ports
    assert inner[WEB] == before and inner[DB] != before

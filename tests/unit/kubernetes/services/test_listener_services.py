"""Services that Listener documents name: their ports, their memory, and who has a name first."""

from typing import Any

from router.documents.skupper2.keys import declaration_of
from router.kubernetes.objects.changes import Delete
from router.kubernetes.objects.picture import ServiceWish, SiteOptions
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
                {name: ServiceWish(address=name, source="x") for name in self.declared},
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

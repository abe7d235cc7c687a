"""What a gateway's YAML means in documents, and what documents mean in YAML."""

from router.documents import resolve
from router.documents.gateway import read_gateway
from router.model.errors import ConfigError
from router.model.specs import (
    ConnectorSpec,
    Document,
    ListenerSpec,
    ServiceSpec,
    SiteSpec,
    TargetSpec,
)
from sitectl.gateway.definition import documents_of, gateway_name, gateway_of


def documents(text: str, *declared: str) -> dict[tuple[str, str], object]:
    gateway, findings = read_gateway(text, "g.yaml")
    assert gateway is not None, findings
    found, errors = documents_of(gateway, "g.yaml", frozenset(declared))
    assert errors == []
    site = Document("Site", "g", SiteSpec(router_mode="edge", ingress="none", service_sync=False))
    assert resolve([site, *found])[1] == []
    return {(document.kind, document.name): document.spec for document in found}


def refused(text: str) -> ConfigError:
    gateway, findings = read_gateway(text, "g.yaml")
    assert gateway is not None, findings
    _, (error,) = documents_of(gateway, "g.yaml")
    return error


def test_a_bound_service_is_declared_and_not_listened_for_where_its_target_is() -> None:
    assert documents("name: g\nbindings: [{service: {address: 'db:5432'}}]") == {
        ("Service", "db"): ServiceSpec(ports=(5432,)),
        ("Listener", "db"): ListenerSpec(service="db", listen="none"),
        ("Connector", "db-host-localhost-5432"): ConnectorSpec(
            service="db", targets=(TargetSpec("localhost", port=5432),)
        ),
    }


def test_a_service_that_the_network_has_is_not_declared_again() -> None:
    found = documents("name: g\nbindings: [{service: {address: 'db:5432'}}]", "db")
    assert list(found) == [("Connector", "db-host-localhost-5432")]


def test_two_entries_of_one_service_are_its_two_ports() -> None:
    text = """
name: g
bindings:
- {host: 10.0.0.5, service: {address: 'shop:80', protocol: http}, target_ports: [8080]}
- {host: 10.0.0.5, service: {address: 'shop:81', protocol: http}, target_ports: [8081]}
"""
    found = documents(text)
    assert found["Service", "shop"] == ServiceSpec(protocol="http", ports=(80, 81))
    (connector,) = [spec for (kind, _), spec in found.items() if kind == "Connector"]
    assert connector == ConnectorSpec(
        service="shop", targets=(TargetSpec("10.0.0.5", ports=(8080, 8081)),)
    )


def test_two_hosts_of_one_port_are_two_targets() -> None:
    text = """
name: g
bindings:
- {host: db1, service: {address: 'db:5432'}}
- {host: db2, service: {address: 'db:5432'}}
"""
    names = [name for kind, name in documents(text) if kind == "Connector"]
    assert names == ["db-host-db1-5432", "db-host-db2-5432"]


def test_a_forward_listens_on_all_addresses_unless_it_says_loopback() -> None:
    text = """
name: g
forwards:
- {service: {address: 'api:80', ports: [9090]}}
- {loopback: true, service: {address: 'web:80', ports: [9091]}}
- {host: 10.0.0.1, service: {address: old, ports: [9092]}, local_port: '9093'}
"""
    assert documents(text) == {
        ("Listener", "api-80"): ListenerSpec(service="api", listen="0.0.0.0:9090", port=80),
        ("Listener", "web-80"): ListenerSpec(service="web", listen="127.0.0.1:9091", port=80),
        ("Listener", "old"): ListenerSpec(service="old", listen="10.0.0.1:9093"),
    }


def test_a_service_can_be_bound_and_forwarded() -> None:
    text = """
name: g
bindings: [{service: {address: shop, ports: [80, 81]}, target_ports: [8080, 8081]}]
forwards: [{service: {address: 'shop:80', ports: [9090]}}]
"""
    found = documents(text)
    assert found["Listener", "shop-80"] == ListenerSpec(
        service="shop", listen="0.0.0.0:9090", port=80
    )
    assert found["Listener", "shop-81"] == ListenerSpec(service="shop", listen="none", port=81)


def test_what_contradicts_is_named_with_its_line() -> None:
    error = refused(
        "name: g\nbindings:\n"
        "- {service: {address: 'a:1'}}\n"
        "- {service: {address: 'a:1', protocol: http}}\n"
    )
    assert (error.code, error.line) == ("SW0643", 4)
    assert "http and tcp" in error.reason
    error = refused(
        "name: g\nbindings:\n"
        "- {host: x, service: {address: 'a:1'}}\n"
        "- {host: x, service: {address: 'a:2'}}\n"
        "- {host: y, service: {address: 'a:1'}}\n"
    )
    assert (error.code, error.line) == ("SW0642", 5)
    assert "y serves not all ports" in error.reason
    error = refused("name: g\nforwards: [{host: web, service: {address: 'a:1'}}]")
    assert "no address to listen on" in error.reason
    error = refused(
        "name: g\nforwards:\n"
        "- {service: {address: 'a:1', ports: [9]}}\n"
        "- {service: {address: 'b:1', ports: [9]}}\n"
    )
    assert (error.line, error.reason) == (4, "0.0.0.0:9 is forwarded twice")


def test_an_export_says_what_its_yaml_cannot_hold() -> None:
    gateway, left_out = gateway_of(
        "g",
        [
            Document("Connector", "a", ConnectorSpec(service="a", workload="pods/app=a")),
            Document(
                "Connector",
                "b",
                ConnectorSpec(service="b", targets=(TargetSpec("x", port=1),), capacity=3),
            ),
            Document("Listener", "c", ListenerSpec(service="c")),
        ],
    )
    assert [entry.address for entry in gateway.bindings] == ["b"]
    assert [words.split(":")[0] for words in left_out] == [
        "connector a",
        "connector b",
        "connector b",
        "listener c",
    ]
    assert "protocol and ports of service b" in left_out[2]


def test_names_for_people_become_names_of_sites() -> None:
    assert gateway_name("Silversurfer.local-burr") == "silversurfer-local-burr"
    assert gateway_name("x" * 80) == "x" * 63
    assert gateway_name("…") == ""

"""Skupper's gateway YAML: as its commands write it, as its pages show it, and refused files."""

import pytest

from router.documents.gateway import (
    Endpoint,
    QdrListener,
    looks_like_gateway,
    read_gateway,
    write_gateway,
)
from router.model import limits

# What `skupper gateway export-config` of 1.4 wrote (skupper design notes, "Gateway YAML").
EXPORTED = """\
name: abc
qdr-listeners:
    - name: amqp
      host: localhost
      port: 5672
bindings:
    - name: egress-backend:8080
      host: localhost
      service:
        address: backend:8080
        protocol: tcp
        ports:
            - 8080
        enabletls: false
        tlscredentials: ""
        publishnotreadyaddresses: false
      target_ports:
        - 8080
forwards:
    - name: ingress-frontend:8081
      service:
        address: frontend:8081
        protocol: tcp
        ports:
            - 9091
        enabletls: false
        tlscredentials: ""
        publishnotreadyaddresses: false
      target_ports:
        - 9091
"""


def entry(text: str) -> str:
    return f"name: g\nbindings:\n  - {text}\n"


def test_what_skupper_exports_is_read_and_only_its_amqp_listener_has_no_use() -> None:
    gateway, findings = read_gateway(EXPORTED, "abc.yaml")
    assert gateway is not None
    assert gateway.name == "abc"
    assert gateway.qdr_listeners == (QdrListener(name="amqp", host="localhost", port=5672),)
    assert gateway.bindings == (
        Endpoint(
            name="egress-backend:8080",
            host="localhost",
            address="backend",
            address_port=8080,
            ports=(8080,),
            target_ports=(8080,),
            line=7,
        ),
    )
    assert (gateway.forwards[0].address, gateway.forwards[0].address_port) == ("frontend", 8081)
    assert gateway.forwards[0].ports == (9091,)
    assert [(f.code, f.severity, f.line) for f in findings] == [("SW0644", "warning", 3)]


def test_target_ports_one_level_too_deep_as_in_published_examples_count() -> None:
    text = entry(
        "{name: java, host: host.docker.internal, service: "
        "{address: 'java:80', protocol: http, ports: [80], target_ports: [8080]}}"
    )
    gateway, findings = read_gateway(text, "")
    assert gateway is not None and findings == []
    assert gateway.bindings[0].target_ports == (8080,)


def test_every_port_counts_and_the_first_is_no_exception() -> None:
    gateway, _ = read_gateway(
        entry("{host: db, service: {address: db, ports: [1, 2]}, target_ports: [11, 12]}"), ""
    )
    assert gateway is not None
    assert (gateway.bindings[0].ports, gateway.bindings[0].target_ports) == ((1, 2), (11, 12))


def test_an_address_with_a_port_needs_no_other() -> None:
    gateway, findings = read_gateway(entry("service: {address: 'db:5432'}"), "")
    assert gateway is not None and findings == []
    assert gateway.bindings[0].ports == (5432,)


def test_what_skupper_switches_on_and_nothing_here_does_is_a_warning() -> None:
    text = entry("service: {address: 'db:1', enabletls: true, aggregate: json, headless: {}}")
    gateway, findings = read_gateway(text, "g.yaml")
    assert gateway is not None
    assert [(f.path, f.severity) for f in findings] == [
        ("$.bindings[0].service.enabletls", "warning"),
        ("$.bindings[0].service.aggregate", "warning"),
    ]


@pytest.mark.parametrize(
    ("text", "code", "line", "says", "hint"),
    [
        ("bindings: []\n", "SW0640", 1, "'name' is missing", "name: NAME"),
        ("name: g\nbinding: []\n", "SW0641", 2, "unknown field 'binding'", "bindings"),
        ("name: g\nbindings: 3\n", "SW0640", 2, "expected a list", "- "),
        ("name: g\nbindings:\n- 3\n", "SW0640", 3, "expected a mapping", ""),
        (entry("host: x"), "SW0640", 3, "expected a mapping with address", "address: NAME"),
        (entry("service: {}"), "SW0640", 3, "address is missing", "NAME:PORT"),
        (entry("service: {address: db}"), "SW0642", 3, "no port is given", "db:PORT"),
        (entry("service: {address: 'db:x'}"), "SW0640", 3, "NAME or NAME:PORT", "1 to 65535"),
        (entry("service: {address: 'DB:1'}"), "SW0640", 3, "NAME or NAME:PORT", "lower-case"),
        (entry("service: {address: 'db:0'}"), "SW0640", 3, "NAME or NAME:PORT", ""),
        (entry("service: {address: db, ports: [70000]}"), "SW0640", 3, "1 to 65535", ""),
        (entry("service: {address: db, ports: ['80']}"), "SW0640", 3, "a port", "quotes off"),
        (entry("service: {address: db, ports: 80}"), "SW0640", 3, "list of ports", "[80]"),
        (entry("service: {address: db, ports: [1, 1]}"), "SW0642", 3, "twice", "one of them"),
        (entry("service: {address: 'db:1', protocol: udp}"), "SW0640", 3, "tcp", ""),
        (entry("{host: 'x:1', service: {address: 'db:1'}}"), "SW0640", 3, "host name", "target_"),
        (
            entry("{service: {address: db, ports: [1, 2]}, target_ports: [1]}"),
            "SW0642",
            3,
            "ports has 2, target_ports has 1",
            "in their order",
        ),
        (
            entry("service: {address: 'db:9', ports: [1, 2]}"),
            "SW0642",
            3,
            "port 9, which is not one of",
            "address: db",
        ),
        (entry("{loopback: yes, service: {address: 'db:1'}}"), "SW0640", 3, "true or", "true"),
        ("- a\n", "SW0645", 1, "expected a mapping", "export-config"),
        ("", "SW0645", 1, "0 documents", "export-config"),
        ("name: [\n", "SW0102", 2, "not valid YAML", ""),
        ("name: &a g\n", "SW0103", 1, "anchor", ""),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_the_way_out(
    text: str, code: str, line: int, says: str, hint: str
) -> None:
    gateway, findings = read_gateway(text, "g.yaml")
    assert gateway is None
    assert [(f.code, f.line, f.source) for f in findings] == [(code, line, "g.yaml")]
    assert says in findings[0].reason
    assert hint in findings[0].hint


def test_more_entries_or_bytes_than_a_host_can_have_are_refused() -> None:
    many = "name: g\nforwards:\n" + "- {service: {address: 'a:1'}}\n" * (
        limits.GATEWAY_ENTRIES_MAX + 1
    )
    gateway, findings = read_gateway(many, "")
    assert gateway is None
    assert "at most 1024 entries" in findings[0].reason
    gateway, findings = read_gateway("name: " + "x" * limits.CONFIG_FILE_BYTES_MAX, "")
    assert gateway is None
    assert "bytes" in findings[0].reason


def test_a_gateway_is_told_from_documents_by_its_top_keys() -> None:
    assert looks_like_gateway(EXPORTED)
    assert looks_like_gateway("name: g\nforwards: wrong\n")
    assert not looks_like_gateway("apiVersion: spillway/v1\nkind: Service\nname: db\nspec: {}\n")
    assert not looks_like_gateway("kind: ConfigMap\nbindings: []\n")
    assert not looks_like_gateway("")
    assert not looks_like_gateway("- bindings\n")


def test_what_is_written_has_the_spelling_of_skupper() -> None:
    gateway, _ = read_gateway(EXPORTED, "")
    assert gateway is not None
    text = write_gateway(gateway)
    assert "target_ports:\n" in text
    assert "address: backend:8080\n" in text
    assert "qdr-listeners:\n" in text
    assert "local_port" not in text


def test_two_spellings_of_one_field_contradict_each_other() -> None:
    text = entry("{service: {address: db}, target_ports: [1], targetPorts: [2]}")
    gateway, (error,) = read_gateway(text, "g.yaml")
    assert gateway is None
    assert (error.code, "target_ports stands twice" in error.message) == ("SW0641", True)


def test_where_only_the_targets_ports_are_said_they_are_the_services() -> None:
    gateway, findings = read_gateway(entry("{service: {address: db}, target_ports: [1, 2]}"), "g")
    assert gateway is not None
    assert findings == []
    assert gateway.bindings[0].ports == (1, 2)


def test_a_listener_of_amqp_without_a_port_has_that_of_amqp() -> None:
    gateway, _ = read_gateway("name: g\nqdr-listeners: [{name: a}]\n", "g.yaml")
    assert gateway is not None
    assert gateway.qdr_listeners == (QdrListener(name="a", port=5672),)

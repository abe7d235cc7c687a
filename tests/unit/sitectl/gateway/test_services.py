"""`gateway bind`, `expose`, `forward` and back: the documents that they leave."""

import shutil
import socket
from pathlib import Path

import pytest
import yaml

from sitectl.flags.services.names import declared_service, declared_services
from sitectl.runtimes.containers.podman import PodmanRuntime
from sitectl.runtimes.spec_file import read_spec
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.gateway.conftest import Host, link, service


def listeners(host: Host) -> dict[str, tuple[int | None, str]]:
    """Port of the service and place, by the name of each Listener."""
    return {
        name: (spec.port, spec.listen) for name, spec in host.gateway().wanted().listeners.items()
    }


def targets(host: Host, name: str) -> set[tuple[str, tuple[int, ...]]]:
    """Host and ports of each target of a service."""
    return {
        (target.host, target.ports or (target.port or 0,))
        for spec in host.gateway().wanted().connectors.values()
        if spec.service == name
        for target in spec.targets
    }


def test_bind_declares_what_nobody_declares_and_takes_no_port_for_it(
    gw: CommandLine, host: Host
) -> None:
    result = gw.ok("gateway", "bind", "postgres", "127.0.0.1", "5432")
    assert "127.0.0.1:5432 bound to postgres (tcp, port 5432) at gw" in result.stdout
    assert host.gateway().wanted().services["postgres"].ports == (5432,)
    assert targets(host, "postgres") == {("127.0.0.1", (5432,))}
    assert listeners(host) == {"postgres": (None, "none")}
    again = gw.json("gateway", "bind", "postgres", "127.0.0.1:5432")
    assert again["change"] == "unchanged"


def test_several_ports_are_all_bound(gw: CommandLine, host: Host) -> None:
    gw.ok("gateway", "bind", "broker", "10.0.0.5", "5672", "15672:25672", "--protocol", "http2")
    spec = host.gateway().wanted().services["broker"]
    assert (spec.ports, spec.protocol) == ((5672, 15672), "http2")
    assert targets(host, "broker") == {("10.0.0.5", (5672, 25672))}
    gw.ok("gateway", "bind", "broker", "10.0.0.6", "1", "2", "--capacity", "5")
    assert targets(host, "broker") == {("10.0.0.5", (5672, 25672)), ("10.0.0.6", (1, 2))}
    result = gw("gateway", "bind", "broker", "10.0.0.7", "1")
    assert result.exit_code == 5
    assert "has ports 5672, 15672, 1 given" in result.stderr
    assert gw("gateway", "bind", "broker", "10.0.0.7", "1", "2", "--protocol", "tcp").exit_code == 5


def test_capacity_and_health_are_those_of_the_target(gw: CommandLine, host: Host) -> None:
    words = ("gateway", "bind", "api", "127.0.0.1", "8080", "--protocol", "http")
    gw.ok(*words, "--capacity", "7", "--health-path", "/healthz")
    (spec,) = host.gateway().wanted().connectors.values()
    assert (spec.capacity, spec.health.path) == (7, "/healthz")
    assert gw.json(*words, "--capacity", "9")["change"] == "updated"
    (spec,) = host.gateway().wanted().connectors.values()
    assert (spec.capacity, spec.health.path) == (9, "/healthz")


@pytest.mark.parametrize("declared", [False, True])
def test_a_path_for_a_tcp_service_is_refused_and_leaves_nothing_behind(
    gw: CommandLine, host: Host, router: FakeAdmin, declared: bool
) -> None:
    """The connector stayed, and no later bind fitted beside it."""
    if declared:
        router.items("/api/v1/services", service("orders", 8080))
    words = ("gateway", "bind", "orders", "10.0.0.5", "8080")
    refused = gw(*words, "--health-path", "/healthz")
    assert refused.exit_code == 2
    advice = "Leave --health-path out" if declared else "Add --protocol http"
    assert advice in refused.stderr
    assert host.gateway().wanted().connectors == {}
    gw.ok(*words)
    assert targets(host, "orders") == {("10.0.0.5", (8080,))}


def test_a_service_of_the_network_is_bound_in_the_order_of_its_ports(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    router.items("/api/v1/services", service("db", 5432), service("db", 5433))
    gw.ok("gateway", "bind", "db", "127.0.0.1", "15432", "15433")
    assert targets(host, "db") == {("127.0.0.1", (15432, 15433))}
    assert "db" not in host.gateway().wanted().services
    assert listeners(host) == {}
    assert gw("gateway", "bind", "db", "127.0.0.2", "5432").exit_code == 5
    assert gw("gateway", "bind", "db", "h", "1", "2", "--protocol", "http").exit_code == 5


def test_the_network_is_asked_before_a_service_is_declared(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    answer = (200, {"apiVersion": "spillway/v1", "kind": "X"})
    router.answers["/api/v1/services"] = [
        (200, {**answer[1], "items": []}),
        (200, {**answer[1], "items": [service("db", 5432)]}),
    ]
    gw.ok("gateway", "bind", "db", "127.0.0.1", "15432")
    assert targets(host, "db") == {("127.0.0.1", (15432,))}
    assert "db" not in host.gateway().wanted().services
    assert {"command": "reload", "arguments": {}} in router.commands


def test_a_target_is_bound_once_though_the_service_has_its_ports_in_another_order(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    answer = {"apiVersion": "spillway/v1", "kind": "X"}
    router.answers["/api/v1/services"] = [
        (200, {**answer, "items": []}),
        (200, {**answer, "items": [service("db", 81), service("db", 82)]}),
    ]
    gw.ok("gateway", "bind", "db", "127.0.0.1", "82:1082", "81:1081")
    assert targets(host, "db") == {("127.0.0.1", (1081, 1082))}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("15432", "15433"), 5),
        (("15432", "--protocol", "http"), 5),
        (("80:15432",), 5),
        (("15432", "--health-path", "/healthz"), 2),
    ],
)
def test_a_service_that_turns_out_to_be_otherwise_leaves_nothing_behind(
    gw: CommandLine, host: Host, router: FakeAdmin, words: tuple[str, ...], code: int
) -> None:
    answer = {"apiVersion": "spillway/v1", "kind": "X"}
    router.answers["/api/v1/services"] = [
        (200, {**answer, "items": []}),
        (200, {**answer, "items": [service("db", 5432)]}),
    ]
    assert gw("gateway", "bind", "db", "127.0.0.1", *words).exit_code == code
    assert host.documents() == set()


def test_unbind_takes_away_exactly_what_bind_made(gw: CommandLine, host: Host) -> None:
    gw.ok("gateway", "bind", "cache", "127.0.0.1", "6379")
    before = host.documents()
    gw.ok("gateway", "bind", "db", "127.0.0.1", "5432")
    gw.ok("gateway", "bind", "db", "10.0.0.6", "5432")
    assert gw.json("gateway", "unbind", "db", "10.0.0.6")["change"] == "deleted"
    assert targets(host, "db") == {("127.0.0.1", (5432,))}
    assert "db" in host.gateway().wanted().services
    assert gw.json("gateway", "unbind", "db")["change"] == "deleted"
    assert host.documents() == before
    assert gw.json("gateway", "unbind", "db")["change"] == "unchanged"


def test_unbind_finishes_what_was_interrupted(gw: CommandLine, host: Host) -> None:
    gw.ok("gateway", "bind", "db", "127.0.0.1", "5432")
    (connector,) = host.gateway().config.glob("connector-*")
    connector.unlink()
    assert gw.json("gateway", "unbind", "db")["change"] == "deleted"
    assert host.documents() == set()


def test_what_the_user_wrote_stays_the_users(gw: CommandLine, host: Host) -> None:
    text = (
        "apiVersion: spillway/v1\nkind: Service\nname: db\nspec: {ports: [5432]}\n---\n"
        "apiVersion: spillway/v1\nkind: Connector\nname: own\nspec: {service: db, "
        "targets: [{host: 127.0.0.1, port: 5432}]}\n"
    )
    (host.gateway().config / "mine.yaml").write_text(text)
    assert gw("gateway", "unbind", "db").exit_code == 5
    gw.ok("gateway", "bind", "db", "10.0.0.6", "5432")
    gw.ok("gateway", "unbind", "db", "10.0.0.6")
    assert (host.gateway().config / "mine.yaml").read_text() == text


def test_expose_declares_in_any_case_and_makes_the_gateway_it_needs(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "db1")
    words = ("gateway", "expose", "db", "127.0.0.1", "5432:15432")
    assert host.line.ok(*words, "--type", "process")
    (name,) = [one["name"] for one in host.line.json("gateway", "status", code=3)]
    assert name.startswith("db1-")
    wanted = host.gateway(name).wanted()
    assert wanted.services["db"].ports == (5432,)
    assert host.line.json(*words)["change"] == "unchanged"
    assert host.line("gateway", "expose", "db", "h", "1", "--type", "podman").exit_code == 2
    assert host.line("gateway", "expose", "db", "nonsense").exit_code == 2


def test_expose_joins_a_service_of_others_with_a_declaration_of_its_own(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    router.items("/api/v1/services", service("db", 5432, "tcp"))
    gw.ok("gateway", "expose", "db", "127.0.0.1", "15432")
    assert host.gateway().wanted().services["db"].ports == (5432,)
    assert targets(host, "db") == {("127.0.0.1", (15432,))}
    assert gw("gateway", "expose", "db", "127.0.0.1", "1", "2").exit_code == 5


def test_unexpose_of_the_last_service_ends_the_gateway_as_in_skupper(
    gw: CommandLine, host: Host
) -> None:
    gw.ok("gateway", "expose", "db", "127.0.0.1", "5432")
    gw.ok("gateway", "forward", "cache", "6379", "--loopback")
    gw.ok("gateway", "unexpose", "db")
    assert host.gateway().directory.exists()
    gw.ok("gateway", "unforward", "cache")
    gw.ok("gateway", "unexpose", "db")
    assert host.gateway().directory.exists()  # It was idle before.
    gw.ok("gateway", "expose", "db", "127.0.0.1", "5432")
    gw.ok("gateway", "unexpose", "db", "--delete-last=false")
    assert host.gateway().directory.exists()
    gw.ok("gateway", "expose", "db", "127.0.0.1", "5432")
    assert "deleted too" in gw.ok("gateway", "unexpose", "db").stderr
    assert not host.gateway().directory.exists()


def test_forward_listens_where_it_is_told(gw: CommandLine, host: Host) -> None:
    assert "--loopback: only from here" in gw.ok("gateway", "forward", "cache", "6379").stdout
    assert listeners(host) == {"cache": (None, "0.0.0.0:6379")}
    assert gw.json("gateway", "forward", "cache", "6379", "--loopback")["change"] == "updated"
    assert listeners(host) == {"cache": (None, "127.0.0.1:6379")}
    assert gw.json("gateway", "forward", "cache", "6379", "--loopback")["change"] == "unchanged"
    gw.ok("gateway", "forward", "six", "80", "--bind-ip", "::1")
    assert listeners(host)["six"] == (None, "[::1]:80")
    assert gw("gateway", "forward", "x", "1", "--bind-ip", "db").exit_code == 2
    assert gw("gateway", "forward", "x", "1", "--bind-ip", "::1", "--loopback").exit_code == 2
    assert gw.json("gateway", "unforward", "cache")["change"] == "deleted"
    assert gw.json("gateway", "unforward", "cache")["change"] == "unchanged"
    assert set(listeners(host)) == {"six"}


def test_forward_of_several_ports_knows_the_services_order(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    router.items("/api/v1/services", service("web", 80), service("web", 443))
    gw.ok("gateway", "forward", "web", "8080", "8443", "--loopback")
    places = {"web-80": (80, "127.0.0.1:8080"), "web-443": (443, "127.0.0.1:8443")}
    assert listeners(host) == places
    gw.ok("gateway", "forward", "web", "443:9443", "--loopback")
    assert listeners(host) == places | {"web-443": (443, "127.0.0.1:9443")}
    result = gw("gateway", "forward", "web", "1", "2", "3")
    assert result.exit_code == 5
    assert listeners(host) == places | {"web-443": (443, "127.0.0.1:9443")}
    gw.ok("gateway", "unforward", "web")
    assert host.documents() == set()


def test_forward_of_what_is_not_known_yet_is_put_right_when_it_is(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    answer = {"apiVersion": "spillway/v1", "kind": "X"}
    router.answers["/api/v1/services"] = [
        (200, {**answer, "items": []}),
        (200, {**answer, "items": [service("web", 80), service("web", 443)]}),
    ]
    gw.ok("gateway", "forward", "web", "8080", "8443", "--loopback")
    assert listeners(host) == {
        "web-80": (80, "127.0.0.1:8080"),
        "web-443": (443, "127.0.0.1:8443"),
    }


def test_a_service_that_is_bound_and_forwarded_keeps_both(gw: CommandLine, host: Host) -> None:
    gw.ok("gateway", "bind", "broker", "127.0.0.1", "5672", "15672")
    assert listeners(host) == {"broker": (None, "none")}
    gw.ok("gateway", "forward", "broker", "5672:25672", "--loopback")
    both = {"broker-5672": (5672, "127.0.0.1:25672"), "broker-15672": (15672, "none")}
    assert listeners(host) == both
    assert gw.json("gateway", "bind", "broker", "127.0.0.1", "5672", "15672")["change"] == (
        "unchanged"
    )
    assert listeners(host) == both
    gw.ok("gateway", "unforward", "broker")
    assert listeners(host) == {"broker": (None, "none")}
    gw.ok("gateway", "forward", "broker", "5672:25672", "--loopback")
    gw.ok("gateway", "unbind", "broker")
    assert listeners(host) == {"broker-5672": (5672, "127.0.0.1:25672")}


def test_a_port_that_is_taken_is_told_and_is_exit_3(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    taken = {"host": "127.0.0.1", "port": 6379, "state": "error", "error": "is taken"}
    router.items("/api/v1/services", service("cache", 6379, listener=taken))
    result = gw("gateway", "forward", "cache", "6379", "--loopback")
    assert result.exit_code == 3
    assert "is taken" in result.stderr
    assert listeners(host) == {"cache": (None, "127.0.0.1:6379")}


def test_flags_of_skupper_that_need_nothing_are_answered_in_one_line(gw: CommandLine) -> None:
    words = ("127.0.0.1", "80", "--aggregate", "json", "--event-channel")
    assert gw.ok("gateway", "bind", "a", *words).stderr.count("not in Spillway") == 2
    told = gw.ok("gateway", "forward", "b", "81", "--protocol", "http", "--loopback").stderr
    assert "--protocol: not needed here" in told
    gw.ok("gateway", "unforward", "b", "--protocol", "http")
    gw.ok("gateway", "unbind", "a", "--protocol", "tcp")
    assert "--exportonly" in gw.ok("gateway", "init", "--name", "gw", "--exportonly").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("bind", "UPPER", "127.0.0.1", "1"),
        ("bind", "db", "not a host", "1"),
        ("bind", "db", "127.0.0.1", "x"),
        ("bind", "db", "127.0.0.1", "1", "--capacity", "many"),
        ("bind", "db", "127.0.0.1", "1", "--protocol", "udp"),
        ("forward", "db", "x"),
    ],
)
def test_wrong_words_change_nothing(gw: CommandLine, host: Host, words: tuple[str, ...]) -> None:
    assert gw("gateway", *words).exit_code == 2
    assert host.documents() == set()


def test_a_service_is_known_by_the_gateways_own_document_first(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    gw.ok("gateway", "bind", "db", "127.0.0.1", "5432")
    router.items("/api/v1/services", service("db", 1, "http"))
    known = declared_service(host.gateway(), "db")
    assert known is not None
    assert (known.protocol, known.ports, known.is_own) == ("tcp", (5432,), True)


def test_a_router_is_asked_once_for_several_services(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    """One that hangs is waited for once."""
    gw.ok("gateway", "bind", "db", "127.0.0.1", "5432")
    router.items("/api/v1/services", service("shop", 80, "http"), service("text", 81, "tcp"))
    router.asked.clear()
    known = declared_services(host.gateway(), ["db", "shop", "text", "gone"])
    assert {name: (one.ports, one.is_own) for name, one in known.items()} == {
        "db": ((5432,), True),
        "shop": ((80,), False),
        "text": ((81,), False),
    }
    assert router.asked == ["/api/v1/services"]


def test_waiting_ends_when_the_site_knows_of_the_target(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    target = {"site": "gw", "host": "127.0.0.1", "port": 5432, "ready": True, "error": ""}
    router.items("/api/v1/services", service("db", 5432, targets=[target]))
    words = ("gateway", "bind", "db", "127.0.0.1", "5432", "--wait", "5")
    other = {"id": "e" * 32, "targets_ready": 1}
    at_gateway = {"id": host.gateway().trust.site_id, "targets_ready": 1}

    def known(*sites: dict[str, object]) -> tuple[int, dict[str, object]]:
        items = [service("db", 5432, sites=list(sites))]
        return 200, {"apiVersion": "spillway/v1", "kind": "X", "items": items}

    with FakeAdmin(gw.state / "here" / "run" / "admin.sock") as site:
        site.answers["/api/v1/services"] = [
            known(),
            known(other),
            known(other, {**at_gateway, "targets_ready": 0}),
            known(other, at_gateway),
        ]
        assert "not heard" not in gw.ok(*words).stderr
        site.answers["/api/v1/services"] = known(other)
        assert "not heard" in gw.ok(*words[:-1], "0.1").stderr


def test_waiting_ends_when_the_target_is_ready_or_says_why_not(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    target = {"site": "gw", "host": "127.0.0.1", "port": 5432, "ready": False, "error": "refused"}
    router.items("/api/v1/services", service("db", 5432, targets=[target]))
    words = ("gateway", "bind", "db", "127.0.0.1", "5432", "--wait", "0.1")
    result = gw(*words)
    assert result.exit_code == 6
    assert "refused" in result.stderr
    ready = {**target, "ready": True, "error": ""}
    router.items("/api/v1/services", service("db", 5432, targets=[ready]))
    gw.ok(*words)
    gw.ok("gateway", "status", "--wait", "0.1")
    router.items("/api/v1/links", link("connecting", "cannot be reached"))
    result = gw("gateway", "status", "--wait", "0.1")
    assert result.exit_code == 6
    assert "cannot be reached" in result.stderr


def test_a_container_with_a_network_of_its_own_has_none_of_the_hosts_addresses(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(PodmanRuntime, "start", lambda *_: True)
    words = ("gateway", "init", "--name", "gw", "--type", "podman")
    assert host.line(*words, "--publish", "x y").exit_code == 2
    assert not host.gateway().directory.exists()
    host.line.ok(*words, "--network", "backend", "--image", "r:1", "--image-pull-policy", "never")
    spec = read_spec(host.gateway())
    assert (spec.network, spec.publish_ip, spec.image) == ("backend", "0.0.0.0", "r:1")
    assert spec.pull_policy == "never"
    told = host.line.ok("gateway", "bind", "db", "127.0.0.1", "5432").stderr
    assert "host.containers.internal" in told
    result = host.line("gateway", "forward", "cache", "6379", "--loopback")
    assert result.exit_code == 2
    assert "--publish 127.0.0.1:PORT:PORT" in result.stderr
    host.line.ok("gateway", "forward", "cache", "6379")
    host.line.ok(*words, "--publish", "127.0.0.1:6379:6379")
    spec = read_spec(host.gateway())
    assert (spec.network, spec.publish) == ("backend", ("127.0.0.1:6379:6379",))


def test_unbind_of_what_it_bound_leaves_a_service_that_the_user_wrote(
    gw: CommandLine, host: Host
) -> None:
    text = "apiVersion: spillway/v1\nkind: Service\nname: db\nspec: {ports: [5432]}\n"
    (host.gateway().config / "mine.yaml").write_text(text)
    gw.ok("gateway", "bind", "db", "10.0.0.6", "5432")
    gw.ok("gateway", "unbind", "db")
    assert (host.gateway().config / "mine.yaml").read_text() == text
    assert "db" in host.gateway().wanted().services


def test_a_service_of_another_site_is_exported_with_its_own_port_and_protocol(
    gw: CommandLine, host: Host, router: FakeAdmin, tmp_path: Path
) -> None:
    router.items("/api/v1/services", service("shop", 8080, "http"), service("api", 80, "http"))
    gw.ok("gateway", "bind", "shop", "127.0.0.1", "9001")
    gw.ok("gateway", "forward", "api", "9090", "--loopback")
    exported = yaml.safe_load(gw.ok("gateway", "export-config", "-").stdout)
    (binding,), (forward,) = exported["bindings"], exported["forwards"]
    assert (binding["service"]["address"], binding["service"]["protocol"]) == ("shop:8080", "http")
    assert binding["target_ports"] == [9001]
    assert forward["service"]["protocol"] == "http"
    # As `SW0404` advises: another gateway is made from it, and binds the same service.
    path = tmp_path / "gw.yaml"
    gw.ok("gateway", "export-config", str(path))
    before = host.documents()
    gw.ok("gateway", "unbind", "shop")
    answer = {"apiVersion": "spillway/v1", "kind": "X"}
    router.answers["/api/v1/services"] = [
        (200, {**answer, "items": []}),
        (200, {**answer, "items": [service("shop", 8080, "http")]}),
    ]
    result = gw.ok("gateway", "init", "--config", str(path), "--type", "process")
    assert "connector shop-host-127-0-0-1-9001" in result.stderr
    assert " created" in result.stderr
    assert "service shop" not in result.stderr
    assert host.documents() == before
    assert targets(host, "shop") == {("127.0.0.1", (9001,))}


def test_an_export_names_the_services_of_other_sites_that_it_does_not_know(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    router.items("/api/v1/services", service("shop", 8080, "http"))
    gw.ok("gateway", "bind", "shop", "127.0.0.1", "9001")
    router.items("/api/v1/services")
    result = gw.ok("gateway", "export-config", "-")
    assert "protocol and ports of service shop, which its router does not know now" in result.stderr

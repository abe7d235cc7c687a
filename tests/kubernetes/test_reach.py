"""What stands behind an address, whatever it is, to a client that asks at the Service's port."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from certs.ca.authority import issue_service_leaf
from router.kubernetes.codecs.secrets import encoded
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.kubelet import NODE
from tests.kubernetes.resources import Json
from tests.kubernetes.routers import LINK_PORT, Router, Start, certificate, kubectl, manifest, soon
from tests.scenario.harness import own_address

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
Serve = Callable[..., tuple[str, int]]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet", "deployment", "replicaset")) as made:
        yield made


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers with its name; gives its place. Ends them all."""
    servers: list[ThreadingHTTPServer] = []

    def begin(
        name: str, address: str = "", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> tuple[str, int]:
        address = address or own_address()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = type("Server", (ThreadingHTTPServer,), {"address_family": family})
        server: ThreadingHTTPServer = kind((address, port), _answering(name))
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return address, server.server_address[1]

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def _answering(name: str) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = name.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Answers


def pod(cluster: Cluster, name: str, address: str, ports: dict[str, int], **metadata: Any) -> None:
    """A ready Pod of application ``shop`` at ``address``."""
    declared = [{"name": n, "containerPort": p} for n, p in ports.items()]
    marked = {"labels": {"app": "shop"}} | metadata
    spec: Json = {"containers": [{"name": "main", "image": "shop", "ports": declared}]}
    spec["nodeName"] = NODE
    cluster.create("Pod", name, "west", metadata=marked, spec=spec)
    status = READY | {"podIP": address, "podIPs": [{"ip": address}]}
    cluster.patch("Pod", name, {"status": status}, "west", "status")


def deployment(cluster: Cluster, ports: dict[str, int], **annotations: str) -> None:
    """Deployment ``shop``, whose pods the test makes elsewhere."""
    notes = {f"skupper.io/{key.replace('_', '-')}": text for key, text in annotations.items()}
    declared = [{"name": n, "containerPort": p} for n, p in ports.items()]
    template = {
        "metadata": {"labels": {"app": "shop"}},
        "spec": {"containers": [{"name": "main", "image": "shop", "ports": declared}]},
    }
    cluster.create(
        "Deployment",
        "shop",
        "west",
        metadata={"annotations": notes},
        spec={
            "replicas": 1,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": template,
        },
    )


def service(cluster: Cluster, name: str, ports: list[Json], notes: Json | None = None) -> None:
    """A user's Service for the pods of ``shop``."""
    cluster.create(
        "Service",
        name,
        "west",
        metadata={"annotations": notes or {}},
        spec={"selector": {"app": "shop"}, "ports": ports},
    )


def inner(cluster: Cluster, router: Router, name: str, port: int) -> int:
    """Where the Service of ``name`` leads to ``router`` for its port; 0: nowhere yet."""
    found = cluster.get("Service", name, router.namespace)
    if found is None or "spillway.dev/component" not in (found["spec"].get("selector") or {}):
        return 0
    return next((p["targetPort"] for p in found["spec"]["ports"] if p["port"] == port), 0)


@contextmanager
def connection(
    router: Router, port: int, tls: ssl.SSLContext | None
) -> Iterator[http.client.HTTPConnection]:
    if tls is None:
        made = http.client.HTTPConnection(router.address, port, timeout=5)
    else:
        made = http.client.HTTPSConnection(router.address, port, timeout=5, context=tls)
    try:
        yield made
    finally:
        made.close()


def asked(
    cluster: Cluster, router: Router, name: str, port: int = 80, tls: ssl.SSLContext | None = None
) -> str:
    """The name of the pod that answers; empty: none."""
    at = inner(cluster, router, name, port)
    if not at:
        return ""
    try:
        with connection(router, at, tls) as client:
            client.request("GET", "/", headers={"Host": name})
            answer = client.getresponse()
            return answer.read().decode() if answer.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return ""


def answers(cluster: Cluster, router: Router, name: str, port: int, expected: str) -> bool:
    return asked(cluster, router, name, port) == expected


def has_heard_both(answered: set[str], cluster: Cluster, router: Router, name: str) -> bool:
    answered.add(asked(cluster, router, name))
    return answered >= {"old", "new"}


def targets(router: Router, name: str) -> set[str]:
    """The places of the service's targets, as the router reports them."""
    found = [each for each in router.get("services") if each["name"] == name]
    return {f"{t['host']}:{t['port']}" for each in found for t in each["targets"]}


def test_a_site_of_ipv6_alone_serves_its_pods_and_is_linked_to(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    west, east = start("west", "::1").serves(), start("east").serves()
    _, port = serve("a", "::1")
    pod(cluster, "a", "::1", {"http": port})
    deployment(cluster, {"http": port}, proxy="http", port="80:http")
    soon(lambda: asked(cluster, west, "shop") == "a", "it answers at IPv6", west)
    token = certificate(cluster, "west", (("::1", LINK_PORT),), "to-west")
    kubectl(cluster, "east", "apply", "-f", "-", given=manifest(token))
    soon(lambda: east.is_up("to-west"), "the link is up", east, west)
    soon(lambda: asked(cluster, east, "shop") == "a", "it answers from afar", east, west)


def test_a_named_port_is_another_number_in_each_pod(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    west = start("west").serves()
    for name in ("old", "new"):
        host, port = serve(name)
        pod(cluster, name, host, {"http": port})
    deployment(cluster, {"http": 8080}, proxy="http", port="80:http", address="by-workload")
    service(
        cluster,
        "by-service",
        [{"port": 80, "targetPort": "http"}],
        {"skupper.io/proxy": "http"},
    )
    for name in ("by-workload", "by-service"):
        answered: set[str] = set()
        soon(
            partial(has_heard_both, answered, cluster, west, name),
            f"both pods answer for {name}",
            west,
        )


def test_each_port_of_a_service_leads_to_its_own_by_every_path(
    cluster: Cluster, start: Start, serve: Serve, tmp_path: Path
) -> None:
    west = start("west").serves()
    host, first = serve("first")
    _, second = serve("second", host)
    pod(cluster, "a", host, {"one": first, "two": second})
    deployment(
        cluster, {"one": first, "two": second}, proxy="tcp", port="80:one,81:two", address="noted"
    )
    service(
        cluster,
        "adopted",
        [
            {"name": "b", "port": 81, "targetPort": "two"},
            {"name": "a", "port": 80, "targetPort": first},
        ],
        {"skupper.io/proxy": "tcp"},
    )
    service(
        cluster,
        "plain",
        [
            {"name": "a", "port": 80, "targetPort": first},
            {"name": "b", "port": 81, "targetPort": second},
        ],
    )
    typed = Commands(cluster, "west", tmp_path / "home")
    ports = ("--port", "80", "--port", "81")
    aims = ("--target-port", "80:one", "--target-port", "81:two")
    typed.ok("expose", "deployment/shop", "--address", "exposed", *ports, *aims)
    typed.ok("service", "create", "bound", "80", "81", "--protocol", "tcp")
    typed.ok("service", "bind", "bound", "deployment", "shop", *aims)
    typed.ok("expose", "service", "plain", "--address", "behind", *ports)
    for name in ("noted", "adopted", "exposed", "bound", "behind"):
        for port, expected in ((80, "first"), (81, "second")):
            soon(
                partial(answers, cluster, west, name, port, expected),
                f"{name}:{port} leads to {expected}",
                west,
            )


def test_services_of_any_kind_are_targets(
    cluster: Cluster, start: Start, serve: Serve, tmp_path: Path
) -> None:
    west = start("west").serves()
    _, port = serve("somewhere", "127.0.0.1")
    notes = {"skupper.io/proxy": "http"}
    away = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
    cluster.create("Service", "away", "west", spec=away)
    cluster.create("Service", "bare", "west", spec={"ports": [{"port": 80, "targetPort": port}]})
    elsewhere, its_port = serve("by hand")
    cluster.create(
        "EndpointSlice",
        "bare-1",
        "west",
        metadata={"labels": {"kubernetes.io/service-name": "bare"}},
        addressType="IPv4",
        ports=[{"name": "", "port": its_port, "protocol": "TCP"}],
        endpoints=[{"addresses": [elsewhere], "conditions": {"ready": True}}],
    )
    cluster.create(
        "Service",
        "pay",
        "west",
        metadata={"annotations": notes | {"skupper.io/target": "pay.bank"}},
        spec={"ports": [{"port": 8080}]},
    )
    typed = Commands(cluster, "west", tmp_path / "home")
    for name in ("away", "bare"):
        typed.ok("service", "create", f"{name}-1", "80", "--protocol", "http")
    typed.ok("service", "bind", "away-1", "service", "away", "--target-port", str(port))
    typed.ok("service", "bind", "bare-1", "service", "bare")
    soon(lambda: asked(cluster, west, "away-1") == "somewhere", "by another's name", west)
    soon(lambda: asked(cluster, west, "bare-1") == "by hand", "by endpoints of hands", west)
    soon(lambda: targets(west, "pay") == {"pay.bank.svc:8080"}, "of another namespace", west)


def test_tls_by_annotation_is_shown_to_clients_and_judges_targets(
    cluster: Cluster, start: Start, serve: Serve, tmp_path: Path
) -> None:
    leaf, ca_pem = issue_service_leaf("shop", ["shop"], time.time())
    (tmp_path / "chain.pem").write_text(leaf.chain_pem)
    (tmp_path / "key.pem").write_text(leaf.key_pem)
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    trusting = ssl.create_default_context(cadata=ca_pem)
    trusting.check_hostname = False
    _, other_ca = issue_service_leaf("shop", ["shop"], time.time())

    west = start("west").serves()
    host, port = serve("behind tls", tls=shown)
    pod(cluster, "a", host, {"https": port})
    deployment(
        cluster,
        {"https": port},
        proxy="http",
        port=f"443:{port}",
        tls_cert="shop-tls",
        tls_trust="shop-ca",
    )
    keys = {"tls.crt": leaf.chain_pem.encode(), "tls.key": leaf.key_pem.encode()}
    cluster.create("Secret", "shop-tls", "west", type="kubernetes.io/tls", data=encoded(keys))
    cluster.create("Secret", "shop-ca", "west", data=encoded({"ca.crt": ca_pem.encode()}))
    soon(
        lambda: asked(cluster, west, "shop", 443, trusting) == "behind tls",
        "it is TLS at both sides",
        west,
    )
    wrong = encoded({"ca.crt": other_ca.encode()})
    cluster.patch("Secret", "shop-ca", {"data": wrong}, "west")
    soon(
        lambda: asked(cluster, west, "shop", 443, trusting) == "",
        "a target of another authority is not trusted",
        west,
    )

"""A host's database in a namespace: a gateway of a Kubernetes site, from its host and back."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitectl.site.admin import Admin
from tests.kubernetes import places
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.places import Place
from tests.kubernetes.rbac import User
from tests.scenario.backends import Background, TcpTarget
from tests.scenario.clients import ask, connected
from tests.scenario.harness import own_address
from tests.scenario.waiting import until

READER = [{"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["get", "list"]}]
INIT = ("gateway", "init", "--type", "process")


@pytest.fixture(scope="module")
def west(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A namespace with a site; processes that its hosts started are ended."""
    with Cluster(tmp_path_factory.mktemp("c"), images=places.IMAGES) as cluster:
        place = Place(cluster, "west")
        place.commands.ok("init", "--ingress", "none", "--wait", "ready")
        yield place
        for socket in cluster.state.glob("*/sites/gateways.d/*/run/admin.sock"):
            found = Admin(socket, "gateway").process_id()
            with contextlib.suppress(ProcessLookupError):
                os.kill(found, signal.SIGKILL) if found is not None else None


@pytest.fixture
def postgres() -> Iterator[TcpTarget]:
    """What stands in for a database of the host."""
    background = Background()
    target = TcpTarget(background, "postgres", own_address())
    yield target
    target.stop()
    background.close()


def dialed(place: Place) -> str:
    """Where the site's routers accept links: the test machine is within its cluster."""
    return str(place.router_pods()[0]["status"]["podIP"])


def answers(place: Place, service: str, port: int) -> set[str]:
    """Who answers pods that connect to ``service:port``."""
    found = set()
    for door in place.doors(service, port):
        with contextlib.suppress(OSError), connected(*door) as one:
            found.add(ask(one, "name"))
    return found


def test_pods_reach_a_hosts_database_by_its_service_until_the_gateway_is_deleted(
    west: Place, postgres: TcpTarget
) -> None:
    host = west.commands
    host.ok(*INIT, "--name", "db", "--ingress-host", dialed(west), "--wait", "30")
    host.ok(
        "gateway", "bind", "postgres", postgres.address, f"5432:{postgres.port}", "--wait", "50"
    )
    until(lambda: answers(west, "postgres", 5432) == {"postgres"}, "pods reach postgres:5432")
    (item,) = host.json("gateway", "status")
    assert (item["link"]["state"], item["site"]["name"]) == ("up", "west")
    other = Commands(west.cluster, "west", west.cluster.state / "other-host")
    (item,) = other.json("gateway", "status")
    assert (item["name"], item["here"], item["state"]) == ("db", False, "attached")
    host.ok("gateway", "delete")
    until(lambda: west.get("Service", "postgres") is None, "the Service goes with it")
    assert other.json("gateway", "status") == []
    until(lambda: not west.router("link", "status"), "its link is gone")


def test_without_rights_a_token_of_somebody_else_serves(
    west: Place, postgres: TcpTarget, tmp_path: Path
) -> None:
    cluster, role = west.cluster, {"apiGroup": "rbac.authorization.k8s.io"}
    cluster.create("Role", "reader", "west", rules=READER)
    cluster.create(
        "RoleBinding",
        "reader",
        "west",
        roleRef={**role, "kind": "Role", "name": "reader"},
        subjects=[{**role, "kind": "User", "name": "reader"}],
    )
    reader = Commands(cluster, "west", cluster.state / "reader", User("reader"), "reader")
    address = dialed(west)
    refused = reader(*INIT, "--name", "low", "--ingress-host", address)
    assert refused.returncode == 7
    assert 'resources: ["secrets"], verbs: ["create"]' in refused.stderr
    assert "gateway init --token low.yaml" in refused.stderr
    token = str(tmp_path / "low.yaml")
    west.commands.ok("token", "create", token, "--ingress-host", address)
    reader.ok(*INIT, "--name", "low", "--token", token, "--wait", "30")
    reader.ok("gateway", "bind", "db", postgres.address, str(postgres.port), "--wait", "50")
    until(lambda: answers(west, "db", postgres.port) == {"postgres"}, "pods reach it")
    ended = reader("gateway", "delete")
    assert ended.returncode == 0
    command = ended.stderr.partition("There type: sitectl ")[2].split("\n")[0].split()
    west.commands.ok(*command)
    until(lambda: not west.router("link", "status"), "its link is gone")

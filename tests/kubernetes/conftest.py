"""A cluster of each test's own; with SPILLWAY_TEST_KUBECONFIG, kubectl's tests use a real one."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.objects.names import ROUTER
from tests.kubernetes.client import Kubectl
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.routers import Router, Start, allow
from tests.kubernetes.upstream import BRINGS_NODE, SERVERS


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a real cluster, run only the tests that take one: all others make their clusters.

    Where the tests bring the node of the real cluster, all run there.
    """
    if not SERVERS or BRINGS_NODE:
        return
    here = Path(__file__).parent
    apart = [
        item
        for item in items
        if here in item.path.parents
        and ("kubectl" not in _fixtures(item) or "cluster" in _fixtures(item))
    ]
    config.hook.pytest_deselected(items=apart)
    items[:] = [item for item in items if item not in apart]


def _fixtures(item: pytest.Item) -> list[str]:
    return list(getattr(item, "fixturenames", ()))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """The cluster inside this process."""
    if SERVERS and not BRINGS_NODE:
        pytest.skip("needs the cluster of the tests, and SPILLWAY_TEST_KUBECONFIG names a real one")
    with Cluster(tmp_path / "cluster") as found:
        yield found


@pytest.fixture
def kubectl(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl as cluster-admin, in a namespace of the test's own."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    if not SERVERS or BRINGS_NODE:
        cluster: Cluster = request.getfixturevalue("cluster")
        cluster.create("Namespace", name)  # A kubectl costs more than most of these tests.
        yield Kubectl(cluster.kubeconfig(), tmp_path, name)
        return
    found = Kubectl(SERVERS[0], tmp_path, name)
    found("create", "namespace", name)
    yield found
    found("delete", "namespace", name, "--wait=false")


@pytest.fixture
def start(cluster: Cluster, tmp_path: Path) -> Iterator[Start]:
    """Starts a router of a namespace, which is made a site if it is none; ends them all."""
    routers: list[Router] = []

    def begin(namespace: str, address: str = "", **site: str) -> Router:
        if cluster.get("Namespace", namespace) is None:
            cluster.create("Namespace", namespace)
            data = {"name": namespace, "ingress": "none", **site}
            cluster.create("ConfigMap", "skupper-site", namespace, data=data)
            allow(cluster, namespace, data["ingress"])
        root = tmp_path / f"pod-{len(routers)}"
        user = cluster.service_account(namespace, ROUTER)
        routers.append(Router(cluster, namespace, root, user, address))
        return routers[-1]

    yield begin
    for router in routers:
        router.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Iterator[None]:
    """Attach what the containers of a failed test printed."""
    outcome: Any = yield
    report = outcome.get_result()
    found = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(found, Cluster):
        report.sections.append(("containers", found.logs()))

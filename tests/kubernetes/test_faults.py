"""Faults that a test can switch on, and the record of requests."""

from collections.abc import Callable, Iterator

import httpx2
import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap

from tests.kubernetes.client import raw as raw_client
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.faults import Fault
from tests.scenario.waiting import until


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    """A synchronous client of an administrator."""
    found = Client(KubeConfig.from_file(cluster.kubeconfig()).get(), trust_env=False)
    yield found
    found.close()


def _create(client: Client, name: str) -> None:
    client.create(ConfigMap(metadata=ObjectMeta(name=name)), namespace="default")


def test_throttling_states_when_to_come_back(cluster: Cluster) -> None:
    cluster.faults.add(Fault(code=429, retry_after_s=3, verb="list", times=1))
    with raw_client(cluster) as raw:
        refused = raw.get("/api/v1/namespaces/default/configmaps")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3")
        assert refused.headers["Content-Type"].startswith("text/plain")
        assert refused.text == "Too many requests, please try again later.\n"
        assert raw.get("/api/v1/namespaces/default/configmaps").status_code == 200


def test_faults_hit_only_whom_they_name(cluster: Cluster, client: Client) -> None:
    fault = cluster.faults.add(Fault(code=500, verb="write", kind="ConfigMap", name=""))
    with pytest.raises(ApiError) as refused:
        _create(client, "a")
    assert refused.value.status.code == 500
    assert cluster.get("ConfigMap", "a") is None
    assert list(client.list(ConfigMap, namespace="default")) is not None
    fault.times = 0
    _create(client, "a")


def test_an_answer_can_be_lost_after_the_write(cluster: Cluster, client: Client) -> None:
    cluster.faults.add(Fault(cut="after", verb="create", times=1))
    with pytest.raises(httpx2.HTTPError):
        _create(client, "a")
    assert cluster.get("ConfigMap", "a") is not None
    cluster.faults.add(Fault(cut="before", verb="create", times=1))
    with pytest.raises(httpx2.HTTPError):
        _create(client, "b")
    assert cluster.get("ConfigMap", "b") is None


def test_a_slow_answer_is_slow(cluster: Cluster) -> None:
    cluster.faults.add(Fault(delay_s=5.0, verb="get"))
    with raw_client(cluster, timeout_s=0.2) as raw, pytest.raises(httpx2.ReadTimeout):
        raw.get("/api/v1/namespaces/default/configmaps/a")


def test_watches_can_be_cut_and_fall_silent(cluster: Cluster) -> None:
    lines: list[str] = []
    query = f"watch=1&resourceVersion={cluster.store.revision}"
    with (
        raw_client(cluster) as raw,
        raw.stream("GET", f"/api/v1/namespaces/default/configmaps?{query}") as stream,
    ):
        found = stream.iter_lines()
        cluster.create("ConfigMap", "a")
        while not any('"a"' in line for line in lines):
            lines.append(next(found))
        cluster.faults.watches_are_silent = True
        cluster.create("ConfigMap", "b")
        assert cluster.watches("ConfigMap") == 1
        assert cluster.cut_watches("Secret") == 0
        assert cluster.cut_watches("ConfigMap") == 1
        with pytest.raises(httpx2.HTTPError):
            list(found)
    until(lambda: cluster.watches() == 0, "the watch is gone")


def test_a_restart_cuts_everything_and_keeps_the_objects(cluster: Cluster, client: Client) -> None:
    _create(client, "a")
    old = cluster.store.revision
    refused: list[bool] = []

    def while_down() -> None:
        with pytest.raises(httpx2.ConnectError):
            client.get(ConfigMap, "a", namespace="default")
        refused.append(True)

    cluster.restart(compact=True, while_down=while_down)
    assert refused
    assert client.get(ConfigMap, "a", namespace="default").metadata
    cluster.create("ConfigMap", "b")
    with pytest.raises(ApiError) as gone:
        next(client.watch(ConfigMap, namespace="default", resource_version=str(old - 1)))
    assert gone.value.status.code == 410


def test_requests_are_counted_by_verb_kind_and_user(cluster: Cluster, client: Client) -> None:
    mark = len(cluster.faults.seen)
    _create(client, "a")
    client.patch(ConfigMap, "a", {"data": {"k": "v"}}, namespace="default")
    list(client.list(ConfigMap, namespace="default"))
    count: Callable[..., int] = cluster.faults.count
    assert count(verb="write", since=mark) == 2
    assert count(verb="write", kind="Secret", since=mark) == 0
    assert count(verb="list", user="kubernetes-admin", since=mark) == 1
    assert count(user="system:serviceaccount:default:x", since=mark) == 0
    assert cluster.faults.by_verb(mark)["kubernetes-admin", "patch", "ConfigMap"] == 1

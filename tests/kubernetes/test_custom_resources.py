"""Custom resources over HTTPS: discovery, three levels of rights, statuses, vanishing kinds."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.leader.object_statuses import ObjectStatuses
from router.kubernetes.objects import kinds as objects
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.objects import Snapshot
from router.kubernetes.store.custom_kinds import CustomKinds
from router.model import limits
from tests.kubernetes import async_waiting, skupper2_kinds
from tests.kubernetes.async_waiting import until
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.failures import Failure
from tests.kubernetes.rbac import service_account
from tests.kubernetes.resources import Json, custom

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

GROUP = "skupper.io/v2alpha1"
KINDS = custom("skupper.io", "v2alpha1", ("Site", "sites", ("st",)), ("Listener", "listeners", ()))


def rules(kinds: Iterable[str]) -> list[dict[str, list[str]]]:
    """The rules of a Role that give `AccessLevel.FULL` on ``kinds``, two for each group."""
    by_group: dict[str, list[str]] = {}
    for kind in kinds:
        group, _, _ = objects.KINDS[kind].api_version.rpartition("/")
        by_group.setdefault(group, []).append(objects.KINDS[kind].plural)
    found = []
    for group, plurals in by_group.items():
        status = [f"{plural}/status" for plural in plurals]
        read, write = ["get", "list", "watch"], ["get", "update", "patch"]
        found.append({"apiGroups": [group], "resources": plurals, "verbs": read})
        found.append({"apiGroups": [group], "resources": status, "verbs": write})
    return found


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster with the namespace ``west``, without definitions."""
    with Cluster(tmp_path, without=("deployment", "replicaset", "kubelet")) as made:
        made.create("Namespace", "west")
        yield made


def allow(cluster: Cluster, granted: list[dict[str, list[str]]]) -> None:
    """Give the router these rules in ``west``."""
    cluster.create("Role", "v2", "west", rules=granted)
    subject = {"kind": "ServiceAccount", "name": "router", "namespace": "west"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "v2"}
    cluster.create("RoleBinding", "v2", "west", subjects=[subject], roleRef=reference)


@contextlib.asynccontextmanager
async def mirrored(cluster: Cluster) -> AsyncIterator[tuple[Api, CustomKinds]]:
    user = service_account("west", "router")
    path = await asyncio.to_thread(cluster.kubeconfig, "west", user)
    connected = await asyncio.to_thread(Api.connect, "west", str(path))
    async with connected as api:
        served = [each.kind for each in KINDS]
        kinds = CustomKinds(api, GROUP, served, lambda kind: None, random.Random(1))
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(kinds.run())
            await until(lambda: kinds.settled)
            yield api, kinds
            task.cancel()


def listener(cluster: Cluster, name: str) -> Json:
    spec = {"routingKey": name, "host": name, "port": 80}
    return cluster.create("Listener", name, "west", spec=spec)


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({"routingKey": "db", "port": 80}, "spec.host: Required value"),
        ({"routingKey": "db", "host": "db", "port": "80"}, "must be of type integer"),
        ({"routingKey": "db", "host": "db", "port": 80, "observer": "x"}, "Unsupported value"),
    ],
)
def test_what_the_definitions_of_skupper_do_not_allow_is_refused(
    cluster: Cluster, spec: Json, wrong: str
) -> None:
    skupper2_kinds.install(cluster)
    with pytest.raises(Failure, match=wrong):
        cluster.create("Listener", "db", "west", spec=spec)
    for served in ({}, {"selector": "app=db", "host": "db"}):
        with pytest.raises(Failure, match="one and only one"):
            spec = {"routingKey": "db", "port": 80, **served}
            cluster.create("Connector", "db", "west", spec=spec)


def test_a_field_that_no_definition_of_skupper_has_is_not_kept(cluster: Cluster) -> None:
    cluster.define(*KINDS)
    spec = {"routingKey": "db", "host": "db", "port": 80}
    made = cluster.create("Listener", "db", "west", spec={**spec, "weight": 3})
    assert made["spec"] == spec


def test_levels_are_those_of_the_role(cluster: Cluster) -> None:
    async def levels() -> set[AccessLevel]:
        async with mirrored(cluster) as (_, kinds):
            return set(kinds.levels.values())

    assert async_waiting.run(levels()) == {AccessLevel.ABSENT}
    cluster.define(*KINDS)
    assert async_waiting.run(levels()) == {AccessLevel.NONE}
    granted = rules(each.kind for each in KINDS)
    allow(cluster, granted[:1])
    assert async_waiting.run(levels()) == {AccessLevel.READ}
    cluster.patch("Role", "v2", {"rules": granted}, "west")
    assert async_waiting.run(levels()) == {AccessLevel.FULL}


def test_a_status_is_written_through_its_subresource_alone(cluster: Cluster) -> None:
    cluster.define(*KINDS)
    allow(cluster, rules(each.kind for each in KINDS))
    listener(cluster, "db")

    async def story() -> None:
        async with mirrored(cluster) as (api, kinds):
            await until(lambda: "db" in kinds.informers["Listener"].copy())
            statuses = ObjectStatuses(api, lambda: True)
            snapshot = Snapshot("west", {"Listener": kinds.informers["Listener"].copy()})
            shown = kinds.informers["Listener"].copy
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(statuses.run())
                statuses.offer(snapshot, {("Listener", "db"): {"status": "Ready"}})
                await until(lambda: shown()["db"].get("status") == {"status": "Ready"})
                running.cancel()
            with pytest.raises(ApiError, match="cannot update resource"):
                await api.replace({**shown()["db"], "spec": {}})

    async_waiting.run(story())


def test_deleting_the_definition_deletes_nothing_here(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CUSTOM_KINDS_S", 0.3)
    cluster.define(*KINDS)
    allow(cluster, rules(each.kind for each in KINDS))
    listener(cluster, "db")
    listener(cluster, "web")

    async def story() -> None:
        async with mirrored(cluster) as (_, kinds):
            mirror = kinds.informers["Listener"]
            await until(lambda: set(mirror.copy()) == {"db", "web"})
            await asyncio.to_thread(cluster.undefine, *KINDS)
            await until(lambda: kinds.vanished == ["Site", "Listener"])
            assert set(mirror.copy()) == {"db", "web"}
            await asyncio.to_thread(cluster.define, *KINDS)
            await until(lambda: not kinds.vanished)
            await asyncio.to_thread(listener, cluster, "db")
            await until(lambda: mirror.retained == {"web"})
            assert set(mirror.copy()) == {"db", "web"}
            await asyncio.to_thread(cluster.delete, "Listener", "db", "west")
            await until(lambda: set(mirror.copy()) == {"web"})

    async_waiting.run(story())

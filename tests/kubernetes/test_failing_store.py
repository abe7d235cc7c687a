"""What the status of a namespace says when a fault of ours ends the task that follows it."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.client.api import Api
from router.kubernetes.codecs.status import KEY, STOPPED, ShortStatus
from router.kubernetes.objects import names
from router.kubernetes.skupper2.network_facts import NetworkFacts
from router.kubernetes.store.store import KubernetesStore
from router.model import limits
from router.process.namespace import following
from router.process.stores import Namespace
from tests.kubernetes import async_waiting
from tests.kubernetes.cluster import Cluster

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_a_router_that_a_fault_of_its_store_ends_does_not_say_that_it_stopped_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir(mode=0o700)
    breaks = asyncio.Event()

    runs = KubernetesStore.run

    async def fails() -> None:
        await breaks.wait()
        raise LookupError("a fault of ours")

    async def run(store: KubernetesStore) -> None:
        await asyncio.gather(runs(store), fails())

    monkeypatch.setattr(KubernetesStore, "run", run)

    async def story(cluster: Cluster) -> None:
        where = Namespace(name="west", kubeconfig=str(cluster.kubeconfig("west")))
        with pytest.raises(BaseExceptionGroup):
            async with following(site, where) as store:
                store.attach(
                    lambda needs: True,
                    lambda: ShortStatus({"site": "west"}, "west"),
                    lambda services: NetworkFacts(version="1", is_ready=False),
                    lambda: None,
                )
                await async_waiting.until(
                    lambda: cluster.get("ConfigMap", names.STATUS_CONFIGMAP, "west"), 20
                )
                breaks.set()
                await asyncio.Event().wait()  # Until it is ended.

    with Cluster(tmp_path / "cluster", without=("deployment", "replicaset", "kubelet")) as cluster:
        cluster.create("Namespace", "west")
        cluster.create("ConfigMap", names.SITE_CONFIGMAP, "west", data={"name": "west"})
        async_waiting.run(story(cluster))
        found = cluster.get("ConfigMap", names.STATUS_CONFIGMAP, "west")
        assert found is not None
        told = json.loads(found["data"][KEY])
        assert not told[STOPPED]
        assert told["conditions"][0]["reason"] == "Failed"
        assert told["conditions"][0]["message"].endswith("ended: a fault of ours")


def test_a_fault_in_asking_for_a_permission_ends_no_router(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir(mode=0o700)
    asked: list[str] = []

    async def allows(api: Api, attributes: Mapping[str, str], **_: Any) -> bool:
        if attributes["resource"] == "endpointslices":
            asked.append(attributes["verb"])
            raise LookupError("a fault of ours")
        return True

    monkeypatch.setattr(Api, "allows", allows)
    monkeypatch.setattr(limits, "WATCH_BACKOFF_MAX_S", 0.1)

    async def story(cluster: Cluster) -> None:
        where = Namespace(name="west", kubeconfig=str(cluster.kubeconfig("west")))
        async with following(site, where):
            await async_waiting.until(lambda: len(asked) > 1, 20)

    with Cluster(tmp_path / "cluster", without=("deployment", "replicaset", "kubelet")) as cluster:
        cluster.create("Namespace", "west")
        cluster.create("ConfigMap", names.SITE_CONFIGMAP, "west", data={"name": "west"})
        async_waiting.run(story(cluster))

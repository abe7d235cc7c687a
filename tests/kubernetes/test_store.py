"""The store over HTTPS against the API server: outages, expiry, throttling, missing rights."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from router.documents import Wanted
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.objects import names
from router.kubernetes.store.store import KubernetesStore
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import TargetSpec
from tests.kubernetes import async_waiting
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.faults import Fault
from tests.kubernetes.rbac import service_account
from tests.scenario.waiting import own_time

# The HTTP client leaves a connection whose TLS handshake is cancelled to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LOOK_AGAIN_S = 0.1
WATCHED_ROLE = [
    {
        "apiGroups": ["", "apps", "discovery.k8s.io", "apps.openshift.io"],
        "resources": ["*"],
        "verbs": ["get", "list", "watch"],
    }
]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster with the namespace ``west`` and its site."""
    with Cluster(tmp_path, without=("deployment", "replicaset", "kubelet")) as made:
        made.create("Namespace", "west")
        made.create("ConfigMap", names.SITE_CONFIGMAP, "west", data={"name": "west"})
        yield made


def deployment(cluster: Cluster, name: str = "shop") -> None:
    """Annotated for exposure at port 80 of its pods' port 8080."""
    container = {"name": "main", "image": "shop", "ports": [{"containerPort": 8080}]}
    cluster.create(
        "Deployment",
        name,
        "west",
        metadata={"annotations": {"skupper.io/proxy": "http", "skupper.io/port": "80:8080"}},
        spec={
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container]},
            },
        },
    )


def pod(cluster: Cluster, name: str, ip: str, app: str = "shop") -> None:
    """A pod that runs and is ready."""
    cluster.create(
        "Pod",
        name,
        "west",
        metadata={"labels": {"app": app}},
        spec={"containers": [{"name": "main", "image": "shop"}]},
    )
    ready(cluster, name, ip)


def ready(cluster: Cluster, name: str, ip: str, is_ready: bool = True) -> None:
    status = {
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}],
    }
    cluster.patch("Pod", name, {"status": status}, "west", part="status")


class Following:
    """What the store told last."""

    def __init__(self, store: KubernetesStore) -> None:
        self.store = store
        self.wanted: Wanted
        self.errors: list[ConfigError]
        self._news = asyncio.Event()

    def changed(self, wanted: Wanted, errors: list[ConfigError]) -> None:
        self.wanted, self.errors = wanted, errors
        self._news.set()

    @property
    def targets(self) -> set[str]:
        """Addresses that requests may go to, also while other sites serve."""
        usable = (one for one in self.listed if not one.unusable and not one.last_resort)
        return {target.host for target in usable}

    @property
    def listed(self) -> list[TargetSpec]:
        """All pods that are there."""
        return [t for connector in self.wanted.connectors.values() for t in connector.targets]

    def codes(self) -> list[str]:
        return [error.code for error in self.errors]

    async def until(self, holds: Callable[[], bool], within_s: float = 10.0) -> None:
        """Wait until ``holds``: the last news may take ``within_s`` by `own_time`."""
        deadline = own_time() + within_s
        while not holds():
            assert own_time() < deadline, "not in time"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await self._news.wait()
            self._news.clear()


@contextlib.asynccontextmanager
async def following(cluster: Cluster, kubeconfig: Path | None = None) -> AsyncIterator[Following]:
    """A store that is ready and watches ``west``."""
    path = kubeconfig or cluster.kubeconfig("west")
    async with Api.connect(kubeconfig=str(path)) as api, asyncio.TaskGroup() as tasks:
        store = KubernetesStore(api, api.namespace, rng=random.Random(1))
        running = tasks.create_task(store.run())
        async with asyncio.timeout(20):
            await store.ready()
        found = Following(store)
        reading = store.load()
        found.changed(reading.wanted, list(reading.errors))
        watching = tasks.create_task(store.watch(found.changed))
        yield found
        watching.cancel()
        running.cancel()


def play(story: Coroutine[Any, Any, None]) -> None:
    async_waiting.run(story)


def test_pods_count_within_a_second_of_readiness(cluster: Cluster) -> None:
    async def story() -> None:
        deployment(cluster)
        pod(cluster, "a", "10.0.0.1")
        async with following(cluster) as found:
            assert found.targets == {"10.0.0.1"}
            pod(cluster, "b", "10.0.0.2")
            await found.until(lambda: found.targets == {"10.0.0.1", "10.0.0.2"}, 1)
            ready(cluster, "a", "10.0.0.1", is_ready=False)
            await found.until(lambda: found.targets == {"10.0.0.2"}, 1)
            cluster.patch("Pod", "b", {"metadata": {"annotations": {names.CAPACITY: "7"}}}, "west")
            await found.until(
                lambda: [t.capacity for t in found.listed if not t.unusable] == [7],
                1,
            )

    play(story())


@pytest.mark.parametrize("compact", [False, True])
def test_what_changed_while_the_server_was_down_counts_when_it_is_back(
    cluster: Cluster, compact: bool
) -> None:
    async def story() -> None:
        deployment(cluster)
        pod(cluster, "a", "10.0.0.1")
        pod(cluster, "b", "10.0.0.2")

        def while_down() -> None:
            cluster.delete("Pod", "a", "west", gracePeriodSeconds=0)
            pod(cluster, "c", "10.0.0.3")

        async with following(cluster) as found:
            await asyncio.to_thread(cluster.restart, compact=compact, while_down=while_down)
            await found.until(lambda: found.targets == {"10.0.0.2", "10.0.0.3"}, 30)
            await found.until(lambda: not found.errors, 60)  # Each kind is tried again in its time.

    play(story())


def test_watches_that_are_cut_go_on_without_a_gap(cluster: Cluster) -> None:
    async def story() -> None:
        deployment(cluster)
        async with following(cluster) as found:
            for number in range(3):
                cluster.cut_watches("Pod")
                pod(cluster, f"p-{number}", f"10.0.0.{number}")
            await found.until(lambda: len(found.targets) == 3, 20)

    play(story())


def test_watches_that_fall_silent_hide_no_change(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a server whose etcd was restored: it says nothing of versions up to ours."""
    monkeypatch.setattr(limits, "WATCH_SILENCE_S", 1.0)
    monkeypatch.setattr(limits, "WATCH_HEALTHY_S", 0.5)

    async def story() -> None:
        async with following(cluster) as seen:
            cluster.faults.watches_are_silent = True
            deployment(cluster)
            pod(cluster, "shop-1", "10.0.0.1")
            await seen.until(lambda: seen.targets == {"10.0.0.1"})
            assert "SW0439" not in seen.codes()

    play(story())


@pytest.mark.parametrize("as_http", [False, True])
def test_an_expired_version_is_listed_anew(cluster: Cluster, as_http: bool) -> None:
    async def story() -> None:
        deployment(cluster)
        pod(cluster, "a", "10.0.0.1")
        async with following(cluster) as found:
            cluster.faults.watches_gone_as_http = as_http
            cluster.compact()
            cluster.cut_watches()
            cluster.delete("Pod", "a", "west", gracePeriodSeconds=0)
            cluster.compact()
            await found.until(lambda: not found.targets, 20)

    play(story())


def test_a_server_that_throttles_is_waited_for(cluster: Cluster) -> None:
    async def story() -> None:
        cluster.faults.add(Fault(code=429, retry_after_s=1, verb="list", times=8))
        deployment(cluster)
        pod(cluster, "a", "10.0.0.1")
        async with following(cluster) as found:
            assert found.targets == {"10.0.0.1"}

    play(story())


def test_a_role_that_lacks_a_kind_is_named_and_all_else_goes_on(cluster: Cluster) -> None:
    async def story() -> None:
        rules = [
            {
                **WATCHED_ROLE[0],
                "resources": [
                    "configmaps",
                    "secrets",
                    "services",
                    "pods",
                    "endpointslices",
                    "deployments",
                    "daemonsets",
                    "deploymentconfigs",
                ],
            }
        ]
        cluster.create("Role", names.ROUTER, "west", rules=rules)
        account = service_account("west", names.ROUTER)
        cluster.create(
            "RoleBinding",
            names.ROUTER,
            "west",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": names.ROUTER},
            subjects=[{"kind": "ServiceAccount", "name": names.ROUTER, "namespace": "west"}],
        )
        deployment(cluster)
        pod(cluster, "a", "10.0.0.1")
        async with following(cluster, cluster.kubeconfig("west", account)) as found:
            await found.until(lambda: found.codes() == ["SW0432"])
            assert 'resources: ["statefulsets"]' in found.errors[0].hint
            assert found.targets == {"10.0.0.1"}

    play(story())


def test_a_token_that_was_replaced_in_its_file_is_read_again(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        from router.kubernetes.client import kubeconfig

        account = tmp_path / "account"
        for name, value in cluster.in_cluster("west", names.ROUTER, account).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", account)
        cluster.create("Role", "r", "west", rules=WATCHED_ROLE)
        cluster.create(
            "RoleBinding",
            "r",
            "west",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            subjects=[{"kind": "ServiceAccount", "name": names.ROUTER, "namespace": "west"}],
        )
        async with Api.connect() as api:
            assert api.namespace == "west"
            await api.list("Pod")
            old = (account / "token").read_text()
            cluster.in_cluster("west", names.ROUTER, account)
            cluster.tokens.revoke(old)
            await api.list("Pod")

    play(story())


def test_calls_say_what_was_refused_and_keep_their_preconditions(cluster: Cluster) -> None:
    async def story() -> None:
        async with Api.connect(kubeconfig=str(cluster.kubeconfig("west"))) as api:
            made = await api.create(
                {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {}}
            )
            with pytest.raises(ApiError) as refused:
                await api.create(made | {"metadata": {"name": "a"}})
            assert (refused.value.status, refused.value.reason) == (409, "AlreadyExists")
            await api.patch("ConfigMap", "a", {"data": {"x": "1"}})
            with pytest.raises(ApiError) as refused:
                await api.replace(made)
            assert (refused.value.status, refused.value.reason) == (409, "Conflict")
            with pytest.raises(ApiError) as refused:
                await api.delete("ConfigMap", "a", uid="somebody-else")
            assert refused.value.status == 409
            assert await api.delete("ConfigMap", "a", uid=made["metadata"]["uid"])
            assert not await api.delete("ConfigMap", "a")
            assert await api.find("ConfigMap", "a") is None
            assert await api.allows({"verb": "list", "group": "", "resource": "pods"})

    play(story())


def test_an_idempotent_call_whose_answer_was_lost_is_made_again(cluster: Cluster) -> None:
    async def story() -> None:
        async with Api.connect(kubeconfig=str(cluster.kubeconfig("west"))) as api:
            await api.create({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}})
            cluster.faults.add(Fault(cut="after", verb="patch", times=1))
            changed = await api.patch("ConfigMap", "a", {"data": {"x": "1"}})
            assert changed["data"] == {"x": "1"}
            cluster.faults.add(Fault(cut="after", verb="create", times=1))
            with pytest.raises(ApiError) as lost:
                await api.create(
                    {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "b"}}
                )
            assert lost.value.status == 0

    play(story())


def test_long_lists_come_in_pages(cluster: Cluster) -> None:
    async def story() -> None:
        count = limits.API_PAGE_OBJECTS + 5
        for number in range(count):
            cluster.create("ConfigMap", f"c-{number}", "west")
        async with Api.connect(kubeconfig=str(cluster.kubeconfig("west"))) as api:
            pages = [page.items async for page in api.pages("ConfigMap")]
            assert len(pages) == 2
            found = {each["metadata"]["name"] for page in pages for each in page}
            assert {f"c-{number}" for number in range(count)} <= found
            assert len(found) == sum(map(len, pages)), "none comes twice"

    play(story())


def test_however_many_watches_are_open_a_call_waits_for_none(cluster: Cluster) -> None:
    async def story() -> None:
        async with (
            Api.connect("west", str(cluster.kubeconfig())) as api,
            contextlib.AsyncExitStack() as watches,
        ):
            version = (await api.list("Secret")).version
            for number in range(101):  # The pool of the HTTP client has 100 unless told otherwise.
                watch = api.watch("Secret", version, fields=f"metadata.name=s-{number}")
                await watches.enter_async_context(contextlib.aclosing(watch))
                async with asyncio.timeout(5):
                    await anext(watch)
            assert await api.find("Secret", "s-0") is None

    async_waiting.run(story())

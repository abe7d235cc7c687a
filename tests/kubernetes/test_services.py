"""Services of a namespace under kubectl, other sites and an API that refuses, and given back."""

import asyncio
import copy
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest
import yaml

from router.kubernetes.client.api import Api
from router.kubernetes.leader.service_writer import Restored, ServiceWriter, restore_all
from router.kubernetes.objects import names
from router.kubernetes.services import adoption
from router.kubernetes.store.store import KubernetesStore, Look
from router.model.specs import ServiceSpec
from tests.kubernetes import async_waiting
from tests.kubernetes.async_waiting import until
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.faults import Fault
from tests.programs import find
from tests.scenario.waiting import own_time

NAMESPACE = "west"
HTTP = ServiceSpec(protocol="http", ports=(80,))
EXPOSED = {"skupper.io/proxy": "http"}


class Site:
    """Store and writer of a site, without its router; another site declares ``declared``."""

    def __init__(self, cluster: Cluster, api: Api) -> None:
        self.cluster, self.api = cluster, api
        self.look: Look | None = None
        self.store = KubernetesStore(api, NAMESPACE, rng=Random(1))
        self.may_write = True
        self.writer = ServiceWriter(
            api, Random(1), may_write=lambda: self.may_write, changed=self.store.poke
        )
        self.store.may_name_pods(True)
        self.store.followers.append(self._looked)
        self.declared: dict[str, ServiceSpec] = {}

    def _looked(self, look: Look) -> None:
        self.look = look
        self.writer.offer(look.plan.changes)

    def declare(self, *services: str, spec: ServiceSpec = HTTP) -> None:
        self.declared = {**self.declared, **{name: spec for name in services}}
        self.store.declared(self.declared)

    def withdraw(self, *services: str) -> None:
        self.declared = {k: v for k, v in self.declared.items() if k not in services}
        self.store.declared(self.declared)

    @property
    def codes(self) -> list[str]:
        assert self.look is not None
        return [error.code for error in (*self.look.plan.findings, *self.writer.findings)]

    def inner(self, name: str, port: int = 80) -> int | None:
        assert self.look is not None
        ports = self.look.plan.inner_ports
        return {(key.name, key.port): inner for key, inner in ports.items()}.get((name, port))

    def service(self, name: str) -> dict[str, Any] | None:
        return self.cluster.get("Service", name, NAMESPACE)

    def leads_here(self, name: str) -> bool:
        """Whether all its clients reach the routers."""
        found = self.service(name)
        return found is not None and found["spec"].get("selector") == adoption.ROUTERS

    async def settled(self, condition: Callable[[], object], timeout_s: float = 20.0) -> None:
        """``condition`` holds and there is nothing more to do."""

        def is_settled() -> bool:
            return bool(condition()) and self.look is not None and not self.look.plan.changes

        await until(is_settled, timeout_s)


Story = Callable[[Site], Awaitable[None]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), without=("kubelet",)) as made:
        yield made


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """The shared cluster with a namespace of the test's own."""
    shared.create("Namespace", NAMESPACE)
    shared.create("ConfigMap", names.SITE_CONFIGMAP, NAMESPACE, data={"name": "west"})
    yield shared
    shared.faults.clear()
    shared.delete("Namespace", NAMESPACE)
    deadline = own_time() + 10
    while shared.get("Namespace", NAMESPACE, "") is not None:
        assert own_time() < deadline, "nothing of ours holds up a namespace"


def told(cluster: Cluster, story: Story) -> None:
    """``story`` while a site runs in the namespace."""

    async def run() -> None:
        kubeconfig = str(cluster.kubeconfig(NAMESPACE))
        async with Api.connect(kubeconfig=kubeconfig) as api, asyncio.TaskGroup() as tasks:
            site = Site(cluster, api)
            running = [
                tasks.create_task(site.store.run()),
                tasks.create_task(site.writer.run()),
            ]
            await site.store.ready()
            running.append(tasks.create_task(site.store.watch(lambda wanted, errors: None)))
            try:
                await story(site)
            finally:
                for task in running:
                    task.cancel()
                for task in running:
                    with suppress(asyncio.CancelledError):
                        await task

    async_waiting.run(run())


async def kubectl(site: Site, *words: str, given: object = None) -> str:
    """What kubectl prints."""
    kubeconfig = site.cluster.kubeconfig(NAMESPACE)
    environment = {
        "KUBECONFIG": str(kubeconfig),
        "PATH": "/usr/bin:/bin",
        "HOME": str(kubeconfig.parent),  # Its cache of discovery is the test's own.
    }

    def call() -> str:
        done = subprocess.run(
            [find("kubectl") or "", *words],
            env=environment,
            input=yaml.safe_dump_all(given if isinstance(given, list) else [given]),
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return await asyncio.to_thread(call)


def manifest(name: str, *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A Service as people keep it in a file, exposed by annotation."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": EXPOSED, "labels": {"team": "a"}},
        "spec": {"selector": {"app": name}, "ports": list(ports or [{"port": 80}]), **spec},
    }


def seen(found: dict[str, Any] | None) -> dict[str, Any]:
    """The object without what every write changes, and without what asked for its exposure."""
    assert found is not None
    result = copy.deepcopy(found)
    for field in ("resourceVersion", "managedFields"):
        result["metadata"].pop(field, None)
    notes = result["metadata"].get("annotations", {})
    for key in (*EXPOSED, "kubectl.kubernetes.io/last-applied-configuration"):
        notes.pop(key, None)
    if not notes:
        result["metadata"].pop("annotations", None)
    return result


@pytest.mark.programs("kubectl")
def test_services_that_kubectl_made_are_adopted_and_given_back_as_they_were(
    cluster: Cluster,
) -> None:
    manifests = [
        manifest("plain"),
        manifest(
            "named",
            {"name": "web", "port": 80, "targetPort": "http", "appProtocol": "http"},
            {"name": "admin", "port": 81, "targetPort": 8081},
            sessionAffinity="ClientIP",
        ),
        manifest("node", {"name": "web", "port": 80, "nodePort": 30080}, type="NodePort"),
        manifest("balanced", type="LoadBalancer", externalTrafficPolicy="Local"),
        manifest("both", ipFamilyPolicy="PreferDualStack"),
    ]
    services = [one["metadata"]["name"] for one in manifests]

    async def story(site: Site) -> None:
        bare = copy.deepcopy(manifests)
        for one in bare:
            del one["metadata"]["annotations"]
        await kubectl(site, "apply", "-f", "-", given=bare)
        before = {name: seen(site.service(name)) for name in services}
        await kubectl(site, "annotate", "service", *services, "skupper.io/proxy=http")
        await site.settled(lambda: all(map(site.leads_here, services)))
        assert not site.codes
        named = site.service("named")
        assert named is not None
        assert [(p["name"], p["targetPort"]) for p in named["spec"]["ports"]] == [
            ("web", site.inner("named")),
            ("admin", site.inner("named", 81)),
        ]
        kept = ("clusterIP", "clusterIPs", "type", "sessionAffinity", "ipFamilies")
        for name in services:
            service = seen(site.service(name))
            for field in kept:
                assert service["spec"].get(field) == before[name]["spec"].get(field)
            assert service["metadata"]["labels"]["team"] == "a"
        node = site.service("node")
        assert node is not None and node["spec"]["ports"][0]["nodePort"] == 30080

        await kubectl(site, "annotate", "service", *services, "skupper.io/proxy-")
        await site.settled(lambda: not any(map(site.leads_here, services)))
        for name in services:
            assert seen(site.service(name)) == before[name]

    told(cluster, story)


@pytest.mark.programs("kubectl")
def test_kubectl_apply_of_the_same_file_is_mended_and_settles(cluster: Cluster) -> None:
    async def story(site: Site) -> None:
        await kubectl(site, "apply", "-f", "-", given=manifest("shop"))
        await site.settled(lambda: site.leads_here("shop"))
        inner = site.inner("shop")
        changed = manifest("shop", {"name": "web", "port": 80, "targetPort": 9000})
        changed["metadata"]["labels"]["team"] = "b"
        await kubectl(site, "apply", "-f", "-", given=changed)
        await site.settled(lambda: site.leads_here("shop"))
        service = site.service("shop")
        assert service is not None and site.inner("shop") == inner
        assert [p["targetPort"] for p in service["spec"]["ports"]] == [inner]
        assert service["metadata"]["labels"]["team"] == "b"
        assert adoption.before(service)["spec"]["ports"][0]["targetPort"] == 9000
        assert adoption.before(service)["spec"]["selector"] == {"app": "shop"}

    told(cluster, story)


@pytest.mark.programs("kubectl")
def test_three_hundred_services_of_another_site_share_port_80(cluster: Cluster) -> None:
    services = [f"shop-{index}" for index in range(300)]

    async def story(site: Site) -> None:
        await kubectl(site, "create", "service", "clusterip", "shop-7", "--tcp=80:8080")
        mine = seen(site.service("shop-7"))
        site.declare(*services)
        others = [name for name in services if name != "shop-7"]
        await site.settled(lambda: all(map(site.leads_here, others)), timeout_s=40)
        numbers = {site.inner(name) for name in others}
        assert len(numbers) == 299 and min(n for n in numbers if n) >= 1024
        assert site.codes == ["SW0420"] and seen(site.service("shop-7")) == mine
        since = len(site.cluster.faults.seen)
        for _ in range(3):
            site.look = None
            site.store.poke()
            await site.settled(lambda: site.look is not None)
        assert site.cluster.faults.count(verb="write", since=since) == 0

        site.may_write = False
        assert await restore_all(site.api) == Restored()
        left = {one["metadata"]["name"] for one in site.cluster.list("Service", NAMESPACE)}
        assert left == {"shop-7"}

    told(cluster, story)


def test_what_the_api_refuses_is_told_and_everything_else_goes_on(cluster: Cluster) -> None:
    async def story(site: Site) -> None:
        refused = Fault(code=403, verb="create", kind="Service", times=3)
        site.cluster.faults.add(refused)
        site.declare("a", "b", "c")
        await site.settled(lambda: all(map(site.leads_here, "abc")) and not site.writer.findings)
        assert refused.times == 0

    told(cluster, story)


@pytest.mark.programs("kubectl")
def test_one_made_anew_with_another_uid_is_adopted_again(cluster: Cluster) -> None:
    async def story(site: Site) -> None:
        await kubectl(site, "apply", "-f", "-", given=manifest("shop"))
        await site.settled(lambda: site.leads_here("shop"))
        first, inner = site.service("shop"), site.inner("shop")
        await kubectl(site, "replace", "--force", "-f", "-", given=manifest("shop"))
        await site.settled(lambda: site.leads_here("shop"))
        second = site.service("shop")
        assert first is not None and second is not None
        assert first["metadata"]["uid"] != second["metadata"]["uid"]
        assert site.inner("shop") == inner

    told(cluster, story)


@pytest.mark.programs("kubectl")
def test_a_service_made_by_us_is_put_right_and_made_again(cluster: Cluster) -> None:
    async def story(site: Site) -> None:
        site.declare("shop")
        await site.settled(lambda: site.leads_here("shop"))
        inner = site.inner("shop")
        aside = '"selector":{"spillway.dev/component":"x"}'
        spoilt = f'{{"spec":{{{aside},"ports":[{{"port":80,"targetPort":1}}]}}}}'
        await kubectl(site, "patch", "service", "shop", "-p", spoilt)
        await site.settled(lambda: site.leads_here("shop"))
        service = site.service("shop")
        assert service is not None and service["spec"]["ports"][0]["targetPort"] == inner
        await kubectl(site, "delete", "service", "shop")
        await site.settled(lambda: site.leads_here("shop"))
        assert site.inner("shop") == inner
        site.withdraw("shop")
        await site.settled(lambda: site.service("shop") is None)

    told(cluster, story)


def test_pods_of_another_site_have_names_below_their_headless_service(cluster: Cluster) -> None:
    async def story(site: Site) -> None:
        site.declare("db", "db-0", "db-1", spec=ServiceSpec(ports=(5432,), headless="db"))
        slices = "db-spillway-ipv4"

        def hostnames() -> dict[str, str]:
            found = site.cluster.get("EndpointSlice", slices, NAMESPACE)
            return {e["hostname"]: e["addresses"][0] for e in (found or {}).get("endpoints") or ()}

        await site.settled(lambda: hostnames().keys() == {"db-0", "db-1"})
        for pod, address in hostnames().items():
            service = site.service(pod)
            assert service is not None and service["spec"]["clusterIP"] == address
        site.withdraw("db-1")
        await site.settled(lambda: hostnames().keys() == {"db-0"})
        site.withdraw("db", "db-0")
        await site.settled(lambda: not site.cluster.list("Service", NAMESPACE))
        await site.settled(lambda: not hostnames())

    told(cluster, story)

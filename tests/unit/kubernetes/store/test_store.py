"""What the objects of a namespace make of a site, as they come, go and turn out wrong."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import datetime
from random import Random
from typing import Any

import pytest

from router.documents import RefusedPods, Wanted
from router.kubernetes.client.errors import SILENT, ApiError, ServerSilence, late, refused
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.names import DOCUMENTS, DOCUMENTS_LABEL
from router.kubernetes.store import store
from router.kubernetes.store.store import KubernetesStore, Look
from router.kubernetes.targets.replicas import HeardRouters
from router.model import limits
from router.model.errors import ConfigError
from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from tests.kubernetes.failures import too_many_requests
from tests.unit.kubernetes.client.scripted import CUT, EXPIRED, UNREACHABLE, ScriptedCluster
from tests.unit.kubernetes.objects_made import pod
from tests.unit.virtual_loop import run, running

SITE = {"kind": "ConfigMap", "metadata": {"name": "skupper-site"}, "data": {"name": "west"}}
SERVER_ERROR = ApiError(500, "InternalError", "an error")
FORBIDDEN = ApiError(403, "Forbidden", 'pods is forbidden: cannot list resource "pods"')


def deployment(name: str = "shop", **annotations: str) -> dict[str, Any]:
    """Annotated for exposure at port 8080."""
    notes = {"skupper.io/proxy": "http", "skupper.io/port": "80:8080"}
    return {
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": notes | {k.replace("_", "/"): v for k, v in annotations.items()},
        },
        "spec": {"selector": {"matchLabels": {"app": name}}, "replicas": 1},
    }


ELSEWHERE = {
    "kind": "ConfigMap",
    "metadata": {"name": "far", "labels": {DOCUMENTS_LABEL: DOCUMENTS}},
    "data": {
        "far.yaml": """
apiVersion: spillway/v1
kind: Service
name: far
spec: {ports: [80]}
---
apiVersion: spillway/v1
kind: Connector
name: far
spec: {service: far, workload: pods/app=shop, namespace: work, targetPorts: [8080]}
"""
    },
}
"""A service whose pods are in namespace ``work``."""


class Told:
    """The store while it runs, and its last report."""

    def __init__(self, cluster: ScriptedCluster) -> None:
        self.cluster = cluster
        self.store = KubernetesStore(cluster, "web", pod="router-1", rng=Random(1))
        self.looks: list[Look] = []
        self.store.followers.append(self._looked)
        self.times = 0
        self.is_prepared = asyncio.Event()
        self.is_prepared.set()
        self._news = asyncio.Event()
        self.wanted: Wanted
        self.errors: list[ConfigError]

    def changed(self, wanted: Wanted, errors: list[ConfigError]) -> None:
        self.wanted, self.errors = wanted, errors
        self.times += 1
        self._news.set()

    def _looked(self, look: Look) -> None:
        self.looks.append(look)
        self._news.set()

    async def prepared(self) -> None:
        await self.is_prepared.wait()

    @property
    def targets(self) -> list[str]:
        return [
            target.host
            for connector in self.wanted.connectors.values()
            for target in connector.targets
            if not target.unusable and not target.last_resort
        ]

    def codes(self) -> list[str]:
        return [error.code for error in self.errors]

    async def until(self, holds: Callable[[], bool], within_s: float = 1.0) -> None:
        async with asyncio.timeout(within_s):
            while not holds():
                await self._news.wait()
                self._news.clear()


@contextlib.asynccontextmanager
async def store_of(cluster: ScriptedCluster) -> AsyncIterator[Told]:
    told = Told(cluster)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(told.store.run())
        await told.store.ready()
        reading = told.store.load()
        told.changed(reading.wanted, list(reading.errors))
        watching = tasks.create_task(told.store.watch(told.changed, told.prepared))
        yield told
        watching.cancel()
        running.cancel()


def test_objects_become_services_with_the_addresses_of_ready_pods() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            assert told.wanted.name == "west"
            assert told.wanted.services["shop"].ports == (80,)
            assert told.targets == ["10.0.0.1"]
            assert told.wanted.inner_ports is not None
            assert told.wanted.inner_ports[ServiceKey("shop", 80)] >= limits.INNER_PORT_MIN
            assert [c.name for c in told.looks[-1].plan.changes] == ["shop"]

    run(story())


def written(kind: str, *entries: dict[str, str]) -> dict[str, Any]:
    """Object ``shop``, with these managedFields."""
    return {"kind": kind, "metadata": {"name": "shop", "managedFields": list(entries)}}


EARLY = {"manager": "kubectl", "time": "2026-11-30T15:11:31Z"}
LATE = {"manager": "helm", "time": "2026-11-30T15:22:35Z"}


@pytest.mark.parametrize(
    ("of_export", "of_service", "author"),
    [
        ([EARLY], [LATE], "helm, field manager of Service/shop"),
        ([LATE], [EARLY], "helm, field manager of ServiceExport/shop"),
        ([], [LATE], ""),
        ([LATE], [], ""),
        ([LATE], None, ""),
        (None, [LATE], ""),
    ],
)
def test_of_an_export_and_its_service_one_without_a_record_may_be_the_one_written_last(
    of_export: list[dict[str, str]] | None, of_service: list[dict[str, str]] | None, author: str
) -> None:
    async def story() -> None:
        each = {"ServiceExport": of_export, "Service": of_service}
        objects = [written(kind, *of) for kind, of in each.items() if of is not None]
        site = {**SITE, "data": {"name": "west", "mcs": "true"}}
        cluster = ScriptedCluster(site, *objects)
        cluster.custom_levels = dict.fromkeys(("ServiceExport",), AccessLevel.FULL)
        async with store_of(cluster) as told:
            await asyncio.sleep(2 * limits.CUSTOM_KINDS_S)
            assert told.store.author("ServiceExport/shop") == author
            assert told.store.author("ConfigMap/skupper-site[mcs]") == ""

    run(story())


def test_a_state_is_reported_once_followers_that_saw_it_are_prepared() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            looks = len(told.looks)
            told.is_prepared.clear()
            cluster.put(pod("b", "10.0.0.2"))
            await told.until(lambda: len(told.looks) > looks)
            assert told.targets == ["10.0.0.1"]
            told.is_prepared.set()
            await told.until(lambda: told.targets == ["10.0.0.1", "10.0.0.2"])

    run(story())


def test_what_removes_a_service_of_a_users_object_is_known() -> None:
    async def story() -> None:
        async with store_of(ScriptedCluster(SITE, deployment(), ELSEWHERE)) as told:
            assert told.wanted.service_removals == {
                "shop": "kubectl edit deployment/shop",
                "far": "kubectl edit configmap/far",
            }
            assert told.wanted.link_removals == {}

    run(story())


def test_a_pod_counts_within_a_second_of_its_readiness_and_goes_as_fast() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1", ready=False))
        async with store_of(cluster) as told:
            assert told.targets == []
            cluster.put(pod("a", "10.0.0.1"))
            await told.until(lambda: told.targets == ["10.0.0.1"])
            cluster.put(pod("a", "10.0.0.1", deleted=True))
            await told.until(lambda: told.targets == [])

    run(story())


def test_it_is_not_ready_before_the_pods_of_another_namespace_are_known() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, ELSEWHERE, others=["work"])
        cluster.others["work"].put(pod("a", "10.0.0.1"))
        cluster.others["work"].lists_after_s = limits.OTHER_NAMESPACES_READY_S / 2
        async with store_of(cluster) as told:
            assert told.targets == ["10.0.0.1"]

    run(story())


def test_another_namespace_that_does_not_answer_delays_the_start_only_so_long() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, ELSEWHERE, others=["work"])
        cluster.others["work"].put(pod("a", "10.0.0.1"))
        cluster.others["work"].lists_after_s = limits.OTHER_NAMESPACES_READY_S * 2
        async with store_of(cluster) as told:
            assert told.targets == []
            assert asyncio.get_running_loop().time() <= limits.OTHER_NAMESPACES_READY_S + 1
            wait_s = limits.OTHER_NAMESPACES_READY_S + 1
            await told.until(lambda: told.targets == ["10.0.0.1"], wait_s)

    run(story())


def test_another_namespace_that_may_not_be_read_delays_no_start() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, ELSEWHERE, others=["work"])
        cluster.others["work"].of("Pod").list_faults = [FORBIDDEN]
        async with store_of(cluster) as told:
            assert "SW0432" in told.codes()
            assert asyncio.get_running_loop().time() < 1.0

    run(story())


def test_a_burst_of_changes_is_told_once() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment())
        async with store_of(cluster) as told:
            before = told.times
            for number in range(50):
                cluster.put(pod(f"p-{number}", f"10.0.0.{number}"))
            await told.until(lambda: len(told.targets) == 50)
            assert told.times == before + 1

    run(story())


def test_pods_that_come_and_go_plan_no_services_anew() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment())
        async with store_of(cluster) as told:
            planned = told.looks[-1].plan
            cluster.put(pod("a", "10.0.0.1"))
            await told.until(lambda: told.targets == ["10.0.0.1"])
            assert told.looks[-1].plan is planned

    run(story())


def test_an_object_that_becomes_wrong_keeps_what_counted_of_it() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            cluster.put(deployment(**{"skupper.io_port": "eighty"}))
            await told.until(lambda: bool(told.codes()))
            assert told.errors[0].source == "Deployment/shop"
            assert told.wanted.services["shop"].ports == (80,)
            assert told.targets == ["10.0.0.1"]
            (still,) = (error for error in told.errors if error.code == "SW0418")
            assert (still.source, still.severity) == ("Deployment/shop", "warning")
            cluster.put(deployment(**{"skupper.io_port": "81:8080"}))
            await told.until(lambda: not told.codes())
            assert told.wanted.services["shop"].ports == (81,)

    run(story())


def test_an_object_that_was_never_right_says_nothing_that_stays() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(**{"skupper.io_port": "eighty"}))
        async with store_of(cluster) as told:
            assert told.codes() == ["SW0410"]
            assert told.wanted.services == {}

    run(story())


def test_an_object_that_is_gone_withdraws_what_it_said() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            cluster.of("Deployment").remove("shop")
            await told.until(lambda: not told.wanted.services)

    run(story())


def test_an_object_whose_switch_is_taken_away_withdraws_what_it_said() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment())
        async with store_of(cluster) as told:
            bare = deployment()
            bare["metadata"]["annotations"] = {}
            cluster.put(bare)
            await told.until(lambda: not told.wanted.services)

    run(story())


def test_a_site_that_is_gone_stays_in_force_and_is_missed() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment())
        async with store_of(cluster) as told:
            cluster.of("ConfigMap").remove("skupper-site")
            await told.until(lambda: "SW0109" in told.codes())
            assert told.wanted.name == "west"
            assert "shop" in told.wanted.services

    run(story())


def test_services_of_other_sites_get_an_inner_port_when_they_are_heard_of() -> None:
    async def story() -> None:
        async with store_of(ScriptedCluster(SITE)) as told:
            told.store.declared({"far": ServiceSpec(ports=(5432,))})
            key = ServiceKey("far", 5432)
            await told.until(lambda: key in (told.wanted.inner_ports or {}))

    run(story())


def test_it_is_not_ready_before_every_kind_was_listed() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE)
        cluster.of("Pod").list_faults = [UNREACHABLE] * 3
        told = Told(cluster)
        async with running(told.store):
            await asyncio.wait_for(told.store.ready(), 60)
            assert len(cluster.of("Pod").lists) == 4

    run(story())


def test_while_it_waits_it_gives_no_other_kinds_trouble_as_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE)
        absent = ApiError(404, "NotFound", "this cluster serves no deploymentconfigs")
        cluster.of("DeploymentConfig").list_faults = [absent] * 9
        listed = cluster.of("Pod").pages

        async def slow(*words: Any, **more: Any) -> AsyncGenerator[Any, None]:
            await asyncio.sleep(limits.OBJECTS_SETTLE_MAX_S * 4)
            async for page in listed(*words, **more):
                yield page

        cluster.of("Pod").pages = slow  # type: ignore[method-assign]
        async with store_of(cluster) as told:
            assert told.wanted.name == "west"

    run(story())
    assert [each.getMessage() for each in caplog.records if "waiting" in each.getMessage()] == []


def test_it_waits_for_a_site() -> None:
    async def story() -> None:
        cluster = ScriptedCluster()
        told = Told(cluster)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(told.store.run())
            waiting = tasks.create_task(told.store.ready())
            await asyncio.sleep(5)
            assert not waiting.done()
            cluster.put(SITE)
            await asyncio.wait_for(waiting, 1)
            running.cancel()

    run(story())


def test_a_kind_without_right_is_named_with_its_rule_and_all_else_goes_on() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        cluster.of("StatefulSet").list_faults = [FORBIDDEN] * 6
        cluster.of("DeploymentConfig").list_faults = [ApiError(404, "NotFound", "no such kind")]
        async with store_of(cluster) as told:
            await told.until(lambda: bool(told.errors), limits.API_AWAY_S + 1)
            (error,) = told.errors
            assert (error.code, error.source) == ("SW0432", "Role/spillway-router")
            assert 'resources: ["statefulsets"]' in error.hint
            assert told.targets == ["10.0.0.1"]
            await told.until(lambda: not told.errors, limits.WATCH_REFUSED_S * 2)

    run(story())


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret", "Service"])
def test_it_is_not_ready_while_it_may_not_read_the_site_the_revoked_or_the_inner_ports(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE)
        refused = 9
        cluster.of(kind).list_faults = [FORBIDDEN] * refused
        told = Told(cluster)
        async with running(told.store):
            await asyncio.wait_for(told.store.ready(), limits.WATCH_REFUSED_S * 2 * refused)
            assert not cluster.of(kind).list_faults

    run(story())
    waited = {each.getMessage() for each in caplog.records if "waiting" in each.getMessage()}
    assert waited == {f"waiting for the API server to list {kind}: {FORBIDDEN.message}"}


def test_a_router_that_may_read_nothing_is_told_so_once() -> None:
    """Without its RoleBinding the Role has every rule: advice to add rules would not help."""

    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            await asyncio.sleep(10)
            for server in cluster.kinds.values():
                server.list_faults = [FORBIDDEN] * 99
                server.cut(EXPIRED)
            await told.until(
                lambda: (
                    ["no right in its namespace" in one.reason for one in told.errors] == [True]
                ),
                limits.API_AWAY_S + 1,
            )
            (error,) = told.errors
            assert (error.code, error.source) == ("SW0432", "Role/spillway-router")
            assert told.targets == ["10.0.0.1"]
            await asyncio.sleep(2 * limits.WATCH_REFUSED_S)  # They ask rarely now.
            back: list[None] = []
            told.store.follow_rights(lambda: back.append(None))
            for server in cluster.kinds.values():
                server.list_faults = []
            named: set[str] = set()

            def is_over() -> bool:
                named.update(one.reason for one in told.errors)
                return not told.errors

            await told.until(is_over, limits.WATCH_REFUSED_S * 2)
            assert not any("objects cannot be read" in one for one in named), "rights came back"
            assert back, "mirrors of others hear of it"

    run(story())


def test_a_router_without_rights_is_told_so_once_whatever_else_is_refused() -> None:
    """The Lease is refused for the same reason: that nothing is written is said with it."""
    refused = [
        ConfigError("Role/spillway-router", "rules", "the Lease cannot be held", code="SW0432"),
        ConfigError("Role/spillway-router", "", "Events cannot be written", code="SW0443"),
        ConfigError("Secret/spillway-owners", "", "is damaged", code="SW0440"),
    ]

    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            told.store.add_errors(lambda: refused)
            told.store.poke()
            await asyncio.sleep(10)
            assert [error.code for error in told.errors] == ["SW0432", "SW0443", "SW0440"]
            for server in cluster.kinds.values():
                server.list_faults = [FORBIDDEN] * 99
                server.cut(EXPIRED)
            await told.until(lambda: len(told.errors) == 2, limits.API_AWAY_S + 1)
            damaged, bare = told.errors
            assert damaged.code == "SW0440"
            assert "no right in its namespace, so no Service, Event or status is" in bare.reason
            refused.clear()
            told.store.poke()
            await told.until(lambda: len(told.errors) == 1, 1)
            assert "in its namespace: " in told.errors[0].reason, "the Lease is held"

    run(story())


def test_when_one_right_comes_back_the_kinds_that_may_not_be_read_are_named() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            for server in cluster.kinds.values():
                server.list_faults = [FORBIDDEN] * 99
                server.cut(EXPIRED)
            await told.until(lambda: bool(told.errors), limits.API_AWAY_S + 1)
            cluster.of("Pod").list_faults = []
            soon_s = limits.WATCH_REFUSED_S * 2 + limits.API_AWAY_S
            await told.until(lambda: len(told.errors) > 1, soon_s)
            assert not any(one.reason.startswith("Pod objects") for one in told.errors)
            assert any(one.reason.startswith("Service objects") for one in told.errors)

    run(story())


def test_an_api_server_that_starts_and_refuses_for_a_moment_lacks_no_right() -> None:
    """Seen on 1.36.2: before it has read Roles it refuses calls that they permit."""

    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            await asyncio.sleep(10)
            for server in cluster.kinds.values():
                server.watch_faults = [FORBIDDEN]
                server.list_faults = [FORBIDDEN] * 2
                server.cut(CUT)
            codes: set[str] = set()
            for _ in range(60):
                await asyncio.sleep(0.1)
                codes |= set(told.codes())
            cluster.put(pod("b", "10.0.0.2"))
            await told.until(lambda: len(told.targets) == 2)
            assert codes == set()

    run(story())


def test_a_kind_that_not_every_cluster_has_keeps_nobody_waiting() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        away = ApiError(503, "ServiceUnavailable", "the server is currently unable")
        cluster.of("DeploymentConfig").list_faults = [away] * 99
        async with asyncio.timeout(10), store_of(cluster) as told:
            assert told.targets == ["10.0.0.1"]
            cluster.put(pod("b", "10.0.0.2"))
            await told.until(lambda: len(told.targets) == 2, limits.API_AWAY_S)
            assert told.errors == []

    run(story())


def test_a_follower_that_fails_keeps_no_state_from_being_told() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment())

        def fail(look: Look) -> None:
            if len(look.snapshot.of("Pod")) == 1:
                raise OSError("no space left on device")

        async with store_of(cluster) as told:
            told.store.followers.insert(0, fail)
            cluster.put(pod("a", "10.0.0.1"))
            await told.until(lambda: told.targets == ["10.0.0.1"])
            assert len(told.looks[-1].snapshot.of("Pod")) == 1

    run(story())


def test_what_could_not_be_understood_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment())
        async with store_of(cluster) as told:
            with monkeypatch.context() as broken:
                broken.setattr(store, "translate", lambda *_, **__: [][0])
                cluster.put(deployment("bank"))
                await asyncio.sleep(1)
            assert "bank" not in told.wanted.services
            cluster.put(pod("a", "10.0.0.1"))
            await told.until(lambda: "bank" in told.wanted.services)

    run(story())


def test_while_the_api_is_away_the_last_state_serves_and_its_age_is_told() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            await asyncio.sleep(10)
            for server in cluster.kinds.values():
                server.watch_faults = [UNREACHABLE] * 8
                server.list_faults = [UNREACHABLE] * 8
                server.cut(CUT)
            await told.until(lambda: told.codes() == ["SW0439"], limits.API_AWAY_S + 1)
            assert told.targets == ["10.0.0.1"]
            times = told.times
            await asyncio.sleep(10)
            assert told.times == times
            await told.until(lambda: not told.codes(), limits.WATCH_BACKOFF_MAX_S * 12)

    run(story())


@pytest.mark.parametrize(
    ("fault", "told_of", "next_step"),
    [
        (
            ApiError(0, "Unreachable", f"{SILENT}All connection attempts failed"),
            "the API server does not answer since T (All connection attempts failed)",
            "network policies",
        ),
        (
            ApiError(0, "Timeout", "no answer in time"),
            "the API server does not answer in time since T",
            "network policies",
        ),
        (
            ApiError(401, "Unauthorized", "Unauthorized"),
            "the API server refuses this router's token since T (Unauthorized)",
            "ServiceAccount/spillway-router",
        ),
        (
            ApiError(503, "ServiceUnavailable", "HTTP 503"),
            "the API server answers with errors since T (HTTP 503)",
            "/readyz?verbose",
        ),
        (
            refused(429, too_many_requests(1).message.encode()),
            "the API server answers with errors since T (HTTP 429: Too many requests, please try "
            "again later.)",
            "/readyz?verbose",
        ),
        (
            ApiError(0, "Malformed", "the API answered with: a list of no Pods"),
            "the API server answers with errors since T (the API answered with: a list of no Pods)",
            "/readyz?verbose",
        ),
        (
            ApiError(0, "Untrusted", "the API server's certificate is not trusted: self-signed"),
            "the API server's certificate is not trusted: self-signed, since T",
            "ConfigMap/kube-root-ca.crt",
        ),
    ],
)
def test_a_server_that_is_of_no_use_is_told_with_what_it_does(
    fault: ApiError, told_of: str, next_step: str
) -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            await asyncio.sleep(10)
            for server in cluster.kinds.values():
                server.watch_faults = [UNREACHABLE, *[fault] * 8]
                server.list_faults = [fault] * 8
                server.cut(CUT)
            await told.until(lambda: told.codes() == ["SW0439"], limits.API_AWAY_S + 1)
            (error,) = told.errors
            said = re.sub(r"since \S+Z", "since T", error.reason)
            assert said == f"{told_of}; what was known then serves"
            assert next_step in error.hint

    run(story())


def test_a_server_that_hangs_is_told_by_calls_before_any_watch_notices() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            now = asyncio.get_running_loop().time()
            found: list[ServerSilence] = [ServerSilence(now, late())]
            told.store.follow_calls(lambda: found[0] if found else None)
            told.store.poke()
            await told.until(lambda: told.codes() == ["SW0439"], limits.API_AWAY_S + 1)
            assert "does not answer in time since" in told.errors[0].reason
            found.clear()
            told.store.poke()
            await told.until(lambda: not told.codes())

    run(story())


def test_a_fault_after_another_is_told_since_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        loop = asyncio.get_running_loop()
        monkeypatch.setattr("time.time", lambda: 1_800_000_000.0 + loop.time())
        async with store_of(cluster) as told:

            def since() -> datetime:
                found = re.search(r"since (\S+Z)", told.errors[0].reason)
                assert found is not None
                return datetime.fromisoformat(found[1])

            began = loop.time()
            found = [ServerSilence(began, late())]
            told.store.follow_calls(lambda: found[0])
            told.store.poke()
            await told.until(lambda: told.codes() == ["SW0439"], limits.API_AWAY_S + 1)
            first = since()
            await asyncio.sleep(60)
            found[0] = ServerSilence(began, ApiError(0, "Unreachable", f"{SILENT}no route"))
            told.store.poke()
            await told.until(lambda: "no route" in told.errors[0].reason)
            assert since() == first, "it still does not answer"
            found[0] = ServerSilence(began, ApiError(401, "Unauthorized", "Unauthorized"))
            told.store.poke()
            await told.until(lambda: "refuses this router's token" in told.errors[0].reason)
            assert 59 <= (since() - first).total_seconds() <= 59 + 2 * limits.API_AWAY_S

    run(story())


def test_errors_for_some_kinds_are_told_of_these_alone() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            await asyncio.sleep(10)
            for kind in ("Pod", "EndpointSlice"):
                server = cluster.of(kind)
                server.watch_faults = [UNREACHABLE, *[SERVER_ERROR] * 8]
                server.list_faults = [SERVER_ERROR] * 8
                server.cut(CUT)
            await told.until(lambda: told.codes() == ["SW0439"], limits.API_AWAY_S + 1)
            assert told.errors[0].reason.endswith(
                "(HTTP 500: an error) for EndpointSlice and Pod objects; what was known of them "
                "then serves"
            )

    run(story())


def test_errors_for_the_lease_alone_keep_nothing_from_being_read() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            now = asyncio.get_running_loop().time()
            told.store.follow_calls(lambda: ServerSilence(now, SERVER_ERROR))
            told.store.poke()
            await told.until(lambda: told.codes() == ["SW0439"], limits.API_AWAY_S + 1)
            assert told.errors[0].reason.endswith(
                "(HTTP 500: an error) when Lease/spillway-router is renewed, without which this "
                "router writes no Service, Event or status; it goes on reading objects"
            )

    run(story())


def test_a_server_that_came_back_is_asked_for_all_kinds_once_it_answers_one() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            await asyncio.sleep(10)
            for server in cluster.kinds.values():
                server.watch_faults, server.list_faults = [UNREACHABLE] * 99, [UNREACHABLE] * 99
                server.cut(CUT)
            await asyncio.sleep(8 * limits.WATCH_BACKOFF_MAX_S)  # All wait for as long as any.
            assert told.codes() == ["SW0439"]
            back_at = asyncio.get_running_loop().time()
            for server in cluster.kinds.values():
                server.watch_faults, server.list_faults = [], []
            await told.until(lambda: not told.codes(), limits.WATCH_BACKOFF_MAX_S)
            again = [server.watches[-1] for server in cluster.kinds.values() if server.watches]
            assert min(again) > back_at
            assert max(again) - min(again) < 0.1

    run(story())


def test_that_the_cluster_refuses_a_router_is_wanted_state_until_it_makes_it() -> None:
    def routers(**status: Any) -> dict[str, Any]:
        made = deployment("spillway-router")
        del made["metadata"]["annotations"]
        return made | {"status": status}

    async def story() -> None:
        text = 'pods "r-1" is forbidden: exceeded quota: q'
        failure = {"type": "ReplicaFailure", "status": "True", "message": text}
        failure["lastTransitionTime"] = "2026-01-01T00:00:00Z"
        cluster = ScriptedCluster(SITE, routers(readyReplicas=1))
        async with store_of(cluster) as told:
            step = "Raise the quota: kubectl describe resourcequota"
            cluster.put(routers(readyReplicas=1, conditions=[failure]))
            refused = RefusedPods(1_767_225_600.0, text, step)
            await told.until(lambda: told.wanted.refused == refused)
            cluster.put(routers(readyReplicas=2))
            await told.until(lambda: told.wanted.refused is None)

    run(story())


def test_addresses_that_are_not_told_yet_are_no_family() -> None:
    async def story() -> None:
        own = pod("router-1", "10.0.0.9", labels={})
        own["status"]["podIPs"] = [{}]
        async with store_of(ScriptedCluster(SITE, deployment(), own)) as told:
            assert told.wanted.name == "west"

    run(story())


def test_the_family_of_the_own_pod_says_which_addresses_are_reached() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(
            SITE,
            deployment(),
            pod("a", "10.0.0.1", "fd00::1"),
            pod("router-1", "fd00::9", labels={}),
        )
        async with store_of(cluster) as told:
            assert told.targets == ["fd00::1"]

    run(story())


def test_a_look_that_fails_is_made_again_and_what_it_saw_is_not_lost() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            faults = [ValueError("a fault of ours")] * 2

            def fail() -> tuple[ConfigError, ...]:
                if faults:
                    raise faults.pop()
                return ()

            told.store.add_errors(fail)
            cluster.put(pod("b", "10.0.0.2"))
            await told.until(
                lambda: told.targets == ["10.0.0.1", "10.0.0.2"],
                within_s=3 * limits.WATCH_BACKOFF_MAX_S,
            )
            assert not faults

    run(story())


def test_what_followers_have_not_heard_is_not_said_to_be_known() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(SITE, deployment(), pod("a", "10.0.0.1"))
        async with store_of(cluster) as told:
            asked = told.store.followed_until
            faults = [ValueError("a fault of ours")] * 2
            before = time.monotonic()
            assert asked("Pod") <= before

            def fail() -> tuple[ConfigError, ...]:
                assert asked("Pod") <= before, "of this pod no follower has heard"
                if faults:
                    raise faults.pop()
                return ()

            told.store.add_errors(fail)
            cluster.put(pod("b", "10.0.0.2"))
            await told.until(
                lambda: told.targets == ["10.0.0.1", "10.0.0.2"],
                within_s=3 * limits.WATCH_BACKOFF_MAX_S,
            )
            assert not faults
            assert asked("Pod") > before
            assert asked("Service") <= before

    run(story())


def router_pod(name: str, ready: bool, minute: int, deleted: str = "") -> dict[str, Any]:
    labels = {"spillway.dev/component": "router"}
    made = f"2026-01-01T00:{minute:02}:00Z"
    return pod(name, f"10.0.9.{minute}", labels=labels, ready=ready, made=made, deleted=deleted)


def test_a_router_divides_with_those_that_it_has_heard_as_soon_as_it_has() -> None:
    async def story() -> None:
        shop = deployment()
        shop["metadata"]["annotations"]["spillway.dev/capacity"] = "6"
        cluster = ScriptedCluster(SITE, shop, pod("a", "10.0.0.1"), router_pod("router-1", True, 1))
        async with store_of(cluster) as told:
            heard = [HeardRouters(frozenset(), is_linked=False)]
            told.store.shares.follow_routers(lambda: heard[0])

            def capacity() -> object:
                (connector,) = told.wanted.connectors.values()
                return connector.targets[0].capacity or connector.capacity

            alone = told.wanted.shares
            cluster.put(router_pod("router-0", True, 2))
            await asyncio.sleep(1)
            assert told.wanted.shares is not None and alone is not None
            assert told.wanted.shares.others == {"router-0"}
            assert (told.wanted.shares.division, capacity()) == (alone.division, 6)
            heard[0] = HeardRouters(frozenset({"router-0"}), is_linked=True)
            told.store.poke()
            await told.until(lambda: capacity() == 3)

    run(story())


def test_a_second_router_takes_its_share_of_a_capacity_when_it_serves_and_gives_it_back() -> None:
    async def story() -> None:
        shop = deployment()
        shop["metadata"]["annotations"]["spillway.dev/capacity"] = "6"
        cluster = ScriptedCluster(SITE, shop, pod("a", "10.0.0.1"), router_pod("router-1", True, 1))

        def capacity() -> int | None:
            (connector,) = told.wanted.connectors.values()
            own = connector.targets[0].capacity
            stated = connector.capacity
            found = stated if own is None else own
            assert not isinstance(found, str)
            return found

        async with store_of(cluster) as told:
            assert capacity() == 6
            cluster.put(router_pod("router-0", False, 2))
            cluster.put(router_pod("router-0", True, 2))
            await told.until(lambda: capacity() == 3)
            cluster.put(router_pod("router-0", False, 2, deleted="2126-01-01T00:00:00Z"))
            await told.until(lambda: capacity() == 6)
            agreement = told.wanted.shares
            assert agreement is not None
            assert agreement.others == {"router-0"}, "it tells what it still has in flight"
            cluster.of("Pod").remove("router-0")
            await told.until(lambda: not (told.wanted.shares or agreement).others)

    run(story())

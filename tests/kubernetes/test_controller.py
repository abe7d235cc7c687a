"""The site controller as a task against an API server, with the rights of its manifests."""

import asyncio
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from certs.ca.authority import Authority
from certs.ca.rotation import CaState
from certs.identity import SiteIdentity
from router.kubernetes.client.api import Api
from router.kubernetes.codecs import identity
from router.kubernetes.controller import controller
from router.kubernetes.controller.cluster_set_membership import ClusterSite
from router.kubernetes.controller.cluster_set_sites import LINK, site_config_map
from router.kubernetes.controller.controller import SiteController
from router.kubernetes.controller.controller_findings import FIELD_MANAGER
from router.kubernetes.manifests import CONTROLLER, controller_objects, render
from router.kubernetes.manifests.site import MULTICLUSTER_ROLE
from router.kubernetes.objects import names
from router.kubernetes.services.adoption import adopt
from router.model import limits
from tests.kubernetes import async_waiting
from tests.kubernetes.async_waiting import until
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.faults import Fault
from tests.kubernetes.resources import Json
from tests.scenario.harness import own_address

IMAGE = "registry.example/spillway:1"
MADE = ("ServiceAccount", "Role", "RoleBinding", "Service", "Deployment")
ROUNDS = 20
"""Sites that are made one after the other until a namespace is left alone."""
Story = Callable[[Cluster], Coroutine[Any, Any, None]]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster with some namespaces, in which no pod runs."""
    with Cluster(tmp_path, without=("kubelet", "deployment")) as made:
        for name in ("spillway", "west", "east", "north"):
            made.create("Namespace", name)
        yield made


def install(cluster: Cluster, *, every_namespace: bool, namespace: str = "spillway") -> str:
    """The controller's own objects, as an administrator applies them once; its kubeconfig."""
    if cluster.get("ServiceAccount", CONTROLLER, namespace) is None:
        for found in controller_objects(
            namespace=namespace, image=IMAGE, every_namespace=every_namespace
        ):
            cluster.create_object(dict(found), namespace)
    user = cluster.service_account(namespace, CONTROLLER)
    return str(cluster.kubeconfig(namespace, user, name="controller"))


def running(
    cluster: Cluster, story: Story, *, every_namespace: bool = True, without: str = ""
) -> None:
    """``story`` while a controller runs: for all namespaces, else for ``west`` alone.

    ``without``: a resource whose rule its ClusterRole lacks.
    """
    namespace = "spillway" if every_namespace else "west"
    kubeconfig = install(cluster, every_namespace=every_namespace, namespace=namespace)
    if without:
        role = cluster.get("ClusterRole", CONTROLLER)
        assert role is not None
        lacking = [rule for rule in role["rules"] if without not in rule["resources"]]
        assert len(lacking) < len(role["rules"])
        cluster.patch("ClusterRole", CONTROLLER, {"rules": lacking})

    async def run() -> None:
        async with Api.connect(kubeconfig=kubeconfig, field_manager=FIELD_MANAGER) as api:
            watched = () if every_namespace else ("west",)
            controller = SiteController(api, watched, IMAGE, "IfNotPresent", random.Random(1))
            task = asyncio.get_running_loop().create_task(controller.run())
            try:
                await until(lambda: controller.ready)
                await story(cluster)
            finally:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    async_waiting.run(run())


def site(cluster: Cluster, namespace: str, **data: str) -> dict[str, Any]:
    return cluster.create("ConfigMap", names.SITE_CONFIGMAP, namespace, data=data)


def has_router(cluster: Cluster, namespace: str) -> bool:
    return all(cluster.get(kind, names.ROUTER, namespace) for kind in MADE)


def replicas(cluster: Cluster, namespace: str) -> int | None:
    found = cluster.get("Deployment", names.ROUTER, namespace)
    return None if found is None else found["spec"]["replicas"]


def writes(cluster: Cluster, namespace: str, since: int) -> list[tuple[str, str]]:
    """What the controller changed in ``namespace``, or tried to: verb and kind."""
    return [
        (one.wanted.verb, one.wanted.resource.kind)
        for one in cluster.faults.seen[since:]
        if one.wanted.is_write and one.wanted.namespace == namespace and CONTROLLER in one.user
    ]


async def settled(cluster: Cluster, other: str) -> None:
    """Return when the controller has finished all work before: it makes a site elsewhere."""
    cluster.create("ConfigMap", names.SITE_CONFIGMAP, other)
    await until(lambda: has_router(cluster, other))


@pytest.mark.parametrize("every_namespace", [True, False])
def test_a_config_map_makes_a_router_and_other_namespaces_are_left_alone(
    cluster: Cluster, every_namespace: bool
) -> None:
    async def story(cluster: Cluster) -> None:
        owner = cluster.create("ConfigMap", names.SITE_CONFIGMAP, "west")  # Without data.
        await until(lambda: has_router(cluster, "west"))
        for kind in MADE:
            found = cluster.get(kind, names.ROUTER, "west")
            assert found is not None
            (reference,) = found["metadata"]["ownerReferences"]
            assert reference["uid"] == owner["metadata"]["uid"]
            assert "blockOwnerDeletion" not in reference
            assert "finalizers" not in found["metadata"]
        deployment = cluster.get("Deployment", names.ROUTER, "west")
        assert deployment is not None
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == IMAGE
        assert cluster.get("Deployment", names.ROUTER, "east") is None

    running(cluster, story, every_namespace=every_namespace)


def test_only_an_administrators_install_gives_the_right_to_headless_names(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        await until(lambda: cluster.get("Role", f"{names.ROUTER}-headless", "west"))

    running(cluster, story)


@pytest.mark.parametrize("key", ["ingress", "cluster-local", "console-ingress"])
def test_a_typo_in_who_may_reach_a_site_opens_nothing(cluster: Cluster, key: str) -> None:
    """The site stays as it is, and one that is not there yet is not made."""

    async def story(cluster: Cluster) -> None:
        site(cluster, "west", **{"ingress": "none", "console": "true"})
        await until(lambda: has_router(cluster, "west"))
        typo = {"data": {"ingress": None, key: "nonne", "routers": "2"}}
        cluster.patch("ConfigMap", names.SITE_CONFIGMAP, typo, "west")
        site(cluster, "east", **{key: "nonne"})
        for namespace in ("west", "east"):
            said = f"{key}: "
            await until(
                lambda namespace=namespace, said=said: is_told(cluster, namespace, said)  # type: ignore[misc]
            )
            assert is_told(cluster, namespace, "the site stays as it is")
        await settled(cluster, "north")
        assert replicas(cluster, "west") == 1
        services = cluster.list("Service", "west")
        assert {one["spec"].get("type", "ClusterIP") for one in services} == {"ClusterIP"}
        assert cluster.get("Deployment", names.ROUTER, "east") is None
        right = {"data": {key: "true" if key == "cluster-local" else "none"}}
        cluster.patch("ConfigMap", names.SITE_CONFIGMAP, right, "west")
        await until(lambda: replicas(cluster, "west") == 2)

    running(cluster, story)


def test_a_site_with_mcs_gets_the_rights_for_it_and_loses_them(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west", mcs="true")
        await until(lambda: cluster.get("RoleBinding", MULTICLUSTER_ROLE, "west"))
        site(cluster, "east")
        await until(lambda: has_router(cluster, "east"))
        assert cluster.get("Role", MULTICLUSTER_ROLE, "east") is None
        off = {"data": {"mcs": "false"}}
        cluster.patch("ConfigMap", names.SITE_CONFIGMAP, off, "west")
        await until(lambda: cluster.get("Role", MULTICLUSTER_ROLE, "west") is None)
        await until(lambda: cluster.get("RoleBinding", MULTICLUSTER_ROLE, "west") is None)
        assert has_router(cluster, "west")

    running(cluster, story)


def test_a_router_starts_only_when_all_its_rights_are_there(cluster: Cluster) -> None:
    """A router that asks for a right too early learns of it later."""

    async def story(cluster: Cluster) -> None:
        mark = len(cluster.faults.seen)
        site(cluster, "west", mcs="true", routers="2", **{"create-network-policy": "true"})
        await until(lambda: has_router(cluster, "west"))
        await settled(cluster, "north")
        kinds = [kind for verb, kind in writes(cluster, "west", mark) if verb == "patch"]
        assert {"Role", "RoleBinding", "NetworkPolicy", "PodDisruptionBudget"} < set(kinds)
        assert set(kinds[kinds.index("Deployment") :]) == {"Deployment"}

    running(cluster, story)


def annotate(cluster: Cluster, text: str | None) -> None:
    noted = {"metadata": {"annotations": {names.MCS_NAMESPACES: text}}}
    cluster.patch("ConfigMap", names.SITE_CONFIGMAP, noted, "spillway")


def is_told(cluster: Cluster, namespace: str, text: str) -> bool:
    return any(text in found["message"] for found in cluster.list("Event", namespace))


def test_a_typo_in_the_selector_deletes_no_site_and_the_end_of_the_annotation_does(
    cluster: Cluster,
) -> None:
    async def story(cluster: Cluster) -> None:
        cluster.patch("Namespace", "west", {"metadata": {"labels": {"team": "shop"}}}, "")
        site(cluster, "spillway")
        annotate(cluster, "team=shop")
        await until(lambda: has_router(cluster, "west"))
        annotate(cluster, "team in (shop")
        await until(lambda: is_told(cluster, "spillway", "nor deletes"))
        cluster.delete("Role", names.ROUTER, "west")
        await until(lambda: cluster.get("Role", names.ROUTER, "west"))
        assert cluster.get("ConfigMap", names.SITE_CONFIGMAP, "west") is not None
        annotate(cluster, None)
        await until(lambda: cluster.get("ConfigMap", names.SITE_CONFIGMAP, "west") is None)
        await until(lambda: cluster.get("Deployment", names.ROUTER, "west") is None)

    running(cluster, story)


def test_a_member_is_linked_as_soon_as_the_clusters_site_is_ready(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first router may come up minutes after the sites of the namespaces were made."""

    def retry_after(seconds: float) -> None:
        monkeypatch.setattr(limits, "CONTROLLER_RETRY_S", seconds)
        monkeypatch.setattr(limits, "CONTROLLER_RETRY_MAX_S", seconds)

    async def story(cluster: Cluster) -> None:
        retry_after(0.1)  # An API server may refuse a write on the way there.
        cluster.patch("Namespace", "west", {"metadata": {"labels": {"team": "shop"}}}, "")
        site(cluster, "spillway")
        annotate(cluster, "team=shop")
        await until(lambda: has_router(cluster, "west"))
        await settled(cluster, "east")
        retry_after(300.0)
        await asyncio.sleep(0.5)  # No retry is due any more.
        assert cluster.get("Secret", LINK, "west") is None
        who, identity_pem = SiteIdentity.generate()
        authority, key_pem = Authority.generate(who.site_id, time.time())
        state = CaState(key_pem, authority.ca_pem)
        made = identity.secret(identity.made_of(identity_pem, state))
        cluster.create_object(made, "spillway")
        await until(lambda: cluster.get("Secret", LINK, "west"))

    running(cluster, story)


def test_a_controller_that_may_not_list_namespaces_deletes_no_site(cluster: Cluster) -> None:
    made = site_config_map("west", ClusterSite("spillway", "spillway", None))
    cluster.create_object(made, "west")
    site(cluster, "spillway")
    annotate(cluster, "all")

    async def story(cluster: Cluster) -> None:
        await until(lambda: is_told(cluster, "spillway", "cannot list Namespaces"))
        await until(lambda: has_router(cluster, "west"))
        assert cluster.get("ConfigMap", names.SITE_CONFIGMAP, "west") is not None

    running(cluster, story, without="namespaces")


def test_in_one_namespace_no_right_is_granted_that_its_administrator_lacks(
    cluster: Cluster,
) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        assert cluster.get("Role", f"{names.ROUTER}-headless", "west") is None

    running(cluster, story, every_namespace=False)


def test_a_changed_key_changes_what_it_should_and_then_nothing_is_written(
    cluster: Cluster,
) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west", **{"router-cpu": "1000m"})
        await until(lambda: has_router(cluster, "west"))
        data = {"data": {"routers": "2", "ingress": "none", "create-network-policy": "true"}}
        cluster.patch("ConfigMap", names.SITE_CONFIGMAP, data, "west")
        await until(lambda: replicas(cluster, "west") == 2)
        await until(lambda: cluster.get("PodDisruptionBudget", names.ROUTER, "west"))
        await until(lambda: cluster.get("NetworkPolicy", names.ROUTER, "west"))
        service = cluster.get("Service", names.ROUTER, "west")
        assert service is not None and service["spec"]["type"] == "ClusterIP"

        cluster.patch("ConfigMap", names.SITE_CONFIGMAP, {"data": {"routers": "1"}}, "west")
        await until(lambda: cluster.get("PodDisruptionBudget", names.ROUTER, "west") is None)
        await until(lambda: replicas(cluster, "west") == 1)
        assert cluster.get("NetworkPolicy", names.ROUTER, "west")

        await settled(cluster, "east")
        before = len(cluster.faults.seen)
        cluster.patch("ConfigMap", names.SITE_CONFIGMAP, {"data": {"rest-api": "true"}}, "west")
        status = {"status": {"readyReplicas": 1, "replicas": 1}}
        cluster.patch("Deployment", names.ROUTER, status, "west", part="status")
        await settled(cluster, "north")
        assert writes(cluster, "north", before)
        assert writes(cluster, "west", before) == []

    running(cluster, story)


def test_a_console_has_a_service_for_as_long_as_it_is_wanted(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west", ingress="none", console="true")
        await until(lambda: cluster.get("Service", names.CONSOLE, "west"))
        await settled(cluster, "east")
        before = len(cluster.faults.seen)
        await settled(cluster, "north")
        assert writes(cluster, "west", before) == []
        cluster.patch("ConfigMap", names.SITE_CONFIGMAP, {"data": {"console": "false"}}, "west")
        await until(lambda: cluster.get("Service", names.CONSOLE, "west") is None)
        assert cluster.get("Service", names.ROUTER, "west")

    running(cluster, story)


def test_what_somebody_deletes_or_changes_is_put_back_and_what_others_add_stays(
    cluster: Cluster,
) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        cluster.delete("Role", names.ROUTER, "west")
        await until(lambda: cluster.get("Role", names.ROUTER, "west"))
        note = {"metadata": {"annotations": {"theirs": "1"}}}
        cluster.patch("Deployment", names.ROUTER, note, "west")
        cluster.patch("Deployment", names.ROUTER, {"spec": {"replicas": 0}}, "west")
        await until(lambda: replicas(cluster, "west") == 1)
        found = cluster.get("Deployment", names.ROUTER, "west")
        assert found is not None and found["metadata"]["annotations"]["theirs"] == "1"

    running(cluster, story)


def test_a_site_made_by_the_command_line_is_left_alone(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        mark = {"labels": {names.SITE_CONTROLLER_IGNORE: "true"}}
        cluster.create("ConfigMap", names.SITE_CONFIGMAP, "east", metadata=mark)
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        assert cluster.get("ServiceAccount", names.ROUTER, "east") is None

    running(cluster, story)


def test_a_deleted_config_map_takes_the_site_along_and_gives_services_back(
    cluster: Cluster,
) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
        spec = {"selector": {"app": "shop"}, "ports": ports}
        before = cluster.create("Service", "shop", "west", spec=spec)
        adopted = adopt(before, {80: 1024}, "shop", is_asked=True)
        cluster.patch("Service", "shop", {**adopted}, "west")
        led = cluster.get("Service", "shop", "west")
        assert led is not None
        assert led["spec"]["selector"] != {"app": "shop"}

        cluster.delete("ConfigMap", names.SITE_CONFIGMAP, "west")
        await until(lambda: not any(cluster.get(kind, names.ROUTER, "west") for kind in MADE))

        def is_back() -> bool:
            after = cluster.get("Service", "shop", "west")
            assert after is not None, "what was adopted is never deleted"
            return bool(after["spec"]["selector"] == {"app": "shop"})

        await until(is_back)
        after = cluster.get("Service", "shop", "west")
        assert after is not None
        assert after["spec"]["ports"][0]["targetPort"] == 8080
        assert not set(after["metadata"].get("labels", {})) & {names.SERVICE_LABEL}

    running(cluster, story)


def test_what_was_deleted_while_no_controller_ran_is_cleaned_up_by_the_next(
    cluster: Cluster,
) -> None:
    async def first(cluster: Cluster) -> None:
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))

    running(cluster, first)
    cluster.delete("ConfigMap", names.SITE_CONFIGMAP, "west")

    async def second(cluster: Cluster) -> None:
        await until(lambda: not any(cluster.get(kind, names.ROUTER, "west") for kind in MADE))

    for found in controller_objects(namespace="spillway", image=IMAGE, every_namespace=True):
        cluster.delete(found["kind"], found["metadata"]["name"], "spillway")
    running(cluster, second)


def test_a_missing_right_is_told_once_and_the_rest_is_made(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west", routers="2")
        await until(lambda: replicas(cluster, "west") == 2)

        def told() -> list[Json]:
            """Events of the Deployment are those of a real cluster's controllers."""
            listed = cluster.list("Event", "west")
            return [e for e in listed if e["involvedObject"]["name"] == names.SITE_CONFIGMAP]

        await until(told)
        (event,) = told()
        assert event["reason"] == "SW0457"
        assert event["firstTimestamp"] == event["lastTimestamp"] and event["count"] == 1
        assert "PodDisruptionBudget" in event["message"]
        assert "docs/" in event["message"]

    running(cluster, story, without="poddisruptionbudgets")


def test_what_a_quota_or_a_policy_refused_is_made_soon_after_it_no_longer_is(
    cluster: Cluster,
) -> None:
    async def story(cluster: Cluster) -> None:
        refusal = Fault(code=403, verb="patch", kind="Deployment", name=names.ROUTER)
        cluster.faults.add(refusal)
        site(cluster, "west")

        def tries() -> int:
            """Of them a few in the first seconds, then ever fewer."""
            return cluster.faults.count(verb="patch", kind="Deployment", name=names.ROUTER)

        await until(lambda: tries() >= 3)
        refusal.times = 0
        await until(lambda: has_router(cluster, "west"))

    running(cluster, story)


def test_a_site_whose_making_met_a_fault_of_ours_is_made_soon_after(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [LookupError("a fault of ours")]

    def rendering(*words: Any, **named: Any) -> Any:
        if faults:
            raise faults.pop()
        return render(*words, **named)

    async def story(cluster: Cluster) -> None:
        monkeypatch.setattr(controller, "render", rendering)
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        assert not faults

    running(cluster, story)


def test_an_api_server_that_restarts_and_forgets_costs_nothing_but_time(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        await asyncio.to_thread(cluster.restart, compact=True)
        site(cluster, "east")
        await until(lambda: has_router(cluster, "east"), timeout_s=40)
        assert has_router(cluster, "west")

    running(cluster, story)


def test_as_a_process_it_tells_a_kubelet_of_itself_and_ends_when_told(cluster: Cluster) -> None:
    kubeconfig = install(cluster, every_namespace=True)
    place = f"{own_address()}:19090"
    words = [sys.executable, "-m", "router.process.controller", "--kubeconfig", kubeconfig]
    with subprocess.Popen(
        [*words, "--image", IMAGE, "--probes", place], stderr=subprocess.PIPE
    ) as process:
        try:

            def answers() -> bool:
                try:
                    with urllib.request.urlopen(f"http://{place}/readyz", timeout=2) as answer:
                        return bool(answer.status == 200)
                except OSError:
                    return False

            asyncio.run(until(answers))
            site(cluster, "west")
            asyncio.run(until(lambda: has_router(cluster, "west")))
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_a_config_map_that_is_replaced_keeps_the_sites_identity(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        marks = {names.TYPE_LABEL: "identity", names.MANAGED_BY_LABEL: names.MANAGED_BY}
        cluster.create("Secret", names.IDENTITY_SECRET, "west", metadata={"labels": marks})
        cluster.delete("ConfigMap", names.SITE_CONFIGMAP, "west")
        uid = site(cluster, "west", routers="2")["metadata"]["uid"]

        def is_remade() -> bool:
            found = cluster.get("Deployment", names.ROUTER, "west")
            owners = [] if found is None else found["metadata"].get("ownerReferences", [])
            return replicas(cluster, "west") == 2 and [one["uid"] for one in owners] == [uid]

        await until(is_remade)
        assert cluster.get("Secret", names.IDENTITY_SECRET, "west")

        cluster.delete("ConfigMap", names.SITE_CONFIGMAP, "west")
        await until(lambda: cluster.get("Secret", names.IDENTITY_SECRET, "west") is None)

    running(cluster, story)


def test_a_namespace_that_is_deleted_is_gone_soon_and_left_alone_then(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        cluster.delete("Namespace", "west")
        await until(lambda: cluster.get("Namespace", "west", "") is None)
        last: list[tuple[str, str]] | None = None
        for number in range(ROUNDS):  # Rounds: deletions that it began may go on for some.
            other = f"other-{number}"
            cluster.create("Namespace", other)
            before = len(cluster.faults.seen)
            await settled(cluster, other)
            last = writes(cluster, "west", before)
            if not last:
                break
        assert last == []

    running(cluster, story)


def test_a_service_that_changes_while_it_is_given_back_is_given_back_all_the_same(
    cluster: Cluster,
) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        spec = {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": 8080}]}
        adopted = adopt(
            cluster.create("Service", "shop", "west", spec=spec), {80: 1024}, "shop", is_asked=True
        )
        cluster.patch("Service", "shop", {**adopted}, "west")
        conflict = Fault(code=409, verb="patch", kind="Service", name="shop", times=2)
        refusal = Fault(code=503, verb="list", kind="Service", times=1)
        for fault in (conflict, refusal):
            cluster.faults.add(fault)
        cluster.delete("ConfigMap", names.SITE_CONFIGMAP, "west")

        def is_back() -> bool:
            found = cluster.get("Service", "shop", "west")
            return found is not None and found["spec"]["selector"] == {"app": "shop"}

        await until(is_back)
        assert conflict.times == 0

    running(cluster, story)


def test_a_service_that_a_webhook_keeps_holds_no_other_back_and_is_tried_again(
    cluster: Cluster,
) -> None:
    async def story(cluster: Cluster) -> None:
        site(cluster, "west")
        await until(lambda: has_router(cluster, "west"))
        spec = {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": 8080}]}
        for name in ("held", "shop"):
            made = cluster.create("Service", name, "west", spec=spec)
            adopted = adopt(made, {80: 1024}, name, is_asked=True)
            cluster.patch("Service", name, {**adopted}, "west")
        refusal = Fault(code=403, verb="patch", kind="Service", name="held")
        slices = Fault(code=403, verb="list", kind="EndpointSlice")
        for fault in (refusal, slices):
            cluster.faults.add(fault)
        cluster.delete("ConfigMap", names.SITE_CONFIGMAP, "west")

        def is_back(name: str) -> bool:
            found = cluster.get("Service", name, "west")
            return found is not None and found["spec"]["selector"] == {"app": "shop"}

        await until(lambda: is_back("shop"))
        assert not is_back("held")
        refusal.times = 0
        await until(lambda: is_back("held"))
        await until(lambda: not has_router(cluster, "west"))

    running(cluster, story)


def test_many_namespaces_get_their_sites_and_then_nothing_is_written(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        spaces = [f"team-{number}" for number in range(20)]
        for namespace in spaces:
            cluster.create("Namespace", namespace)
            site(cluster, namespace, ingress="none")
        await until(lambda: all(has_router(cluster, namespace) for namespace in spaces), 30)
        await settled(cluster, "east")
        before = len(cluster.faults.seen)
        await settled(cluster, "north")
        late = [namespace for namespace in spaces if writes(cluster, namespace, before)]
        assert late == []

    running(cluster, story)

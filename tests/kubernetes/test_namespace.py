"""A router in a pod of a namespace: from annotated Deployments to answers, through API outages."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.manifests import site_objects
from router.kubernetes.objects import names
from router.kubernetes.objects.picture import SiteOptions
from router.kubernetes.targets.pods import is_leaving
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.resources import Json
from tests.kubernetes.world import is_ready
from tests.scenario.waiting import stays, until

NAMESPACE = "west"
PROBES_PORT = 20_900
START_S = 30.0
PAUSE_S = 0.01
"""A client waits so long between requests: three that do not take all processors there are."""
LAST_S = 6  # How long a pod goes on after its deletion was asked for.
EACH = 20  # Requests while there are so many pods.


class Site:
    """The namespace ``west`` with its router, and clients of its Services."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        cluster.create("Namespace", NAMESPACE)
        options = SiteOptions(name="west", ingress="none")
        for found in site_objects(
            options, namespace=NAMESPACE, image="spillway:1", data={"ingress": "none"}
        ):
            cluster.create_object(as_local(dict(found)), NAMESPACE)

    def shop(self, replicas: int = 2, *, capacity: str = "", hook_s: int = 0) -> None:
        """A Deployment that answers with its pods' names, exposed at port 80.

        A pod that is deleted goes on for ``hook_s``.
        """
        container: Json = {"name": "main", "image": "http-echo"}
        container["ports"] = [{"containerPort": 8080}]
        if hook_s:
            container["lifecycle"] = {"preStop": {"sleep": {"seconds": hook_s}}}
        notes = {"skupper.io/proxy": "http", "skupper.io/port": "80:8080"}
        if capacity:
            notes[names.CAPACITY] = capacity
        self.cluster.create(
            "Deployment",
            "shop",
            NAMESPACE,
            metadata={"annotations": notes},
            spec={
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "shop"}},
                "template": {
                    "metadata": {"labels": {"app": "shop"}},
                    "spec": {"containers": [container]},
                },
            },
        )

    def shops(self) -> list[Json]:
        """The pods of the Deployment that are there."""
        pods = self.cluster.list("Pod", NAMESPACE)
        return [one for one in pods if one["metadata"]["labels"].get("app") == "shop"]

    def router(self) -> Json | None:
        """The router's pod once it is ready."""
        selector = {names.COMPONENT_LABEL: names.COMPONENT_ROUTER}
        for found in self.cluster.list("Pod", NAMESPACE):
            if selector.items() <= found["metadata"]["labels"].items() and is_ready(found):
                return found
        return None

    def door(self, name: str = "shop") -> tuple[str, int] | None:
        """Where kube-proxy would take a client of the Service: an endpoint of it."""
        service = self.cluster.get("Service", name, NAMESPACE)
        router = self.router()
        if service is None or router is None:
            return None
        return router["status"]["podIP"], service["spec"]["ports"][0]["targetPort"]

    def ask(self, door: tuple[str, int]) -> tuple[int, str]:
        """Status and body of one request."""
        connection = http.client.HTTPConnection(*door, timeout=10)
        try:
            connection.request("GET", "/", headers={"Host": "shop"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def open(self) -> tuple[str, int]:
        """The Service's address, once a target behind it answers."""
        door = until(self.door, "a Service leads to the router", START_S)
        assert door is not None
        until(lambda: self.answers(door), "it answers")
        return door

    def answers(self, door: tuple[str, int]) -> bool:
        try:
            return self.ask(door)[0] == 200
        except OSError:
            return False


def as_local(found: dict[str, Any]) -> dict[str, Any]:
    """All pods share one machine here: the router must keep to its own address."""
    if found["kind"] == "Deployment":
        container = found["spec"]["template"]["spec"]["containers"][0]
        container["command"] = ["spillway-router"]
        container["args"] = [
            "--site-dir",
            "/var/lib/spillway",
            "--namespace",
            "--log=stdout",
            f"--probes=$(POD_IP):{PROBES_PORT}",
        ]
        container["volumeMounts"] = [{"name": "state", "mountPath": "/var/lib/spillway"}]
        container["env"] = [
            *(e for e in container["env"] if e["name"].startswith("POD_")),
            {"name": "SPILLWAY_BIND_IP", "value": "$(POD_IP)"},
        ]
        container["ports"] = [{"name": "probes", "containerPort": PROBES_PORT}]
        container.pop("lifecycle")
    return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Cluster(tmp_path) as cluster:
        yield Site(cluster)


def test_an_annotated_deployment_is_served_scaled_and_drained_without_a_failure(
    site: Site,
) -> None:
    site.shop()
    door = site.open()
    outcomes: list[tuple[int, str]] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.wait(PAUSE_S):
            outcomes.append(site.ask(door))

    clients = [threading.Thread(target=load) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        for replicas in (4, 1, 3):
            site.cluster.patch("Deployment", "shop", {"spec": {"replicas": replicas}}, NAMESPACE)
            since = len(outcomes)

            def spread(since: int = since, wanted: int = replicas) -> bool:
                """By all clients: the quickest pod has most of their single requests."""
                return len({pod for _, pod in outcomes[since:]}) >= wanted

            until(spread, f"{replicas} pods answer", START_S)
            asked = len(outcomes) + EACH
            until(lambda asked=asked: len(outcomes) >= asked, "clients go on")  # type: ignore[misc]
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert {status for status, _ in outcomes} == {200}


def test_the_last_pod_serves_until_its_end_and_the_next_one_from_its_beginning(
    site: Site,
) -> None:
    site.shop(replicas=1, hook_s=LAST_S)
    door = site.open()
    site.cluster.patch("Deployment", "shop", {"spec": {"replicas": 0}}, NAMESPACE)
    until(lambda: [one for one in site.shops() if is_leaving(one)], "it is to end")
    stays(lambda: site.ask(door)[0] == 200, "it serves though it is to end", LAST_S / 2)
    until(lambda: not site.shops(), "it is gone", START_S)
    until(lambda: site.ask(door)[0] == 503, "nobody is there")
    site.cluster.patch("Deployment", "shop", {"spec": {"replicas": 1}}, NAMESPACE)
    until(lambda: site.ask(door)[0] == 200, "the next one serves", START_S)


def test_a_pod_that_is_deleted_serves_until_the_one_in_its_place_does(site: Site) -> None:
    site.shop(replicas=1, hook_s=LAST_S)
    door = site.open()
    first = site.ask(door)[1]
    (old,) = (one["metadata"]["name"] for one in site.shops())
    site.cluster.delete("Pod", old, NAMESPACE)

    def follows() -> bool:
        status, served_by = site.ask(door)
        assert status == 200, "there is no gap"
        return served_by != first

    until(follows, "the next one serves", START_S)


def test_serving_goes_on_while_the_api_is_away_and_the_status_is_small_and_rare(
    site: Site,
) -> None:
    site.shop(replicas=1)
    door = site.open()
    status = until(
        lambda: site.cluster.get("ConfigMap", names.STATUS_CONFIGMAP, NAMESPACE), "a status"
    )
    assert status is not None
    assert len(status["data"]["status.json"]) < 4_000
    lease = site.cluster.get("Lease", names.ROUTER, NAMESPACE)
    assert lease is not None
    assert lease["spec"]["holderIdentity"].startswith(names.ROUTER)
    site.cluster.stop_server()
    stays(lambda: site.ask(door)[0] == 200, "it serves without the API", 3.0)
    site.cluster.start_server()
    site.cluster.patch("Deployment", "shop", {"spec": {"replicas": 2}}, NAMESPACE)
    seen: set[str] = set()

    def both_answer() -> bool:
        seen.add(site.ask(door)[1])
        return len(seen) == 2

    until(both_answer, "the new pod answers", START_S)
    writes = site.cluster.faults.count(verb="write", kind="ConfigMap", name=names.STATUS_CONFIGMAP)
    assert writes <= 2


def test_what_is_wrong_is_an_event_on_its_object(site: Site) -> None:
    site.shop(replicas=1, capacity="many")
    until(site.router, "the router is ready", START_S)

    def told() -> Json | None:
        for event in site.cluster.list("Event", NAMESPACE):
            involved = event["involvedObject"]
            if involved["name"] == "shop" and event.get("reason", "").startswith("SW04"):
                return event
        return None

    event = until(told, "an Event", START_S)
    assert event is not None
    assert event["involvedObject"]["kind"] == "Deployment"
    deployment = site.cluster.get("Deployment", "shop", NAMESPACE)
    assert deployment is not None
    assert event["involvedObject"]["uid"] == deployment["metadata"]["uid"]
    assert names.CAPACITY in event["message"]
    assert event["type"] == "Warning"

"""Ways to install a site: all make the same objects, and their pods have the rights they need."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from deploy.__main__ import HERE
from router.kubernetes.manifests import IMAGE, controller_objects
from router.kubernetes.manifests.parts import from_field
from router.kubernetes.objects import names
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import IMAGES, Commands
from tests.kubernetes.resources import duplicate
from tests.scenario.waiting import own_time

SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, annotations: {skupper.io/proxy: http, skupper.io/port: "80:8080"}}
spec:
  replicas: 1
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - {name: app, image: test/http-echo, ports: [{containerPort: 8080}],
           env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that runs pods, with a namespace ``west``."""
    with Cluster(tmp_path / "cluster", images=IMAGES) as made:
        made.create("Namespace", "west")
        yield made


def until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Wait for ``condition``, asking often."""
    deadline = own_time() + timeout_s
    while not condition():
        assert own_time() < deadline, "not in time"
        time.sleep(0.05)


def by_kind(objects: list[Any]) -> dict[tuple[str, str], Any]:
    return {(found["kind"], found["metadata"]["name"]): found for found in objects}


def test_helm_kustomize_and_sitectl_init_make_the_same_objects(
    cluster: Cluster, tmp_path: Path
) -> None:
    west = Commands(cluster, "west", cluster.state / "home")
    printed = by_kind(list(yaml.safe_load_all(west.ok("init", "--dry-run", "-o", "yaml"))))

    with helm_python.Chart.load(str(HERE / "helm" / "spillway")) as chart:
        texts = chart.render({}, name="release", namespace="west")
    rendered = [
        found
        for name, text in texts.items()
        if name.endswith(".yaml")
        for found in yaml.safe_load_all(text)
        if found is not None
    ]
    assert by_kind(rendered) == printed

    shutil.copytree(HERE / "kubernetes", tmp_path / "deploy")
    own = tmp_path / "deploy" / "own"
    own.mkdir()
    (own / "kustomization.yaml").write_text("namespace: west\nresources: [../base]\n")
    built = west.kubectl("kustomize", str(own))
    assert by_kind(list(yaml.safe_load_all(built))) == printed

    for words in (("-k", str(own)), ("-f", str(HERE / "controller" / "cluster.yaml"))):
        made = west.kubectl("apply", *words).splitlines()
        again = west.kubectl("apply", *words).splitlines()
        assert len(again) == len(made)
        assert [line for line in again if not line.endswith(" unchanged")] == []


def refused(cluster: Cluster) -> list[str]:
    """What the pods of ours were not allowed to do."""
    return [
        f"{one.user}: {one.wanted.verb} {one.wanted.resource.plural}"
        for one in cluster.faults.seen
        if one.code == 403 and one.user.startswith("system:serviceaccount")
    ]


def test_a_controller_in_its_pod_makes_a_site_whose_router_serves_and_takes_it_away_again(
    cluster: Cluster,
) -> None:
    cluster.create("Namespace", "spillway-controller")
    for found in controller_objects(
        namespace="spillway-controller", image=IMAGE, every_namespace=True
    ):
        made = duplicate(dict(found))
        if found["kind"] == "Deployment":  # The image of the tests keeps to the pod's address.
            (container,) = made["spec"]["template"]["spec"]["containers"]
            container["env"].append(from_field("POD_IP", "status.podIP"))
        cluster.create_object(made, "spillway-controller")

    def ready(name: str, namespace: str) -> int:
        deployment = cluster.get("Deployment", name, namespace) or {}
        return int(deployment.get("status", {}).get("readyReplicas", 0))

    until(lambda: ready("spillway-controller", "spillway-controller"))
    data = {"ingress": "loadbalancer", "routers": "2"}
    cluster.create("ConfigMap", names.SITE_CONFIGMAP, "west", data=data)
    until(lambda: ready(names.ROUTER, "west") == 2)

    cluster.create_object(yaml.safe_load(SHOP), "west")
    until(lambda: cluster.get("Service", "shop", "west"))
    mark = {"labels": {names.SKUPPER_TYPE: names.CONNECTION_TOKEN_REQUEST}}
    cluster.create("Secret", "token", "west", metadata=mark)
    until(lambda: "tls.crt" in ((cluster.get("Secret", "token", "west") or {}).get("data") or {}))
    until(lambda: cluster.get("ConfigMap", names.STATUS_CONFIGMAP, "west"))
    assert refused(cluster) == []

    cluster.delete("ConfigMap", names.SITE_CONFIGMAP, "west")
    until(lambda: cluster.get("Service", "shop", "west") is None)
    until(lambda: cluster.get("Deployment", names.ROUTER, "west") is None)
    until(lambda: cluster.get("ConfigMap", names.STATUS_CONFIGMAP, "west") is None)
    assert cluster.get("Secret", names.IDENTITY_SECRET, "west") is None
    assert cluster.get("Secret", "token", "west"), "the user asked for it and it stays"
    left = [found["metadata"]["name"] for found in cluster.list("Deployment", "west")]
    assert left == ["shop"]
    for name, namespace in (("shop", "west"), ("spillway-controller", "spillway-controller")):
        cluster.delete("Deployment", name, namespace)
    until(lambda: not cluster.list("Pod"))

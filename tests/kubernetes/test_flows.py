"""The published GitOps flows of Skupper v1, with their YAML as its users write it (images aside)."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import IMAGES, Place, copied, install_controller
from tests.kubernetes.resources import Json
from tests.scenario.waiting import until

SITE = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: skupper-site
data:
  name: {name}
  cluster-local: "false"
  console: "true"
  console-authentication: internal
  console-password: "rubble"
  console-user: "rubble"
  edge: "false"
  ingress: loadbalancer
  router-console: "false"
  service-controller: "true"
  service-sync: "true"
"""
SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  annotations:
    skupper.io/proxy: "http"
    skupper.io/port: "80:8080"
    skupper.io/address: "{address}"
{further}
  labels:
    app: {name}
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      terminationGracePeriodSeconds: 30
      containers:
      - name: main
        image: example/shop:1
        ports:
        - containerPort: 8080
"""
REQUEST = """
apiVersion: v1
kind: Secret
metadata:
  labels:
    skupper.io/type: connection-token-request
  name: {name}
"""


def site(name: str) -> str:
    return SITE.format(name=name)


def shop(name: str, address: str = "shop", replicas: int = 1, **annotations: str) -> str:
    further = "\n".join(f"    {key}: {text!r}" for key, text in annotations.items())
    return SHOP.format(name=name, address=address, replicas=replicas, further=further)


def filled(place: Place, name: str) -> Json:
    """The token Secret that a request in ``place`` became."""

    def look() -> Json | None:
        found = place.get("Secret", name)
        return found if found and "tls.crt" in (found.get("data") or {}) else None

    found = until(look, f"request {name} is filled", 30.0)
    assert found is not None
    return found


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        install_controller(made)
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "other", images=IMAGES, proxy=True) as made:
        install_controller(made)
        yield made


def test_a_site_a_deployment_and_a_token_link_in_whatever_order_they_arrive(
    cluster: Cluster, other: Cluster
) -> None:
    hub = Place(cluster, "hub")
    hub.apply(site("hub"), REQUEST.format(name="to-hub"))
    token = copied(filled(hub, "to-hub"))
    orders = list(itertools.permutations(("site", "shop", "token")))
    places = [Place(other, f"west-{number}") for number, _ in enumerate(orders)]
    for step in range(3):
        for number, (place, order) in enumerate(zip(places, orders, strict=True)):
            objects = {"site": site(place.namespace), "shop": shop("shop", f"shop-{number}")}
            place.apply({**objects, "token": token}[order[step]])
        for place in places:
            if place.get("ConfigMap", "skupper-site"):  # What came later comes to a running site.
                place.starts()
    for number, order in enumerate(orders):
        pod = hub.answers(f"shop-{number}")
        found = other.get("Pod", pod, f"west-{number}")
        assert found is not None, f"{order}: {pod} answers"
    assert hub.doors("shop-0", 80)[0][1] >= 1024

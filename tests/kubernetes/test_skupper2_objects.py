"""Objects of Skupper v2 where the cluster serves their kinds, with real routers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes import skupper2_kinds
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.routers import (
    LINK_PORT,
    Router,
    Start,
    allow,
    certificate,
    kubectl,
    manifest,
    soon,
)
from tests.kubernetes.skupper2_kinds import bind, put
from tests.kubernetes.test_reach import READY, Serve, asked, serve

__all__ = ["serve"]

KEY = "shop.v2/backend"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet", "deployment", "replicaset")) as made:
        skupper2_kinds.install(made)
        yield made


def namespace(cluster: Cluster, name: str, level: str = "A") -> None:
    """A namespace whose router has its rights, and no ConfigMap ``skupper-site``."""
    cluster.create("Namespace", name)
    allow(cluster, name, "none")
    bind(cluster, name, level)


def site(cluster: Cluster, start: Start, name: str, level: str = "A") -> Router:
    """A namespace that a Site makes a site."""
    namespace(cluster, name, level)
    put(cluster, "Site", name, name)
    return start(name).serves()


def backend(cluster: Cluster, namespace: str, place: tuple[str, int]) -> None:
    """A ready pod of ``app=backend``, and a Connector that selects it."""
    address, port = place
    container = {"name": "main", "image": "shop", "ports": [{"containerPort": port}]}
    marked = {"labels": {"app": "backend"}}
    cluster.create("Pod", "backend-0", namespace, metadata=marked, spec={"containers": [container]})
    status = READY | {"podIP": address, "podIPs": [{"ip": address}]}
    cluster.patch("Pod", "backend-0", {"status": status}, namespace, "status")
    wanted = {"routingKey": KEY, "selector": "app=backend", "port": port}
    put(cluster, "Connector", "backend", namespace, **wanted)


def link(cluster: Cluster, name: str, west: Router, east: Router) -> None:
    """East dials west, by a Link whose Secret is a token of Spillway."""
    token = certificate(cluster, west.namespace, ((west.address, LINK_PORT),), "credential")
    kubectl(cluster, east.namespace, "apply", "-f", "-", given=manifest(token))
    endpoint = {"name": "inter-router", "host": west.address, "port": str(LINK_PORT)}
    wanted = {"endpoints": [endpoint], "tlsCredentials": "credential", "cost": 3}
    put(cluster, "Link", name, east.namespace, **wanted)


@pytest.mark.programs("kubectl")
def test_objects_of_v2_make_the_same_site_link_and_service(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    west, east = site(cluster, start, "west"), site(cluster, start, "east")
    link(cluster, "to-west", west, east)
    soon(lambda: east.is_up("to-west"), "the Link is a link of its name", east, west)
    assert east.link("to-west")["cost"] == 3
    backend(cluster, "west", serve("west"))
    spec = {"routingKey": KEY, "host": "storefront", "port": 80}
    put(cluster, "Listener", "front", "east", **spec)
    soon(lambda: asked(cluster, east, "storefront") == "west", "it answers from afar", east, west)
    made = {found["metadata"]["name"] for found in cluster.list("Service", "west")}
    assert not any(name.startswith("k-") for name in made), "only a Listener makes a Service"

    cluster.patch("Listener", "front", {"spec": {"host": "renamed"}}, "east")
    soon(lambda: asked(cluster, east, "renamed") == "west", "a change follows", east, west)
    soon(lambda: cluster.get("Service", "storefront", "east") is None, "its Service goes", east)
    cluster.delete("Connector", "backend", "west")
    soon(lambda: asked(cluster, east, "renamed") == "", "a deletion follows", east, west)
    cluster.delete("Listener", "front", "east")
    soon(lambda: cluster.get("Service", "renamed", "east") is None, "so does this one", east)
    cluster.delete("Link", "to-west", "east")
    soon(lambda: not east.is_up("to-west"), "the Link's link goes", east)


def test_what_is_in_force_outlives_its_kinds_and_the_site_says_so(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    west = site(cluster, start, "west")
    backend(cluster, "west", serve("west"))
    put(cluster, "Listener", "front", "west", routingKey=KEY, host="storefront", port=80)
    soon(lambda: asked(cluster, west, "storefront") == "west", "it answers", west)
    cluster.undefine(*skupper2_kinds.KINDS)
    soon(lambda: "SW0495" in west.codes(), "it says that the kinds are gone", west)
    cluster.delete("Pod", "backend-0", "west")
    soon(lambda: asked(cluster, west, "storefront") == "", "pods are followed on", west)
    assert cluster.get("Service", "storefront", "west") is not None


def test_an_object_that_cannot_be_used_is_reported_at_the_object(
    cluster: Cluster, start: Start
) -> None:
    west = site(cluster, start, "west")
    put(cluster, "Connector", "far", "west", routingKey="db", port=70_000, host="h")
    soon(lambda: "SW0113" in west.codes(), "it is a problem of the site", west)

    def told() -> list[str]:
        events = cluster.list("Event", "west")
        return [
            str(event["message"])
            for event in events
            if event["involvedObject"]["kind"] == "Connector" and event["reason"] == "SW0113"
        ]

    soon(lambda: told(), "it is an Event of the object", west)
    assert "70000" in told()[0], json.dumps(told())


def test_objects_of_another_controller_are_left_to_it_until_it_gives_them_up(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    namespace(cluster, "west")
    put(cluster, "Site", "west", "west")
    cluster.create("ConfigMap", "skupper-site", "west", data={"name": "west", "ingress": "none"})
    cluster.create("ConfigMap", "skupper", "west", data={"controller": "skupper-controller"})
    west = start("west").serves()
    backend(cluster, "west", serve("west"))
    put(cluster, "Listener", "front", "west", routingKey=KEY, host="storefront", port=80)

    def is_left() -> bool:
        return any(note["code"] == "SW0414" for note in west.get("status")["notes"])

    soon(is_left, "it says whose they are", west)
    assert cluster.get("Service", "storefront", "west") is None
    assert not skupper2_kinds.status(cluster, "Site", "west", "west")
    cluster.patch("ConfigMap", "skupper", {"data": {"controller": "spillway-router"}}, "west")
    soon(lambda: asked(cluster, west, "storefront") == "west", "they are handed over", west)
    soon(lambda: not is_left(), "the note goes", west)

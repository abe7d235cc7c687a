"""The published GitOps flows of Skupper v1, with their YAML as its users write it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import IMAGES, Place, copied, install_controller, writes
from tests.kubernetes.published import REQUEST, filled, shop, site
from tests.kubernetes.resources import Json
from tests.scenario.waiting import until


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
            objects: dict[str, str | Json] = {
                "site": site(place.namespace),
                "shop": shop("shop", f"shop-{number}"),
            }
            objects["token"] = token
            place.apply(objects[order[step]])
        for place in places:
            if place.get("ConfigMap", "skupper-site"):  # Later objects come to a running site.
                place.starts()
    for number, order in enumerate(orders):
        pod = hub.answers(f"shop-{number}")
        found = other.get("Pod", pod, f"west-{number}")
        assert found is not None, f"{order}: {pod} answers"
    assert hub.doors("shop-0", 80)[0][1] >= 1024


def test_two_clusters_fill_what_is_near_and_spill_to_the_other_and_back(
    cluster: Cluster, other: Cluster
) -> None:
    east, west = Place(cluster, "shop"), Place(other, "shop")
    east.apply(site("east"), REQUEST.format(name="to-east"), shop("east", capacity=2))
    west.apply(site("west"), shop("west", capacity=2), copied(filled(east, "to-east")))
    west.answers("shop", by="west")
    east.answers("shop", by="east")
    until(lambda: west.at_once("shop", 3, "/slow/0.3")["east"], "west spills to east")
    assert west.at_once("shop", 4, "/slow/1.2") == {"west": 2, "east": 2}
    assert east.at_once("shop", 3, "/slow/1.2") == {"east": 2, "west": 1}
    assert west.at_once("shop", 2, "/slow/0.5") == {"west": 2}  # Back as soon as there is room.
    west.cluster.delete("Secret", "to-east", "shop")
    until(lambda: not west.router("link", "status"), "the link is gone")
    assert west.answers("shop", by="west")


def test_a_service_created_and_bound_at_both_sites_by_command_is_one(cluster: Cluster) -> None:
    east, west = Place(cluster, "east"), Place(cluster, "west")
    east.apply(site("east"), REQUEST.format(name="to-east"))
    west.apply(site("west"), copied(filled(east, "to-east")))
    for place in (east.starts(), west.starts()):
        plain = shop(place.namespace).replace("skupper.io/", "unused.example/")
        place.apply(plain)
        place.commands.ok("service", "create", "shop", "80", "--protocol", "http")
        target = f"deployment/{place.namespace}"
        place.commands.ok("service", "bind", "shop", *target.split("/"), "--target-port", "8080")
    for place in (east, west):
        place.answers("shop", by=place.namespace)
    west.cluster.patch("Deployment", "west", {"spec": {"replicas": 0}}, "west")
    west.answers("shop", by="east")
    (service,) = west.router("service", "status")
    assert service["name"] == "shop"
    for place in (east, west):
        place.commands.ok("service", "delete", "shop")
    until(lambda: not (east.get("Service", "shop") or west.get("Service", "shop")), "it is gone")


def test_a_request_that_came_as_a_copy_and_is_overwritten_by_the_filled_one_links(
    cluster: Cluster,
) -> None:
    east, west = Place(cluster, "east"), Place(cluster, "west")
    request = REQUEST.format(name="to-east")
    for place in (east, west):
        place.apply(site(place.namespace), request)
    token, own = filled(east, "to-east"), filled(west, "to-east")  # As with Skupper.
    assert own["data"] != token["data"]
    west.apply(copied(token))
    east.apply(shop("east"))
    west.answers("shop", by="east")
    version = filled(east, "to-east")["metadata"]["resourceVersion"]
    mark = len(cluster.faults.seen)
    for _ in range(20):  # Both copies are healed: the manifest says request.
        label = {"metadata": {"labels": {"skupper.io/type": "connection-token-request"}}}
        for place in (east, west):
            cluster.patch("Secret", "to-east", label, place.namespace)
    for place in (east, west):
        place.apply(shop("later", f"later-{place.namespace}"))
        place.answers(f"later-{place.namespace}")  # The healed Secrets were checked by now.
    assert writes(cluster, mark, "Secret") == []
    healed = filled(east, "to-east")
    assert healed["data"] == token["data"]
    assert healed["metadata"]["resourceVersion"] != version  # The healing itself.
    assert west.answers("shop", by="east")


def test_a_site_that_is_deleted_is_not_missed(
    cluster: Cluster, other: Cluster, tmp_path: Path
) -> None:
    hub, far = Place(other, "hub"), Place(other, "far")
    hub.apply(site("hub"), REQUEST.format(name="to-hub"))
    token = copied(filled(hub, "to-hub"))
    places = [Place(cluster, name) for name in ("typed", "applied", "linked")]
    for place in (far, *places[:2]):
        place.apply(site(place.namespace), token, shop(place.namespace))
        hub.answers("shop", by=place.namespace)
    linked = places[2]  # Its link goes with it: sitectl made the Secret.
    linked.apply(site("linked"), shop("linked"))
    file = tmp_path / "token.yaml"
    hub.commands.ok("token", "create", str(file))
    linked.commands.ok("link", "create", str(file), "--wait", "60")
    hub.answers("shop", by="linked")

    def known() -> set[str]:
        return {one["name"] for one in far.router("network", "status")}

    until(lambda: known() == {"hub", "far", "typed", "applied", "linked"}, "all are there")
    places[0].commands.ok("delete", "--yes")
    linked.commands.ok("delete", "--yes")
    places[1].cluster.delete("ConfigMap", "skupper-site", "applied")
    until(lambda: known() == {"hub", "far"}, "nobody misses those two")
    told = {one["subject"] for one in far.router("events", "--code", "site-deleted")}
    assert told == {"typed", "applied", "linked"}
    assert far.router("status")["notes"] == []


def test_sites_of_one_cluster_that_are_linked_apart_stay_networks_of_their_own(
    cluster: Cluster,
) -> None:
    places = {name: Place(cluster, name) for name in ("a", "b", "c", "d")}
    for name, place in places.items():
        place.apply(site(name), REQUEST.format(name=f"to-{name}"))
        if name != "b":
            place.apply(shop(f"{name}-pod"))
    a, b, c, d = places.values()
    b.apply(copied(filled(a, "to-a")))
    a.apply(shop("only-a", "only-a"))
    b.answers("only-a", by="only-a")
    b.answers("shop", by="a-pod")
    for place in (c, d):
        place.starts()
        assert place.get("Service", "only-a") is None
        assert len(place.router("network", "status")) == 1
    d.apply(copied(filled(c, "to-c")))
    c.apply(shop("only-c", "only-c"))
    d.answers("only-c", by="only-c")
    cluster.patch("Deployment", "d-pod", {"spec": {"replicas": 0}}, "d")
    cluster.patch("Deployment", "a-pod", {"spec": {"replicas": 0}}, "a")
    d.answers("shop", by="c-pod")
    until(lambda: not b.pod_that_answers("shop"), "nobody is left for b")
    for place, names in ((a, ["a", "b"]), (b, ["a", "b"]), (c, ["c", "d"]), (d, ["c", "d"])):
        known = place.router("network", "status")
        assert sorted(each["name"] for each in known) == names
        assert place.get("Service", "only-c" if names[0] == "a" else "only-a") is None

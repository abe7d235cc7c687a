"""Routers replaced under load: one by surge, two in turns; and two of one site side by side."""

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.kubernetes.manifests import IMAGE, site_objects
from router.kubernetes.objects import names
from router.kubernetes.objects.picture import SiteOptions
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.new_connections import LAG_S, Clients
from tests.kubernetes.places import IMAGES, Load, Place, copied, fetch
from tests.kubernetes.published import REQUEST, filled, shop
from tests.kubernetes.resources import Json
from tests.kubernetes.threads import Beside
from tests.kubernetes.upstream import BRINGS_NODE
from tests.scenario.waiting import until

READY_BEFORE_S = PRE_STOP_S = 5 if BRINGS_NODE else 2
"""Shorter than as we deploy it, as is the lag of these clients, unless the server is a real one."""
ROLL_S = 40.0
END_SEEN_LATE_S = 5 * ROLL_S
_restarts = itertools.count(1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        yield made


def installed(
    cluster: Cluster,
    name: str,
    routers: int = 1,
    *,
    ingress: str = "loadbalancer",
    pre_stop_s: float = PRE_STOP_S,
) -> Place:
    """A site as ``sitectl init`` makes it; its router waits less at its start and end."""
    place = Place(cluster, name)
    data = {"name": name, "ingress": ingress, "routers": str(routers), "drain-grace": "8s"}
    options = SiteOptions(name=name, ingress=ingress, routers=routers)
    for found in site_objects(options, namespace=name, image=IMAGE, data=data):
        if found["kind"] == "Deployment":
            found["spec"]["minReadySeconds"] = READY_BEFORE_S
            (container,) = found["spec"]["template"]["spec"]["containers"]
            container["lifecycle"]["preStop"]["exec"]["command"] = ["sleep", str(pre_stop_s)]
        cluster.create_object(dict(found), name)
    return place


def joined(cluster: Cluster, routers: int = 1, *, of_east: int = 1) -> tuple[Place, Place]:
    """West with ``routers``, which dial, and east; a service at each alone, and one at both."""
    east, west = installed(cluster, "east", of_east), installed(cluster, "west", routers)
    east.apply(REQUEST.format(name="to-east"))
    for place in (east, west):
        name = place.namespace
        place.apply(shop(name, capacity=4), shop(f"only-{name}", f"only-{name}"))
    west.apply(copied(filled(east, "to-east")))
    until(lambda: len(west.router_pods()) == routers, "all routers are ready", 30.0)
    for place, other in ((east, west), (west, east)):
        place.answers("shop", by=place.namespace)
        reached(place, f"only-{other.namespace}", routers if place is west else of_east)
    return east, west


def reached(place: Place, service: str, routers: int) -> None:
    """Returns once each router of ``place`` serves ``service``."""

    def look() -> bool:
        doors = place.doors(service)
        try:
            return len(doors) == routers and all(fetch(door, "/", service) for door in doors)
        except OSError:
            return False

    until(look, f"all routers serve {service} in {place.namespace}", 30.0)


def replaced(place: Place, routers: int = 1) -> None:
    """Change the template, as ``kubectl rollout restart`` does, until all routers are new ones."""
    before = {pod["metadata"]["name"] for pod in place.router_pods()}
    note = {"kubectl.kubernetes.io/restartedAt": f"2026-11-20T00:00:{next(_restarts):02}Z"}
    template = {"template": {"metadata": {"annotations": note}}}
    place.cluster.patch("Deployment", names.ROUTER, {"spec": template}, place.namespace)

    def done() -> bool:
        selector = {names.COMPONENT_LABEL: names.COMPONENT_ROUTER}.items()
        pods = place.cluster.list("Pod", place.namespace)
        ours = {p["metadata"]["name"] for p in pods if selector <= p["metadata"]["labels"].items()}
        return len(place.router_pods()) == routers and not ours & before

    until(done, f"the routers of {place.namespace} are new", ROLL_S)


def under_load(place: Place, routers: int, *ways: tuple[Place, str]) -> None:
    """Replace the routers of ``place`` while each service is asked at each place."""
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Load(*way)) for way in ways]
        for load in loads:
            load.goes_on()
        replaced(place, routers)
        for load in loads:
            load.goes_on()
    failed = [f"{load.name}: {each}" for load in loads for each in load.failed]
    assert not failed, "\n".join([f"{place.namespace} is replaced", *failed[:20]])


def test_the_only_router_of_either_end_is_replaced_by_surge_under_load(cluster: Cluster) -> None:
    east, west = joined(cluster)
    under_load(west, 1, (west, "shop"), (west, "only-east"), (east, "only-west"))
    under_load(east, 1, (west, "shop"), (west, "only-east"), (east, "shop"), (east, "only-west"))


def test_the_slots_of_the_only_router_are_its_successors_before_its_end_is_seen(
    cluster: Cluster,
) -> None:
    """It says that it is over: the pod that still looks alive, and answers no more, has no share.
    The successor is not ready before, so that it had no share yet."""
    west = installed(cluster, "west", pre_stop_s=END_SEEN_LATE_S)
    west.apply(shop("west", capacity=4))
    west.starts().answers("shop")
    cluster.kubelet.end_seen_late_s = END_SEEN_LATE_S
    (old,) = router_pods(west)
    router = cluster.kubelet.container("west", old, "")
    cluster.delete("Pod", old, "west", gracePeriodSeconds=int(END_SEEN_LATE_S))
    until(lambda: len(router_pods(west)) == 2, "its successor is made", ROLL_S)
    (new,) = router_pods(west) - {old}
    cluster.ready(new, "west", is_ready=False)
    until(lambda: knows_replicas(west, new) == 2, "they are linked", ROLL_S)
    cluster.call(router.end)
    until(lambda: not router.is_running, "it ends", ROLL_S)
    cluster.ready(new, "west", is_ready=True)
    until(lambda: shown(west, new)["capacity"] == 4, "all slots are the successor's", ROLL_S)
    west.answers("shop")
    assert west.get("Pod", old)


def router_pods(place: Place) -> set[str]:
    """Those of routers, ready or not."""
    found = place.cluster.list("Pod", place.namespace)
    label = names.COMPONENT_LABEL, names.COMPONENT_ROUTER
    return {one["metadata"]["name"] for one in found if label in one["metadata"]["labels"].items()}


def knows_replicas(place: Place, pod: str) -> int:
    """Routers that the one of ``pod`` knows of its site; 0: it does not answer yet."""
    line = ("kubectl", "exec", pod, "--", "sitectl", "status", "-o", "json")
    done = place.commands.run(*line)
    return (
        int(json.loads(done.stdout)["item"].get("replicas", 1)) if done.returncode in {0, 3} else 0
    )


def test_of_two_routers_that_accept_links_each_reaches_other_sites(cluster: Cluster) -> None:
    """The one router of west dials one of them; the other goes through that."""
    east, west = joined(cluster, of_east=2)
    pods = [pod["metadata"]["name"] for pod in east.router_pods()]
    assert sorted(len(east.router("link", "status", pod=pod)) for pod in pods) == [0, 1]
    for pod in pods:
        assert east.router("status", pod=pod)["replicas"] == 2
        (why,) = east.router("why", "only-west", pod=pod)["candidates"]
        assert (why["site"], why["path"], why["path_cost"]) == ("west", ["west"], 1)
    under_load(east, 2, (west, "only-east"), (east, "only-west"), (east, "shop"))


def test_two_routers_are_replaced_in_turns_under_load(cluster: Cluster) -> None:
    east, west = joined(cluster, routers=2)
    under_load(west, 2, (west, "shop"), (west, "only-east"), (east, "only-west"))


def test_one_of_two_routers_killed_by_force_loses_no_request(cluster: Cluster) -> None:
    """Clients repeat the requests that it had in hand, on a connection to the other router.

    They also repeat requests that kube-proxy still leads to the killed one.
    """
    _, west = joined(cluster, routers=2)
    clients = 3
    with Clients(west, "only-east", count=clients, repeats=True) as asking:
        asking.go_on(50)
        (pod, _) = west.router_pods()
        cluster.delete("Pod", pod["metadata"]["name"], "west", gracePeriodSeconds=0)
        asking.go_on(200)
        until(lambda: len(west.router_pods()) == 2, "another one is ready", ROLL_S)
        asking.go_on(50)
    assert asking.failed == []
    assert asking.repeated <= clients
    assert not asking.refused or asking.refused[-1] - min(asking.refused) < LAG_S


def test_two_routers_of_a_site_are_one_site_to_others(cluster: Cluster) -> None:
    east, west = joined(cluster, routers=2)
    until(lambda: len(east.router("link", "status")) == 2, "both routers of west are linked")
    links = east.router("link", "status")
    assert {link["neighbour"]["name"] for link in links} == {"west"}
    assert len({link["name"] for link in links}) == 2
    assert [site["name"] for site in east.router("network", "status")] == ["east", "west"]
    east.cluster.patch("Deployment", "east", {"spec": {"replicas": 0}}, "east")
    east.answers("shop", by="west")
    (why,) = east.router("why", "shop")["candidates"][1:]
    assert (why["site"], why["targets_ready"]) == ("west", 1)
    assert why["capacity"] == 4, "what both routers of the site give out together"
    for pod in west.router_pods():
        name = pod["metadata"]["name"]
        (link,) = west.router("link", "status", pod=name)
        assert (link["name"], link["state"]) == ("to-east", "up")


def pair_without_ingress(cluster: Cluster) -> tuple[Place, dict[str, tuple[str, int]]]:
    """Two routers of a site that is linked to none, and where clients of each reach the shop.

    It has one target, of four slots.
    """
    west = installed(cluster, "west", 2, ingress="none")
    west.apply(shop("west", capacity=4))
    until(lambda: len(west.router_pods()) == 2, "both routers are ready", ROLL_S)
    reached(west, "shop", 2)
    doors = dict(west.doors("shop"))
    pods = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in west.router_pods()}
    until(lambda: all(shown(west, pod)["capacity"] == 4 for pod in pods), "they agree", ROLL_S)
    return west, {pod: (address, doors[address]) for pod, address in pods.items()}


def shown(place: Place, pod: str) -> Json:
    """This site's part of the shop, as the router of ``pod`` knows it."""
    (here,) = place.router("why", "shop", pod=pod)["candidates"]
    return dict(here)


def slow(count: int, door: tuple[str, int], seconds: float) -> Beside:
    """So many requests beside the test, each of which takes so long."""

    def ask() -> None:
        fetch(door, f"/slow/{seconds}", "shop")

    return Beside([ask] * count)


def all_run(place: Place, pod: str, count: int) -> None:
    until(lambda: shown(place, pod)["in_flight"] == count, f"{count} are in flight", 5.0)


def test_one_of_two_routers_without_ingress_gives_out_all_slots(cluster: Cluster) -> None:
    west, doors = pair_without_ingress(cluster)
    for pod, door in doors.items():
        assert west.router("status", pod=pod)["replicas"] == 2
        with slow(4, door, 5):
            all_run(west, pod, 4)
            assert shown(west, pod)["capacity"] == 4


def test_a_router_that_ends_leaves_its_slots_to_the_other_but_those_in_use(
    cluster: Cluster,
) -> None:
    west, doors = pair_without_ingress(cluster)
    one, other = (slow(1, door, 6) for door in doors.values())
    with one, other:
        all_run(west, next(iter(doors)), 2)
        cluster.patch("Deployment", names.ROUTER, {"spec": {"replicas": 1}}, "west")

        def leaving() -> list[str]:
            listed = ((pod, west.get("Pod", pod)) for pod in doors)
            return [n for n, pod in listed if pod and pod["metadata"].get("deletionTimestamp")]

        (ends,) = until(leaving, "one of the two pods is deleted", 5.0)
        (stays,) = doors.keys() - {ends}

        def left() -> bool:
            assert west.get("Pod", ends), "it had the slots until it was gone"
            (target,) = west.router("service", "status", "shop", pod=stays)[0]["targets"]
            return bool(target["capacity"] == 3)

        until(left, "the other has all slots but the one in use", 5.0)
    until(lambda: not west.get("Pod", ends), "it is gone", ROLL_S)
    until(lambda: shown(west, stays)["capacity"] == 4, "all slots are the other's", 5.0)


def test_one_of_two_routers_that_starts_again_in_its_pod_has_its_share_again(
    cluster: Cluster,
) -> None:
    """Both in turn: one of them dials the other."""
    west, doors = pair_without_ingress(cluster)
    before = [shown(west, pod)["capacity"] for pod in doors]
    for pod in doors:
        starts_again(west, pod)
        until(lambda: len(west.router_pods()) == 2, "both routers are ready", ROLL_S)
        until(lambda: [shown(west, one)["capacity"] for one in doors] == before, "share", ROLL_S)


def starts_again(place: Place, pod: str) -> None:
    """Have the kubelet end the router in ``pod``, as when it does not live; until it runs again."""

    def end() -> None:
        place.cluster.kubelet.container(place.namespace, pod, "").end()

    def has_begun() -> bool:
        (status,) = (place.get("Pod", pod) or {})["status"]["containerStatuses"]
        return bool(status["restartCount"] and "running" in status["state"])

    place.cluster.call(end)
    until(has_begun, "it started again", ROLL_S)


def test_a_second_router_comes_and_goes_beside_the_first_under_load(cluster: Cluster) -> None:
    """No pod is replaced for it, and no request refused though all slots of the site are in use."""
    west = Place(cluster, "west")
    west.commands.ok("init", "--ingress", "none", "--wait", "ready")
    west.apply(shop("west", capacity=4))
    west.answers("shop")
    (first,) = west.router_pods()
    name = first["metadata"]["name"]
    with Load(west, "shop", clients=6, path="/slow/0.05") as load:
        load.goes_on()
        west.commands.ok("update", "--routers", "2")
        until(lambda: len(west.router_pods()) == 2, "a second one is ready", ROLL_S)
        until(lambda: shown(west, name)["capacity"] == 4, "they agree", ROLL_S)
        load.goes_on(100)
        listed = west.cluster.list("Pod", "west")
        routers = [n for pod in listed if (n := pod["metadata"]["name"]).startswith(names.ROUTER)]
        assert len(routers) == 2 and name in routers
        west.commands.ok("update", "--routers", "1")
        until(lambda: len(west.router_pods()) == 1, "one is left", ROLL_S)
        load.goes_on(100)
    assert load.failed == []

"""Capacity follows the cluster: scaling, annotations, pods that end with a request under way."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import IMAGES, Place, install_controller
from tests.kubernetes.published import shop, site
from tests.kubernetes.world import is_ready
from tests.scenario.waiting import own_time, until

FOLLOWS_S = 1.0
"""From a pod's readiness to requests at it."""


@pytest.fixture
def west(tmp_path: Path) -> Iterator[Place]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        install_controller(made)
        place = Place(made, "west")
        probe = (
            "        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 2}\n        ports:"
        )
        place.apply(site("west"), shop("shop", capacity=2).replace("        ports:", probe))
        place.answers("shop")
        yield place


def ready_pods(place: Place) -> int:
    pods = place.cluster.list("Pod", place.namespace)
    return sum(is_ready(pod) and pod["metadata"]["labels"].get("app") == "shop" for pod in pods)


def spread(place: Place, pods: int) -> None:
    """Returns once so many pods have answered."""
    seen: set[str] = set()

    def look() -> bool:
        seen.update(place.pods_at_once("shop", 2 * pods, "/slow/0.1"))
        return len(seen) >= pods

    until(look, f"{pods} pods answer", 5.0)


def finished_in_s(place: Place, count: int) -> float:
    """How long ``count`` requests of 0.3 s take side by side."""
    began = own_time()
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(place.ask, "shop", "/slow/0.3") for _ in range(count)]
        for each in asked:
            each.result()
    return own_time() - began


def capacity(place: Place) -> int:
    (service,) = place.router("service", "status")
    found: int = service["sites"][0]["capacity"]
    return found


def in_flight(place: Place) -> int:
    (service,) = place.router("service", "status")
    found: int = service["sites"][0]["in_flight"]
    return found


def test_capacity_follows_scaling_within_a_second_of_readiness_and_the_annotation(
    west: Place,
) -> None:
    assert capacity(west) == 2
    for replicas in (4, 1):
        west.commands.kubectl("scale", "deployment/shop", f"--replicas={replicas}")
        until(lambda replicas=replicas: ready_pods(west) == replicas, "pods are ready")  # type: ignore[misc]
        began = own_time()

        spread(west, replicas)
        follows_s = own_time() - began
        assert follows_s <= FOLLOWS_S + 0.1, follows_s
        until(lambda: capacity(west) == 2 * replicas, "it is said", FOLLOWS_S)  # noqa: B023
    west.commands.kubectl("annotate", "--overwrite", "deployment/shop", "spillway.dev/capacity=6")
    until(lambda: capacity(west) == 6, "the annotation counts")
    assert finished_in_s(west, 6) < 0.3 * 3
    west.commands.kubectl("annotate", "deployment/shop", "spillway.dev/capacity-")
    until(lambda: capacity(west) is None, "no capacity is stated")


def test_a_pod_that_ends_serves_what_it_has_and_gets_nothing_new(west: Place) -> None:
    west.commands.kubectl("scale", "deployment/shop", "--replicas=2")
    spread(west, 2)
    with ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(west.ask, "shop", "/slow/6.0") for _ in range(2)]
        until(lambda: in_flight(west) == 2, "both are under way, one at each pod")
        west.commands.kubectl("scale", "deployment/shop", "--replicas=1")
        until(lambda: capacity(west) == 2, "one of them is to end")
        later = {west.ask("shop") for _ in range(4)}  # One by one: the queue is not meant.
        assert len({each.result() for each in slow}) == 2
        assert len(later) == 1

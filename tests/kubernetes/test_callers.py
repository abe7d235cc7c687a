"""Who calls whom in a namespace: workloads by the addresses of their pods."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import IMAGES, Place, install_controller
from tests.kubernetes.published import shop, site
from tests.kubernetes.resources import Json
from tests.kubernetes.world import is_ready
from tests.scenario.waiting import until

SETTLED_S = 100.0
"""At most until a name is settled: a real API server that has no news speaks once a minute."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        made.faults.bookmark_interval_s = 1.0
        install_controller(made)
        yield made


def deployment(name: str) -> str:
    """One that exposes nothing."""
    return shop(name).replace("skupper.io/", "unused.example/")


def pod_of(place: Place, name: str) -> Json:
    """The ready pod of a Deployment."""

    def look() -> Json | None:
        pods = place.cluster.list("Pod", place.namespace)
        found = [pod for pod in pods if pod["metadata"]["labels"].get("app") == name]
        return next((pod for pod in found if is_ready(pod)), None)

    found = until(look, f"{name} is ready", 30.0)
    assert found is not None
    return found


def address_of(pod: Json) -> str:
    return str(pod["status"]["podIP"])


def call(place: Place, address: str, times: int) -> bool:
    """As a process with that address would, over a connection each; True: it was answered."""
    (host, port), *_ = place.doors("shop")
    for _ in range(times):
        line = http.client.HTTPConnection(host, port, 10.0, source_address=(address, 0))
        line.request("GET", "/")
        assert line.getresponse().read()
        line.close()
    return True


def counted(place: Place) -> dict[tuple[str, str], int]:
    """Requests by kind and name of callers, other than what probes do."""
    edges: list[Any] = place.router_polled("graph")["edges"]
    found: dict[tuple[str, str], int] = {}
    for edge in edges:
        caller = edge["caller"]["kind"], edge["caller"]["name"]
        found[caller] = found.get(caller, 0) + edge["requests_total"]
    return found


def test_workloads_are_named_and_an_address_that_is_used_again_is_no_ones_but_its_own(
    cluster: Cluster,
) -> None:
    place, other = Place(cluster, "west"), Place(cluster, "other")
    place.apply(site("west"), shop("shop"), deployment("web"), deployment("cron"))
    other.apply(deployment("foreign"))
    place.starts()
    place.answers("shop")
    web, cron = (address_of(pod_of(place, name)) for name in ("web", "cron"))
    foreign = address_of(pod_of(other, "foreign"))
    before = counted(place)
    node = str(pod_of(place, "web")["status"]["hostIP"])

    def holds(caller: tuple[str, str], requests: int) -> None:
        until(
            lambda: counted(place).get(caller, 0) - before.get(caller, 0) == requests,
            f"{requests} requests of {caller}",
            SETTLED_S,
        )

    until(lambda: call(place, web, 1), "web calls")
    call(place, cron, 3)
    call(place, foreign, 4)
    call(place, node, 5)
    holds(("address", foreign), 4)
    holds(("node", node), 5)
    first = counted(place)
    assert first.get(("workload", "deployment/cron"), 0) + first.get(("address", cron), 0) == 3
    # Their pods were seen long ago by now.
    call(place, web, 6)
    call(place, cron, 7)
    until(lambda: counted(place).get(("workload", "deployment/web"), 0) >= 6, "web", SETTLED_S)
    until(lambda: counted(place).get(("workload", "deployment/cron"), 0) >= 7, "cron", SETTLED_S)

    named = counted(place)[("workload", "deployment/web")]
    assert cluster.kubelet is not None
    cluster.kubelet.used_again.append(web)
    cluster.delete("Deployment", "web", "west")
    until(lambda: not any(address_of(pod) == web for pod in cluster.list("Pod", "west")), "gone")
    place.apply(deployment("late"))
    assert address_of(pod_of(place, "late")) == web, "it is used again"
    call(place, web, 8)  # Too early to be sure.
    until(
        lambda: call(place, web, 1) and ("workload", "deployment/late") in counted(place),
        "the new one is named",
        SETTLED_S,
    )
    assert counted(place)[("workload", "deployment/web")] == named, "nothing of it is web's"

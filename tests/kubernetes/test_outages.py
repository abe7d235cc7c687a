"""The API server goes, comes back, throttles, forbids: traffic and links go on."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.kubernetes.objects import names
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.faults import Fault
from tests.kubernetes.places import IMAGES, Load, Place, copied, install_controller
from tests.kubernetes.published import REQUEST, filled, shop, site
from tests.scenario.waiting import until

OUTAGE_S = 4.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        install_controller(made)
        yield made


@pytest.fixture
def pair(cluster: Cluster) -> tuple[Place, Place]:
    """East and west, linked; each serves what the other asks for."""
    east, west = Place(cluster, "east"), Place(cluster, "west")
    east.apply(site("east"), REQUEST.format(name="to-east"), shop("east", "at-east"))
    west.apply(site("west"), shop("west", "at-west"), copied(filled(east, "to-east")))
    east.answers("at-west")
    west.answers("at-east")
    return east, west


def test_an_outage_a_restart_and_a_storm_of_429_lose_no_request_and_no_change(
    cluster: Cluster, pair: tuple[Place, Place]
) -> None:
    east, west = pair
    with Load(west, "at-east") as remote, Load(east, "at-east") as local:
        cluster.stop_server()
        cluster.patch("Deployment", "east", {"spec": {"replicas": 2}}, "east")
        time.sleep(OUTAGE_S)
        cluster.start_server()
        # A separate client might never meet it: a pod whose first answers are late is used last.
        until(lambda: len(remote.pods) == 2, "the pod made in the outage answers", 15.0)
        storm = cluster.faults.add(Fault(code=429, retry_after_s=1))
        cluster.restart(compact=True)
        time.sleep(OUTAGE_S / 2)
        storm.times = 0
        west.apply(shop("later", "later"))
        east.answers("later")
        for load in (remote, local):
            load.goes_on()
    assert remote.failed == local.failed == []


def test_a_role_that_lacks_a_verb_is_named_and_stops_nothing_else(
    cluster: Cluster, pair: tuple[Place, Place]
) -> None:
    east, west = pair
    role = cluster.get("Role", names.ROUTER, "west")
    assert role is not None
    rules = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if verb != "create"]}
        if "services" in rule["resources"]
        else rule
        for rule in role["rules"]
    ]
    keep = {"labels": {"internal.skupper.io/site-controller-ignore": "true"}}
    cluster.patch("ConfigMap", "skupper-site", {"metadata": keep}, "west")
    cluster.patch("Role", names.ROUTER, {"rules": rules}, "west")
    east.apply(shop("more", "more"))
    east.answers("more")

    def named() -> bool:
        problems = west.router("status")["problems"]
        return any("Service/more" in str(each) and "Role" in str(each) for each in problems)

    until(named, "the verb is named", 15.0)
    assert west.answers("at-east") and east.answers("at-west")
    cluster.patch("Role", names.ROUTER, {"rules": role["rules"]}, "west")
    west.answers("more")


def test_a_namespace_with_a_site_is_deleted_without_waiting_for_anybody(
    cluster: Cluster, pair: tuple[Place, Place]
) -> None:
    east, _ = pair
    cluster.delete("Deployment", "spillway-controller", "spillway-controller")
    cluster.delete("Namespace", "west")
    until(lambda: cluster.get("Namespace", "west") is None, "the namespace is gone", 60.0)
    until(
        lambda: east.get("Service", "at-west") is None or not east.pod_that_answers("at-west"), ""
    )
    assert east.answers("at-east")

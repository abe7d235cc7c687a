"""Who owns which name in a namespace: every replica, the next pod and people come to the same."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.codecs.owners import FILE
from router.kubernetes.objects import names
from sitectl.base.failure import Exit, Failure
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.faults import Fault
from tests.kubernetes.routers import (
    LINK_PORT,
    Router,
    Start,
    certificate,
    kubectl,
    manifest,
    soon,
)

LIES = 6666
"""The port of what north declares under a name of west."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet",)) as made:
        yield made


def declare(cluster: Cluster, namespace: str, service: str, port: int) -> None:
    """A ConfigMap with that Service, as `sitectl service create` writes one."""
    document = f"""\
apiVersion: spillway/v1
kind: Service
name: {service}
spec: {{protocol: http, ports: [{port}]}}
"""
    marks = {"labels": {names.DOCUMENTS_LABEL: names.DOCUMENTS}}
    data = {"service.yaml": document}
    cluster.create("ConfigMap", service, namespace, metadata=marks, data=data)


def link(cluster: Cluster, namespace: str, east: Router, name: str = "link1") -> None:
    """``namespace`` dials ``east``."""
    token = certificate(cluster, "east", ((east.address, LINK_PORT),))
    kubectl(cluster, namespace, "create", "-f", "-", given=manifest(token, name))


def kept(cluster: Cluster) -> dict[str, dict[str, str]]:
    """What namespace ``east`` keeps: names by the site that owns them."""
    found = cluster.get("ConfigMap", names.OWNERS_CONFIGMAP, "east")
    owners: dict[str, dict[str, str]] = {}
    if found is not None:
        owners = json.loads(found["data"][FILE])["owners"]
    return owners


def view(router: Router, service: str) -> dict[str, Any]:
    """What ``router`` knows of the name; empty: nothing."""
    try:
        found: dict[str, Any] = router.get(f"names/{service}")
    except Failure as failure:
        if failure.exit_code is not Exit.NOT_FOUND:
            raise
        return {}
    return found


def owned_by(router: Router, service: str, *owners: str) -> Callable[[], bool]:
    return lambda: view(router, service).get("owners") == list(owners)


def declared_by(router: Router, service: str, site: str) -> Callable[[], bool]:
    return lambda: view(router, service).get("declared_by") == site


def test_a_new_pod_and_a_second_replica_know_the_owner_before_they_hear_of_a_liar(
    cluster: Cluster, start: Start
) -> None:
    east, west, north = start("east"), start("west"), start("north")
    for router in (east, west, north):
        router.serves()
    west_id, north_id = west.site_id, north.site_id
    declare(cluster, "west", "shop", 8080)
    link(cluster, "west", east)
    soon(lambda: "shop" in kept(cluster).get(west_id, {}), "west is written", east, west)
    west.kill()
    east.kill()
    east = start("east", east.address).serves()  # An empty directory, and west is away.
    declare(cluster, "north", "shop", LIES)
    link(cluster, "north", east)
    soon(lambda: view(east, "shop").get("differing") == ["north"], "the lie is heard", east, north)
    told = view(east, "shop")
    assert (told["declared_by"], told["owners"]) == ("", [west_id])
    assert "SW0341" in east.codes()
    other = start("east").serves()
    link(cluster, "north", other, "link2")
    soon(lambda: view(other, "shop").get("differing") == ["north"], "heard there", other, north)
    assert view(other, "shop")["declared_by"] == ""
    assert kept(cluster).keys() == {west_id}
    # An operator's word at one replica holds at the other, and in the next pod.
    east.admin.command("adopt", service="shop", site="north")
    for router in (east, other):
        soon(owned_by(router, "shop", "north"), "adopted", router)
        soon(declared_by(router, "shop", "north"), "in force", router)
    soon(lambda: kept(cluster).keys() == {north_id}, "north is written", east, other)


def test_a_withdrawal_is_followed_and_an_api_that_is_away_delays_the_write_alone(
    cluster: Cluster, start: Start, tmp_path: Path
) -> None:
    east, west = start("east").serves(), start("west").serves()
    west_id = west.site_id
    link(cluster, "west", east)
    away = cluster.faults.add(Fault(code=500, verb="create", kind="ConfigMap"))
    declare(cluster, "west", "shop", 8080)
    soon(owned_by(east, "shop", "west"), "it is known without the API", east, west)
    soon(lambda: "SW0443" in east.codes(), "the refusal is told", east)
    away.times = 0
    soon(lambda: "shop" in kept(cluster).get(west_id, {}), "written later", east)
    soon(lambda: "SW0443" not in east.codes(), "no refusal any more", east)
    kubectl(cluster, "west", "delete", "configmap", "shop")
    soon(lambda: kept(cluster) == {}, "the withdrawal is written", east, west)
    assert view(east, "shop") == {}
    Commands(cluster, "east", tmp_path / "tool").ok("delete")
    assert cluster.get("ConfigMap", names.OWNERS_CONFIGMAP, "east") is None

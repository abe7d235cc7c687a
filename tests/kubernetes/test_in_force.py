"""What a wrong object said before counts at the next router, and when another takes the Lease."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.codecs.secrets import IN_FORCE_FILE
from router.kubernetes.objects import names
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.routers import Router, Start, kubectl, soon

SOURCE = "ConfigMap/shop[service.yaml]"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet",)) as made:
        yield made


def text(ports: str) -> str:
    return f"apiVersion: spillway/v1\nkind: Service\nname: shop\nspec: {{ports: [{ports}]}}\n"


def declare(cluster: Cluster, ports: str) -> None:
    marks = {"labels": {names.DOCUMENTS_LABEL: names.DOCUMENTS}}
    cluster.create("ConfigMap", "shop", "east", metadata=marks, data={"service.yaml": text(ports)})


def edit(cluster: Cluster, ports: str) -> None:
    patch = json.dumps({"data": {"service.yaml": text(ports)}})
    kubectl(cluster, "east", "patch", "configmap", "shop", "--type", "merge", "-p", patch)


def ports(router: Router) -> list[int]:
    return [one["port"] for one in router.get("services") if one["name"] == "shop"]


def still(router: Router) -> str:
    """What SW0418 says of the object; empty: nothing."""
    notes = [one["message"] for one in router.get("status")["notes"] if one["code"] == "SW0418"]
    return " ".join(notes)


def stored(cluster: Cluster) -> dict[str, Any]:
    found = cluster.get("Secret", names.IN_FORCE_SECRET, "east")
    kept: dict[str, Any] = {}
    if found is not None:
        kept = json.loads(b64decode(found["data"][IN_FORCE_FILE]))
    return kept


def counts_after_restarts(router: Router) -> Callable[[], bool]:
    return lambda: "also after a restart of the router" in still(router)


def test_a_wrong_object_counts_as_before_at_each_next_router_until_it_is_right(
    cluster: Cluster, start: Start, tmp_path: Path
) -> None:
    first = start("east").serves()
    declare(cluster, "8080")
    soon(lambda: ports(first) == [8080], "the service is known", first)
    edit(cluster, "eighty")
    soon(counts_after_restarts(first), "it is written", first)
    assert stored(cluster).keys() == {SOURCE}
    second = start("east").serves()
    assert ports(second) == [8080]
    assert "SW0101" in second.codes()
    first.kill()
    before = stored(cluster)
    edit(cluster, "ninety")
    soon(lambda: stored(cluster) != before, "the second router has the Lease and writes", second)
    third = start("east").serves()
    assert ports(third) == [8080]
    assert counts_after_restarts(third)()
    for router in (second, third):
        router.stop()
    edit(cluster, "none")  # Nobody knows what was there meanwhile.
    last = start("east").serves()
    assert ports(last) == []
    soon(lambda: stored(cluster) == {}, "nothing counts that is not there", last)
    edit(cluster, "8081")
    soon(lambda: ports(last) == [8081], "the right object counts", last)
    edit(cluster, "none")
    soon(counts_after_restarts(last), "it is written again", last)
    edit(cluster, "8082")
    soon(lambda: stored(cluster) == {}, "no object is wrong", last)
    edit(cluster, "none")
    soon(counts_after_restarts(last), "it is written again", last)
    Commands(cluster, "east", tmp_path / "tool").ok("delete", "--yes")
    assert cluster.get("Secret", names.IN_FORCE_SECRET, "east") is None


def test_a_quota_that_refuses_the_secret_is_reported(cluster: Cluster, start: Start) -> None:
    router = start("east").serves()
    declare(cluster, "8080")
    soon(lambda: ports(router) == [8080], "the service is known", router)
    cluster.create("ResourceQuota", "q", "east", spec={"hard": {"count/secrets": "0"}})
    edit(cluster, "eighty")
    soon(lambda: "SW0443" in router.codes(), "the refusal is a problem", router)
    assert ports(router) == [8080]
    assert "until the router restarts" in still(router)
    cluster.delete("ResourceQuota", "q", "east")
    soon(counts_after_restarts(router), "it is written", router)
    soon(lambda: "SW0443" not in router.codes(), "no refusal any more", router)

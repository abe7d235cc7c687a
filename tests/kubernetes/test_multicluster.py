"""Services exported and imported by the Multi-Cluster Services API, with real routers.

Two namespaces of one cluster are two clusters here: `mcs-namespace` gives them one name.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.multicluster.names import DERIVED_SERVICE, network_name
from router.kubernetes.objects.objects import stamp_now
from tests.kubernetes import multicluster
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.kubelet import NODE
from tests.kubernetes.multicluster import bind, conditions, export
from tests.kubernetes.resources import Json
from tests.kubernetes.routers import (
    LINK_PORT,
    Router,
    Start,
    certificate,
    kubectl,
    manifest,
    soon,
)
from tests.kubernetes.test_reach import READY, Serve, asked, serve
from tests.scenario.waiting import stays, until

__all__ = ["serve"]

NAME = network_name("prod", "shop")
GONE_S = 2.0
"""So long an import that went may not come back; it came within 0.1 s."""
READY_EXPORT = {
    "Valid": ("True", "Valid"),
    "Ready": ("True", "Exported"),
    "Conflict": ("False", "NoConflicts"),
}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet", "deployment", "replicaset")) as made:
        yield made


def site(start: Start, namespace: str) -> Router:
    return start(namespace, **{"mcs": "true", "mcs-namespace": "prod"}).serves()


def link(cluster: Cluster, west: Router, east: Router) -> None:
    """East dials west."""
    token = certificate(cluster, "west", ((west.address, LINK_PORT),), "to-west")
    kubectl(cluster, "east", "apply", "-f", "-", given=manifest(token))
    soon(lambda: east.is_up("to-west"), "the link is up", east, west)


def shop(cluster: Cluster, namespace: str, place: tuple[str, int], **spec: Any) -> None:
    """Service ``shop`` with one pod at ``place``."""
    address, port = place
    ports = [{"name": "http", "containerPort": port}]
    container = {"name": "main", "image": "shop", "ports": ports}
    marked = {"labels": {"app": "shop"}}
    # A real cluster takes a pod for an endpoint once it has a node.
    spec_of_pod = {"nodeName": NODE, "containers": [container]}
    cluster.create("Pod", "shop-0", namespace, metadata=marked, spec=spec_of_pod)
    status = READY | {"podIP": address, "podIPs": [{"ip": address}]}
    cluster.patch("Pod", "shop-0", {"status": status}, namespace, "status")
    service(cluster, namespace, **spec)


def linked(
    cluster: Cluster, start: Start, serve: Serve, kinds: multicluster.Kinds = multicluster.KINDS
) -> tuple[Router, Router]:
    """Sites `west`, which has the Service, and `east`, both with the rights."""
    multicluster.install(cluster, kinds)
    for namespace in ("west", "east"):
        bind(cluster, namespace)
    west, east = site(start, "west"), site(start, "east")
    link(cluster, west, east)
    shop(cluster, "west", serve("west"))
    return west, east


def service(cluster: Cluster, namespace: str, **spec: Any) -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    wanted = {"selector": {"app": "shop"}, "ports": ports} | spec
    cluster.create("Service", "shop", namespace, spec=wanted)


def imported(cluster: Cluster, namespace: str) -> Json:
    """The ServiceImport; empty: there is none."""
    return cluster.get("ServiceImport", "shop", namespace) or {}


def clusters(cluster: Cluster) -> object:
    """Those that export, as west's ServiceImport says; None: it has no status yet."""
    return (imported(cluster, "west").get("status") or {}).get("clusters")


def is_ready(cluster: Cluster, namespace: str) -> bool:
    """Whether the ServiceImport is ready."""
    found = (imported(cluster, namespace).get("status") or {}).get("conditions") or []
    return any((one["type"], one["status"]) == ("Ready", "True") for one in found)


@pytest.mark.programs("kubectl")
def test_a_service_exported_by_one_site_is_called_in_the_other(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    west, east = linked(cluster, start, serve)
    export(cluster, "west")

    soon(lambda: conditions(cluster, "west") == READY_EXPORT, "it is exported", west)
    soon(lambda: is_ready(cluster, "east"), "it is imported", east)
    called = "shop-clusterset"
    soon(lambda: asked(cluster, east, called) == "west", "it answers from afar", east, west)
    derived = cluster.get("Service", called, "east")
    found = imported(cluster, "east")
    assert derived is not None
    assert found["spec"]["ips"] == derived["spec"]["clusterIPs"]
    assert found["metadata"]["annotations"][DERIVED_SERVICE] == called
    assert found["status"]["clusters"] == [{"cluster": "west"}]
    # The exporting site has an import, too, beside its own Service.
    soon(lambda: is_ready(cluster, "west"), "west imports it, too", west)
    assert cluster.get("Service", "shop-clusterset", "west") is not None
    own = cluster.get("Service", "shop", "west")
    assert own is not None and own["spec"]["selector"] == {"app": "shop"}
    assert cluster.get("Service", NAME, "east") is None, "it gets no Service of its other name"

    cluster.delete("ServiceExport", "shop", "west")
    for namespace, router in (("west", west), ("east", east)):
        soon(lambda n=namespace: not imported(cluster, n), "it goes", router)  # type: ignore[misc]
    soon(lambda: cluster.get("Service", called, "east") is None, "its Service goes", east)
    assert cluster.get("Service", "shop", "west") is not None


@pytest.mark.programs("kubectl")
def test_a_cluster_that_serves_v1alpha1_alone_imports_and_reports_in_it(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    west, east = linked(cluster, start, serve, multicluster.OLDER_KINDS)
    export(cluster, "west")

    soon(lambda: conditions(cluster, "west") == READY_EXPORT, "it is exported", west)
    soon(lambda: imported(cluster, "east").get("spec", {}).get("ips"), "it is imported", east)
    called = "shop-clusterset"
    soon(lambda: asked(cluster, east, called) == "west", "it answers from afar", east, west)
    found = imported(cluster, "east")
    assert found["apiVersion"] == "multicluster.x-k8s.io/v1alpha1"
    assert "ipFamilies" not in found["spec"], "its CRD does not know the field"
    soon(lambda: imported(cluster, "east").get("status"), "it has a status", east)
    assert imported(cluster, "east")["status"] == {"clusters": [{"cluster": "west"}]}
    assert not {"SW0428", "SW0493"} & (east.codes() | west.codes())
    cluster.delete("ServiceExport", "shop", "west")
    soon(lambda: not imported(cluster, "east"), "it goes", east)


@pytest.mark.programs("kubectl")
def test_an_import_lasts_as_long_as_one_site_exports(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    west, east = linked(cluster, start, serve)
    shop(cluster, "east", serve("east"), sessionAffinity="ClientIP")
    export(cluster, "west")
    soon(lambda: is_ready(cluster, "east"), "it is imported", east)
    first = cluster.get("ServiceExport", "shop", "west")
    assert first is not None
    # The older one counts, and a real server gives ages in whole seconds.
    soon(lambda: stamp_now() > first["metadata"]["creationTimestamp"], "a second is over")
    export(cluster, "east")

    both = [{"cluster": "east"}, {"cluster": "west"}]
    soon(lambda: clusters(cluster) == both, "both export", west)
    conflict = ("True", "SessionAffinityConflict,SessionAffinityConfigConflict")
    for namespace, router in (("west", west), ("east", east)):
        soon(
            lambda n=namespace: conditions(cluster, n).get("Conflict") == conflict,  # type: ignore[misc]
            f"{namespace} reports the conflict",
            router,
        )
        assert imported(cluster, namespace)["spec"]["sessionAffinity"] == "None", "west was first"
    cluster.delete("ServiceExport", "shop", "west")
    alone = [{"cluster": "east"}]
    soon(lambda: clusters(cluster) == alone, "one left", west)
    soon(lambda: asked(cluster, west, "shop-clusterset") == "east", "it answers", west, east)
    cluster.delete("ServiceExport", "shop", "east")
    soon(lambda: not imported(cluster, "west"), "it goes with the last", west)


@pytest.mark.programs("kubectl")
def test_nothing_is_said_or_made_for_a_site_that_takes_no_part_or_is_gone(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    west, east = linked(cluster, start, serve)
    export(cluster, "west")
    soon(lambda: conditions(cluster, "west") == READY_EXPORT, "it is exported", west)
    soon(lambda: is_ready(cluster, "east"), "it is imported", east)

    cluster.delete("ConfigMap", "skupper-site", "east")
    soon(lambda: "SW0109" in east.codes(), "east's router knows that its site is gone", east)
    cluster.delete("Service", "shop-clusterset", "east")  # As who ends the site does it.
    soon(lambda: not imported(cluster, "east"), "the import goes with its Service", east)
    stays(lambda: not imported(cluster, "east"), "the router makes no other", GONE_S)

    cluster.patch("ConfigMap", "skupper-site", {"data": {"mcs": "false"}}, "west")
    soon(lambda: not conditions(cluster, "west"), "it says no more that it is exported", west)


def test_an_export_is_ready_soon_where_the_rights_came_after_the_router(
    cluster: Cluster, start: Start
) -> None:
    multicluster.install(cluster)
    west = site(start, "west")
    service(cluster, "west")
    export(cluster, "west")
    soon(lambda: "SW0493" in west.codes(), "it says what is missing", west)
    bind(cluster, "west")
    soon(lambda: conditions(cluster, "west") == READY_EXPORT, "it is exported", west)


@pytest.mark.programs("kubectl")
def test_who_changed_an_exported_service_or_its_export_is_named(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    multicluster.install(cluster)
    bind(cluster, "west")
    west = site(start, "west")
    shop(cluster, "west", serve("west"))
    # A server records no writer of an object that sets nothing: then the author is unknown.
    export(cluster, "west", policy="fill")

    def said(field: str) -> str:
        events = west.get("events")
        changed = [one for one in events if one["code"] in ("document-changed", "capacity-changed")]
        return next((one["by"] for one in changed if field in one["message"]), "")

    soon(lambda: conditions(cluster, "west") == READY_EXPORT, "it is exported", west)
    _in_another_second()
    moved = '[{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]'
    kubectl(cluster, "west", "patch", "service", "shop", "--type", "json", "-p", moved)
    soon(lambda: said("ports 80 -> 81"), "its port is another one", west)
    assert said("ports 80 -> 81") == "kubectl-patch, field manager of Service/shop"
    _in_another_second()
    kubectl(cluster, "west", "annotate", "serviceexport", "shop", "spillway.dev/capacity=3")
    soon(lambda: said("capacity unset -> 3"), "its capacity is another one", west)
    assert said("capacity unset -> 3") == "kubectl-annotate, field manager of ServiceExport/shop"


def _in_another_second() -> None:
    """Field managers are recorded with whole seconds."""
    before = stamp_now()
    until(lambda: stamp_now() != before, "the next second has begun")


@pytest.mark.programs("kubectl")
def test_deleting_the_kinds_ends_nothing_and_without_rights_there_is_a_service_alone(
    cluster: Cluster, start: Start, serve: Serve
) -> None:
    multicluster.install(cluster)
    bind(cluster, "west")
    west, east = site(start, "west"), site(start, "east")
    link(cluster, west, east)
    shop(cluster, "west", serve("west"))
    export(cluster, "west")

    soon(lambda: asked(cluster, east, "shop") == "west", "it answers from afar", east, west)
    assert not imported(cluster, "east")
    soon(lambda: "SW0493" in east.codes(), "it says what is missing", east)
    cluster.undefine(*multicluster.KINDS)
    note = {"skupper.io/proxy": "tcp", "skupper.io/address": "later"}
    cluster.patch("Service", "shop", {"metadata": {"annotations": note}}, "west")
    soon(lambda: asked(cluster, east, "later") == "west", "what came later is there", east, west)
    assert asked(cluster, east, "shop") == "west", "what was exported stays exported"

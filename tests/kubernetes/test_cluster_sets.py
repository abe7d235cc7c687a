"""The required cases of the conformance suite of mcs-api, as two clusters of ours meet them.

Each cluster has a site controller for all namespaces and a cluster's site, and those are linked.
Whatever a test needs in a namespace, the controllers make.
"""

import http.client
import zlib
from collections.abc import Callable, Iterator

import pytest

from router.kubernetes.controller.cluster_set_sites import LINK
from router.kubernetes.multicluster.names import SOURCE_CLUSTER_LABEL
from router.kubernetes.objects import names
from router.kubernetes.services.endpoint_slices import MANAGER_LABEL
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.cluster_sets import (
    PLACE,
    ExportCase,
    cluster_set,
    is_ready,
    ports,
    take_part,
)
from tests.scenario.waiting import stays, until

NAMESPACE = "mcs-conformance-1"
WITHIN_S = 60.0
STAYS_S = 2.0
"""So long nothing may happen; the suite looks for 5 s."""
Pair = tuple[Cluster, Cluster]


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two clusters of a cluster set, with a namespace of one name that was made afterwards."""
    with cluster_set(tmp_path_factory.mktemp("clusters")) as made:
        for cluster in made:
            take_part(cluster, NAMESPACE)
        for cluster in made:
            soon(lambda c=cluster: is_ready(c, names.ROUTER, NAMESPACE), "its site")  # type: ignore[misc]
        yield made


@pytest.fixture
def case(clusters: Pair, request: pytest.FixtureRequest) -> ExportCase:
    """A Service of the test's own."""
    return ExportCase(clusters, NAMESPACE, f"hello-{zlib.crc32(request.node.name.encode())}")


def soon(look: Callable[[], object], what: str) -> None:
    until(look, what, WITHIN_S)


def answer(address: str) -> str:
    """What the pod there says; empty: nothing yet."""
    connection = http.client.HTTPConnection(address, 8080, timeout=5.0)
    try:
        connection.request("GET", "/hostname")
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def both_conflict(case: ExportCase) -> None:
    for cluster in case.clusters:
        soon(lambda c=cluster: case.condition(c, "Conflict") == "True", "a conflict")  # type: ignore[misc]


def test_an_import_exists_as_long_as_there_is_one_exporting_cluster(case: ExportCase) -> None:
    west, east = case.clusters
    case.deploy(west)
    case.export(west)
    soon(lambda: case.imported(west), "it is imported")
    case.deploy(east)
    case.export(east)
    stays(lambda: case.imported(west), "it stays imported beside the other", STAYS_S)
    case.unexport(west)
    stays(lambda: case.imported(west), "it stays imported from the other", STAYS_S)
    case.unexport(east)
    soon(lambda: not case.imported(west), "it goes")


def test_a_cluster_ip_service_makes_a_cluster_set_ip_import_in_each_cluster(
    case: ExportCase,
) -> None:
    west = case.west
    case.deploy(west)
    case.export(west)
    soon(lambda: case.condition(west, "Valid") == "True", "it is valid")
    for cluster in case.clusters:
        soon(lambda c=cluster: case.imported(c), "it is imported")  # type: ignore[misc]
        assert case.imported(cluster)["spec"]["type"] == "ClusterSetIP"
    case.unexport(west)
    for cluster in case.clusters:
        soon(lambda c=cluster: not case.imported(c), "it goes")  # type: ignore[misc]


def test_session_affinity_is_that_of_the_service(case: ExportCase) -> None:
    west = case.west
    service = case.deploy(west)
    case.export(west)
    soon(lambda: case.imported(west), "it is imported")
    found = case.imported(west)["spec"]
    for field in ("sessionAffinity", "sessionAffinityConfig"):
        assert found[field] == service["spec"][field]


@pytest.mark.parametrize(
    ("field", "value"),
    [("internalTrafficPolicy", "Cluster"), ("trafficDistribution", "PreferClose")],
)
def test_a_traffic_field_is_that_of_the_service(case: ExportCase, field: str, value: str) -> None:
    west = case.west
    case.deploy(west, **{field: value})
    case.export(west)
    soon(lambda: case.imported(west), "it is imported")
    assert case.imported(west)["spec"][field] == value


def test_an_address_for_each_family_in_their_order(case: ExportCase) -> None:
    west = case.west
    case.deploy(west)
    case.export(west)
    soon(lambda: case.imported(west).get("spec", {}).get("ips"), "it has addresses")
    spec = case.imported(west)["spec"]
    assert ["IPv6" if ":" in ip else "IPv4" for ip in spec["ips"]] == spec["ipFamilies"]


def test_ports_are_those_of_the_service(case: ExportCase) -> None:
    west = case.west
    service = case.deploy(west)
    case.export(west)
    soon(lambda: ports(case.imported(west)) == ports(service), "its ports")


def test_a_udp_port_is_on_the_import_and_the_conditions_say_that_it_is_not_carried(
    case: ExportCase,
) -> None:
    west, east = case.clusters
    case.deploy(west)
    case.export(west)
    lacking = "not carried: UDP 42 (routers carry only TCP)"
    soon(lambda: lacking in case.message(west, "ServiceExport"), "west's export says it")
    assert case.condition(west, "Ready") == "True"
    soon(lambda: lacking in case.message(east, "ServiceImport"), "east's import says it")
    assert ("udp", "UDP", 42) in ports(case.imported(east))
    assert case.condition(west, "Conflict") == "False"


def test_an_export_of_udp_alone_has_failed_and_is_not_imported(case: ExportCase) -> None:
    west, east = case.clusters
    case.deploy(west, ports=[{"name": "udp", "port": 42, "protocol": "UDP"}])
    case.export(west)
    soon(lambda: case.condition(west, "Ready") == "False", "it has failed")
    assert case.condition(west, "Valid") == "True"
    assert "since routers carry only TCP" in case.message(west, "ServiceExport")
    stays(lambda: not case.imported(east), "it is not imported in the other", STAYS_S)


def test_different_ports_are_a_union_and_a_conflict(case: ExportCase) -> None:
    west, east = case.clusters
    service = case.deploy(west)
    case.export(west)
    soon(lambda: case.imported(west), "west was first")
    tcp, sctp = service["spec"]["ports"][0], {"name": "stcp", "port": 142, "protocol": "SCTP"}
    case.deploy(east, ports=[tcp, sctp])
    case.export(east)
    both_conflict(case)
    union = ports(service) | {("stcp", "SCTP", 142)}
    soon(lambda: ports(case.imported(west)) == union, "the union")


def test_of_conflicting_ports_the_older_export_counts(case: ExportCase) -> None:
    west, east = case.clusters
    service = case.deploy(west)
    case.export(west)
    soon(lambda: case.imported(west), "west was first")
    case.deploy(east, ports=[{**service["spec"]["ports"][0], "port": 43}])
    case.export(east)
    both_conflict(case)
    soon(lambda: ports(case.imported(west)) == ports(service), "west's ports")


def test_a_headless_service_makes_a_headless_import_in_each_cluster(case: ExportCase) -> None:
    west = case.west
    case.deploy(west, clusterIP="None")
    case.export(west)
    for cluster in case.clusters:
        soon(lambda c=cluster: case.imported(c), "it is imported")  # type: ignore[misc]
        assert case.imported(cluster)["spec"]["type"] == "Headless"
    case.unexport(west)
    for cluster in case.clusters:
        soon(lambda c=cluster: not case.imported(c), "it goes")  # type: ignore[misc]


def test_a_headless_import_gets_no_address(case: ExportCase) -> None:
    west = case.west
    case.deploy(west, clusterIP="None")
    case.export(west)
    soon(lambda: case.imported(west), "it is imported")
    stays(lambda: not case.imported(west)["spec"].get("ips"), "it has no address", STAYS_S)


def test_each_pod_of_a_headless_service_answers_by_its_name_in_each_cluster(
    case: ExportCase,
) -> None:
    west = case.west
    case.deploy_pods(west, 2)
    case.export(west)
    hosts = {f"{case.name}-{at}" for at in (0, 1)}
    for cluster in case.clusters:
        soon(lambda c=cluster: case.hosts(c).keys() == hosts, "its pods are named")  # type: ignore[misc]
        for host, address in case.hosts(cluster).items():
            soon(lambda h=host, a=address: answer(a) == h, f"{host} answers")  # type: ignore[misc]
    west.patch("StatefulSet", case.name, {"spec": {"replicas": 1}}, NAMESPACE)
    for cluster in case.clusters:
        soon(lambda c=cluster: case.hosts(c).keys() == {f"{case.name}-0"}, "one goes")  # type: ignore[misc]
    case.unexport(west)
    for cluster in case.clusters:
        soon(lambda c=cluster: not case.slices(c), "its slices go")  # type: ignore[misc]


def test_an_export_makes_slices_with_the_labels_of_the_api_in_each_cluster(
    case: ExportCase,
) -> None:
    west = case.west
    case.deploy(west)
    case.export(west)
    for cluster in case.clusters:
        soon(lambda c=cluster: case.slices(c), "slices")  # type: ignore[misc]
        soon(lambda c=cluster: "ipFamilies" in case.imported(c)["spec"], "its families")  # type: ignore[misc]
        families = case.imported(cluster)["spec"]["ipFamilies"]
        assert {each["addressType"] for each in case.slices(cluster)} == set(families)
        (labels,) = {tuple(sorted(e["metadata"]["labels"].items())) for e in case.slices(cluster)}
        marked = dict(labels)
        assert marked[MANAGER_LABEL] == "spillway"
        soon(lambda c=cluster: case.imported(c).get("status"), "it has a status")  # type: ignore[misc]
        (source,) = case.imported(cluster)["status"]["clusters"]
        assert marked[SOURCE_CLUSTER_LABEL] == source["cluster"]
        assert set(case.hosts(cluster).values()) <= set(case.imported(cluster)["spec"]["ips"])
    case.unexport(west)
    for cluster in case.clusters:
        soon(lambda c=cluster: not case.slices(c), "they go")  # type: ignore[misc]


def test_an_external_name_is_not_valid_and_not_imported(case: ExportCase) -> None:
    west = case.west
    external = {"type": "ExternalName", "externalName": "example.com", "ipFamilyPolicy": None}
    case.deploy(west, **external)
    case.export(west)
    soon(lambda: case.condition(west, "Valid") == "False", "it is not valid")
    stays(lambda: not case.imported(west), "it is not imported", STAYS_S)


def test_of_conflicting_headlessness_the_older_export_counts(case: ExportCase) -> None:
    west, east = case.clusters
    case.deploy(west)
    case.export(west)
    soon(lambda: case.imported(west), "west was first")
    case.deploy(east, clusterIP="None")
    case.export(east)
    both_conflict(case)
    for cluster in case.clusters:
        assert case.imported(cluster)["spec"]["type"] == "ClusterSetIP"


def test_a_service_that_is_not_exported_is_not_reached_from_the_other_cluster(
    case: ExportCase,
) -> None:
    west, east = case.clusters
    case.deploy(west)
    stays(lambda: not case.imported(east), "it is not imported in the other", STAYS_S)
    assert case.service(east) is None


def test_only_exported_labels_and_annotations_are_on_the_import(case: ExportCase) -> None:
    west = case.west
    case.deploy(west)
    case.export(west, exportedLabels={"dummy-label": "true"}, exportedAnnotations={"dummy": "true"})
    soon(lambda: case.imported(west), "it is imported")
    metadata = case.imported(west)["metadata"]
    assert metadata["labels"]["dummy-label"] == "true" and "dummy-svc" not in metadata["labels"]
    assert metadata["annotations"]["dummy"] == "true"
    assert "dummy-svc" not in metadata["annotations"]


def test_a_namespace_that_no_longer_takes_part_loses_its_site_and_only_that(
    clusters: Pair,
) -> None:
    _, east = clusters
    take_part(east, "leaves")
    soon(lambda: is_ready(east, names.ROUTER, "leaves"), "its site")
    soon(lambda: east.get("Secret", LINK, "leaves"), "its link")
    assert east.get("Secret", "spillway-grant-mcs-leaves", PLACE) is not None
    left = ExportCase(clusters, "leaves", "left")
    left.deploy(east)
    left.export(east)
    soon(lambda: left.condition(east, "Ready") == "True", "its export")
    east.patch("Namespace", "leaves", {"metadata": {"labels": {"takes-part": "no"}}})
    for kind, name in (
        ("ConfigMap", names.SITE_CONFIGMAP),
        ("Deployment", names.ROUTER),
        ("Secret", LINK),
        ("Secret", names.IDENTITY_SECRET),
    ):
        soon(lambda k=kind, n=name: east.get(k, n, "leaves") is None, f"{kind} goes")  # type: ignore[misc]
    soon(lambda: east.get("Secret", "spillway-grant-mcs-leaves", PLACE) is None, "its claim goes")
    soon(lambda: not left.condition(east, "Ready"), "nothing says that it is exported")
    soon(lambda: not left.imported(east), "its import goes")
    assert east.get("Deployment", names.ROUTER, NAMESPACE) is not None

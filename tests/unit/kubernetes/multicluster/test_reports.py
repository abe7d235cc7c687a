from typing import Any

from router.kubernetes.multicluster import exported, imports, reports
from router.kubernetes.multicluster.names import network_name
from router.model.ids import ServiceKey
from router.model.messages.exports import CLUSTER_SET_IP, HEADLESS, ExportedPort, SiteExport
from tests.unit.kubernetes.multicluster.objects import (
    HTTP,
    NOW,
    export,
    reported,
    service,
    site_export,
    snapshot,
    stateful_set,
)

NAME = network_name("prod", "shop")


def report(*told: SiteExport, objects: Any = None, now: str = NOW) -> list[dict[str, Any]]:
    """The conditions of the one ServiceExport."""
    found = objects or snapshot(export(), service())
    reads = exported.read_all(found, "prod", "east")
    merged = imports.imported({NAME: told} if told else {}, "prod")
    (status,) = reports.statuses(reads, merged, {ServiceKey(NAME, 80)}, now).values()
    listed: list[dict[str, Any]] = status["conditions"]
    return listed


def conditions(*told: SiteExport, objects: Any = None) -> dict[str, tuple[str, str]]:
    listed = report(*told, objects=objects)
    assert all(one["message"].startswith("Spillway: ") for one in listed)
    return {one["type"]: (one["status"], one["reason"]) for one in listed}


def test_an_export_alone_is_ready_and_without_conflict() -> None:
    assert conditions(site_export()) == {
        "Valid": ("True", "Valid"),
        "Ready": ("True", "Exported"),
        "Conflict": ("False", "NoConflicts"),
    }


def test_an_export_is_known_to_the_network_whether_or_not_it_has_a_target_to_offer() -> None:
    (ready,) = (one for one in report(site_export()) if one["type"] == "Ready")
    assert ready["message"].startswith("Spillway: known to the network as service shop-")


def test_an_export_that_is_not_announced_yet_is_pending() -> None:
    assert conditions()["Ready"] == ("False", "Pending")


def test_an_export_without_service_is_not_valid() -> None:
    found = conditions(objects=snapshot(export()))

    assert found == {"Valid": ("False", "NoService"), "Ready": ("False", "Failed")}


def test_every_conflict_is_named_in_the_words_of_the_api() -> None:
    other = site_export(
        "west",
        2.0,
        kind=HEADLESS,
        ports=(ExportedPort(name="http", port=81),),
        labels={"a": "b"},
        annotations={"c": "d"},
        internal_traffic_policy="Local",
        traffic_distribution="PreferClose",
    )
    assert conditions(site_export(), other)["Conflict"] == (
        "True",
        "PortConflict,TypeConflict,AnnotationsConflict,LabelsConflict,"
        "InternalTrafficPolicyConflict,TrafficDistributionConflict",
    )
    affine = site_export("west", 2.0, affinity="ClientIP", affinity_timeout_s=10)
    assert conditions(site_export(), affine)["Conflict"] == (
        "True",
        "SessionAffinityConflict,SessionAffinityConfigConflict",
    )


def test_exports_of_different_families_are_no_conflict() -> None:
    other = site_export("west", 2.0, families=("IPv6",))

    assert conditions(site_export(), other)["Conflict"] == ("False", "NoConflicts")


def test_a_conflict_says_how_many_exports_disagree() -> None:
    told = (
        site_export(),
        site_export("north", 2.0),
        site_export("south", 3.0, labels={"a": "b"}),
        site_export("west", 4.0, traffic_distribution="PreferClose"),
    )
    merged = imports.imported({NAME: told}, "prod")[NAME]
    assert merged.conflict.startswith(
        "the exports differ in exportedLabels, trafficDistribution (2 of 4 disagree); those of east"
    )


def test_a_headless_export_says_how_many_pods_have_names() -> None:
    def said(*objects: dict[str, Any]) -> str:
        listed = report(site_export(kind=HEADLESS), objects=snapshot(export(), *objects))
        (ready,) = (one for one in listed if one["type"] == "Ready")
        assert ready["status"] == "True"
        return str(ready["message"])

    assert "pod" not in said(service()), "the Service here is not headless"
    headless = service(clusterIP="None")
    assert "no StatefulSet has serviceName shop" in said(headless)
    assert said(headless, stateful_set(2)).endswith("; 2 pods with a name in other clusters")
    many = said(headless, stateful_set(70))
    assert many.endswith("; 32 pods with a name in other clusters, 38 more have none")


def test_a_conflict_says_whose_values_count_and_why() -> None:
    reads = exported.read_all(snapshot(export(), service()), "prod")
    young = site_export("west", 2.0, is_owner=True, ports=(ExportedPort(name="http", port=81),))
    for told, why in (
        ((site_export(), young), "those of west count: it owns the name"),
        ((site_export(), site_export("west", 2.0, labels={"a": "b"})), "has the oldest export"),
    ):
        (finding,) = reports.findings(reads, imports.imported({NAME: told}, "prod"))
        assert why in finding.reason and finding.code == "SW0491"


def test_times_move_with_the_status_alone() -> None:
    objects = snapshot(export(), service())
    told = reported(objects, {("ServiceExport", "shop"): {"conditions": report(site_export())}})
    later = "2026-11-26T06:00:00Z"

    assert report(site_export(), objects=told, now=later) == report(site_export())
    other = site_export("west", 2.0, labels={"a": "b"})
    listed = report(site_export(), other, objects=told, now=later)
    times = {one["type"]: one["lastTransitionTime"] for one in listed}
    assert times == {"Valid": NOW, "Ready": NOW, "Conflict": later}


def test_conditions_of_other_types_stay() -> None:
    theirs = {"type": "example.com/Seen", "status": "True", "reason": "Yes", "message": ""}
    found = snapshot(export() | {"status": {"conditions": [theirs]}}, service())

    assert theirs in report(site_export(), objects=found)


def test_ports_that_are_not_carried_are_said() -> None:
    udp = {"name": "dns", "port": 53, "protocol": "UDP"}
    found = snapshot(export(), service("shop", {"name": "http", "port": 80}, udp))

    listed = report(site_export(), objects=found)
    (ready,) = (one for one in listed if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "Exported")
    assert ready["message"].endswith("not carried: UDP 53 (routers carry only TCP)")


def test_an_export_of_udp_alone_has_failed_and_says_why() -> None:
    found = snapshot(export(), service("shop", {"name": "dns", "port": 53, "protocol": "UDP"}))

    (ready,) = (one for one in report(objects=found) if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Failed")
    assert "it needs a TCP port, since routers carry only TCP" in ready["message"]


def test_exports_with_different_ports_make_a_union_and_conflict() -> None:
    sctp = ExportedPort(name="stcp", protocol="SCTP", port=142)
    other = site_export("west", 2.0, ports=(HTTP, sctp))

    assert conditions(site_export(), other)["Conflict"] == ("True", "PortConflict")
    merged = imports.imported({NAME: (site_export(), other)}, "prod")[NAME]
    assert merged.terms.ports == (HTTP, sctp)


def test_of_two_ports_with_one_name_the_older_counts() -> None:
    other = site_export("west", 0.5, ports=(ExportedPort(name="http", port=81),))

    assert conditions(site_export(), other)["Conflict"] == ("True", "PortConflict")
    merged = imports.imported({NAME: (site_export(), other)}, "prod")[NAME]
    assert merged.terms.ports == other.terms.ports


def test_a_headless_export_conflicts_with_an_older_one_that_is_not() -> None:
    headless = site_export("west", 2.0, kind=HEADLESS)

    assert conditions(site_export(), headless)["Conflict"] == ("True", "TypeConflict")
    merged = imports.imported({NAME: (site_export(), headless)}, "prod")[NAME]
    assert merged.terms.kind == CLUSTER_SET_IP

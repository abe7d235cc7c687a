from typing import Any

import msgspec
import pytest

from router.kubernetes.multicluster import imports
from router.kubernetes.multicluster.imports import ImportPlan, ImportState
from router.kubernetes.multicluster.named_pods import clusters_of
from router.kubernetes.multicluster.names import (
    API_VERSION,
    DERIVED_SERVICE,
    IMPORT,
    OLDER_VERSION,
    cluster_ids,
    network_name,
)
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Create, Delete, Patch
from router.kubernetes.objects.objects import Object, Snapshot
from router.kubernetes.services.adoption import ROUTERS
from router.model.ids import ServiceKey, SiteId
from router.model.messages.exports import HEADLESS, ExportedPort, Exports
from tests.unit.kubernetes.kept import seen
from tests.unit.kubernetes.multicluster.objects import (
    NOW,
    after,
    export,
    is_reported,
    reported,
    service,
    site_export,
    snapshot,
)

NAME = network_name("prod", "shop")
DERIVED = "shop-clusterset"
INNER = {ServiceKey(NAME, 80): 1024}


def state(found: Snapshot, **changes: Any) -> ImportState:
    known: dict[str, Any] = {"inner": INNER, "may_write": True, "now": NOW} | changes
    return ImportState(snapshot=found, namespace="prod", **known)


def settle(exports: Exports, found: Snapshot, **changes: Any) -> tuple[Snapshot, ImportPlan]:
    """What becomes of a namespace when all changes are made."""
    for _ in range(6):
        planned = imports.plan(exports, state(found, **changes))
        if not planned.changes and is_reported(found, planned.statuses):
            return found, planned
        found = reported(after(found, planned.changes), planned.statuses)
    raise AssertionError(planned.changes)


def get(found: Snapshot, kind: str, name: str = "shop") -> Object:
    each = found.get(kind, name)
    assert each is not None, found.objects
    return each


def test_an_import_has_the_addresses_of_a_service_that_leads_to_the_routers() -> None:
    found, planned = settle({NAME: (site_export(),)}, snapshot())

    derived, imported = get(found, "Service", DERIVED), get(found, IMPORT)
    assert derived["spec"]["selector"] == ROUTERS
    assert derived["spec"]["ports"] == [
        {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 1024}
    ]
    assert imported["spec"] == {
        "type": "ClusterSetIP",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "ips": ["10.0.0.1", "fd00::1"],
        "ipFamilies": ["IPv4", "IPv6"],
        "sessionAffinity": "None",
    }
    assert imported["metadata"]["annotations"][DERIVED_SERVICE] == DERIVED
    assert imported["status"]["clusters"] == [{"cluster": "east"}]
    (ready,) = imported["status"]["conditions"]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "True", "Ready")
    assert not planned.findings


def test_session_affinity_and_traffic_policy_are_those_of_the_export() -> None:
    terms: dict[str, Any] = {
        "affinity": "ClientIP",
        "affinity_timeout_s": 10,
        "internal_traffic_policy": "Local",
        "traffic_distribution": "PreferClose",
    }
    found, _ = settle({NAME: (site_export(**terms),)}, snapshot())

    config = {"clientIP": {"timeoutSeconds": 10}}
    spec = get(found, IMPORT)["spec"]
    assert (spec["sessionAffinity"], spec["sessionAffinityConfig"]) == ("ClientIP", config)
    assert spec["internalTrafficPolicy"] == "Local"
    assert spec["trafficDistribution"] == "PreferClose"
    derived = get(found, "Service", DERIVED)["spec"]
    assert (derived["sessionAffinity"], derived["sessionAffinityConfig"]) == ("ClientIP", config)


@pytest.mark.parametrize("api_version", [API_VERSION, OLDER_VERSION])
def test_an_import_is_written_in_the_version_that_the_cluster_serves(api_version: str) -> None:
    found, _ = settle({NAME: (site_export(),)}, snapshot(), api_version=api_version)

    assert get(found, IMPORT)["apiVersion"] == api_version


def test_a_field_that_an_old_version_of_the_kind_drops_is_not_written_again() -> None:
    exports: Exports = {NAME: (site_export(internal_traffic_policy="Local"),)}
    found, _ = settle(exports, snapshot(), api_version=OLDER_VERSION)
    dropped = dict(get(found, IMPORT))
    dropped["spec"] = {
        key: value
        for key, value in dropped["spec"].items()
        if key not in ("internalTrafficPolicy", "ipFamilies")
    }
    objects = dict(found.objects) | {IMPORT: {"shop": dropped}}
    old = seen("prod", objects)

    again = imports.plan(exports, state(old, api_version=OLDER_VERSION)).changes
    assert again == ()
    dropped["apiVersion"] = API_VERSION
    (change,) = imports.plan(exports, state(old)).changes
    assert isinstance(change, Patch)
    assert change.body["spec"]["internalTrafficPolicy"] == "Local", "the newer version keeps it"


def test_a_headless_import_has_no_addresses() -> None:
    found, _ = settle({NAME: (site_export(kind=HEADLESS),)}, snapshot())

    imported = get(found, IMPORT)
    assert imported["spec"]["type"] == HEADLESS and "ips" not in imported["spec"]
    (ready,) = imported["status"]["conditions"]
    assert ready["status"] == "True"
    assert ready["message"].endswith("it is headless, and its pods have no names here")


def test_a_users_service_keeps_its_name_and_the_derived_one_has_a_suffix() -> None:
    theirs = service()
    found, _ = settle({NAME: (site_export(),)}, snapshot(theirs, export()))

    assert get(found, "Service") == theirs
    assert get(found, "Service", DERIVED)["spec"]["selector"] == ROUTERS
    noted = get(found, IMPORT)["metadata"]["annotations"]
    assert noted[DERIVED_SERVICE] == DERIVED


def test_with_an_import_the_exported_name_stays_free_for_a_service_of_a_user() -> None:
    found, _ = settle({NAME: (site_export(),)}, snapshot())

    assert found.get("Service", "shop") is None and get(found, "Service", DERIVED)
    theirs = seen("prod", dict(found.objects) | {"Service": {"shop": service()}})
    again, _ = settle({NAME: (site_export(),)}, theirs)
    assert get(again, "Service") == service()


def test_without_an_import_the_service_has_the_exported_name_and_keeps_it() -> None:
    found, _ = settle({NAME: (site_export(),)}, snapshot(), may_write=False)
    assert get(found, "Service")["spec"]["selector"] == ROUTERS
    assert not found.of(IMPORT)

    allowed, _ = settle({NAME: (site_export(),)}, found)
    assert allowed.of("Service").keys() == {"shop"}
    assert get(allowed, IMPORT)["metadata"]["annotations"][DERIVED_SERVICE] == "shop"


def test_a_derived_service_keeps_its_name_when_the_better_one_is_free() -> None:
    found, _ = settle({NAME: (site_export(),)}, snapshot(service()))
    without = seen(
        "prod",
        dict(found.objects) | {"Service": {DERIVED: get(found, "Service", DERIVED)}},
    )

    assert settle({NAME: (site_export(),)}, without)[0] == without


def test_a_derived_service_that_somebody_applied_over_is_handed_over() -> None:
    found, _ = settle({NAME: (site_export(),)}, snapshot(), may_write=False)
    applied = dict(get(found, "Service"))
    applied["spec"] = applied["spec"] | {"selector": {**ROUTERS, "app": "shop"}}
    objects = dict(found.objects) | {"Service": {"shop": applied}}

    found, _ = settle({NAME: (site_export(),)}, seen("prod", objects))

    assert get(found, "Service")["spec"]["selector"] == {"app": "shop"}
    assert not get(found, "Service")["metadata"].get("labels")
    assert get(found, "Service", DERIVED)["spec"]["selector"] == ROUTERS


def test_a_foreign_import_is_not_touched() -> None:
    foreign = {
        "kind": IMPORT,
        "metadata": {"name": "shop", "labels": {"app.kubernetes.io/managed-by": "cilium"}},
        "spec": {"type": "ClusterSetIP", "ports": [], "ips": ["10.9.9.9"]},
    }
    found, planned = settle({NAME: (site_export(),)}, snapshot(foreign))

    assert get(found, IMPORT) == foreign
    assert [error.code for error in planned.findings] == ["SW0492"]
    assert settle({}, found)[0].get(IMPORT, "shop") == foreign


def test_without_the_right_there_is_the_service_alone() -> None:
    found, _ = settle({NAME: (site_export(),)}, snapshot(), may_write=False)

    assert get(found, "Service")["spec"]["selector"] == ROUTERS
    assert found.get(IMPORT, "shop") is None


def test_imports_of_other_namespaces_are_not_made() -> None:
    other = site_export(namespace="test")

    assert settle({network_name("test", "shop"): (other,)}, snapshot())[0] == snapshot()


def test_an_export_under_the_name_of_another_service_does_not_count() -> None:
    liar = site_export(service="bank")

    assert not imports.plan({NAME: (liar,)}, state(snapshot())).merged


def test_the_import_goes_with_the_last_export() -> None:
    both = (site_export("east"), site_export("west", 2.0))
    found, _ = settle({NAME: both}, snapshot())
    assert get(found, IMPORT)["status"]["clusters"] == [{"cluster": "east"}, {"cluster": "west"}]

    found, _ = settle({NAME: both[1:]}, found)
    assert get(found, IMPORT)["status"]["clusters"] == [{"cluster": "west"}]

    found, _ = settle({}, found)
    assert found.get(IMPORT, "shop") is None and found.get("Service", "shop") is None


def test_what_may_only_be_out_of_reach_stays() -> None:
    found, _ = settle({NAME: (site_export(),)}, snapshot())

    assert settle({}, found, is_settled=lambda name: False)[0] == found


def test_ports_that_are_not_carried_are_listed_and_said() -> None:
    ports = (
        ExportedPort(name="http", port=80),
        ExportedPort(name="dns", protocol="UDP", port=53),
        ExportedPort(name="admin", port=81),
    )
    found, _ = settle({NAME: (site_export(ports=ports),)}, snapshot())

    imported = get(found, IMPORT)
    assert [port["name"] for port in imported["spec"]["ports"]] == ["http", "dns", "admin"]
    (ready,) = imported["status"]["conditions"]
    lacking = "UDP 53 (routers carry only TCP), TCP 81 (not in the declaration that counts here)"
    assert ready["message"].endswith(f"not carried: {lacking}")


def test_labels_of_tools_and_of_ours_are_not_taken_from_others() -> None:
    labels = {"team": "a", "app.kubernetes.io/managed-by": "x", "argocd.argoproj.io/instance": "b"}
    notes = {DERIVED_SERVICE: "mine", "note": "c"}
    found, _ = settle({NAME: (site_export(labels=labels, annotations=notes),)}, snapshot())

    meta = get(found, IMPORT)["metadata"]
    assert meta["labels"]["team"] == "a" and "argocd.argoproj.io/instance" not in meta["labels"]
    assert meta["labels"]["app.kubernetes.io/managed-by"] == "spillway"
    assert meta["annotations"][DERIVED_SERVICE] == DERIVED

    found, _ = settle({NAME: (site_export(),)}, found)
    assert "team" not in get(found, IMPORT)["metadata"]["labels"]


def test_a_name_that_the_network_gives_to_another_service_is_not_taken() -> None:
    found, _ = settle({NAME: (site_export(),)}, snapshot(), taken={"shop"}, may_write=False)

    assert found.get("Service", "shop") is None
    assert get(found, "Service", DERIVED)


def test_no_free_name_is_a_finding() -> None:
    both = snapshot(service(), service(DERIVED))
    found, planned = settle({NAME: (site_export(),)}, both)

    assert found.of("Service") == both.of("Service")
    (finding,) = planned.findings
    assert finding.code == "SW0492"
    (ready,) = get(found, IMPORT)["status"]["conditions"]
    assert ready["status"] == "False"
    assert "Service shop-clusterset belongs to this namespace" in ready["message"]
    assert "Service shop belongs to this namespace and Service shop-clusterset belongs" in (
        finding.reason
    )
    assert finding.hint == "Rename Service shop-clusterset"


def test_a_finding_about_names_does_not_call_our_services_theirs() -> None:
    marked = {names.CLUSTERSET_LABEL: "other", names.MANAGED_BY_LABEL: names.MANAGED_BY}
    ours, made = service("shop"), service(DERIVED)
    ours["metadata"]["labels"] = marked
    made["metadata"]["labels"] = {names.SERVICE_LABEL: DERIVED}
    for each in (ours, made):
        each["spec"]["selector"] = dict(ROUTERS)
    planned = imports.plan({NAME: (site_export(),)}, state(snapshot(ours, made), may_write=False))
    (finding,) = [each for each in planned.findings if each.code == "SW0492"]
    assert "belongs" not in finding.reason
    assert f"Service {DERIVED} leads to another service of the network" in finding.reason
    assert finding.hint == f"Rename the service that Service {DERIVED} leads to"


def test_a_finding_about_names_says_what_has_each_of_them() -> None:
    own = export("shop")
    taken = {DERIVED}
    _, planned = settle({NAME: (site_export(),)}, snapshot(own), taken=taken, may_write=False)
    (finding,) = [each for each in planned.findings if each.code == "SW0492"]
    assert "ServiceExport shop exports that name from this namespace" in finding.reason
    assert "shop-clusterset is the name of another service here" in finding.reason
    assert "belongs" not in finding.reason
    assert finding.hint == "Rename service shop-clusterset"


@pytest.mark.parametrize("site", ["East.1", "east@0123abcd", "e" * 63, "été"])
def test_sites_become_labels_of_clusters(site: str) -> None:
    (label,) = cluster_ids({SiteId("a"): site}).values()

    assert len(label) <= 63 and label == label.lower()
    assert label.isascii() and label.replace("-", "").isalnum()


def test_sites_of_one_name_are_clusters_of_different_ids() -> None:
    sites = {
        SiteId(f"{at}123456789"): name for at, name in enumerate(["e" * 63, "E" * 63, "", "x"])
    }
    found = cluster_ids(sites)

    assert len(set(found.values())) == 3 and found[SiteId("3123456789")] == "x"
    assert all(len(label) <= 63 for label in found.values())


@pytest.mark.parametrize("name", ["east", "e" * 60])
def test_no_name_of_a_site_is_the_id_of_another_cluster(name: str) -> None:
    one, *rest = (SiteId(f"{at:02}{'f' * 30}") for at in range(5))
    sites = {one: f"{name}."}
    for site in rest:
        sites[site] = cluster_ids(sites)[one]
        found = cluster_ids(sites)
        assert len(set(found.values())) == len(sites)
        assert all(len(label) <= 63 for label in found.values())


@pytest.mark.parametrize("name", ["east", "e" * 60])
def test_a_site_of_the_same_name_renames_no_pods_of_the_owner(name: str) -> None:
    owner, *rest = (SiteId(f"{at:02}{'f' * 30}") for at in range(4))
    sites = {owner: name}
    (label,) = cluster_ids(sites).values()
    for site in rest:
        sites[site] = sites[owner]
        found = cluster_ids(sites, owner)
        assert found[owner] == label and len(set(found.values())) == len(sites)
    told = [
        msgspec.structs.replace(site_export(site, is_owner=site == owner), site_name=name)
        for site in sites
    ]
    assert clusters_of(reversed(told))[owner] == label


def test_changes_wait_until_the_routers_listen() -> None:
    planned = imports.plan({NAME: (site_export(),)}, state(snapshot()))
    made = next(each for each in planned.changes if each.kind == "Service")

    assert isinstance(made, Create) and made.needs == ((ServiceKey(NAME, 80), 1024),)
    assert not any(isinstance(each, Delete) for each in planned.changes)


def test_a_service_that_is_not_exported_is_not_imported() -> None:
    assert settle({}, snapshot(service()))[0] == snapshot(service())

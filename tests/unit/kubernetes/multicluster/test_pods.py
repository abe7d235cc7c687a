"""Pods of headless services by name, and the EndpointSlices that name them."""

from typing import Any

import msgspec
import pytest

from router.kubernetes.multicluster import exported, imports, slices
from router.kubernetes.multicluster.exported import ReadExport
from router.kubernetes.multicluster.named_pods import named_pods, names_in
from router.kubernetes.multicluster.names import (
    SERVICE_NAME_LABEL,
    SOURCE_CLUSTER_LABEL,
    network_name,
    pod_network_name,
)
from router.kubernetes.objects.objects import Object, Snapshot
from router.kubernetes.services import endpoint_slices, headless
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.messages.exports import HEADLESS, Exports, SiteExport, terms_are_bad
from router.model.specs import ConnectorSpec, ServiceSpec
from tests.unit.kubernetes.kept import kept
from tests.unit.kubernetes.multicluster.objects import (
    export,
    service,
    site_export,
    snapshot,
    stateful_set,
)
from tests.unit.kubernetes.multicluster.test_imports import settle

NAME = network_name("prod", "shop")
HEAD = "shop-clusterset"


def read(*objects: Object, site: str = "east") -> ReadExport:
    (found,) = exported.read_all(snapshot(export(), *objects), "prod", site)
    return found


def pod(host: str, site: str = "east") -> str:
    return pod_network_name(NAME, site, host)


def with_pods(site: str, *hosts: str, **changes: Any) -> SiteExport:
    return site_export(site, kind=HEADLESS, pods=hosts, pods_site=site, **changes)


def inner(*sites: SiteExport) -> dict[ServiceKey, int]:
    names = [NAME, *sorted(names_in({NAME: sites}))]
    return {ServiceKey(name, 80): 1024 + at for at, name in enumerate(names)}


def settled(*told: SiteExport, found: Snapshot | None = None, **changes: Any) -> Snapshot:
    known: dict[str, Any] = {"inner": inner(*told), "may_slice": True} | changes
    exports: Exports = {NAME: told} if told else {}
    return settle(exports, snapshot() if found is None else found, **known)[0]


def message(found: Snapshot) -> str:
    (ready,) = found.of("ServiceImport")["shop"]["status"]["conditions"]
    return str(ready["message"])


def endpoints(found: Snapshot, called: str) -> list[tuple[str, str]]:
    """Name and address of each endpoint."""
    listed = found.of("EndpointSlice")[called]["endpoints"]
    return [(each.get("hostname", ""), each["addresses"][0]) for each in listed]


def test_names_of_pods_leave_half_of_the_listeners_to_services() -> None:
    found = exported.read_all(
        snapshot(
            *(export(name) for name in ("cart", "shop")),
            *(service(name, clusterIP="None") for name in ("cart", "shop")),
            stateful_set(20, "carts", "cart"),
            stateful_set(20, "shops", "shop"),
        ),
        "prod",
        "east",
    )
    named = [len(one.terms.pods) for one in found if one.terms is not None]
    assert named == [20, 12]
    assert [one.unnamed for one in found] == [0, 8]


def test_pods_of_several_ports_have_a_listener_for_each() -> None:
    several = [{"name": f"p{at}", "port": at, "protocol": "TCP"} for at in (80, 81, 82)]
    found = read(service("shop", *several, clusterIP="None"), stateful_set(20))
    assert found.terms is not None
    assert len(found.terms.pods) == limits.EXPORTED_POD_LISTENERS_MAX // 3


def test_each_pod_of_a_headless_service_is_a_service_of_the_network() -> None:
    port = {"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}
    found = read(service("shop", port, clusterIP="None"), stateful_set(2))

    assert found.terms is not None
    assert (found.terms.pods, found.terms.pods_site) == (("db-0", "db-1"), "east")
    assert not terms_are_bad(found.terms)
    specs = {(each.kind, each.name): each.spec for each in found.documents}
    assert specs["Service", pod("db-1")] == ServiceSpec(ports=(80,))
    assert specs["Connector", pod("db-1")] == ConnectorSpec(
        service=pod("db-1"),
        workload="pods/statefulset.kubernetes.io/pod-name=db-1",
        target_ports=("web",),
    )
    assert len(specs) == 6


def test_a_pods_target_port_is_that_of_the_tcp_port() -> None:
    tcp = {"name": "dns", "port": 53, "targetPort": 5353, "protocol": "TCP"}
    found = read(
        service(
            "shop",
            tcp,
            tcp | {"name": "udp", "targetPort": 5354, "protocol": "UDP"},
            clusterIP="None",
        ),
        stateful_set(1),
    )

    (spec,) = (e.spec for e in found.documents if (e.kind, e.name) == ("Connector", pod("db-0")))
    assert isinstance(spec, ConnectorSpec) and spec.target_ports == (5353,)


def test_pods_of_another_service_or_of_one_with_an_address_have_no_names() -> None:
    other = read(service(clusterIP="None"), stateful_set(2, service="other"))
    plain = read(service(), stateful_set(2))

    for found in (other, plain):
        assert found.terms is not None and not found.terms.pods and len(found.documents) == 2


def test_a_pod_is_a_service_at_which_the_slice_of_its_cluster_names_it() -> None:
    found = settled(with_pods("east", "db-0", "db-1"), with_pods("west", "db-0"))

    made = found.of("Service")
    assert made.keys() == {
        HEAD,
        "db-0-east-clusterset",
        "db-1-east-clusterset",
        "db-0-west-clusterset",
    }
    address = made["db-0-west-clusterset"]["spec"]["clusterIP"]
    assert endpoints(found, f"{NAME}-west-ipv4") == [("db-0", address)]
    assert [host for host, _ in endpoints(found, f"{NAME}-east-ipv4")] == ["db-0", "db-1"]
    (one, six) = (found.of("EndpointSlice")[f"{NAME}-west-{each}"] for each in ("ipv4", "ipv6"))
    assert (one["addressType"], six["addressType"]) == ("IPv4", "IPv6")
    marked = one["metadata"]["labels"]
    assert marked[SERVICE_NAME_LABEL] == "shop" and marked[SOURCE_CLUSTER_LABEL] == "west"
    assert marked[endpoint_slices.MANAGER_LABEL] == "spillway"
    assert headless.SERVICE_NAME_LABEL not in marked, "kube-proxy would follow it"
    (owner,) = one["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("ServiceImport", "shop")
    assert one["ports"] == [{"name": "http", "port": 80, "protocol": "TCP"}]
    assert message(found).endswith(
        "; 3 pods by name: POD.CLUSTER before its name in clusterset.local"
    )


def test_without_the_right_on_slices_each_pod_has_a_service_and_the_condition_says_so() -> None:
    found = settled(with_pods("east", "db-0"), may_slice=False)

    assert "db-0-east-clusterset" in found.of("Service") and not found.of("EndpointSlice")
    assert "Service POD-CLUSTER-clusterset alone" in message(found)


def test_slices_of_an_import_with_an_address_have_that_of_the_derived_service() -> None:
    found = settled(site_export(), site_export("west", 2.0))

    address = found.of("Service")[HEAD]["spec"]["clusterIP"]
    assert found.of("EndpointSlice").keys() == {
        f"{NAME}-{site}-{family}" for site in ("east", "west") for family in ("ipv4", "ipv6")
    }
    for site in ("east", "west"):
        assert endpoints(found, f"{NAME}-{site}-ipv4") == [("", address)]


def test_a_headless_import_of_pods_without_names_leads_to_any_of_them() -> None:
    found = settled(site_export(kind=HEADLESS))

    address = found.of("Service")[HEAD]["spec"]["clusterIP"]
    assert endpoints(found, f"{NAME}-east-ipv4") == [("", address)]


def test_what_is_no_longer_exported_goes() -> None:
    both = (with_pods("east", "db-0", "db-1"), with_pods("west", "db-0"))
    found = settled(*both)
    fewer = settled(with_pods("east", "db-0"), both[1], found=found)
    assert "db-1-east-clusterset" not in fewer.of("Service")
    assert [host for host, _ in endpoints(fewer, f"{NAME}-east-ipv4")] == ["db-0"]
    alone = settled(both[0], found=found)
    assert {name for name in alone.of("EndpointSlice") if "west" in name} == set()
    assert "db-0-west-clusterset" not in alone.of("Service")
    nothing = settled(found=found)
    assert not any(nothing.of(kind) for kind in ("Service", "EndpointSlice", "ServiceImport"))


def test_while_a_cluster_is_out_of_reach_its_pods_keep_their_services_without_a_slice() -> None:
    told = with_pods("east", "db-0")
    found = settled(told)
    remembered = SiteExport(site=SiteId(""), terms=told.terms, made_at_s=told.made_at_s)
    away = settled(remembered, found=found)

    assert away.of("Service") == found.of("Service")
    assert not away.of("EndpointSlice")
    assert settled(told, found=away).of("EndpointSlice").keys() == found.of("EndpointSlice").keys()


def test_before_exports_were_heard_of_slices_stay() -> None:
    found = settled(with_pods("east", "db-0"))

    assert settled(found=found, is_settled=lambda name: False) == found


def test_a_site_that_tells_pods_of_another_one_names_none() -> None:
    told = site_export("west", kind=HEADLESS, pods=("db-0",), pods_site="east")

    assert named_pods(NAME, [told]) == [] and names_in({NAME: (told,)}) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"pods": ("db.0",)},
        {"pods": ("db-0", "db-0")},
        {"pods": tuple(f"db-{at}" for at in range(limits.EXPORTED_PODS_MAX + 1))},
        {"pods_site": "e" * 64},
    ],
)
def test_terms_with_pods_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    told = with_pods("east", "db-0").terms

    assert not terms_are_bad(told)
    assert terms_are_bad(msgspec.structs.replace(told, **changes))


def test_a_pods_name_is_never_that_of_a_service() -> None:
    assert len(pod("db-0").rpartition("-")[2]) != len(NAME.rpartition("-")[2])
    assert len(pod("x" * 63)) <= 63


def test_a_service_of_a_user_keeps_the_name_of_a_pods_one() -> None:
    theirs = service("db-0-east-clusterset")
    told = with_pods("east", "db-0")
    planned = settle({NAME: (told,)}, snapshot(theirs), inner=inner(told), may_slice=True)

    assert planned[0].of("Service")["db-0-east-clusterset"] == theirs
    (error,) = planned[1].findings
    assert error.code == "SW0492" and "pod db-0 of the service shop" in error.reason


def test_a_slice_of_somebody_else_stays() -> None:
    theirs: Object = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{NAME}-east-ipv4"},
        "endpoints": [],
    }
    found = settled(site_export(), found=snapshot(theirs))

    assert found.of("EndpointSlice")[f"{NAME}-east-ipv4"] == kept(theirs)
    assert not slices.is_ours(theirs)


def test_names_of_pods_are_imported_and_get_no_service_of_their_own_name() -> None:
    told: Exports = {NAME: (with_pods("east", "db-0"),)}

    assert imports.names_of(imports.imported(told, "prod")) == {NAME, pod("db-0")}
    assert names_in(told) == {pod("db-0")}

from typing import Any

import pytest

from router.kubernetes.multicluster import exported
from router.kubernetes.multicluster.exported import ReadExport
from router.kubernetes.multicluster.names import network_name
from router.kubernetes.services.adoption import ROUTERS
from router.model.messages.exports import HEADLESS, ExportedPort
from router.model.settings import Affinity
from router.model.specs import ConnectorSpec, ServiceSpec, SitePolicySpec
from tests.unit.kubernetes.multicluster.objects import export, service, snapshot

TCP = {"name": "http", "port": 80, "protocol": "TCP"}
UDP = {"name": "dns", "port": 53, "protocol": "UDP"}


def read(*objects: dict[str, Any]) -> ReadExport:
    (found,) = exported.read_all(snapshot(*objects), "prod")
    return found


def specs(found: ReadExport) -> dict[str, Any]:
    return {document.kind: document.spec for document in found.documents}


def test_an_export_offers_the_tcp_ports_of_its_service() -> None:
    found = read(export(), service("shop", TCP, UDP))

    name = network_name("prod", "shop")
    assert found.valid is not None and (found.valid.is_true, found.valid.reason) == (True, "Valid")
    assert specs(found) == {
        "Service": ServiceSpec(ports=(80,)),
        "Connector": ConnectorSpec(service=name, workload="service/shop", target_ports=(80,)),
    }
    assert found.documents[0].name == name
    assert found.documents[0].declared_at_s is not None
    assert found.left_out == (ExportedPort(name="dns", protocol="UDP", port=53),)
    ((code, severity, reason),) = [(e.code, e.severity, e.reason) for e in found.errors]
    assert (code, severity) == ("SW0494", "info")
    assert "ServiceImports of shop list UDP 53" in reason


def test_terms_say_everything_that_exports_must_agree_on() -> None:
    found = read(
        export(exportedLabels={"team": "a"}, exportedAnnotations={"note": "b"}),
        service(
            "shop",
            TCP | {"appProtocol": "http"},
            sessionAffinity="ClientIP",
            sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10}},
            internalTrafficPolicy="Local",
            trafficDistribution="PreferClose",
            ipFamilies=["IPv4", "IPv6"],
        ),
    )

    assert found.terms is not None
    assert found.terms.affinity == "ClientIP" and found.terms.affinity_timeout_s == 10
    assert found.terms.internal_traffic_policy == "Local"
    assert found.terms.traffic_distribution == "PreferClose"
    assert found.terms.families == ("IPv4", "IPv6")
    assert (found.terms.labels, found.terms.annotations) == ({"team": "a"}, {"note": "b"})
    assert specs(found)["Service"] == ServiceSpec(
        protocol="http", ports=(80,), affinity=Affinity(by="client")
    )


def test_a_headless_service_is_exported_as_headless() -> None:
    found = read(export(), service(clusterIP="None"))

    assert found.terms is not None and found.terms.kind == HEADLESS


@pytest.mark.parametrize(
    ("found", "reason", "step"),
    [
        ([], "NoService", "Make Service shop"),
        (
            [service(type="ExternalName", externalName="example.com")],
            "InvalidServiceType",
            "Export a Service that selects the pods",
        ),
        ([service(selector=ROUTERS)], "NoService", "Export a Service that selects the pods"),
    ],
)
def test_an_export_without_a_usable_service_is_not_valid_and_has_a_next_step(
    found: list[Any], reason: str, step: str
) -> None:
    read_export = read(export(), *found)

    assert read_export.valid is not None
    assert (read_export.valid.is_true, read_export.valid.reason) == (False, reason)
    assert not read_export.documents and read_export.terms is None
    (error,) = read_export.errors
    assert error.code == "SW0490" and step in error.hint


def test_an_export_without_a_tcp_port_is_valid_and_offers_nothing() -> None:
    found = read(export(), service("shop", UDP))

    assert found.valid is not None and found.valid.is_true
    assert not found.documents and found.terms is None
    (error,) = found.errors
    assert "Service shop has 1 port, 0 of them TCP; it needs a TCP port" in error.reason


def test_an_export_that_another_controller_reports_on_is_left_alone() -> None:
    theirs = {"type": "Ready", "status": "True", "reason": "Exported", "message": "done"}
    found = read(export() | {"status": {"conditions": [theirs]}}, service())

    assert found.valid is None and not found.documents
    assert found.errors[0].severity == "info"


def test_annotations_of_the_export_set_capacity_and_policy() -> None:
    notes = {
        "skupper.io/proxy": "http",
        "spillway.dev/capacity": "2",
        "spillway.dev/site-capacity": "10",
        "spillway.dev/policy": "spread",
    }
    found = export()
    found["metadata"]["annotations"] = notes
    read_export = read(found, service())

    kinds = specs(read_export)
    assert not read_export.errors
    assert kinds["Service"].protocol == "http" and kinds["Service"].policy.name == "spread"
    assert kinds["Connector"].capacity == 2
    assert kinds["Policy"] == SitePolicySpec(service=network_name("prod", "shop"), site_capacity=10)


def test_metadata_too_large_for_every_site_to_hear_is_not_exported() -> None:
    found = read(export(exportedLabels={"a": "b" * 3_000}), service())

    assert found.terms is not None and not found.terms.labels
    assert found.errors[0].severity == "warning"


def test_names_of_the_network_tell_namespaces_apart() -> None:
    assert network_name("a", "b-c") != network_name("a-b", "c")
    assert len(network_name("n" * 63, "s" * 63)) <= 63

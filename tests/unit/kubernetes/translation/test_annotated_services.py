"""Annotated Services of every kind, as they are and as routers left them."""

from typing import Any

import pytest

from router.kubernetes.services import adoption
from router.model.specs import ConnectorSpec, ServiceSpec
from tests.unit.kubernetes.namespace_objects import (
    connectors_of,
    made,
    picture,
    service,
    services_of,
    told,
    workload,
)


def with_notes(found: Any, notes: dict[str, str], **labels: str) -> Any:
    found["metadata"]["annotations"].update(notes)
    found["metadata"]["labels"].update(
        {f"spillway.dev/{key}": value for key, value in labels.items()}
    )
    return found


def test_an_annotated_service_has_its_own_pods_as_targets() -> None:
    found = picture(service("web", 80, {"port": 443, "targetPort": "https"}, proxy="tcp"))
    assert services_of(found) == {"web": ServiceSpec(protocol="tcp", ports=(80, 443))}
    assert connectors_of(found) == {
        "web-service-web": ConnectorSpec(
            service="web", workload="service/web", target_ports=(80, 443)
        )
    }
    assert found.wishes["web"].source == "Service/web"


def test_ports_of_other_transports_are_no_ports_of_ours() -> None:
    web = service("web", 80, {"port": 53, "protocol": "UDP"}, proxy="tcp")
    assert services_of(picture(web))["web"].ports == (80,)


def test_the_port_annotation_has_no_effect_on_a_service() -> None:
    found = picture(service("web", 80, proxy="tcp", port="90"))
    assert services_of(found)["web"].ports == (80,)
    assert told(found) == [("SW0409", "Service/web", "[skupper.io/port]")]


def test_a_service_without_ports_needs_http() -> None:
    assert services_of(picture(service("web", proxy="http")))["web"].ports == (80,)
    found = picture(service("web", proxy="tcp"))
    assert told(found) == [("SW0410", "Service/web", "spec.ports")]
    of_udp = picture(service("web", {"port": 53, "protocol": "UDP"}, proxy="tcp"))
    (error,) = of_udp.errors
    assert error.reason.startswith("expected a TCP port")


def test_a_service_without_selector_has_its_endpoints_as_targets() -> None:
    web = service("web", 80, spec={"selector": None}, proxy="tcp")
    assert connectors_of(picture(web))["web-service-web"].workload == "service/web"


def test_an_external_name_stands_for_its_host() -> None:
    spec = {"type": "ExternalName", "externalName": "db.example.com", "selector": None}
    found = picture(service("db", 5432, spec=spec, proxy="tcp"))
    assert connectors_of(found)["db-service-db"] == ConnectorSpec(
        service="db", workload="service/db", target_ports=(5432,)
    )


@pytest.mark.parametrize("host", ["db", "db.shop", "db.shop.svc.cluster.local", "db.shop.svc."])
def test_an_external_name_that_is_the_service_itself_has_no_targets(host: str) -> None:
    spec = {"type": "ExternalName", "externalName": host}
    found = picture(service("db", 5432, spec=spec, proxy="tcp"))
    assert connectors_of(found) == {}
    assert told(found) == [("SW0412", "Service/db", "spec.externalName")]


def test_a_target_of_another_name_leaves_that_service_alone() -> None:
    found = picture(service("api", 80, proxy="tcp", target="backend"), service("backend", 8080))
    assert connectors_of(found)["api-service-api"] == ConnectorSpec(
        service="api", workload="service/backend", target_ports=(8080,)
    )
    assert list(found.wishes) == ["api"]
    assert found.errors == ()


def test_a_target_of_another_namespace_keeps_the_ports() -> None:
    found = picture(service("api", 80, proxy="tcp", target="backend.other"))
    assert connectors_of(found)["api-service-api"] == ConnectorSpec(
        service="api", workload="service/backend.other", target_ports=(80,)
    )
    assert found.errors == ()


@pytest.mark.parametrize("target", ["api", "api.shop", "api.shop.svc"])
def test_a_target_of_the_same_name_is_the_service_itself_and_never_loops(target: str) -> None:
    found = picture(service("api", 80, proxy="tcp", target=target))
    assert connectors_of(found)["api-service-api"].workload == "service/api"


def test_a_target_with_the_name_of_the_address_is_that_service_as_it_was() -> None:
    found = picture(service("a", 80, proxy="tcp", address="b", target="b"), service("b", 80))
    assert connectors_of(found)["b-service-a"].workload == "service/b"


def test_a_target_that_the_router_made_would_loop() -> None:
    led = with_notes(service("b", 80), {}, service="b")
    found = picture(service("a", 80, proxy="tcp", target="b"), led)
    assert connectors_of(found) == {}
    assert told(found) == [("SW0412", "Service/a", "[skupper.io/target]")]


def test_a_target_that_is_not_there_yet_is_waited_for() -> None:
    found = picture(service("a", 80, proxy="tcp", target="b"))
    assert connectors_of(found)["a-service-a"].workload == "service/b"
    assert found.errors == ()


def test_ports_of_a_target_are_matched_by_number_then_by_name() -> None:
    named = [{"port": 8080, "name": "web"}, {"port": 9090, "name": "metrics"}]
    by_name = picture(
        service(
            "a",
            {"port": 90, "name": "metrics"},
            {"port": 80, "name": "web"},
            proxy="tcp",
            target="b",
        ),
        service("b", *named),
    )
    assert connectors_of(by_name)["a-service-a"].target_ports == (9090, 8080)
    by_number = picture(service("a", 9090, proxy="tcp", target="b"), service("b", *named))
    assert connectors_of(by_number)["a-service-a"].target_ports == (9090,)
    neither = picture(service("a", 1, 2, proxy="tcp", target="b"), service("b", *named))
    assert told(neither) == [("SW0410", "Service/a", "[skupper.io/target]")]
    assert neither.documents == ()


def test_a_target_that_is_no_name_is_told_and_the_own_pods_are_used() -> None:
    found = picture(service("a", 80, proxy="tcp", target="10.0.0.5"))
    assert connectors_of(found)["a-service-a"].workload == "service/a"
    assert told(found) == [("SW0408", "Service/a", "[skupper.io/target]")]


def test_ingress_only_has_no_targets() -> None:
    found = picture(service("a", 80, proxy="tcp", ingress_only="true"))
    assert list(services_of(found)) == list(found.wishes) == ["a"]
    assert connectors_of(found) == {}
    assert connectors_of(picture(service("a", 80, proxy="tcp", ingress_only="false")))


def test_an_adopted_service_counts_as_what_it_was() -> None:
    web = service("web", {"port": 80, "targetPort": "http"}, proxy="tcp")
    adopted = adoption.adopt(web, {80: 1024, 8081: 1025}, "web", is_asked=True)
    assert adopted["spec"] != web["spec"]
    found = picture(dict(adopted))
    assert found == picture(web)
    assert services_of(found)["web"].ports == (80,)


def test_an_adopted_service_that_nobody_can_read_any_more_has_no_targets() -> None:
    web = service("web", 80, proxy="tcp")
    adopted = adoption.adopt(web, {80: 1024}, "web", is_asked=True)
    spoilt = with_notes(dict(adopted), {"spillway.dev/original": "{"})
    assert picture(spoilt).documents == ()


def test_a_service_that_the_router_made_is_no_service_again() -> None:
    led = with_notes(service("web", 80, proxy="tcp"), {}, service="web")
    assert picture(led).documents == ()


def test_what_skupper_made_is_no_service_of_ours() -> None:
    selector = {"selector": {"skupper.io/component": "router"}}
    led = service("web", 80, spec=selector, proxy="tcp")
    assert picture(led).documents == ()
    controlled = with_notes(
        service("web", 80, proxy="tcp"), {"internal.skupper.io/controlled": "true"}
    )
    assert picture(controlled).documents == ()


def test_what_skupper_rewrote_and_left_counts_as_what_it_was() -> None:
    notes = {
        "internal.skupper.io/originalSelector": "app=web,tier=front",
        "internal.skupper.io/originalTargetPort": "80:8080",
    }
    selector = {"selector": {"skupper.io/component": "router"}}
    web = service("web", {"port": 80, "targetPort": 1024}, spec=selector, proxy="tcp")
    found = picture(with_notes(web, notes))
    assert connectors_of(found)["web-service-web"] == ConnectorSpec(
        service="web", workload="pods/app=web,tier=front", target_ports=(8080,)
    )


def test_a_deployment_and_its_service_may_both_be_annotated() -> None:
    found = picture(workload("web", 80, proxy="tcp"), service("web", 80, proxy="tcp"))
    assert list(connectors_of(found)) == ["web-deployment-web", "web-service-web"]
    assert found.errors == ()


def test_service_controller_false_leaves_annotations_alone() -> None:
    site = made("ConfigMap", "skupper-site", data={"service-controller": "false"})
    found = picture(site, service("web", 80, proxy="tcp"), workload("api", 80, proxy="bad"))
    assert [d.kind for d in found.documents] == ["Site"]
    assert found.errors == ()

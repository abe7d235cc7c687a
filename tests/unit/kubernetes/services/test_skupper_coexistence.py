"""A namespace in which Skupper runs too."""

from typing import Any

from tests.unit.kubernetes.namespace_objects import (
    config_map,
    documents,
    made,
    picture,
    service,
    services_of,
    told,
    workload,
)

ROUTER = made("Deployment", "skupper-router")
CONTROLLER = made("Deployment", "skupper-service-controller")
TO_SKUPPER = {"selector": {"skupper.io/component": "router"}}
LEFT = [("SW0414", "Deployment/web", "[skupper.io/proxy]")]


def web() -> Any:
    return workload("web", 80, proxy="http")


def test_what_skupper_answers_for_is_left_to_it_with_one_quiet_word() -> None:
    for led in (service("web", 80, spec=TO_SKUPPER), config_map("skupper-services", {"web": "{}"})):
        found = picture(ROUTER, led, web(), workload("api", 80, proxy="http"))
        assert list(services_of(found)) == list(found.wishes) == ["api"]
        assert told(found) == LEFT
        assert found.errors[0].severity == "info"


def test_with_its_service_controller_all_that_is_annotated_is_left_to_it() -> None:
    found = picture(ROUTER, CONTROLLER, web())
    assert (found.documents, told(found)) == ((), LEFT)


def test_what_says_that_it_is_migrated_is_ours() -> None:
    found = picture(ROUTER, CONTROLLER, workload("web", 80, proxy="http", own_migrated="true"))
    assert list(services_of(found)) == ["web"]
    assert found.errors == ()


def test_what_documents_name_is_ours() -> None:
    text = (
        "apiVersion: spillway/v1\nkind: Service\nname: web\nspec: {protocol: http, ports: [80]}\n"
    )
    found = picture(ROUTER, CONTROLLER, web(), documents("own", text))
    assert [(d.kind, d.source) for d in found.documents] == [
        ("Service", "ConfigMap/own[all.yaml]"),
        ("Connector", "Deployment/web"),
    ]


def test_leftovers_of_skupper_hold_nobody_back() -> None:
    going = made("Deployment", "skupper-router")
    going["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    for gone in ([], [CONTROLLER], [going]):
        found = picture(*gone, web(), config_map("skupper-services", {"web": "{}"}))
        assert list(services_of(found)) == ["web"]


def test_skuppers_own_tokens_are_left_to_it() -> None:
    token = made(
        "Secret",
        "to-east",
        {"skupper.io/site-version": "1.9.1", "skupper.io/generated-by": "uid"},
        labels={"skupper.io/type": "connection-token"},
    )
    assert told(picture(ROUTER, token)) == [
        ("SW0414", "Secret/to-east", "[skupper.io/site-version]")
    ]
    assert list(picture(token).tokens) == ["to-east"]

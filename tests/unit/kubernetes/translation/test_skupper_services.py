"""ConfigMap skupper-services, as Skupper 1.9 writes it."""

import json
from typing import Any

import pytest

from router.kubernetes.translation import skupper_services
from router.kubernetes.translation.skupper_services import ANNOTATION, Definition
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, ServiceSpec
from tests.unit.kubernetes.namespace_objects import config_map


def read(**services: Any) -> tuple[dict[str, Definition], tuple[ConfigError, ...]]:
    data = {
        address: text if isinstance(text, str) else json.dumps({"address": address} | text)
        for address, text in services.items()
    }
    return skupper_services.read(config_map("skupper-services", data), "shop")


def sole(definition: dict[str, Any]) -> tuple[Definition, dict[str, Any]]:
    found, errors = read(backend=definition)
    assert errors == ()
    return found["backend"], {d.name: d.spec for d in found["backend"].documents}


TARGET = {"name": "backend", "selector": "app=backend", "targetPorts": {"8080": 80}}


def test_a_definition_is_a_service_and_a_connector_for_each_target() -> None:
    other = {"name": "old", "service": "old.legacy"}
    definition, documents = sole(
        {"protocol": "http", "ports": [8080], "targets": [TARGET, other], "labels": {"a": "b"}}
    )
    assert documents == {
        "backend": ServiceSpec(protocol="http", ports=(8080,)),
        "backend-pods-backend": ConnectorSpec(
            service="backend", workload="pods/app=backend", target_ports=(80,)
        ),
        "backend-service-old": ConnectorSpec(
            service="backend", workload="service/old.legacy", target_ports=(8080,)
        ),
    }
    assert definition.origin == ""
    assert definition.wish is not None and definition.wish.labels == {"a": "b"}


def test_a_service_of_this_namespace_is_named_without_it() -> None:
    target = {"name": "old", "service": "old", "namespace": "shop"}
    _, documents = sole({"protocol": "tcp", "ports": [1], "targets": [target]})
    assert documents["backend-service-old"].workload == "service/old"


def test_what_came_from_other_sites_is_not_ours() -> None:
    definition, _ = sole({"protocol": "tcp", "ports": [1], "targets": [], "origin": "site-uid"})
    assert definition.origin == "site-uid"
    annotated, _ = sole({"protocol": "tcp", "ports": [1], "targets": [], "origin": "annotation"})
    assert annotated.origin == ANNOTATION


def test_further_settings_are_read() -> None:
    definition, documents = sole(
        {
            "protocol": "http2",
            "ports": [1],
            "targets": [TARGET],
            "tlsCredentials": "skupper-tls-backend",
            "tlsCertAuthority": "skupper-service-client",
            "publishNotReadyAddresses": True,
            "exposeIngress": "Never",
            "headless": {"name": "db", "size": 2},
        }
    )
    assert documents["backend"].tls_cert == "skupper-tls-backend"
    connector = documents["backend-pods-backend"]
    assert (connector.tls_trust, connector.not_ready) == ("skupper-service-client", True)
    assert definition.wish is not None
    assert (definition.wish.is_made, definition.wish.stateful_set) == (False, "db")


@pytest.mark.parametrize("obstacle", [{"aggregate": "json"}, {"eventchannel": True}])
def test_what_spillway_does_not_do_is_an_obstacle(obstacle: dict[str, Any]) -> None:
    found, errors = read(backend={"protocol": "http", "ports": [1], "targets": []} | obstacle)
    assert found["backend"].documents == ()
    assert len(found["backend"].obstacles) == 1
    (error,) = errors
    (field,) = obstacle
    assert (error.code, error.path) == ("SW0417", f"data.backend.{field}")


def test_older_definitions_have_one_port() -> None:
    target = {"name": "backend", "selector": "app=backend", "targetPort": 80}
    _, documents = sole({"protocol": "tcp", "port": 8080, "targets": [target]})
    assert documents["backend"].ports == (8080,)
    assert documents["backend-pods-backend"].target_ports == (80,)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "1", {}, {"protocol": "udp", "ports": [1]}, {"protocol": "tcp", "ports": [0]}],
)
def test_what_cannot_be_read_is_told_and_takes_nothing_with_it(text: Any) -> None:
    good = {"protocol": "tcp", "ports": [1], "targets": []}
    found, errors = read(bad=text, good=good)
    assert list(found) == ["good"]
    assert errors
    assert all(error.source == "ConfigMap/skupper-services" for error in errors)
    assert all(error.path.startswith("data.bad") for error in errors)


def test_a_target_that_cannot_be_read_is_left_out() -> None:
    found, errors = read(backend={"protocol": "tcp", "ports": [1], "targets": [3, {}, TARGET]})
    assert [d.name for d in found["backend"].documents] == ["backend", "backend-pods-backend"]
    assert [error.path for error in errors] == [
        "data.backend.targets[0]",
        "data.backend.targets[1]",
    ]

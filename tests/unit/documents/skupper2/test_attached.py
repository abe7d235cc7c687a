"""AttachedConnectors of the site's own namespace are Connectors; others are refused with a way."""

import pytest

from router.model.specs import ConnectorSpec
from tests.unit.documents.skupper2.test_translate import NAMESPACE, of, specs, text_of

SPEC = "siteNamespace: shop\nselector: app=db\nport: 5432"


def attached(more: str = "", name: str = "db") -> str:
    return text_of("AttachedConnector", name, f"{SPEC}\n{more}")


def binding(namespace: str = "shop", key: str = "shop.db", name: str = "db") -> str:
    spec = f"connectorNamespace: {namespace}\nroutingKey: {key}"
    return text_of("AttachedConnectorBinding", name, spec)


@pytest.mark.parametrize("text", [attached() + binding(), binding() + attached()])
def test_both_in_one_namespace_make_one_connector(text: str) -> None:
    found = of(text, NAMESPACE)
    assert found.errors == found.notes == ()
    (service,) = [name for kind, name in specs(found) if kind == "Service"]
    assert specs(found)["Connector", "db"] == ConnectorSpec(
        service=service, workload="pods/app=db", target_ports=(5432,)
    )


def test_its_credential_means_what_it_means_to_skupper() -> None:
    found = of(attached("tlsCredentials: t\nuseClientCert: true") + binding(), NAMESPACE)
    connector = specs(found)["Connector", "db"]
    assert connector.tls_trust == "t"
    assert (connector.tls_check_name, connector.tls_show_cert) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        attached() + binding("workloads"),
        attached().replace("name: db", "name: db\n  namespace: workloads") + binding("workloads"),
    ],
)
def test_pods_of_another_namespace_are_refused_with_the_commands_that_reach_them(text: str) -> None:
    (error,) = of(text, NAMESPACE).errors
    assert error.path == "spec.siteNamespace"
    assert "pods of namespace workloads are not selected from shop" in error.reason
    assert "a Service for app=db with port 5432" in error.hint
    assert "sitectl service bind k-" in error.hint and "service NAME.workloads" in error.hint


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (attached(), "AttachedConnectorBinding/db"),
        (binding(), "AttachedConnector/db"),
        (attached() + binding(name="other"), "AttachedConnectorBinding/db"),
    ],
)
def test_one_without_the_other_is_refused(text: str, missing: str) -> None:
    error = of(text, NAMESPACE).errors[0]
    assert error.path == "metadata.name" and missing in error.reason


def test_a_host_has_no_pods() -> None:
    for text in (attached(), binding()):
        (error,) = of(text).errors
        assert "a host has no pods" in error.reason


def test_a_connector_of_the_same_name_counts_and_the_pair_is_refused() -> None:
    connector = text_of("Connector", "db", "routingKey: db\nselector: a=b\nport: 1")
    found = of(connector + attached() + binding(), NAMESPACE)
    (error,) = found.errors
    assert "another object makes Connector db" in error.reason
    assert specs(found)["Connector", "db"].workload == "pods/a=b"


def test_what_is_wrong_with_one_half_is_said_once() -> None:
    text = attached() + binding().replace("routingKey: shop.db", "routingKey: ''")
    (error,) = of(text, NAMESPACE).errors
    assert error.path == "spec.routingKey" and "AttachedConnectorBinding/db" in error.reason

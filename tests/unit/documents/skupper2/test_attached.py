"""AttachedConnectors with their bindings are Connectors, also for pods of another namespace."""

import pytest

from router.documents.skupper2.keys import service_of
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


def placed(text: str, namespace: str) -> str:
    """The object with its namespace."""
    return text.replace("name: db\n", f"name: db\n  namespace: {namespace}\n", 1)


@pytest.mark.parametrize(
    "text",
    [
        attached() + binding("workloads"),
        placed(attached(), "workloads") + binding("workloads"),
        placed(attached(), "workloads") + placed(binding("workloads"), "shop"),
        # One of the same name in another namespace is not the one that the binding names.
        placed(attached(), "workloads")
        + placed(binding("workloads"), "shop")
        + placed(attached().replace("port: 5432", "port: 1"), "others"),
    ],
)
def test_pods_of_another_namespace_are_selected_where_both_name_each_other(text: str) -> None:
    found = of(text, NAMESPACE)
    assert specs(found)["Connector", "db"] == ConnectorSpec(
        service=service_of("shop.db"),
        workload="pods/app=db",
        namespace="workloads",
        target_ports=(5432,),
    )
    reasons = [error.reason for error in found.errors]
    assert all("does not allow AttachedConnector in others (only workloads)" in r for r in reasons)


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        (
            placed(attached(), "workloads") + placed(binding("workloads"), "west"),
            "spec.siteNamespace",
            "is in namespace west, and this names shop",
        ),
        (
            attached() + binding("Work_loads"),
            "spec.connectorNamespace",
            "is no namespace",
        ),
    ],
)
def test_objects_that_do_not_agree_select_nothing(text: str, path: str, reason: str) -> None:
    found = of(text, NAMESPACE)
    (error,) = found.errors
    assert (error.path, error.code) == (path, "SW0113")
    assert reason in error.reason
    assert ("Connector", "db") not in specs(found)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (attached(), "No matching AttachedConnectorBinding in site namespace"),
        (binding(), "No matching AttachedConnector"),
        (attached() + binding(name="other"), "No matching AttachedConnectorBinding"),
        (
            placed(attached(), "others") + placed(binding("workloads"), "shop"),
            "No matching AttachedConnector",
        ),
    ],
)
def test_one_without_the_other_is_refused(text: str, missing: str) -> None:
    errors = of(text, NAMESPACE).errors
    assert [e for e in errors if e.path == "metadata.name" and missing in e.reason], errors
    assert all("Make Attached" in e.hint for e in errors if e.path == "metadata.name")


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

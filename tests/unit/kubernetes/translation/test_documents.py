"""ConfigMaps whose values are documents."""

from datetime import UTC, datetime
from typing import Any

import pytest

from router.documents import resolve
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.translation.memo import Memo
from router.kubernetes.translation.translate import translate
from router.model import limits
from router.model.specs import ConnectorSpec, Document, ServiceSpec, SiteSpec
from tests.unit.kubernetes.namespace_objects import (
    config_map,
    connectors_of,
    documents,
    picture,
    services_of,
    snapshot,
    told,
    workload,
)

SERVICE = "apiVersion: spillway/v1\nkind: Service\nname: db\nspec: {ports: [5432]}\n"
CONNECTOR = """apiVersion: spillway/v1
kind: Connector
name: db-pods
spec: {service: db, workload: statefulset/db, targetPorts: [pg]}
"""


def test_documents_stand_in_every_key_that_ends_in_yaml() -> None:
    found = picture(documents("own", f"{SERVICE}---\n{CONNECTOR}"))
    assert services_of(found) == {"db": ServiceSpec(ports=(5432,))}
    assert connectors_of(found) == {
        "db-pods": ConnectorSpec(service="db", workload="statefulset/db", target_ports=("pg",))
    }
    assert [(d.source, d.line) for d in found.documents] == [
        ("ConfigMap/own[all.yaml]", 1),
        ("ConfigMap/own[all.yaml]", 6),
    ]
    assert found.wishes["db"].source == "ConfigMap/own[all.yaml]"
    assert found.wishes["db"].consent
    assert found.errors == ()


def test_an_error_has_object_key_line_and_column() -> None:
    found = picture(documents("own", SERVICE.replace("5432", "x")))
    (error,) = found.errors
    assert (error.source, error.line, error.column) == ("ConfigMap/own[all.yaml]", 4, 16)


def test_a_config_map_without_the_label_is_somebody_elses() -> None:
    assert picture(config_map("own", {"all.yaml": SERVICE})).documents == ()


@pytest.mark.parametrize("value", ["yes", "True", ""])
def test_a_label_whose_value_means_nothing_is_told_and_nothing_is_read(value: str) -> None:
    label = {"spillway.dev/documents": value}
    found = picture(config_map("own", {"all.yaml": SERVICE}, labels=label))
    assert found.documents == ()
    assert told(found) == [
        ("SW0415", "ConfigMap/own", "metadata.labels[spillway.dev/documents]"),
    ]
    label = {"spillway.dev/documents": "false"}
    off = picture(config_map("own", {"all.yaml": SERVICE}, labels=label))
    assert (off.documents, off.errors) == ((), ())


def test_other_keys_and_values_are_told() -> None:
    label = {"spillway.dev/documents": "true"}
    found = picture(config_map("own", {"a.yml": SERVICE, "b.yaml": 3}, labels=label))
    assert told(found) == [
        ("SW0415", "ConfigMap/own", "data[a.yml]"),
        ("SW0415", "ConfigMap/own", "data[b.yaml]"),
    ]
    assert found.errors[0].hint == "Name it a.yaml"
    shapeless: Any = ["a"]
    assert told(picture(config_map("own", shapeless, labels=label))) == [
        ("SW0415", "ConfigMap/own", "data")
    ]


def test_a_site_document_is_refused() -> None:
    found = picture(documents("own", "apiVersion: spillway/v1\nkind: Site\nname: west\n"))
    assert found.documents == ()
    assert told(found) == [("SW0415", "ConfigMap/own[all.yaml]", "$.kind")]


def test_a_listener_none_makes_no_service() -> None:
    listener = (
        "apiVersion: spillway/v1\nkind: Listener\nname: l\nspec: {service: db, listen: none}\n"
    )
    found = picture(documents("own", f"{SERVICE}---\n{listener}"))
    assert not found.wishes["db"].is_made


def test_annotations_hold_for_all_services_of_the_config_map() -> None:
    notes = {
        "skupper.io/service-labels": "tier=data",
        "skupper.io/headless": "true",
        "skupper.io/ingress": "Never",
    }
    found = picture(documents("own", f"{SERVICE}---\n{CONNECTOR}", annotations=notes))
    wish = found.wishes["db"]
    assert (wish.labels, wish.stateful_set, wish.is_made) == ({"tier": "data"}, "db", False)


def test_two_config_maps_with_one_document_are_both_kept_for_resolve_to_judge() -> None:
    found = picture(documents("b", SERVICE), documents("a", SERVICE))
    assert [d.source for d in found.documents] == ["ConfigMap/a[all.yaml]", "ConfigMap/b[all.yaml]"]
    assert found.wishes["db"].source == "ConfigMap/a[all.yaml]"


def test_what_is_remembered_is_what_would_be_read() -> None:
    memo = Memo()
    first, second = documents("a", SERVICE), documents("b", CONNECTOR)
    changed = documents("a", SERVICE.replace("5432", "5433"))
    for objects in ([first, second], [first], [changed, second], [first, second], []):
        found = snapshot(objects)
        assert translate(found, memo=memo) == translate(found)


def test_it_does_not_matter_in_how_many_config_maps_a_service_stands() -> None:
    label = {"spillway.dev/documents": "true"}
    listener = (
        "apiVersion: spillway/v1\nkind: Listener\nname: db\nspec: {service: db, listen: none}\n"
    )
    parts = {
        "a": (SERVICE, {"skupper.io/service-labels": "tier=web"}),
        "b": (CONNECTOR, {"skupper.io/headless": "true"}),
        "c": (listener, {}),
    }
    for order in ("abc", "cba"):
        found = picture(
            *(
                config_map(f"{place}-{name}", {"x.yaml": text}, labels=label, annotations=notes)
                for place, name in enumerate(order)
                for text, notes in (parts[name],)
            )
        )
        (wish,) = found.wishes.values()
        assert (wish.labels, wish.stateful_set, wish.is_made) == ({"tier": "web"}, "db", False)


def declared_at(found: NamespacePicture) -> dict[str, str]:
    """When each Service counts as declared, as a router sees it."""
    wanted, _ = resolve([Document(kind="Site", name="west", spec=SiteSpec()), *found.documents])
    assert wanted is not None
    return {
        name: datetime.fromtimestamp(at, UTC).date().isoformat()
        for name, at in wanted.declared_at_s.items()
    }


def test_a_service_is_as_old_as_the_object_that_declares_it_so_every_pod_says_the_same() -> None:
    shop = SERVICE.replace("db", "shop")
    older = workload("db", 5432, at="2021-01-01T00:00:00Z", proxy="tcp")
    younger = workload("db-2", 5432, at="2022-01-01T00:00:00Z", proxy="tcp", address="db")
    found = picture(documents("own", shop, at="2023-01-01T00:00:00Z"), younger, older)
    assert declared_at(found) == {"shop": "2023-01-01", "db": "2021-01-01"}
    both = picture(documents("own", SERVICE, at="2023-01-01T00:00:00Z"), younger, older)
    assert declared_at(both) == {"db": "2021-01-01"}


def test_an_object_that_contradicts_makes_a_service_no_older() -> None:
    other = workload("db", 80, at="2021-01-01T00:00:00Z", proxy="http")
    found = picture(documents("own", SERVICE, at="2023-01-01T00:00:00Z"), other)
    assert declared_at(found) == {"db": "2023-01-01"}


def test_an_object_that_nobody_dated_leaves_it_to_the_router_to_remember() -> None:
    for stamp in ("", "yesterday", "2023-01-01T00:00:00"):
        assert declared_at(picture(documents("own", SERVICE, at=stamp))) == {}
        assert declared_at(picture(workload("db", 80, at=stamp, proxy="tcp"))) == {}


def test_who_adds_more_documents_than_can_be_read_takes_nothing_from_the_older_ones() -> None:
    memo = Memo()
    old = documents("z-old", SERVICE)
    old["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    filling = "# " + "x" * (limits.CONFIG_FILE_BYTES_MAX - 100) + "\n"
    many = []
    for number in range(4):
        each = documents(f"a-{number}", filling + SERVICE.replace("db", f"new-{number}"))
        each["metadata"]["creationTimestamp"] = f"2026-01-02T00:00:0{number}Z"
        many.append(each)
    found = translate(snapshot([old, *many]), memo=memo)
    assert set(services_of(found)) == {"db", "new-0"}
    assert [(e.source, e.code) for e in found.errors] == [
        (f"ConfigMap/a-{number}", "SW0415") for number in (1, 2, 3)
    ]
    room = translate(snapshot([old, *many[1:]]), memo=memo)  # The oldest of them is gone.
    assert set(services_of(room)) == {"db", "new-1"}


V2_LISTENER = """
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata: {name: db}
spec: {routingKey: shop.v2/db, host: store, port: 5432}
"""
V2_CONNECTOR = """
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata: {name: db}
spec: {routingKey: shop.v2/db, selector: app=db, port: 5432}
"""


def test_yaml_of_skupper_v2_counts_as_it_is_in_one_config_map_or_in_two() -> None:
    whole = picture(documents("own", f"{V2_LISTENER}---{V2_CONNECTOR}"))
    parts = picture(documents("a", V2_LISTENER), documents("b", V2_CONNECTOR))
    for found in (whole, parts):
        assert found.errors == () and resolve(found.documents)[1] == []
        assert sorted(d.kind for d in found.documents) == ["Connector", "Listener", "Service"]
        (spec,) = services_of(found).values()
        assert spec.routing_key == "shop.v2/db"


def test_of_skupper_v2_in_a_config_map_what_has_no_effect_is_told() -> None:
    site = "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: west}\nspec: {ha: true}\n"
    found = picture(documents("own", f"{site}---{V2_LISTENER.replace('5432', 'x')}"))
    told_of = {(error.code, error.severity) for error in found.errors}
    assert {("SW0113", "error"), ("SW0415", "warning")} <= told_of
    assert found.documents == ()


def test_grants_and_tokens_of_skupper_v2_in_a_config_map_are_left_to_the_command() -> None:
    head = "apiVersion: skupper.io/v2alpha1\nmetadata: {name: east}\n"
    grant = f"{head}kind: AccessGrant\nspec: {{}}\n"
    text = f"{grant}---{V2_LISTENER}"
    found = picture(documents("own", text))
    (told,) = [error.reason for error in found.errors if error.severity == "warning"]
    assert told.startswith("AccessGrant/east is left out")

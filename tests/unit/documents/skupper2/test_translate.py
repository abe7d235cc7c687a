"""Objects of Skupper v2 make the documents that their authors meant, or a named error."""

from typing import Any

import pytest

from router.documents import read, resolve, write
from router.documents.skupper2 import V2Translation, fields, read_objects, translate
from router.documents.skupper2.keys import service_of
from router.documents.skupper2.translate import Place
from router.model.specs import ConnectorSpec, Document, ListenerSpec, ServiceSpec, SiteSpec
from router.model.wording.routing_key_names import NOMINAL_PORT

HEAD = "apiVersion: skupper.io/v2alpha1\n"
HOST: Place = "host"
NAMESPACE: Place = "namespace"


def text_of(kind: str, name: str, spec: str) -> str:
    body = "\n".join(f"  {line}" for line in spec.strip().split("\n"))
    return f"{HEAD}kind: {kind}\nmetadata:\n  name: {name}\nspec:\n{body}\n---\n"


def of(text: str, place: Place = HOST) -> V2Translation:
    objects, errors = read_objects(text, "v2.yaml")
    assert errors == []
    return translate(objects, place)


def specs(found: V2Translation) -> dict[tuple[str, str], Any]:
    return {(d.kind, d.name): d.spec for d in found.documents}


CONNECTOR = text_of("Connector", "backend", "routingKey: db\nhost: 10.0.0.7\nport: 5432")
LISTENER = text_of("Listener", "front", "routingKey: db\nhost: 127.0.0.1\nport: 15432")


def test_a_listener_and_a_connector_of_one_key_share_one_service() -> None:
    found = of(CONNECTOR + LISTENER)
    assert found.errors == found.notes == ()
    service = ServiceSpec(ports=(NOMINAL_PORT,), routing_key="db")
    assert specs(found)["Service", "db"] == service
    assert specs(found)["Listener", "front"] == ListenerSpec(service="db", listen="127.0.0.1:15432")
    connector = specs(found)["Connector", "backend"]
    assert (connector.service, connector.targets[0].host) == ("db", "10.0.0.7")
    assert connector.targets[0].ports == (5432,)


def test_the_order_of_objects_does_not_matter() -> None:
    assert specs(of(CONNECTOR + LISTENER)) == specs(of(LISTENER + CONNECTOR))


def test_what_is_made_is_read_back_and_fits_together() -> None:
    site = Document(kind="Site", name="west", spec=SiteSpec())
    documents = of(CONNECTOR + LISTENER).documents
    for one in documents:
        again, errors = read(write(one), "again")
        assert errors == [] and again[0].spec == one.spec
    wanted, errors = resolve([site, *documents])
    assert errors == [] and wanted is not None
    assert set(wanted.services) == {"db"}


@pytest.mark.parametrize("key", ["db.shop:5432", "Ünï", "UPPER", "a" * 64, "db_primary"])
def test_a_key_that_is_no_label_has_a_service_of_another_name_and_keeps_its_text(key: str) -> None:
    found = of(text_of("Connector", "c", f"routingKey: '{key}'\nhost: db.test\nport: 1"))
    ((kind, name),) = [place for place in specs(found) if place[0] == "Service"]
    assert name == service_of(key) and name.startswith("k-") and kind == "Service"
    assert specs(found)[kind, name].routing_key == key


def test_no_listener_is_made_unless_a_listener_says_so() -> None:
    assert not [d for d in of(CONNECTOR).documents if d.kind == "Listener"]


def test_in_a_namespace_a_listener_is_a_service_of_its_host_and_pods_are_selected() -> None:
    text = text_of("Listener", "front", "routingKey: db\nhost: database\nport: 5432") + text_of(
        "Connector",
        "c",
        "routingKey: db\nselector: app=db,tier in (a, b)\nport: 5432\nincludeNotReadyPods: true",
    )
    found = of(text, NAMESPACE)
    assert found.errors == ()
    listener = specs(found)["Listener", "front"]
    assert (listener.service, listener.host, listener.listen) == ("db", "database", "5432")
    connector = specs(found)["Connector", "c"]
    assert connector.workload == "pods/app=db,tier in (a, b)"
    assert (connector.target_ports, connector.not_ready) == ((5432,), True)


@pytest.mark.parametrize(
    ("further", "checks", "shows"),
    [
        ("", False, False),
        ("verifyHostname: true", True, False),
        ("useClientCert: true", False, True),
    ],
)
def test_a_credential_means_what_it_means_to_skupper(
    further: str, checks: bool, shows: bool
) -> None:
    spec = f"routingKey: db\nhost: db.test\nport: 1\ntlsCredentials: db-tls\n{further}"
    connector = specs(of(text_of("Connector", "c", spec)))["Connector", "c"]
    assert isinstance(connector, ConnectorSpec)
    assert connector.tls_trust == "db-tls"
    assert (connector.tls_check_name, connector.tls_show_cert) == (checks, shows)


@pytest.mark.parametrize(
    ("spec", "place", "expected"),
    [
        ("{}", HOST, ("none", False, 1)),
        ("linkAccess: none", HOST, ("none", False, 1)),
        ("linkAccess: default", HOST, ("host", False, 1)),
        ("linkAccess: default", NAMESPACE, ("loadbalancer", False, 1)),
        ("linkAccess: route\nha: true", NAMESPACE, ("route", False, 2)),
        ("linkAccess: local", NAMESPACE, ("none", False, 1)),
        ("edge: true", NAMESPACE, ("none", True, 1)),
    ],
)
def test_a_site_is_asked_for(spec: str, place: Place, expected: tuple[str, bool, int]) -> None:
    found = of(text_of("Site", "west", spec), place)
    assert found.errors == () and found.site is not None
    assert (found.site.ingress, found.site.edge, found.site.routers) == expected


def test_a_router_access_makes_a_host_accept_links_in_either_order() -> None:
    access = text_of(
        "RouterAccess",
        "ra",
        "roles: [{name: inter-router, port: 7000}, {name: edge}]\nbindHost: 10.1.1.1\n"
        "tlsCredentials: t\nsubjectAlternativeNames: [west.test]",
    )
    site = text_of("Site", "west", "linkAccess: none")
    for text in (access + site, site + access):
        request = of(text).site
        assert request is not None
        assert (request.ingress, request.port, request.bind_ip) == ("host", 7000, "10.1.1.1")
        assert request.hosts == ("west.test",)


WRONG = [
    (text_of("Site", "a.b", "{}"), "metadata.name", "no name"),
    (text_of("Site", "a", "{}") + text_of("Site", "b", "{}"), "metadata.name", "a second Site"),
    (text_of("Site", "a", "edge: true\nha: true"), "spec.edge", "one router"),
    (text_of("Site", "a", "linkAccess: gateway"), "spec.linkAccess", "not possible here"),
    (text_of("Listener", "l", "host: 127.0.0.1\nport: 1"), "spec.routingKey", "is missing"),
    (text_of("Listener", "l", "routingKey: k\nhost: 127.0.0.1"), "spec.port", "is missing"),
    (text_of("Listener", "l", "routingKey: k\nhost: db\nport: 1"), "spec.host", "no address"),
    (
        text_of("Listener", "l", "routingKey: k\nhost: localhost\nport: 0"),
        "spec.port",
        "expected a port",
    ),
    (
        text_of("Listener", "l", "routingKey: k\nhost: localhost\nport: 1\ntype: udp"),
        "spec.type",
        "not possible",
    ),
    (
        text_of("Listener", "l", "routingKey: k\nhost: localhost\nport: 1\ntlsCredentials: T"),
        "spec.tlsCredentials",
        "is no name of a credential",
    ),
    (LISTENER + LISTENER.replace("front", "other"), "spec.port", "already that of Listener/front"),
    (LISTENER + LISTENER, "metadata.name", "is already at v2.yaml:1"),
    (
        LISTENER + text_of("Listener", "o", "routingKey: db\nhost: 127.0.0.1\nport: 2"),
        "spec.routingKey",
        "already listens",
    ),
    (text_of("Connector", "c", "routingKey: k\nport: 1"), "spec", "neither of"),
    (
        text_of("Connector", "c", "routingKey: k\nport: 1\nselector: a=b"),
        "spec.selector",
        "no pods",
    ),
    (text_of("Connector", "c", "routingKey: k\nport: 1\nhost: 'a b'"), "spec.host", "no host"),
    (text_of("AccessToken", "t", "url: https://x/1\ncode: c\nca: c"), "spec.url", "not redeemed"),
    (
        text_of("MultiKeyListener", "m", "host: localhost\nport: 1\nstrategy: {}"),
        "spec.strategy",
        "neither of priority and weighted",
    ),
    (text_of("Lisener", "l", "{}"), "kind", "unknown kind"),
    (LISTENER.replace("v2alpha1", "v1"), "apiVersion", "unknown version"),
    (text_of("Link", "l", "endpoints: []"), "spec.tlsCredentials", "there is no Secret"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "reason"), WRONG)
def test_what_cannot_be_done_is_refused_with_object_field_and_next_step(
    text: str, path: str, reason: str
) -> None:
    (error,) = of(text).errors
    assert error.source == "v2.yaml" and error.line > 0
    assert error.path == path and reason in error.reason
    assert "/" in error.reason, "the object is named"
    assert error.code == "SW0113"


def test_a_wrong_object_stops_no_other() -> None:
    found = of(text_of("AccessToken", "t", "url: u\ncode: c\nca: c") + CONNECTOR)
    assert len(found.errors) == 1
    assert ("Connector", "backend") in specs(found)


def test_tls_of_a_listener_is_that_listeners_alone() -> None:
    spec = "routingKey: db\nhost: 127.0.0.1\nport: 15432\ntlsCredentials: front-tls"
    found = of(text_of("Listener", "front", spec))
    assert found.errors == ()
    assert specs(found)["Listener", "front"].tls_cert == "front-tls"
    assert specs(found)["Service", "db"].tls_cert == "", "other sites declare the same"


SECRET = """apiVersion: v1
kind: Secret
metadata:
  name: east
  annotations: {%s}
data: {}
---
"""
LINK = text_of("Link", "to-east", "tlsCredentials: east\ncost: 0\nendpoints: []")


def test_a_link_with_a_token_of_ours_is_taken_and_one_of_skupper_is_not() -> None:
    (token,) = of(LINK + SECRET % "spillway.dev/site-name: east").tokens
    assert (token.name, token.cost, token.secret["metadata"]["name"]) == ("to-east", 1, "east")
    found = of(LINK + SECRET % "")
    assert found.tokens == ()
    (error,) = found.errors
    assert "issued by a Skupper site" in error.reason and "sitectl link create" in error.hint


def test_every_field_is_used_or_named_as_without_effect() -> None:
    for kind, table in fields.FIELDS.items():
        for field, reason in table.items():
            found = of(text_of(kind, "x", f"{field}: something"), NAMESPACE)
            told = [note.path for note in found.notes] + [error.path for error in found.errors]
            if reason and field != "settings":
                assert f"spec.{field}" in told, f"{kind}.{field}"
            if field == "settings":
                assert "spec.settings" in told


def test_unknown_fields_and_settings_are_noted_and_both_spellings_read() -> None:
    text = text_of(
        "Site",
        "w",
        "linkAcces: none\nsettings:\n  routerLogging: info\n  router-logging: info\n  x: y",
    )
    found = of(text)
    assert found.site is not None and found.errors == ()
    reasons = " ".join(f"{note.path} {note.reason}" for note in found.notes)
    assert "Did you mean 'linkAccess'?" in reasons
    assert reasons.count("settings[router-logging]") == 2 and "settings[x]" in reasons


def test_internal_kinds_are_left_alone_and_other_objects_handed_on() -> None:
    found = of(
        text_of("Certificate", "c", "{}")
        + "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\n"
    )
    assert found.errors == () and len(found.notes) == 1
    assert [one.name for one in found.others] == ["m"]


def test_lists_and_json_are_read() -> None:
    text = (
        '{"kind": "List", "items": [{"apiVersion": "skupper.io/v2alpha1", "kind": "Connector", '
        '"metadata": {"name": "c"}, "spec": {"routingKey": "db", "host": "h", "port": 5}}]}'
    )
    assert ("Connector", "c") in specs(of(text))


def test_objects_of_several_namespaces_are_refused() -> None:
    text = LISTENER.replace("name: front", "name: front\n  namespace: a") + CONNECTOR.replace(
        "name: backend", "name: backend\n  namespace: b"
    )
    assert {error.path for error in of(text).errors} == {"metadata.namespace"}
    assert of(text).namespace == ""


def test_the_namespace_of_the_objects_is_said() -> None:
    text = LISTENER.replace("name: front", "name: front\n  namespace: a") + CONNECTOR
    assert (of(text).namespace, of(CONNECTOR).namespace) == ("a", "")

"""MultiKeyListeners make listeners that the services of their keys share."""

import pytest

from router.documents import read, resolve, write
from router.documents.skupper2.keys import service_of
from router.model.specs import Document, SiteSpec
from tests.unit.documents.skupper2.test_translate import CONNECTOR, LISTENER, of, specs, text_of

ONE_KEY = "tlsCredentials: shown\nroutingKey: a\nhost: localhost\nport: 15432"


def multi(strategy: str, name: str = "m", port: int = 15432, more: str = "") -> str:
    spec = f"host: localhost\nport: {port}\nstrategy:\n  {strategy}\n{more}"
    return text_of("MultiKeyListener", name, spec)


@pytest.mark.parametrize(
    "strategy", ["priority: {routingKeys: [db]}", "weighted: {routingKeys: {db: 9}}"]
)
def test_one_key_makes_a_listener_as_any_other(strategy: str) -> None:
    found = of(multi(strategy))
    assert found.errors == ()
    listener = specs(found)["Listener", "m"]
    assert (listener.service, listener.listen) == ("db", "127.0.0.1:15432")
    assert listener.services == ("db",)


def test_priority_keeps_the_order_of_the_keys() -> None:
    found = of(multi("priority: {routingKeys: [db.east, db]}"))
    assert found.errors == found.notes == ()
    listener = specs(found)["Listener", "m"]
    assert listener.priority == (service_of("db.east"), "db")
    assert {kind for kind, _ in specs(found)} == {"Service", "Listener"}
    assert specs(found)["Service", service_of("db.east")].routing_key == "db.east"


def test_weighted_keeps_the_weights() -> None:
    found = of(multi("weighted: {routingKeys: {b: 3, a: 1, c: 0}}"))
    assert found.errors == found.notes == ()
    assert specs(found)["Listener", "m"].weighted == {"a": 1, "b": 3, "c": 0}


@pytest.mark.parametrize(
    "strategy",
    ["priority: {routingKeys: [db, standby]}", "weighted: {routingKeys: {db: 1, standby: 1}}"],
)
def test_it_works_beside_a_listener_of_one_of_its_keys_in_either_order(strategy: str) -> None:
    other = multi(strategy, port=9999)
    for text in (LISTENER + other, other + LISTENER):
        found = of(text)
        assert found.errors == ()
        assert specs(found)["Listener", "front"].service == "db"
        assert specs(found)["Listener", "m"].service == "standby"


def test_its_documents_are_read_back_and_fit_together() -> None:
    site = Document(kind="Site", name="west", spec=SiteSpec())
    documents = of(CONNECTOR + multi("priority: {routingKeys: [db, other]}")).documents
    for one in documents:
        again, errors = read(write(one), "again")
        assert errors == [] and again[0].spec == one.spec
    wanted, errors = resolve([site, *documents])
    assert errors == [] and wanted is not None
    assert wanted.listeners["m"].services == ("db", "other")


def test_tls_is_that_listeners_alone() -> None:
    found = of(multi("priority: {routingKeys: [a, b]}", more="tlsCredentials: shown"))
    assert specs(found)["Listener", "m"].tls_cert == "shown"


def test_clients_show_certificates_by_the_ca_of_the_listeners_own_credential() -> None:
    required = "tlsCredentials: shown\nrequireClientCert: true"
    for found in (
        of(multi("priority: {routingKeys: [a, b]}", more=required)),
        of(multi("weighted: {routingKeys: {a: 1, b: 2}}", more=required)),
        of(text_of("Listener", "m", f"{ONE_KEY}\nsettings: {{requireClientCert: 'true'}}")),
    ):
        assert found.errors == found.notes == ()
        listener = specs(found)["Listener", "m"]
        assert (listener.tls_cert, listener.tls_client_trust) == ("shown", "shown")
    for words in ("{}", "{requireClientCert: 'false'}"):
        found = of(text_of("Listener", "m", f"{ONE_KEY}\nsettings: {words}"))
        assert found.errors == found.notes == ()
        assert specs(found)["Listener", "m"].tls_client_trust == ""


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (ONE_KEY.replace("tlsCredentials: shown\n", ""), "has no tlsCredentials"),
        (ONE_KEY, "expected true or false"),
    ],
)
def test_a_setting_that_cannot_be_kept_refuses_the_listener(spec: str, reason: str) -> None:
    value = "true" if "tls" in reason else "perhaps"
    found = of(text_of("Listener", "m", f"{spec}\nsettings: {{requireClientCert: '{value}'}}"))
    (error,) = found.errors
    assert (error.path, error.code) == ("spec.settings[requireClientCert]", "SW0113")
    assert reason in error.reason
    assert ("Listener", "m") not in specs(found)


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        (multi("priority: {routingKeys: [a, a]}"), "spec.strategy.priority.routingKeys", "twice"),
        (multi("priority: {routingKeys: []}"), "spec.strategy.priority.routingKeys", "1 to 256"),
        (multi("priority: {routingKeys: a}"), "spec.strategy.priority.routingKeys", "a list"),
        (multi("priority: 7"), "spec.strategy.priority.routingKeys", "a list"),
        (multi("weighted: {routingKeys: [a]}"), "spec.strategy.weighted.routingKeys", "a weight"),
        (
            multi("weighted: {routingKeys: {a: 0}}"),
            "spec.strategy.weighted.routingKeys",
            "all weights are 0",
        ),
        (
            multi("weighted: {routingKeys: {a: -1}}"),
            "spec.strategy.weighted.routingKeys[a]",
            "from 0 to",
        ),
        (
            multi("weighted: {routingKeys: {a: 1}, x: 1}\n  priority: {routingKeys: [a]}"),
            "spec.strategy",
            "both of priority and weighted",
        ),
        (
            multi("priority: {routingKeys: ['a b']}"),
            "spec.strategy.priority.routingKeys",
            "is no routing key",
        ),
        (
            multi("priority: {routingKeys: [a, b]}", more="requireClientCert: true"),
            "spec.requireClientCert",
            "has no tlsCredentials",
        ),
        (
            LISTENER + multi("priority: {routingKeys: [db]}", port=9999),
            "spec.strategy",
            "Listener/front already listens for key 'db'",
        ),
        (
            LISTENER + multi("priority: {routingKeys: [a, b]}", name="front", port=9999),
            "metadata.name",
            "another object makes Listener front",
        ),
    ],
)
def test_a_strategy_that_says_nothing_is_refused(text: str, path: str, reason: str) -> None:
    (error,) = of(text).errors
    assert (error.path, error.code) == (path, "SW0113")
    assert reason in error.reason

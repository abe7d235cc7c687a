"""Connections that are reset because their address has too many are reported."""

from router.model import limits
from router.model.ids import ServiceKey
from router.node.services.refused_clients import RefusedClients

SHOP = ServiceKey("shop", 8080)


def test_they_are_an_event_once_and_a_note_with_their_number_for_a_while() -> None:
    refused: dict[ServiceKey, int] = {SHOP: 0}
    told: list[tuple[str, str, str]] = []

    def tell(severity: str, code: str, subject: str, message: str, hint: str = "") -> None:
        told.append((severity, code, message))

    clients = RefusedClients(lambda: refused, tell)
    clients.look(0.0)
    assert not told and not clients.notes()
    refused[SHOP] = 1
    clients.look(1.0)
    one = (
        "1 client connection of service shop:8080 was reset: the address of the client had too "
        "many for the places that are left here."
    )
    assert told == [("warning", "connections-refused", one)]
    refused[SHOP] = 248
    clients.look(2.0)
    (note,) = clients.notes()
    assert note.code == "SW0360" and note.message.startswith("248 client connections of service")
    assert len(told) == 1, "one event for all of them"
    clients.look(1.9 + limits.REFUSED_CLIENTS_S)
    assert clients.notes()
    clients.look(2.0 + limits.REFUSED_CLIENTS_S)
    assert not clients.notes()
    refused[SHOP] = 250
    clients.look(3.0 + limits.REFUSED_CLIENTS_S)
    assert told[1][2].startswith("2 client connections")


def test_those_of_other_workers_count_also_after_one_has_started_again() -> None:
    own, other = {SHOP: 1}, {SHOP: 4}
    told: list[str] = []

    def tell(severity: str, code: str, subject: str, message: str, hint: str = "") -> None:
        told.append(message)

    clients = RefusedClients(lambda: own, tell)
    clients.count_with(lambda: [other])
    clients.look(0.0)
    (note,) = clients.notes()
    assert note.message.startswith("5 client connections of service shop:8080 were")
    assert len(told) == 1
    other.clear()
    clients.look(1.0)
    other[SHOP] = 2
    clients.look(2.0)
    (note,) = clients.notes()
    assert note.message.startswith("7 client connections")


def test_a_configured_limit_of_an_address_is_named_as_the_likely_cause() -> None:
    told: list[tuple[str, str]] = []

    def tell(severity: str, code: str, subject: str, message: str, hint: str = "") -> None:
        told.append((message, hint))

    clients = RefusedClients(lambda: {SHOP: 3}, tell, {SHOP: 2}.get)
    clients.look(0.0)
    ((message, hint),) = told
    assert message == (
        "3 client connections of service shop:8080 were reset: the address of the client had the 2 "
        "that limits.connectionsPerSource allows, or too many for the places that are left here."
    )
    assert hint.endswith(
        "For more: limits.connectionsPerSource of service shop. For more places: LimitNOFILE= of "
        "the unit, or ulimit -n, and limits.connections"
    )
    (note,) = clients.notes()
    assert (note.message, note.hint) == (message, hint)


def test_a_limit_that_was_taken_back_is_still_the_likely_cause_of_what_it_refused() -> None:
    """The note went over to "too many for the places that are left", and to LimitNOFILE."""
    most, refused = {SHOP: 2}, {SHOP: 0}
    clients = RefusedClients(lambda: refused, lambda *_, **__: None, most.get)
    clients.look(0.0)
    refused[SHOP] = 3
    clients.look(1.0)
    for now in ({}, {SHOP: 5}):
        most.clear()
        most.update(now)
        (note,) = clients.notes()
        assert "had the 2 that limits.connectionsPerSource allowed then, or too" in note.message
    assert "For more: limits.connectionsPerSource of service" in note.hint
    refused[SHOP] = 4
    clients.look(2.0)
    (note,) = clients.notes()
    assert "had the 5 that limits.connectionsPerSource allows, or too" in note.message

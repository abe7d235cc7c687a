"""Clients that wait since the router may have no more files open: a problem with the figures."""

import resource
from typing import Any, cast

import pytest

from router.model.ids import ServiceKey
from router.process import open_files


class Full:
    def __init__(self, full_of: int | None, *, held: bool) -> None:
        self.full_of, self.is_held_back = full_of, held


@pytest.mark.parametrize(
    ("full_of", "held", "why"),
    [
        (80, False, "80 are connected, as many as this router takes with at most 256 open files."),
        (80, True, "80 are connected, as many as this router takes with at most 256 open files."),
        (None, True, "of at most 256 open files none is left for one."),
    ],
)
def test_a_router_without_room_for_clients_says_so(
    monkeypatch: pytest.MonkeyPatch, full_of: int | None, held: bool, why: str
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (256, 4096))
    state = cast(Any, Full(full_of, held=held))
    (told,) = open_files.problems({0: open_files.why_clients_wait(state, state)}, 1)
    assert told.code == "SW0693"
    assert told.message == f"Further clients wait for a connection: {why}"


def test_one_with_room_says_nothing() -> None:
    state = cast(Any, Full(None, held=False))
    assert open_files.problems({0: open_files.why_clients_wait(state, state)}, 1) == ()


def test_of_several_workers_each_that_has_no_room_is_named() -> None:
    whys = {0: "", 1: "80 are connected", 2: "none is left", 3: "none is left"}
    told = open_files.problems(whys, 4)
    assert [one.message for one in told] == [
        "Further clients wait for a connection at worker 1 of 4: 80 are connected.",
        "Further clients wait for a connection at workers 2, 3 of 4: none is left.",
    ]


def test_dials_that_cannot_be_tried_are_named_with_the_workers() -> None:
    assert open_files.problems_of_dials({0: "", 1: ""}, 2) == ()
    why = "10.0.0.1:80 was not tried: no local port or address is left for it"
    (told,) = open_files.problems_of_dials({0: "", 1: why}, 2)
    assert told.code == "SW0695"
    assert told.message == f"Connections cannot be opened at worker 1 of 2: {why}."


def test_a_service_with_all_its_connections_is_named_with_the_workers() -> None:
    shop, cart = ServiceKey("shop", 80), ServiceKey("cart", 81)
    assert open_files.problems_of_full_ports({0: {}}, 1) == ()
    (told,) = open_files.problems_of_full_ports({0: {shop: 3}}, 1)
    assert (told.code, told.message) == (
        "SW0359",
        "Further clients of service shop:80 wait for a connection: 3 are connected, as many as its "
        "limits.connections allows.",
    )
    each = {0: {shop: 3}, 1: {shop: 3, cart: 1}, 2: {}}
    assert [
        one.message.partition(":8")[2] for one in open_files.problems_of_full_ports(each, 3)
    ] == [
        "1 wait for a connection at worker 1 of 3: 1 is connected, as many as its "
        "limits.connections allows.",
        "0 wait for a connection at workers 0, 1 of 3: 3 are connected, as many as its "
        "limits.connections allows.",
    ]

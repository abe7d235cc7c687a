"""Callbacks for the next activity at a router: each is called once."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from router.exchange.active_exchanges import ActiveExchanges
from router.exchange.forwarder import Forwarder
from router.model import limits
from router.model.ids import ServiceKey
from router.service.pressure import Pressure
from tests.unit.exchange.fakes import site_of
from tests.unit.exchange.fakes_http import FakeTimers
from tests.unit.exchange.test_forwarder_http import Shop


class Calls(Counter[str]):
    """How often each asker was called."""

    def ask(self, forwarder: Forwarder, *who: str) -> None:
        for name in who:
            forwarder.on_next_activity(partial(self.update, [name]))


def test_a_client_that_comes_is_told_once() -> None:
    shop, calls = Shop(here=1), Calls()
    calls.ask(shop.a, "asker")
    shop.network.run()
    assert calls == {}
    shop.client()
    assert calls == {"asker": 1}
    shop.client()
    assert calls == {"asker": 1}


def test_a_stream_that_comes_is_told_once() -> None:
    shop, calls = Shop(), Calls()  # Requests to a are served at b.
    calls.ask(shop.sites["b"].forwarder, "b")
    calls.ask(shop.sites["c"].forwarder, "c")
    shop.client()
    shop.client()
    assert calls == {"b": 1}


def test_each_who_asked_is_told_also_while_others_are_under_way() -> None:
    shop, calls = Shop(here=9, answer=None), Calls()
    calls.ask(shop.a, "first", "second")
    shop.client()
    calls.ask(shop.a, "third")
    assert calls == {"first": 1, "second": 1}
    shop.client()
    assert calls == {"first": 1, "second": 1, "third": 1}


def test_the_same_asked_twice_is_told_once() -> None:
    shop = Shop(here=1)
    calls: list[int] = []
    callback = partial(calls.append, 1)
    shop.a.on_next_activity(callback)
    shop.a.on_next_activity(callback)
    shop.client()
    assert calls == [1]


def test_who_asks_again_is_told_again_also_from_within_the_call() -> None:
    shop = Shop(here=1)
    busy: list[bool] = []

    def told() -> None:
        busy.append(not shop.a.is_idle)
        shop.a.on_next_activity(told)

    shop.a.on_next_activity(told)
    for count in (1, 2, 3):
        shop.client()
        assert busy == [True] * count  # The new client is there already.


class Holder:
    """Keeps so many bytes until it gives way."""

    def __init__(self, name: str, size_bytes: int, gave_way: list[str]) -> None:
        self.size_bytes = size_bytes
        self.relieve = self.abort = lambda: gave_way.append(name)


class Client:
    """Whose answers wait, in the connection and for credit."""

    def __init__(self, name: str, size_bytes: int, gave_way: list[str]) -> None:
        self.held_bytes = 5
        peer = SimpleNamespace(host=f"10.0.0.{ord(name)}")
        self.connection = SimpleNamespace(peer=peer, unsent_bytes=size_bytes - 5)
        self.session = Holder(name, size_bytes, gave_way)


@pytest.mark.parametrize(
    ("wanted", "gave_way"),
    [
        (0, ""),
        (1, "a"),
        (4, "a"),
        (5, "ab"),
        (7, "abc"),
        (8, "abcA"),
        (9, "abcA"),
        (10, "abcAB"),
        (100, "abcAB"),
    ],
)
def test_memory_is_freed_by_the_largest_first_what_is_only_kept_before_clients(
    wanted: int, gave_way: Sequence[str]
) -> None:
    """Sizes in `DROP_BYTES_MIN`: kept are 4, 2, 1 and less; clients hold 2, 1 and less."""
    names, pressure = list[str](), Pressure()
    under_way = ActiveExchanges(FakeTimers(), pressure)
    size = limits.DROP_BYTES_MIN
    for name, held in (("c", size), ("d", size - 1), ("a", 4 * size), ("b", 2 * size)):
        pressure.holders[Holder(name, held, names)] = None
    for name, held in (("C", size - 1), ("A", 2 * size), ("B", size)):
        under_way.clients.add(cast(Any, Client(name, held, names)))
    assert under_way.drop_slowest(wanted * size) == len(gave_way)
    assert "".join(names) == gave_way


class Stream:
    """One that ends here."""

    def __init__(self, name: str, lending: object) -> None:
        service, ingress = name.split("-")
        self.service = lending_service(service, lending)
        self.ingress = ingress
        self.calls: list[object] = []
        self.dismiss = partial(self.calls.append, "dismissed")
        self.stop = partial(self.calls.append, "stopped")
        self.borrows = self.calls.append


@cache
def lending_service(name: str, lending: object) -> Any:
    return SimpleNamespace(
        key=ServiceKey(name, 80), ledger=SimpleNamespace(lending=lending if name == "a" else None)
    )


@pytest.mark.parametrize(
    ("act", "concerned", "call"),
    [
        (lambda u, of: u.dismiss_egress(of("a")), "a-x a-y", "dismissed"),
        (lambda u, of: u.count_borrowed(of("a")), "a-x a-y", "lent"),
        (lambda u, of: u.count_borrowed(of("b")), "", ""),
        (lambda u, of: u.put_out({"x"}), "a-x b-x", "stopped"),
        (lambda u, of: u.put_out({"x", "y"}), "a-x a-y b-x b-y", "stopped"),
        (lambda u, of: u.withdraw(set(), {("a", "x"), ("b", "y")}), "a-x b-y", "stopped"),
        (lambda u, of: u.withdraw({("a", "x")}, set()), "", ""),
    ],
)
def test_what_ends_here_is_told_of_its_service_or_of_the_site_it_came_from_alone(
    act: Callable[[ActiveExchanges, Callable[[str], Any]], None], concerned: str, call: str
) -> None:
    under_way = ActiveExchanges(FakeTimers(), Pressure())
    streams = {name: Stream(name, "lent") for name in ("a-x", "a-y", "b-x", "b-y")}
    for stream in streams.values():
        under_way.egress[cast(Any, stream)] = None
    act(under_way, lambda name: lending_service(name, "lent"))
    told = {name: stream.calls for name, stream in streams.items() if stream.calls}
    assert told == {name: [call] for name in concerned.split()}


def test_requests_of_clients_and_those_that_end_here_are_under_way() -> None:
    shop = Shop(here=1, answer=None)
    seen = []
    for _ in range(3):
        shop.client()
        b = shop.sites["b"].forwarder
        seen.append((shop.a.under_way(), b.under_way()))
        assert b.under_way(site_of("a")) == 0, "those of another site alone end there"
    shop.client(b"")
    assert seen == [(1, 0), (2, 1), (3, 1)]
    assert (shop.a.under_way(), shop.a.client_connections) == (3, 4), "one client has not asked yet"

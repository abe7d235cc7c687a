"""Who wants to know when something comes to a router, and is told once."""

from collections import Counter
from functools import partial

from router.exchange.forwarder import Forwarder
from tests.unit.exchange.test_forwarder_http import Shop


class Calls(Counter[str]):
    """How often each who asked was called."""

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
    shop, calls = Shop(), Calls()  # What comes to a is served at b.
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
        busy.append(not shop.a.is_at_rest)
        shop.a.on_next_activity(told)

    shop.a.on_next_activity(told)
    for count in (1, 2, 3):
        shop.client()
        assert busy == [True] * count  # Whoever came is there already.

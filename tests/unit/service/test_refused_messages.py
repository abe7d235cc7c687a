"""A message that one end of a link refuses is counted and reported as that, at both ends."""

from collections.abc import Mapping

import pytest

from router.link.ports import OpenRequest, ToldCount
from router.model import limits
from router.service.sites.refused_messages import Refusal, RefusedMessage, RefusedMessages
from tests.unit.exchange.fakes import FakeStream, router_of, site_of
from tests.unit.exchange.test_forwarder_http import (
    GET,
    KEY,
    POST,
    POST_HEAD,
    BadEgress,
    Neighbour,
    Shop,
    offer,
)


class Refusing:
    """Site ``b`` refuses every request: ``method`` of its stream with ``argument``."""

    def __init__(self, shop: Shop, method: str, *arguments: object) -> None:
        self.offers = 0
        self._method, self._arguments = method, arguments
        shop.mesh.offered[router_of("b")] = self.offered

    def offered(self, stream: object, request: OpenRequest) -> None:
        assert isinstance(stream, FakeStream)
        self.offers += 1
        getattr(stream, self._method)(*self._arguments)


def counts(shop: Shop, site: str) -> Mapping[Refusal, int]:
    """What ``site`` counted of the service."""
    return shop.sites[site].forwarder.refused_messages.counts(KEY)


def test_an_egress_counts_a_head_that_it_refuses() -> None:
    shop = Shop()
    shop.mesh.last_hop = site_of("x")
    Neighbour(shop, offer(head=b"nonsense", ingress=site_of("y")))
    assert counts(shop, "b") == {"request-refused-here": 1}
    (message,) = shop.sites["b"].forwarder.refused_messages.recent()
    assert message == RefusedMessage("request-refused-here", KEY, site_of("x"), site_of("y"))


def test_an_egress_counts_a_body_that_disagrees_with_its_head() -> None:
    shop = Shop(answer=None)
    shop.mesh.last_hop = site_of("x")
    neighbour = Neighbour(shop, offer(head=POST_HEAD, body_bytes=5, ingress=site_of("y")))
    neighbour.stream.send(b"too long")
    shop.network.run()
    assert counts(shop, "b") == {"request-refused-here": 1}
    (message,) = shop.sites["b"].forwarder.refused_messages.recent()
    assert message == RefusedMessage("request-refused-here", KEY, site_of("x"), site_of("y"))


@pytest.mark.parametrize("request_bytes", [GET, POST])
def test_a_request_whose_head_is_refused_goes_to_another_site(request_bytes: bytes) -> None:
    shop = Shop()
    refusing = Refusing(shop, "refuse", "bad-head", 0)
    client = shop.client(request_bytes)
    assert shop.status(client) == 200
    assert shop.requests() == [0, 0, 1]
    assert refusing.offers == 1
    assert counts(shop, "a") == {"request-refused-there": 1}


def test_a_request_that_every_site_refuses_is_answered_with_that() -> None:
    shop = Shop(farther=0)
    Refusing(shop, "refuse", "bad-head", 0)
    client = shop.client(POST)
    assert shop.status(client) == 502
    assert b"Spillway-Error: request-refused\r\n" in client.got
    assert b"target" not in client.got
    (message,) = shop.a.refused_messages.recent()
    assert message == RefusedMessage("request-refused-there", KEY, site_of("b"))


def test_a_reset_by_an_egress_of_the_last_release_is_reported_alike() -> None:
    shop = Shop()
    refusing = Refusing(shop, "reset", "bad-message")
    client = shop.client(POST)
    assert shop.status(client) == 502
    assert b"Spillway-Error: request-refused\r\n" in client.got
    assert refusing.offers == 1
    assert shop.requests() == [0, 0, 0], "it may have run"


def test_an_ingress_counts_a_response_that_it_refuses() -> None:
    shop = Shop()
    BadEgress(shop, ("answer", b"nonsense", 0, b"", ToldCount(0)))
    client = shop.client(GET)
    assert shop.status(client) == 502
    assert b"Spillway-Error: response-refused\r\n" in client.got
    assert counts(shop, "a") == {"response-refused-here": 1}


def test_a_service_that_is_gone_has_no_counts() -> None:
    shop = Shop()
    Neighbour(shop, offer(head=b"nonsense"))
    shop.sites["b"].forwarder.remove_service(KEY)
    assert counts(shop, "b") == {}


class Clock:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_kind_is_told_once_a_minute_and_shown_for_ten() -> None:
    clock, told = Clock(), list[RefusedMessage]()
    messages = RefusedMessages(clock)
    messages.tell = told.append
    for site in ("x", "y"):
        for _ in range(3):
            messages.note("request-refused-here", KEY, site_of(site))
    assert [message.site for message in told] == [site_of("x"), site_of("y")]
    clock.now += limits.REFUSED_STREAMS_TOLD_S
    messages.note("request-refused-here", KEY, site_of("x"))
    assert len(told) == 3
    clock.now += limits.REFUSED_MESSAGES_SHOWN_S - 1
    assert [message.site for message in messages.recent()] == [site_of("x")]
    clock.now += 1
    assert messages.recent() == []
    assert messages.counts(KEY) == {"request-refused-here": 7}


def test_whatever_a_neighbour_claims_it_is_one_kind_that_is_told_once() -> None:
    told = list[RefusedMessage]()
    messages = RefusedMessages(Clock())
    messages.tell = told.append
    for number in range(1_000):
        messages.note("request-refused-here", KEY, site_of("x"), site_of(str(number)))
    assert [message.claimed for message in told] == [site_of("0")]
    assert [message.claimed for message in messages.recent()] == [site_of("999")]
    assert messages.counts(KEY) == {"request-refused-here": 1_000}


def test_invented_sites_take_a_bounded_place() -> None:
    messages = RefusedMessages(Clock())
    for number in range(2 * limits.REFUSED_MESSAGES_KEPT_MAX):
        messages.note("request-refused-here", KEY, site_of(str(number)))
    kept = messages.recent()
    assert len(kept) == limits.REFUSED_MESSAGES_KEPT_MAX
    assert kept[-1].site == site_of(str(2 * limits.REFUSED_MESSAGES_KEPT_MAX - 1))

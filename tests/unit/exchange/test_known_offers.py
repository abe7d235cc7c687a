"""An OPEN that came before is not judged again, unless something is not as it was."""

from collections.abc import Callable

import msgspec
import pytest

from router.balance.targets.sessions import SESSION_KEY_MAX
from router.exchange.sites.egress import EgressExchange
from router.link import control
from router.link.ports import BroughtRequest, KnownOffer
from router.model.specs import ServiceProtocol, ServiceSpec
from tests.unit.exchange.fakes import FakeMesh, FakeStream, router_of, site_of
from tests.unit.exchange.test_forwarder_http import GET, KEY, Shop


def known_of(shop: Shop) -> KnownOffer | None:
    """What the exit has of the last OPEN."""
    return shop.sites["b"].forwarder.known_offers.get(control.encode_open(shop.mesh.opens[-1]))


def remembered() -> tuple[Shop, KnownOffer]:
    """After two requests that are alike."""
    shop = Shop()
    for expected in (False, True):
        assert shop.status(shop.client(GET)) == 200
        assert (known_of(shop) is not None) == expected
    known = known_of(shop)
    assert known is not None
    return shop, known


def test_a_remembered_offer_is_served_as_any_other() -> None:
    shop, _ = remembered()
    assert [shop.status(shop.client(GET)) for _ in range(3)] == [200] * 3
    assert shop.requests() == [0, 5, 0] and shop.in_flight() == [0, 0, 0]


def test_a_target_hears_of_both_sites_in_via_of_each_request() -> None:
    shop = Shop()
    for _ in range(4):
        shop.client(GET)
    got = b"".join(bytes(party.got) for party in shop.targets["b"].parties)
    assert (got.count(b"\r\nVia: 1.1 a, 1.1 b\r\n\r\n"), got.count(b"Via")) == (4, 4)
    local = Shop(here=1)
    local.client(GET)
    (party,) = [one for one in local.targets["a"].parties if one.got]
    assert b"\r\nVia: 1.1 a\r\n\r\n" in bytes(party.got)


CHANGES: dict[str, Callable[[Shop], None]] = {
    "no targets": lambda shop: shop.sites["b"].forwarder.set_targets(KEY, {}),
    "removed": lambda shop: shop.sites["b"].forwarder.remove_service(KEY),
    "another protocol": lambda shop: shop.sites["b"].forwarder.set_service(
        KEY, ServiceSpec(ports=(8080,), protocol="tcp")
    ),
    "draining": lambda shop: shop.sites["b"].forwarder.drain(lambda: None),
    "short of memory": lambda shop: shop.sites["b"].forwarder.memory.refuse_new(True),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_not_as_it_was_is_judged_anew(what: str) -> None:
    shop, known = remembered()
    CHANGES[what](shop)
    exit_ = shop.sites["b"].forwarder
    refused_before = exit_.memory.refused_total
    stream = FakeStream(FakeMesh(shop.network), router_of("a"))
    assert not known.take(stream)
    assert exit_.memory.refused_total == refused_before, "who judges it counts it"
    assert not shop.in_flight()[1]


@pytest.mark.parametrize("protocol", ["http", "http2"])
@pytest.mark.parametrize("now_is", ["http", "http2", "tcp"])
def test_a_remembered_offer_is_taken_while_the_service_has_its_protocol(
    protocol: ServiceProtocol, now_is: ServiceProtocol
) -> None:
    shop, _ = remembered()
    exit_ = shop.sites["b"].forwarder
    exit_.set_service(KEY, ServiceSpec(ports=(8080,), protocol=protocol))
    request = msgspec.structs.replace(shop.mesh.opens[-1], protocol=protocol)
    body = control.encode_open(request)
    for _ in range(2):
        exit_.stream_offered(FakeStream(shop.mesh, router_of("a")), request, body)
    known = exit_.known_offers.get(body)
    assert known is not None
    exit_.set_service(KEY, ServiceSpec(ports=(8080,), protocol=now_is))
    assert known.take(FakeStream(shop.mesh, router_of("a"))) == (now_is == protocol)


def test_other_rules_forget_all_offers() -> None:
    shop, _ = remembered()
    shop.sites["b"].forwarder.forget_offers()
    assert known_of(shop) is None
    assert shop.status(shop.client(GET)) == 200


def test_what_may_not_be_remembered_is_not() -> None:
    shop = Shop()
    request = None
    for _ in range(3):
        assert shop.status(shop.client(GET)) == 200
        request = shop.mesh.opens[-1]
        shop.sites["b"].forwarder.forget_offers()
        exit_ = shop.sites["b"].forwarder
        exit_.stream_offered(FakeStream(shop.mesh, router_of("a")), request)
        assert control.encode_open(request) not in exit_.known_offers


@pytest.mark.parametrize(
    ("ingress", "brought_by", "takers"),
    [("a", "", "0abc"), ("c", "", "0abc"), ("b", "", "b"), ("a", "c", "b"), ("b", "a", "b")],
)
def test_what_a_router_of_this_site_passed_on_is_taken_of_such_a_router_alone(
    ingress: str, brought_by: str, takers: str
) -> None:
    """At ``b`` only its own routers may bring its clients' streams, or say who brought one."""
    shop, _ = remembered()
    exit_ = shop.sites["b"].forwarder
    request = shop.mesh.opens[-1]
    if brought_by:
        fields = (*msgspec.structs.astuple(request), site_of(brought_by))
        request = msgspec.convert(fields, BroughtRequest)
    request = msgspec.structs.replace(request, ingress=site_of(ingress))
    body = control.encode_open(request)
    for _ in range(2):
        exit_.stream_offered(FakeStream(shop.mesh, router_of("b"), site_of("b")), request, body)
    known = exit_.known_offers[body]
    streams = {site: FakeStream(shop.mesh, router_of(site), site_of(site)) for site in "0abc"}
    assert "".join(site for site, one in streams.items() if known.take(one)) == takers


@pytest.mark.parametrize("key", [0, 1, SESSION_KEY_MAX - 1, SESSION_KEY_MAX])
@pytest.mark.parametrize("more", [0, SESSION_KEY_MAX + 1])
def test_a_stream_belongs_to_its_session_however_many_bits_come(key: int, more: int) -> None:
    shop, _ = remembered()
    exit_ = shop.sites["b"].forwarder
    request = msgspec.structs.replace(shop.mesh.opens[-1], session=key + more)
    stream = FakeStream(shop.mesh, router_of("a"))
    exit_.stream_offered(stream, request)
    assert isinstance(stream.leg, EgressExchange)
    assert stream.leg.session == key


def test_each_stream_that_is_turned_down_for_memory_counts() -> None:
    shop, _ = remembered()
    exit_ = shop.sites["b"].forwarder
    exit_.memory.refuse_new(True)
    counted = []
    for _ in range(3):
        stream = FakeStream(shop.mesh, router_of("a"))
        exit_.stream_offered(stream, shop.mesh.opens[-1])
        counted.append((exit_.memory.refused_total, stream.over))
    assert counted == [(1, True), (2, True), (3, True)]


def test_an_open_of_tcp_is_not_remembered() -> None:
    shop, _ = remembered()
    exit_ = shop.sites["b"].forwarder
    exit_.set_service(KEY, ServiceSpec(ports=(8080,), protocol="tcp"))
    request = msgspec.structs.replace(shop.mesh.opens[-1], protocol="tcp", head=b"")
    body = control.encode_open(request)
    for _ in range(3):
        exit_.stream_offered(FakeStream(shop.mesh, router_of("a")), request, body)
    assert body not in exit_.known_offers

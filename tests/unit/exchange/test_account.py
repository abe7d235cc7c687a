"""How a request is counted whose attempts failed, by its failure and its protocol."""

from typing import get_args

import pytest

from router.exchange import account
from router.link.ports import ToldCount
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.specs import ServiceProtocol, ServiceSpec
from router.service.ports import UNTOUCHED, LegCode, LegFailure
from router.service.recent_requests import UNANSWERED, RequestRecord
from tests.unit.exchange.fakes import FakeMesh, FakeNetwork, Site
from tests.unit.exchange.test_forwarder_http import BadEgress, Shop
from tests.unit.exchange.test_watched_http2 import Log

KEY = ServiceKey("shop", 80)
LEFT = ("client-gone", "cancelled")
TURNED_AWAY = ("all-full", "shed", "no-route", "no-target")


@pytest.mark.parametrize("protocol", get_args(ServiceProtocol))
@pytest.mark.parametrize("code", get_args(LegCode))
def test_a_failure_counts_once_as_what_it_is(code: LegCode, protocol: ServiceProtocol) -> None:
    network = FakeNetwork()
    forwarder = Site(network, FakeMesh(network), "a").forwarder
    forwarder.set_service(KEY, ServiceSpec(ports=(80,), protocol=protocol))
    service = forwarder._services[KEY]
    request = Request(key=KEY, protocol=protocol, client="192.0.2.7:5")
    record = RequestRecord(network.time, 0, UNANSWERED, None)
    service.recent_requests.begun(record)
    account.close(record, service, request, LegFailure(code), network.time)
    assert record.outcome == code
    assert record.code_class == (code if code in LEFT else "error" if protocol == "tcp" else "5xx")
    assert service.recent_requests.last(9, "denied") == ([record] if code in UNTOUCHED else [])
    counted = service.counters.snapshot()
    assert counted.failed_for == ({} if code in LEFT else {code: 1})
    assert counted.gave_up_total == (code == "client-gone")
    assert sum(counted.decisions.values()) == (code == "shed")
    assert service.demand.refused_total == (code in TURNED_AWAY)
    # Only a client of HTTP/1 has one request at a time on a connection that stays.
    assert (record.unserved is not None) == (code in TURNED_AWAY and protocol == "http")


def test_a_client_that_leaves_within_its_answer_has_not_given_up() -> None:
    network = FakeNetwork()
    forwarder = Site(network, FakeMesh(network), "a").forwarder
    forwarder.set_service(KEY, ServiceSpec(ports=(80,), protocol="http"))
    service, record = forwarder._services[KEY], RequestRecord(network.time, 0, "2xx", None)
    request = Request(key=KEY, protocol="http")
    account.close(record, service, request, LegFailure("client-gone"), network.time)
    assert (record.code_class, service.counters.snapshot().gave_up_total) == ("client-gone", 0)


STATUS_FIELD = b"grpc-status: 14\r\n"


@pytest.mark.parametrize("trailers", [b"", STATUS_FIELD])
@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("is_watched", [True, False])
def test_of_http_1_a_status_of_grpc_says_nothing(
    is_whole: bool, trailers: bytes, is_watched: bool
) -> None:
    shop, log = Shop(answer=None), Log()
    if is_watched:
        shop.a.observing.set(log, None)
    head = b"HTTP/1.1 200 OK\r\n" + STATUS_FIELD
    script: tuple[tuple[object, ...], ...] = (("answer", head, 0, b"", ToldCount(0)),)
    if not is_whole:
        script = (("send_head", head, -1), ("send", b"ok"), ("send_trailers", trailers))
        script = (*script[: 3 if trailers else 2], ("finish",))
    BadEgress(shop, *script)
    assert shop.status(shop.client()) == 200
    (snapshot,) = shop.a.readings.services_snapshot()
    assert {code_class for _, code_class in snapshot.counters.requests} == {"2xx"}
    assert [(one.status, one.code) for one in log.all] == ([(200, "")] if is_watched else [])

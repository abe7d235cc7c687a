"""How a request is counted whose attempts failed, by its failure and its protocol."""

from typing import get_args

import pytest

from router.exchange import account
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.specs import ServiceProtocol, ServiceSpec
from router.service.ports import UNTOUCHED, LegCode, LegFailure
from router.service.recent_requests import UNANSWERED, RequestRecord
from tests.unit.exchange.fakes import FakeMesh, FakeNetwork, Site

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
    service.past.begun(record)
    account.close(record, service, request, LegFailure(code), network.time)
    assert record.outcome == code
    assert record.code_class == (code if code in LEFT else "error" if protocol == "tcp" else "5xx")
    assert service.past.last(9, denied=True) == ([record] if code in UNTOUCHED else [])
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

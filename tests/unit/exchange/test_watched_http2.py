"""Streams of one HTTP/2 connection are reported one by one."""

import re

import h2.events
import pytest

from router.model import limits
from router.model.specs import ServiceSpec
from router.service.observers import Finished
from tests.unit.exchange.http2_peers import GET, GRPC, REQUEST
from tests.unit.exchange.test_forwarder_http2 import KEY, H2Party, Shop


class Log:
    def __init__(self) -> None:
        self.all: list[Finished] = []

    def finished(self, finished: Finished) -> None:
        self.all.append(finished)


@pytest.mark.parametrize("remote", [False, True])
def test_streams_that_end_in_another_order_keep_their_own_status_and_id(remote: bool) -> None:
    shop = Shop(remote=remote)
    log = Log()
    shop.a.forwarder.observing.set(log, None)
    shop.a.forwarder.set_service(
        KEY, ServiceSpec(ports=(KEY.port,), protocol="http2", request_id="X-Request-Id")
    )
    held: list[tuple[H2Party, int]] = []
    shop.target.act = lambda party, stream: held.append((party, stream))
    for _ in range(3):
        shop.ask(GET)
    for (party, stream), status in zip(reversed(held), (b"503", b"404", b"200"), strict=True):
        party.peer.h2.send_headers(stream, [(b":status", status)], end_stream=True)
        shop.run()
    assert [told.status for told in log.all] == [503, 404, 200]
    assert {told.protocol for told in log.all} == {"http2"}
    ids = {told.request_id for told in log.all}
    assert len(ids) == 3 and all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_what_the_session_answers_by_itself_is_told_as_the_client_got_it() -> None:
    shop = Shop(remote=False)
    log = Log()
    shop.a.forwarder.observing.set(log, None)
    stream = shop.client.peer.ask(REQUEST, end=False)
    shop.run()
    shop.network.advance(2 * limits.BODY_GRACE_S + 2 * limits.HTTP2_TICK_S)
    assert shop.said(stream)[0] == "head 408"
    assert [(told.status, told.code) for told in log.all] == [(408, "request-timeout")]


def test_a_request_is_told_by_the_protocol_that_it_came_by() -> None:
    shop = Shop(remote=False)
    log = Log()
    shop.a.forwarder.observing.set(log, None)
    shop.target.act = shop.target.hold
    shop.ask(GET)
    shop.a.forwarder.set_service(KEY, ServiceSpec(ports=(KEY.port,), protocol="http"))
    shop.target.answer(shop.target.serving[0], 1)
    shop.run()
    assert [told.protocol for told in log.all] == ["http2"]


@pytest.mark.parametrize("fields", [REQUEST, GRPC], ids=["http", "grpc"])
def test_an_answer_of_ours_tells_the_size_of_its_body(fields: list[tuple[bytes, bytes]]) -> None:
    shop = Shop(remote=False)
    log = Log()
    shop.a.forwarder.observing.set(log, None)
    shop.a.forwarder.set_targets(KEY, {})
    shop.ask(fields, b"hello")
    events = shop.client.peer.events
    data = b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived))
    (told,) = log.all
    assert (told.status, told.bytes_out) == (503, len(data))
    assert bool(data) is (fields is REQUEST)

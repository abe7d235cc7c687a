"""A gRPC status is the answer's: the 200 of HTTP before it says only that there is one."""

from collections.abc import Callable

import pytest

from router.http.http2.grpc_status import http_status
from tests.unit.exchange.http2_peers import GRPC
from tests.unit.exchange.test_forwarder_http2 import KEY, OK, H2Party, Shop
from tests.unit.exchange.test_watched_http2 import Log

UNAVAILABLE, NOT_FOUND, RESOURCE_EXHAUSTED = 14, 5, 8
_Act = Callable[[H2Party, int], None]


def alone(code: int) -> _Act:
    """The status is in the head, and nothing follows."""

    def act(party: H2Party, stream: int) -> None:
        fields = [*OK, (b"content-type", b"application/grpc"), (b"grpc-status", b"%d" % code)]
        party.peer.h2.send_headers(stream, fields, end_stream=True)

    return act


def after_data(code: int) -> _Act:
    """The status is in the trailers."""

    def act(party: H2Party, stream: int) -> None:
        party.peer.h2.send_headers(stream, OK)
        party.peer.h2.send_data(stream, b"some")
        party.peer.h2.send_headers(stream, [(b"grpc-status", b"%d" % code)], end_stream=True)

    return act


def no_trailers(code: int) -> _Act:
    """The status is in the head, and an end without bytes follows."""

    def act(party: H2Party, stream: int) -> None:
        party.peer.h2.send_headers(stream, [*OK, (b"grpc-status", b"%d" % code)])
        party.peer.h2.send_data(stream, b"", end_stream=True)

    return act


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (b"grpc-status: 0\r\n", 0),
        (b"grpc-message: \r\ngrpc-status: 14\r\n", 503),
        (b"HTTP/1.1 200 \r\ngrpc-status: 4\r\n", 504),
        (b"grpc-status: 13\r\n", 500),
        (b"grpc-status: 99\r\n", 500),
        (b"grpc-status: many\r\n", 0),
        (b"x-grpc-status: 14\r\n", 0),
        (b"grpc-message: grpc-status: 14\r\n", 0),
        (b"", 0),
    ],
)
def test_the_status_of_http_that_means_the_same(block: bytes, status: int) -> None:
    assert http_status(block) == status


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
@pytest.mark.parametrize("shape", [alone, after_data, no_trailers])
@pytest.mark.parametrize(
    ("code", "status", "code_class"), [(UNAVAILABLE, 503, "5xx"), (NOT_FOUND, 404, "4xx")]
)
def test_an_error_of_grpc_is_counted_and_told_as_the_status_of_http_that_means_the_same(
    shape: Callable[[int], _Act], code: int, status: int, code_class: str, remote: bool
) -> None:
    shop, log = Shop(remote=remote), Log()
    shop.a.forwarder.observing.set(log, None)
    shop.target.act = shape(code)
    shop.ask(GRPC, b"message")
    (counted,) = shop.a.forwarder.readings.services_snapshot()[0].counters.requests
    assert counted[1] == code_class
    assert [told.status for told in log.all] == [status]
    (kept,) = shop.a.forwarder.readings.past_of(KEY, 1, "all")
    assert (kept.outcome, kept.code_class) == ("ok", code_class)


def test_a_target_that_is_unavailable_by_its_own_word_is_ejected() -> None:
    shop = Shop(remote=False, targets=2)
    shop.target.act = after_data(UNAVAILABLE)
    for _ in range(20):
        shop.ask(GRPC, b"message")
    ejected, serving = shop.a.forwarder.readings.targets.of(KEY)
    assert "5 requests in a row were answered UNAVAILABLE (gRPC)" in ejected.error
    assert (shop.targets[0].requests, shop.targets[1].requests) == (5, 15)
    assert not serving.error


def after_head(code: int) -> _Act:
    """The status is in the trailers, which follow the head, as grpcio's servers send it."""

    def act(party: H2Party, stream: int) -> None:
        party.peer.h2.send_headers(stream, OK)
        party.peer.h2.send_headers(stream, [(b"grpc-status", b"%d" % code)], end_stream=True)

    return act


@pytest.mark.parametrize("shape", [alone, after_head, after_data])
def test_an_answer_that_is_an_error_of_grpc_does_not_say_how_soon_a_target_answers(
    shape: Callable[[int], _Act],
) -> None:
    shop = Shop(remote=False, targets=2)
    shop.target.act = shape(RESOURCE_EXHAUSTED)
    for _ in range(60):
        shop.ask(GRPC, b"message")
    failing, serving = shop.a.forwarder.readings.targets.reports_of(KEY, shop.a.network.now())
    assert failing.expected_s is None
    assert serving.expected_s is not None

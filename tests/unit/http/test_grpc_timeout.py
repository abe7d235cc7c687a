"""How long a client of gRPC waits, as the head of its request says."""

from math import inf

import pytest

from router.http.http2.grpc_timeout import timeout_s

BEFORE = b"POST /a HTTP/1.1\r\nhost: shop\r\n"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"2H", 7_200.0),
        (b"3M", 180.0),
        (b"1S", 1.0),
        (b"60m", 0.06),
        (b"60000u", 0.06),
        (b"99999999n", 0.099999999),
        (b"0m", 0.0),
        (b"", inf),
        (b"60", inf),
        (b"60s", inf),
        (b"-1S", inf),
        (b"1.5S", inf),
        (b"123456789m", inf),
    ],
)
def test_a_timeout_is_digits_and_a_unit(value: bytes, seconds: float) -> None:
    head = BEFORE + b"grpc-timeout: " + value + b"\r\nte: trailers\r\n"
    assert timeout_s(head) == pytest.approx(seconds)


def test_a_head_without_it_and_one_that_is_like_it_have_none() -> None:
    assert timeout_s(BEFORE) == inf
    assert timeout_s(BEFORE + b"x-grpc-timeout: 1S\r\n") == inf
    assert timeout_s(BEFORE + b"x: grpc-timeout: 1S\r\n") == inf

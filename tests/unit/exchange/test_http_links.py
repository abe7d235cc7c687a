"""What a lying neighbor sends is refused by the checks at both ends of a link."""

import pytest

from router.http.http1.canonical import (
    check_request_head,
    check_response_head,
    check_trailers,
)
from tests.corpus import links


def test_what_the_cases_are_made_of_is_good() -> None:
    assert check_request_head(links.REQUEST + b"X: a\r\n") is not None
    assert check_response_head(links.RESPONSE + b"X: a\r\n") == 200
    assert check_trailers(b"A: b\r\nX: a\r\n")


@pytest.mark.parametrize("name", links.BAD_REQUEST_HEADS)
def test_a_request_head_that_is_not_canonical_is_refused(name: str) -> None:
    assert check_request_head(links.BAD_REQUEST_HEADS[name]) is None


@pytest.mark.parametrize("name", links.BAD_RESPONSE_HEADS)
def test_a_response_head_that_is_not_canonical_is_refused(name: str) -> None:
    assert check_response_head(links.BAD_RESPONSE_HEADS[name]) is None


@pytest.mark.parametrize("name", links.BAD_TRAILERS)
def test_trailers_that_are_not_canonical_are_refused(name: str) -> None:
    assert not check_trailers(links.BAD_TRAILERS[name])

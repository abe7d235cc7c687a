"""The parts of another site's answer make a valid answer, or the check names the fault."""

import pytest

from router.exchange.exchange_states import RemoteState
from router.exchange.sites.answer_check import AnswerCheck
from router.model import limits
from router.model.requests import Request
from tests.unit.balance.builders import WEB

BAD_HEAD = "response head is not canonical"


def check(*, head_only: bool = False, upgrade: str = "") -> AnswerCheck:
    return AnswerCheck(Request(key=WEB, protocol="http", head_only=head_only, upgrade=upgrade))


@pytest.mark.parametrize(
    ("status", "head_only", "size"), [(200, False, 5), (200, True, 0), (204, False, 0)]
)
def test_a_body_is_as_long_as_its_request_and_head_say(
    status: int, head_only: bool, size: int
) -> None:
    one = check(head_only=head_only)
    assert one.head(status, 20, 5) is RemoteState.ANSWERING
    assert one.may_end == (size == 0)
    assert one.takes(size) and one.may_end
    assert not one.takes(1)


def test_a_body_of_no_length_may_end_at_any_time() -> None:
    one = check()
    assert one.head(200, 20, -1) is RemoteState.ANSWERING
    assert one.may_end and one.takes(1 << 40) and one.may_end


def test_interim_heads_are_as_large_together_as_the_limit_allows() -> None:
    one = check()
    half = limits.INTERIM_BYTES_MAX // 2
    assert [one.head(103, half, 0) for _ in range(2)] == [RemoteState.HELD] * 2
    assert one.head(103, 2, 0) == "interim responses without end"


def test_only_who_asked_for_it_is_switched() -> None:
    assert check(upgrade="websocket").head(101, 20, 0) is RemoteState.RAW
    assert check().head(101, 20, 0) == "101 without having asked for it"


@pytest.mark.parametrize(("status", "body_bytes"), [(None, 5), (200, -2)])
def test_a_head_that_is_none_is_said_to_be(status: int | None, body_bytes: int) -> None:
    assert check().head(status, 20, body_bytes) == BAD_HEAD

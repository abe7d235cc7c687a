"""Reasons why a target is not ready, for other sites: no addresses, no control characters."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.asking.targets import TargetAnswer, public_targets
from router.asking.texts import without_addresses
from router.documents.addresses import is_host
from router.model import limits
from router.model.messages import packed
from router.service.figures import TargetInfo


@pytest.mark.parametrize(
    ("error", "host", "told"),
    [
        ("10.0.0.5:5432 refused the connection", "10.0.0.5", "the target refused the connection"),
        ("[fd00::5]:5432 did not answer", "fd00::5", "the target did not answer"),
        ("fe80::1%eth0 did not answer", "fe80::1%eth0", "the target did not answer"),
        (
            "db.corp:5432 has no address: the name cannot be resolved",
            "db.corp",
            "the target has no address: the name cannot be resolved",
        ),
        (
            "db.corp:5432: 10.1.2.3:5432 refused the connection",
            "db.corp",
            "the target: the target refused the connection",
        ),
        (
            "db.corp:5432 (10.1.2.3) refused the connection",
            "db.corp",
            "the target refused the connection",
        ),
        ("db.corp:5432 (fd00::5) did not answer", "db.corp", "the target did not answer"),
        ("answered 503 to GET /db-is-up", "db", "answered 503 to GET /db-is-up"),
        ("broke off:\x1b[2Jwhat\u2028", "db", "broke off: [2Jwhat "),
        ("", "db", ""),
    ],
)
def test_why_a_target_is_down_is_told_without_where_it_is(error: str, host: str, told: str) -> None:
    assert without_addresses(error, host) == told


@given(error=st.text(), host=st.sampled_from(["10.0.0.5", "db.corp", "::1"]))
def test_whatever_the_error_is_others_can_read_the_answer(error: str, host: str) -> None:
    text = without_addresses(f"{error} {host} {error}", host)
    answer = TargetAnswer("db-here", 5432, False, 0, None, 0, text, 1.5)
    wire = msgspec.msgpack.encode([answer])
    assert msgspec.msgpack.decode(wire, type=tuple[TargetAnswer, ...]) == (answer,)


@pytest.mark.parametrize(
    "name", ["pod-1", "DB-1", "db_1.", "10.0.0.1", "fd00::1", "fe80::1%eth0", "x" * 253]
)
def test_whatever_name_a_document_gives_a_target_others_can_read_the_answer(name: str) -> None:
    assert is_host(name), "a document may"
    target = TargetInfo(
        name=name,
        host="10.0.0.5",
        port=5432,
        ready=True,
        in_flight=0,
        capacity=None,
        requests_total=0,
        error="",
        since=0.0,
    )
    told = public_targets([target], 1.0)
    assert msgspec.msgpack.decode(packed.pack(told), type=tuple[TargetAnswer, ...]) == told
    assert told[0].name == name


def test_the_answer_of_an_older_router_has_no_reason_and_no_time() -> None:
    wire = msgspec.msgpack.encode([["db-here", 5432, False, 0, None, 0]])
    ((answer,)) = msgspec.msgpack.decode(wire, type=tuple[TargetAnswer, ...])
    assert (answer.error, answer.state_s) == ("", None)


def test_what_a_later_router_adds_is_left_out() -> None:
    wire = msgspec.msgpack.encode([["db-here", 5432, False, 0, None, 0, "why", 1.0, None, "more"]])
    ((answer,)) = msgspec.msgpack.decode(wire, type=tuple[TargetAnswer, ...])
    assert (answer.error, answer.state_s) == ("why", 1.0)


@pytest.mark.parametrize(
    "bad", [["\x1b[2J", 1.0], ["x" * (limits.INQUIRY_ERROR_MAX + 1), 1.0], ["", -1.0], ["", 1e300]]
)
def test_what_would_harm_a_terminal_or_a_clock_is_no_answer(bad: list[object]) -> None:
    wire = msgspec.msgpack.encode([["db-here", 5432, False, 0, None, 0, *bad]])
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(wire, type=tuple[TargetAnswer, ...])

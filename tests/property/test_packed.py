"""The wire format: the bytes and the verdicts of msgspec's own codec, which wrote them before."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.asking.history_answer import HistoryRow, HistorySiteRow, SampleRow
from router.asking.site_answer import SiteQuestion
from router.link import control
from router.model.messages import packed
from router.routing.adverts.lsa import Lsa
from tests.examples import examples
from tests.property.test_control import MESSAGES
from tests.property.test_lsa_codec import LSAS
from tests.property.test_site_answers import (
    ANSWERS,
    COUNTS,
    FIGURES,
    IDS,
    MOMENTS,
    PORTS,
    SERVICES,
    WORDS,
)

HISTORIES = st.builds(
    HistoryRow,
    SERVICES,
    PORTS,
    WORDS,
    WORDS,
    FIGURES,
    st.lists(
        st.builds(HistorySiteRow, WORDS, IDS, st.booleans(), st.none() | COUNTS), max_size=3
    ).map(tuple),
    st.lists(
        st.builds(
            SampleRow,
            MOMENTS,
            st.lists(FIGURES, max_size=3).map(tuple),
            st.lists(COUNTS, max_size=3).map(tuple),
            COUNTS,
            COUNTS,
            st.none() | COUNTS,
            st.none() | FIGURES,
            COUNTS,
            COUNTS,
            st.none() | FIGURES,
            st.none() | FIGURES,
        ),
        max_size=3,
    ).map(tuple),
)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=40,
)


def tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(tuples, value))
    if isinstance(value, dict):
        return {key: tuples(one) for key, one in value.items()}
    return value


def former(kind: Any, wire: bytes) -> Any:
    """What msgspec's decoder makes of it; None: nothing."""
    try:
        return msgspec.msgpack.decode(wire, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        return None


def read(kind: Any, wire: bytes) -> Any:
    try:
        return packed.read(wire, kind)
    except packed.Unreadable:
        return None


@given(PLAIN)
def test_what_is_packed_reads_back_and_has_the_former_bytes(value: Any) -> None:
    wire = packed.pack(value)
    assert wire == msgspec.msgpack.encode(value)
    assert packed.unpack(wire) == tuples(value)


@given(MESSAGES)
@settings(max_examples=examples(150))
def test_each_message_has_the_bytes_that_it_had(message: control.Message) -> None:
    assert control.encode(message) == msgspec.msgpack.encode(message)


@given(LSAS | ANSWERS | HISTORIES | st.builds(SiteQuestion, SERVICES, SERVICES, PORTS))
@settings(max_examples=examples(150))
def test_adverts_questions_and_answers_have_the_bytes_that_they_had(value: object) -> None:
    # As plain values: of a struct with more than 15 fields msgspec writes a longer length, however
    # few are not left out.
    plain = msgspec.to_builtins(value, builtin_types=(bytes,))
    assert packed.pack(value) == msgspec.msgpack.encode(plain)


@given(st.lists(PLAIN, max_size=40))
def test_an_array_of_packed_items_is_the_array_packed(items: list[Any]) -> None:
    assert packed.pack_array([packed.pack(item) for item in items]) == packed.pack(items)


@given(message=MESSAGES, data=st.data())
@settings(max_examples=examples(200))
def test_a_damaged_message_is_judged_as_it_was(
    message: control.Message, data: st.DataObject
) -> None:
    wire = bytearray(control.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    kind = type(message)
    found, before = read(kind, bytes(wire)), former(kind, bytes(wire))
    if found != before:  # It is stricter where fields are that it does not know.
        assert found is None
        with pytest.raises(packed.Unreadable):
            packed.unpack(wire)


@given(st.binary(max_size=400))
def test_noise_raises_the_declared_error_or_is_a_value(noise: bytes) -> None:
    for prefix in (b"", b"\xdc\x00\x40", b"\x81\xa0", b"\x94\xa3ack"):
        read(Lsa, prefix + noise)
        try:
            packed.unpack(prefix + noise)
        except packed.Unreadable as error:
            assert str(error)

"""Hostile MessagePack: the objects that it may make us build, the errors, and the little work."""

import sys
import tracemalloc
from collections.abc import Callable

import msgpack
import msgspec
import pytest

from router.link import control
from router.model import limits
from router.model.errors import RemoteProtocolError
from router.model.ids import RouterId
from router.model.messages import packed
from router.model.messages.acks import LsaAck
from router.routing.adverts.lsa import LsaFault, decode_lsa

MOST = limits.CONTROL_MESSAGE_BYTES_MAX


def filled(head: bytes, item: bytes) -> bytes:
    """The largest message that has ``head``, the header of an array, and so many of ``item``."""
    count = (MOST - len(head) - 3) // len(item)
    return head + b"\xdc" + count.to_bytes(2, "big") + item * count


LIES = {
    "nested arrays of 65,535": b"\xdd\x00\x00\xff\xff" * (MOST // 5),
    "nested arrays of 4 billion": b"\xdd\xff\xff\xff\xff" * (MOST // 5),
    "few nested arrays, then bytes": b"\xdc\xff\xff" * 1_000 + b"\x00" * (MOST - 3_000),
    "nested maps": b"\xde\xff\xff\xa0" * (MOST // 4),
    "arrays as last item": b"\x9f" + (b"\x00" * 14 + b"\xdc\xff\xff") * (MOST // 17),
    "text of 4 billion bytes": b"\x92\xdb\xff\xff\xff\xff" + b"a" * 1_000,
    "bytes of 4 billion bytes": b"\x92\xc6\xff\xff\xff\xff" + b"a" * 1_000,
    "an extension of 4 billion bytes": b"\x92\xc9\xff\xff\xff\xff\x01" + b"a" * 1_000,
    "small nested arrays": b"\xdc\x00\x40" * 21,
    "small nested arrays of a million": b"\xdd\x00\x10\x00\x00" * 12,
}


def built_bytes(data: bytes) -> int:
    """What reading ``data`` allocated at most."""
    tracemalloc.start()
    try:
        with pytest.raises(packed.Unreadable):
            packed.unpack(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", LIES)
def test_what_a_message_claims_and_does_not_have_is_never_built(name: str) -> None:
    assert built_bytes(LIES[name]) < 200_000


HEAVY = {
    "empty maps": filled(b"\x91", b"\x80"),
    "maps": filled(b"\x91", b"\x81\xa0\xc0"),
    "empty arrays": filled(b"\x91", b"\x90"),
    "arrays": filled(b"\x91", b"\x91\xc0"),
    "deep arrays": filled(b"\x91", b"\x91" * 900 + b"\xc0"),
}


@pytest.mark.parametrize("name", HEAVY)
def test_arrays_and_maps_are_counted_and_the_rest_is_not_built(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(HEAVY[name]) > MOST - 1_000
    built = 0
    unpackb: Callable[..., object] = msgpack.unpackb

    def counting(data: bytes, **options: Callable[[object], object]) -> object:
        def counted(hook: Callable[[object], object]) -> Callable[[object], object]:
            def count(value: object) -> object:
                nonlocal built
                built += 1
                return hook(value)

            return count

        for name in ("list_hook", "object_hook"):
            options[name] = counted(options[name])
        return unpackb(data, **options)

    monkeypatch.setattr(msgpack, "unpackb", counting)
    assert built_bytes(HEAVY[name]) < 64 * MOST
    assert built == len(HEAVY[name]) // packed.CONTAINER_BYTES + 1


def test_as_many_as_a_message_may_have_are_read() -> None:
    count = packed.CONTAINERS_MAX - 1
    wire = b"\xdc" + count.to_bytes(2, "big") + b"\x91\xc0" * count
    assert packed.unpack(wire) == ((None,),) * count
    with pytest.raises(packed.Unreadable, match="too many"):
        packed.unpack(b"\xdc" + (count + 1).to_bytes(2, "big") + b"\x91\xc0" * (count + 1))


ODD = {
    "nothing": b"",
    "nil": b"\xc0",
    "a map": b"\x81\xa3ack\x01",
    "a text": b"\xa3ack",
    "a number": b"\x01",
    "an empty array": b"\x90",
    "nil for a name": b"\x91\xc0",
    "a map for a name": b"\x91\x80",
    "bytes for a name": b"\x91\xc4\x03ack",
    "a map for an array": b"\x92\xa4load\x80",
    "nil for an array": b"\x92\xa4load\xc0",
    "nil for a struct": b"\x92\xa4load\x91\xc0",
    "a map for a struct": b"\x92\xa4load\x91\x81\xa6router\xa1r",
    "a map with an array as key": b"\x95\xa3ack\x81\x90\x01\x00\x00\x00",
    "a map with a number as key": b"\x95\xa3ack\x81\x01\x01\x00\x00\x00",
    "a number as key in a later field": b"\x96\xa3ack\xb0"
    + b"0" * 16
    + b"\x00\x01\x01\x81\x01\x01",
    "text for bytes": b"\x92\xa3lsa\xa4aGk=",
    "text that is no UTF-8": b"\x95\xa3ack\xa2\xff\xfe\x00\x00\x00",
    "a number of no use": b"\x95\xa3ack\xa1r\xcb\x7f\xf8" + bytes(6) + b"\x00\x00",
    "a moment that is none": b"\x95\xa3ack\xc7\x0c\xff" + b"\xff" * 12 + b"\x00\x00\x00",
    "the reserved byte": b"\x92\xa4cost\xc1",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_of_another_shape_is_a_fault_of_the_peer(name: str) -> None:
    for newer in (False, True):
        with pytest.raises(RemoteProtocolError) as raised:
            control.decode(memoryview(ODD[name]), ignore_unknown=newer)
        assert raised.value.code == "bad-message"
    for wire in (ODD[name], packed.pack([ODD[name], b""])):
        fault = decode_lsa(wire)
        assert isinstance(fault, LsaFault)
        assert fault.code == "malformed"


@pytest.mark.parametrize(
    ("wire", "field"),
    [
        (msgpack.packb(["cost", "much"]), "CostMessage.cost"),
        (msgpack.packb(["cost", 0]), "CostMessage.cost"),
        (msgpack.packb(["goaway", "lost", "x", None]), "GoAway.reason"),
        (msgpack.packb(["load", [["r", 1, "shop", "80", 0, 0, 0]]]), "LoadMessage.reports"),
    ],
)
def test_an_error_names_the_field(wire: bytes, field: str) -> None:
    with pytest.raises(RemoteProtocolError, match=field):
        control.decode(memoryview(wire))


class Pair(msgspec.Struct, array_like=True):
    left: int
    right: bytes


def test_an_error_names_the_field_of_a_struct_without_a_name() -> None:
    with pytest.raises(packed.Unreadable, match=r"Pair\.right"):
        packed.read(b"\x92\x01\xa1x", Pair)
    with pytest.raises(packed.Unreadable, match="Expected `array`"):
        packed.read(b"\xc0", tuple[Pair, ...])


def calls_of(work: Callable[[], object]) -> int:
    """Calls of functions, in Python and in C."""
    count = 0

    def saw(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(saw)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count - 1  # The last call turns this off.


def test_a_small_message_is_read_in_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ack took 46 us when each message had an unpacker with its buffer of 1 MiB."""
    wire = memoryview(control.encode(LsaAck(RouterId("0" * 16), 3, 1_780_000_000, 12)))
    monkeypatch.setattr(msgpack, "Unpacker", None)
    assert calls_of(lambda: control.decode(wire)) <= 12

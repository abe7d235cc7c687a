"""Heads are remembered on second sight and within bounds; the newest stay."""

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.memory import HeadMemory
from router.model import limits


def twice(known: BytesCache[int], text: bytes, value: int) -> None:
    known.note(text, value)
    known.note(text, value)


def test_what_comes_twice_is_remembered_and_what_comes_once_is_not() -> None:
    known: BytesCache[int] = BytesCache()
    known.note(b"a", 1)
    assert known.known.get(b"a") is None
    known.note(b"a", 2)
    assert known.known.get(b"a") == 2
    known.note(b"a", 3)
    assert (known.known.get(b"a"), len(known), known.key_bytes) == (3, 1, 1)


def test_heads_that_never_come_again_displace_nobody_and_take_no_room() -> None:
    known: BytesCache[int] = BytesCache()
    twice(known, b"usual", 1)
    for number in range(20 * limits.HEADS_REMEMBERED_MAX):
        known.note(b"id: %d" % number, number)
    assert known.known.get(b"usual") == 1
    assert len(known) == 1


def test_a_head_that_is_too_large_is_never_remembered() -> None:
    known: BytesCache[int] = BytesCache()
    twice(known, b"a" * limits.HEAD_REMEMBERED_BYTES_MAX, 1)
    twice(known, b"b" * (limits.HEAD_REMEMBERED_BYTES_MAX + 1), 2)
    assert len(known) == 1


def test_entries_and_bytes_are_bounded_and_the_oldest_goes_first() -> None:
    known: BytesCache[int] = BytesCache()
    for number in range(limits.HEADS_REMEMBERED_MAX + 5):
        twice(known, b"%d" % number, number)
    assert len(known) == limits.HEADS_REMEMBERED_MAX
    assert known.known.get(b"4") is None
    assert known.known.get(b"5") == 5
    for number in range(1000):
        twice(known, b"%d" % number + b"x" * 4000, number)
    assert known.key_bytes <= limits.HEADS_REMEMBERED_BYTES_MAX
    assert known.known.get(b"999" + b"x" * 4000) == 999


def test_what_was_forgotten_is_remembered_again_when_it_comes_again() -> None:
    known: BytesCache[int] = BytesCache()
    get = known.known.get
    twice(known, b"a", 1)
    known.forget()
    assert (get(b"a"), len(known), known.key_bytes) == (None, 0, 0)
    known.note(b"a", 2)
    assert (get(b"a"), known.key_bytes) == (2, 1)


def test_the_oldest_since_all_was_forgotten_goes_first() -> None:
    known: BytesCache[int] = BytesCache()
    twice(known, b"before", 1)
    known.forget()
    for number in range(limits.HEADS_REMEMBERED_MAX):
        twice(known, b"%d" % number, number)
    twice(known, b"0", 7)  # Its value is another one; it is as old as it was.
    twice(known, b"last", 8)
    assert len(known) == limits.HEADS_REMEMBERED_MAX
    assert known.known.get(b"0") is None
    assert (known.known.get(b"1"), known.known.get(b"last")) == (1, 8)


def test_verdicts_on_heads_from_other_sites_are_remembered_and_forgotten_with_the_rest() -> None:
    heads = HeadMemory()
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\n"
    for known in (0, 1, 1):
        assert heads.status_of(bytes(bytearray(head))) == 200
        assert len(heads) == known
    for _ in range(3):
        assert heads.status_of(head + b"Connection: close\r\n") is None
    assert len(heads) == 1
    heads.forget()
    assert (heads.status_of(head), len(heads)) == (200, 1)

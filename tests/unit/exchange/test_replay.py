"""The sent part of a request, kept for a retry: all of it, in order, and counted."""

import pytest

from router.exchange.replay import Replay
from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.service.pressure import Pressure
from tests.unit.exchange.fakes_http import FakeLeg
from tests.unit.exchange.test_upload import Owner

MOST = limits.REPLAY_BYTES_MAX


def leg() -> FakeLeg:
    request = Request(key=ServiceKey("shop", 80), protocol="http", head=b"")
    return FakeLeg(request, handler=None)  # type: ignore[arg-type]  # Nothing calls it.


@pytest.mark.parametrize("first", [b"", b"a", b"a" * (MOST - 1), b"a" * MOST])
@pytest.mark.parametrize("more", [(), (b"",), (b"b",), (b"", b"bc", b"d" * (MOST - 3), b"e")])
def test_it_is_full_with_so_many_bytes_and_all_that_is_kept_is_counted_until_it_is_dropped(
    first: bytes, more: tuple[bytes, ...]
) -> None:
    pressure = Pressure()
    other = Replay(pressure, Owner(), b"other")
    kept, sent = Replay(pressure, Owner(), first), first
    for piece in (b"", *more):
        assert kept.add(memoryview(piece)) == piece
        sent += piece
        assert (kept.size_bytes, kept.is_full) == (len(sent), len(sent) >= MOST)
        assert pressure.held_bytes == len(b"other") + len(sent)
        assert list(pressure.holders) == [other, *([kept] if sent else [])]
    again = leg()
    assert kept.play(again)
    assert bytes(again.body) == sent
    kept.drop()
    assert (pressure.held_bytes, list(pressure.holders)) == (len(b"other"), [other])


def test_what_is_sent_again_has_its_trailers_and_says_whether_there_is_room_for_more() -> None:
    kept = Replay(Pressure(), Owner(), b"a")
    kept.add_trailers(b"x: y\r\n")
    again = leg()
    again.full = True
    assert not kept.play(again)
    assert (bytes(again.body), again.trailers) == (b"a", b"x: y\r\n")

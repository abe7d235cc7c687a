"""Where sessions are remembered to be, and how long."""

from router.balance.targets.sessions import SESSION_KEY_MAX, SessionTable, key_of
from router.model import limits
from router.model.ids import SiteId

EAST, WEST = SiteId("ea" * 16), SiteId("we" * 16)


def test_a_key_is_never_zero_and_tells_parts_apart() -> None:
    keys = {key_of(b"shop", b"a"), key_of(b"shopa"), key_of(b"", b"shopa"), key_of(b"sho", b"pa")}
    assert len(keys) == 4
    assert all(0 < key <= SESSION_KEY_MAX for key in keys)
    assert key_of(b"shop", b"10.0.0.9") == 0x2DEDCEC530661E7C  # The same at every site, for ever.


def test_the_longest_idle_go_when_there_are_too_many() -> None:
    table = SessionTable()
    for key in range(1, limits.SESSIONS_MAX + 1):
        table.served(key, EAST, 1.0)
    table.served(1, EAST, 2.0)
    table.served(limits.SESSIONS_MAX + 1, WEST, 3.0)
    assert len(table) == limits.SESSIONS_MAX
    assert table.site_of(2, 3.0) is None
    assert table.site_of(1, 3.0) == EAST
    assert table.site_of(limits.SESSIONS_MAX + 1, 3.0) == WEST


def test_a_session_is_known_until_it_was_idle_for_its_time_and_not_a_moment_longer() -> None:
    table = SessionTable()
    table.served(1, EAST, 0.0)
    assert table.site_of(1, limits.SESSION_IDLE_S - 0.001) == EAST
    assert table.site_of(1, limits.SESSION_IDLE_S) is None

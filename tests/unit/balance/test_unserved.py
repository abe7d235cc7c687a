"""Who was turned away counts once, and no longer than it wants to be served."""

from router.balance.learning.unserved import UnservedClient, UnservedClients
from router.model import limits

REQUEST_S = 0.5
CLIENT = "192.0.2.1"


def away(unserved: UnservedClients, now: float, came_at: float | None = None) -> UnservedClient:
    """One whose connection stays open."""
    at = now if came_at is None else came_at
    one = unserved.add(now, at, REQUEST_S, "", may_return=True)
    assert one is not None
    return one


def known_to_return() -> UnservedClients:
    unserved = UnservedClients()
    assert unserved.asks_again(away(unserved, 0.0), 3.0)
    return unserved


def test_it_counts_for_as_long_as_it_would_have_been_in_flight() -> None:
    unserved = UnservedClients()
    assert unserved.add(10.2, 10.0, REQUEST_S, "", may_return=False) is None
    assert [unserved.total(at, 0) for at in (10.2, 10.48, 10.52)] == [1, 1, 0]
    unserved.add(20.6, 20.0, REQUEST_S, "", may_return=False)
    assert unserved.total(20.6, 0) == 0, "it waited for longer than it would have taken"


def test_who_would_take_long_counts_as_long_as_clients_are_asked_to_wait() -> None:
    for request_s in (0.0, 100.0):
        unserved = UnservedClients()
        unserved.add(10.0, 10.0, request_s, "", may_return=False)
        end = 10.0 + limits.RETRY_AFTER_MEAN_S
        assert [unserved.total(at, 0) for at in (10.0, end - 0.1, end + 0.1)] == [1, 1, 0]


def test_where_clients_come_back_one_counts_until_it_does() -> None:
    unserved = known_to_return()
    one = away(unserved, 10.0)
    assert unserved.total(13.0, 0) == 1
    assert unserved.asks_again(one, 13.0)
    assert unserved.total(13.0, 0) == 0
    assert not unserved.asks_again(one, 13.0)


def test_where_clients_come_back_one_that_does_not_is_forgotten() -> None:
    unserved = known_to_return()
    away(unserved, 10.0)
    late = 10.0 + limits.UNSERVED_S_MAX
    assert (unserved.total(late - 0.1, 0), unserved.total(late, 0)) == (1, 0)


def test_where_clients_come_back_at_once_one_that_does_not_is_forgotten_soon() -> None:
    unserved = known_to_return()
    for _ in range(200):
        unserved.asks_again(away(unserved, 10.0), 10.1)
    away(unserved, 20.0)
    assert [unserved.total(20.0 + late, 0) for late in (0.5, 1.0)] == [1, 0]


def test_who_leaves_counts_as_one_that_asked_once() -> None:
    unserved = known_to_return()
    one = away(unserved, 10.0)
    unserved.left(one, 10.1)
    assert (unserved.total(10.4, 0), unserved.total(10.6, 0)) == (1, 0)
    unserved.left(one, 10.7)
    assert unserved.total(10.7, 0) == 0


def test_the_last_ones_say_whether_clients_come_back() -> None:
    unserved = known_to_return()
    for _ in range(10):
        unserved.left(away(unserved, 20.0), 20.0)
    away(unserved, 30.0)
    assert unserved.total(30.6, 0) == 0
    for _ in range(20):
        unserved.asks_again(away(unserved, 40.0), 43.0)
    away(unserved, 50.0)
    assert unserved.total(50.6, 0) == 1


def test_those_who_ask_once_and_the_queue_they_found_full_are_one_excess() -> None:
    unserved = UnservedClients()
    unserved.left(away(unserved, 0.0), 0.0)
    for _ in range(5):
        unserved.add(10.0, 10.0, REQUEST_S, "", may_return=False)
    assert [unserved.total(10.1, queued) for queued in (0, 3, 9)] == [5, 2, 0]


def test_it_is_bounded() -> None:
    unserved = known_to_return()
    for _ in range(limits.UNSERVED_KEPT_MAX):
        away(unserved, 10.0)
    assert unserved.add(10.0, 10.0, REQUEST_S, "", may_return=True) is None
    assert unserved.total(10.0, 0) == limits.UNSERVED_KEPT_MAX + 1
    assert unserved.total(10.6, 0) == limits.UNSERVED_KEPT_MAX


def test_who_has_to_connect_again_is_known_by_its_address() -> None:
    unserved = UnservedClients()
    unserved.add(10.0, 10.0, REQUEST_S, CLIENT, may_return=False)
    assert not unserved.comes("192.0.2.2", 11.0), "that is another client"
    assert unserved.comes(CLIENT, 11.0)
    assert (unserved.total(11.0, 0), dict(unserved.away)) == (0, {})
    assert not unserved.comes(CLIENT, 11.0)


def test_those_that_are_turned_away_at_once_are_different_clients_of_their_address() -> None:
    unserved = known_to_return()
    pause_s = limits.UNSERVED_PAUSE_S
    for number in range(3):
        now = 10.0 + number * pause_s / 4
        assert not unserved.comes(CLIENT, now)
        unserved.add(now, now, REQUEST_S, CLIENT, may_return=False)
    assert unserved.total(10.1, 0) == 3
    for _ in range(20):  # One of them goes on, as fast as it may.
        now += pause_s * 1.1
        assert unserved.comes(CLIENT, now)
        unserved.add(now, now, REQUEST_S, CLIENT, may_return=False)
        assert unserved.total(now, 0) <= 3
    for _ in range(200):
        now += pause_s * 1.1
        assert unserved.comes(CLIENT, now)
        unserved.add(now, now, REQUEST_S, CLIENT, may_return=False)
    assert unserved.total(now, 0) == 1, "those that gave up are forgotten"
    assert unserved.total(now + limits.UNSERVED_S_MAX, 0) == 0
    assert not unserved.away


def test_the_last_clients_say_whether_most_come_again_and_not_all_that_ever_came() -> None:
    unserved, lately = UnservedClients(), int(1 / limits.UNSERVED_SMOOTHING)
    for _ in range(10 * lately):
        unserved.left(away(unserved, 0.0), 0.0)
    for _ in range(lately):
        assert unserved.asks_again(away(unserved, 1.0), 2.0)
    away(unserved, 1.0)
    assert unserved.total(2.0, 0) == 1, "its request would be over, but it comes again"

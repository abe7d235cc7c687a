"""Which connection a request gets, and when idle ones go."""

import pytest

from router.forward.pool import TargetConnection, TargetPool
from router.model import limits
from router.model.settings import Timeouts
from router.net.ports import DialFailure, Loss
from tests.unit.forward.fakes_http import FakeConnection, FakeNetwork


class User:
    """Who holds a connection."""

    def __init__(self) -> None:
        self._times_overdue = 0

    def times_overdue(self) -> int:
        return self._times_overdue

    def received(self, data: memoryview) -> None: ...
    def ended(self) -> None: ...
    def writable(self) -> None: ...
    def lost(self, cause: Loss | None) -> None: ...

    def overdue(self) -> None:
        self._times_overdue += 1


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


@pytest.fixture
def pool(network: FakeNetwork) -> TargetPool:
    return TargetPool(network, "127.0.0.1", 9001)


def taken(pool: TargetPool, network: FakeNetwork) -> tuple[TargetConnection, FakeConnection]:
    """A fresh connection in use."""
    got: list[TargetConnection] = []

    def connected(target: TargetConnection) -> None:
        target.user = User()
        got.append(target)

    def failed(failure: DialFailure) -> None:
        raise AssertionError(failure)

    pool.dial(connected, failed)
    connection = network.connect()
    return got[0], connection


def test_the_connection_used_last_is_taken_first(pool: TargetPool, network: FakeNetwork) -> None:
    targets = [taken(pool, network)[0] for _ in range(3)]
    for target in targets:
        pool.release(target, limits.POOL_IDLE_S)
    assert pool.acquire(True) is targets[2]
    assert targets[2].is_reused
    assert pool.acquire(True) is targets[1]
    assert pool.acquire(True) is targets[0]
    assert pool.acquire(True) is None


def test_what_may_not_be_repeated_gets_a_fresh_connection_or_one_just_used(
    pool: TargetPool, network: FakeNetwork
) -> None:
    target, _ = taken(pool, network)
    pool.release(target, limits.POOL_IDLE_S)
    network.advance(limits.POOL_FRESH_S)
    assert pool.acquire(False) is target
    pool.release(target, limits.POOL_IDLE_S)
    network.advance(limits.POOL_FRESH_S + 0.1)
    assert pool.acquire(False) is None
    assert pool.acquire(True) is target


def test_a_stale_address_does_not_lead_to_an_older_connection_for_what_may_not_be_repeated(
    pool: TargetPool, network: FakeNetwork
) -> None:
    old, moved = (taken(pool, network)[0] for _ in range(2))
    moved.address = "192.0.2.99"
    pool.release(old, limits.POOL_IDLE_S)
    network.advance(limits.POOL_FRESH_S + 0.1)
    pool.release(moved, limits.POOL_IDLE_S)
    network.renamed.add("192.0.2.99")
    assert pool.acquire(False) is None
    assert pool.acquire(True) is old


@pytest.mark.parametrize("idle_s", [limits.POOL_IDLE_S, 2.0])
def test_an_idle_connection_is_closed_in_time_and_never_used_late(
    pool: TargetPool, network: FakeNetwork, idle_s: float
) -> None:
    target, connection = taken(pool, network)
    pool.release(target, idle_s)
    network.time += idle_s  # The sweep has not run yet.
    assert pool.acquire(True) is None
    assert connection.is_finished()
    other, second = taken(pool, network)
    pool.release(other, idle_s)
    network.advance(idle_s + limits.POOL_SWEEP_S)
    assert second.is_finished()
    assert pool.idle_count == 0


def test_a_target_that_does_not_close_its_side_is_reset(
    pool: TargetPool, network: FakeNetwork
) -> None:
    target, connection = taken(pool, network)
    pool.release(target, 0.0)
    assert connection.is_finished()
    network.advance(limits.LINGER_DISCARD_S + 2 * limits.POOL_SWEEP_S)
    assert connection.is_aborted()
    assert pool.open_count == 0
    assert network.pending_timers == 0, "a pool without connections needs no timer"


def test_an_idle_connection_that_speaks_ends_or_breaks_is_not_used_again(
    pool: TargetPool, network: FakeNetwork
) -> None:
    for event in ("bytes", "end", "loss"):
        target, connection = taken(pool, network)
        pool.release(target, limits.POOL_IDLE_S)
        if event == "bytes":
            connection.deliver(b"HTTP/1.1 408 Timeout\r\n\r\n")
        elif event == "end":
            connection.end()
        else:
            connection.lose(Loss("reset"))
        assert pool.acquire(True) is None
        network.turn()
        assert pool.open_count == 0


def test_no_more_than_a_bounded_number_idles(pool: TargetPool, network: FakeNetwork) -> None:
    targets = [taken(pool, network)[0] for _ in range(limits.POOL_IDLE_PER_TARGET_MAX + 1)]
    for target in targets:
        pool.release(target, limits.POOL_IDLE_S)
    assert pool.idle_count == limits.POOL_IDLE_PER_TARGET_MAX


def test_a_closed_pool_keeps_nothing_and_lets_exchanges_end(
    pool: TargetPool, network: FakeNetwork
) -> None:
    busy, busy_connection = taken(pool, network)
    idle, idle_connection = taken(pool, network)
    pool.release(idle, limits.POOL_IDLE_S)
    pool.close()
    assert idle_connection.is_finished()
    assert not busy_connection.is_finished()
    pool.release(busy, limits.POOL_IDLE_S)
    assert busy_connection.is_finished()
    assert pool.idle_count == 0


def test_a_deadline_is_told_to_the_user_once(pool: TargetPool, network: FakeNetwork) -> None:
    target, _ = taken(pool, network)
    user = User()
    target.user = user
    target.deadline = network.now() + 5
    network.advance(4)
    assert user.times_overdue() == 0
    network.advance(1 + limits.POOL_SWEEP_S)
    assert user.times_overdue() == 1
    network.advance(5)
    assert user.times_overdue() == 1


def test_a_connection_to_an_address_that_the_name_has_lost_is_not_used_again(
    network: FakeNetwork,
) -> None:
    pool = TargetPool(network, "shop", 9001)
    target, connection = taken(pool, network)
    pool.release(target, limits.POOL_IDLE_S)
    network.renamed.add(connection.peer.host)
    assert pool.acquire(True) is None
    assert connection.is_finished()


def test_an_address_is_not_asked_for_whether_it_is_current(network: FakeNetwork) -> None:
    pool = TargetPool(network, FakeConnection.peer.host, 9001)
    target, connection = taken(pool, network)
    pool.release(target, limits.POOL_IDLE_S)
    network.renamed.add(connection.peer.host)
    assert pool.acquire(True) is target


@pytest.mark.parametrize("response_s", [0.05, 0.4, 3.0, 60.0])
def test_a_deadline_is_judged_soon_after_it_however_short_it_is(
    network: FakeNetwork, response_s: float
) -> None:
    pool = TargetPool(network, "127.0.0.1", 9001, timeouts=Timeouts(response_s=response_s))
    target, _ = taken(pool, network)
    target.deadline = network.now() + response_s
    user = target.user
    assert isinstance(user, User)
    network.advance(response_s - 0.001)
    assert user.times_overdue() == 0
    network.advance(0.002 + min(1.0, response_s / 4))
    assert user.times_overdue() == 1

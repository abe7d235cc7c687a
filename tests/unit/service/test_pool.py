"""Which connection a request gets, and when idle ones go."""

import pytest

from router.http.http1.responses import KnownResponses
from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import Timeouts
from router.net.ports import Loss
from router.service.targets.pool import DEFAULT_TIMEOUTS, TargetPool, sweep_s
from router.service.targets.target_http import HttpTarget
from tests.unit.exchange.fakes_http import FakeConnection, FakeNetwork
from tests.unit.exchange.taken import RecordingTaker


def pool_of(
    network: FakeNetwork, host: str = "127.0.0.1", timeouts: Timeouts = DEFAULT_TIMEOUTS
) -> TargetPool:
    return TargetPool(
        network, host, 9001, via=b"1.1 east", known=KnownResponses(), timeouts=timeouts
    )


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


@pytest.fixture
def pool(network: FakeNetwork) -> TargetPool:
    return pool_of(network)


def request(*, idempotent: bool = True) -> Request:
    head = b"GET / HTTP/1.1\r\nHost: shop\r\n"
    return Request(key=ServiceKey("shop", 80), protocol="http", head=head, idempotent=idempotent)


def taken(pool: TargetPool, network: FakeNetwork) -> tuple[HttpTarget, FakeConnection]:
    """A fresh connection that has a request."""
    taker = RecordingTaker()
    pool.dial(request(), taker, from_client=True)
    connection = network.connect()
    assert isinstance(taker.leg, HttpTarget)
    return taker.leg, connection


def take(pool: TargetPool, *, idempotent: bool = True) -> HttpTarget | None:
    return pool.take(request(idempotent=idempotent), RecordingTaker(), from_client=True)


def answer(connection: FakeConnection, idle_s: float = limits.POOL_IDLE_S) -> None:
    """Its target allows it to idle so long."""
    kept = b"close" if not idle_s else b"keep-alive\r\nKeep-Alive: timeout=%d" % (idle_s + 1)
    connection.deliver(b"HTTP/1.1 204 No Content\r\nConnection: %b\r\n\r\n" % kept)


def test_the_connection_used_last_is_taken_first(pool: TargetPool, network: FakeNetwork) -> None:
    fresh = [taken(pool, network) for _ in range(3)]
    for _, connection in fresh:
        answer(connection)
    first, second, third = (target for target, _ in fresh)
    assert take(pool) is third
    assert take(pool) is second
    assert take(pool) is first
    assert take(pool) is None


def test_what_may_not_be_repeated_gets_a_fresh_connection_or_one_just_used(
    pool: TargetPool, network: FakeNetwork
) -> None:
    target, connection = taken(pool, network)
    answer(connection)
    network.advance(limits.POOL_FRESH_S)
    assert take(pool, idempotent=False) is target
    answer(connection)
    network.advance(limits.POOL_FRESH_S + 0.1)
    assert take(pool, idempotent=False) is None
    assert take(pool) is target


def test_a_stale_address_does_not_lead_to_an_older_connection_for_what_may_not_be_repeated(
    pool: TargetPool, network: FakeNetwork
) -> None:
    (old, older), (moved, newer) = (taken(pool, network) for _ in range(2))
    moved.address = "192.0.2.99"
    answer(older)
    network.advance(limits.POOL_FRESH_S + 0.1)
    answer(newer)
    network.renamed.add("192.0.2.99")
    assert take(pool, idempotent=False) is None
    assert take(pool) is old


@pytest.mark.parametrize("idle_s", [limits.POOL_IDLE_S, 2.0])
def test_an_idle_connection_is_closed_in_time_and_never_used_late(
    pool: TargetPool, network: FakeNetwork, idle_s: float
) -> None:
    _, connection = taken(pool, network)
    answer(connection, idle_s)
    network.time += idle_s  # The sweep has not run yet.
    assert take(pool) is None
    assert connection.is_finished()
    _, second = taken(pool, network)
    answer(second, idle_s)
    network.advance(idle_s + limits.POOL_SWEEP_S)
    assert second.is_finished()
    assert pool.idle_count == 0


def test_a_target_that_does_not_close_its_side_is_reset(
    pool: TargetPool, network: FakeNetwork
) -> None:
    _, connection = taken(pool, network)
    answer(connection, 0)
    assert connection.is_finished()
    network.advance(limits.LINGER_DISCARD_S + 2 * limits.POOL_SWEEP_S)
    assert connection.is_aborted()
    assert pool.open_count == 0
    assert network.pending_timers == 0, "a pool without connections needs no timer"


def test_an_idle_connection_that_speaks_ends_or_breaks_is_not_used_again(
    pool: TargetPool, network: FakeNetwork
) -> None:
    for event in ("bytes", "end", "loss"):
        _, connection = taken(pool, network)
        answer(connection)
        if event == "bytes":
            connection.deliver(b"HTTP/1.1 408 Timeout\r\n\r\n")
        elif event == "end":
            connection.end()
        else:
            connection.lose(Loss("reset"))
        assert take(pool) is None
        network.turn()
        assert pool.open_count == 0


def test_no_more_than_a_bounded_number_idles(pool: TargetPool, network: FakeNetwork) -> None:
    connections = [taken(pool, network)[1] for _ in range(limits.POOL_IDLE_PER_TARGET_MAX + 1)]
    for connection in connections:
        answer(connection)
    assert pool.idle_count == limits.POOL_IDLE_PER_TARGET_MAX
    assert connections[-1].is_finished()


def test_a_closed_pool_keeps_nothing_and_lets_exchanges_end(
    pool: TargetPool, network: FakeNetwork
) -> None:
    _, busy = taken(pool, network)
    _, idle = taken(pool, network)
    answer(idle)
    pool.close()
    assert idle.is_finished()
    assert not busy.is_finished()
    answer(busy)
    assert busy.is_finished()
    assert pool.idle_count == 0


def test_a_connection_to_an_address_that_the_name_has_lost_is_not_used_again(
    network: FakeNetwork,
) -> None:
    pool = pool_of(network, "shop")
    _, connection = taken(pool, network)
    answer(connection)
    network.renamed.add(connection.peer.host)
    assert take(pool) is None
    assert connection.is_finished()


def test_an_address_is_not_asked_for_whether_it_is_current(network: FakeNetwork) -> None:
    pool = pool_of(network, FakeConnection.peer.host)
    target, connection = taken(pool, network)
    answer(connection)
    network.renamed.add(connection.peer.host)
    assert take(pool) is target


@pytest.mark.parametrize("response_s", [0.05, 0.4, 3.0, 60.0])
def test_a_deadline_is_judged_soon_after_it_however_short_it_is_and_told_once(
    network: FakeNetwork, response_s: float
) -> None:
    pool = pool_of(network, timeouts=Timeouts(response_s=response_s))
    taker = RecordingTaker()
    pool.dial(request(), taker, from_client=True)
    network.connect()
    network.advance(response_s - 0.001)
    assert [name for name, *_ in taker.events] == ["opened"]
    network.advance(0.002 + min(1.0, response_s / 4))
    network.advance(2 * response_s)
    assert [name for name, *_ in taker.events] == ["opened", "done"]
    assert taker.blames_target


@pytest.mark.parametrize("pieces", [1, 2])
def test_the_usual_time_is_the_first_one_and_follows_each_that_comes(
    pool: TargetPool, network: FakeNetwork, pieces: int
) -> None:
    assert pool.mean_s() == 0.0
    text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    usual_s = []
    for took_s in (1.0, 2.0, 0.0, 0.5):
        _, connection = taken(pool, network)
        network.time += took_s
        if pieces == 2:
            connection.deliver(text[:-1])
        connection.deliver(text[1 - pieces :] if pieces == 2 else text)
        usual_s.append(pool.mean_s())
    assert usual_s == pytest.approx([1.0, 1.2, 0.96, 0.868])


def test_an_answer_that_comes_before_its_request_is_whole_says_nothing_of_the_time(
    pool: TargetPool, network: FakeNetwork
) -> None:
    taker = RecordingTaker()
    upload = Request(
        key=ServiceKey("shop", 80), protocol="http", head=b"POST / HTTP/1.1\r\n", body_bytes=9
    )
    pool.dial(upload, taker, from_client=True)
    connection = network.connect()
    network.time += 3.0
    answer(connection)
    assert taker.last() == ("done", None) and pool.mean_s() == 0.0


@pytest.mark.parametrize(
    ("response_s", "idle_s", "expected_s"),
    [(60.0, 60.0, 1.0), (4.0, 60.0, 1.0), (2.0, 60.0, 0.5), (60.0, 0.4, 0.1), (0.4, 2.0, 0.1)],
)
def test_connections_are_looked_at_four_times_in_the_shortest_time_out(
    response_s: float, idle_s: float, expected_s: float
) -> None:
    timeouts = Timeouts(response_s=response_s, idle_s=idle_s)
    assert sweep_s(timeouts) == pytest.approx(expected_s)


def test_of_idle_connections_only_those_go_whose_time_is_over(
    pool: TargetPool, network: FakeNetwork
) -> None:
    fresh = [taken(pool, network) for _ in range(3)]
    for (_, connection), idle_s in zip(fresh, (1.0, limits.POOL_IDLE_S, 1.0), strict=True):
        answer(connection, idle_s)
    network.advance(1.0 + limits.POOL_SWEEP_S)
    assert [connection.is_finished() for _, connection in fresh] == [True, False, True]
    assert take(pool) is fresh[1][0]

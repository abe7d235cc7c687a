"""One edge: totals, the last minutes, and a day of history in a fixed size."""

from router.callers.edges import CallerTally, Edge
from router.model.latency import FINE_BUCKETS
from router.model.limits import CALLER_STEPS


def asked(edge: CallerTally, requests: int, failed: int = 0, bucket: int = 0) -> None:
    """So many requests more."""
    edge.requests += requests
    edge.failed += failed
    edge.counts[bucket] += requests


def test_what_is_counted_in_a_step_is_its_history() -> None:
    edge = Edge(7)
    asked(edge, 3, 1)
    edge.begin(8)
    asked(edge, 5)
    requests, failed = edge.past()
    assert requests == (*(0,) * (CALLER_STEPS - 2), 3, 5)
    assert failed == (*(0,) * (CALLER_STEPS - 2), 1, 0)


def test_steps_in_which_nothing_was_looked_at_are_empty() -> None:
    edge = Edge(0)
    asked(edge, 3)
    edge.begin(4)
    asked(edge, 1)
    assert edge.past()[0][-5:] == (3, 0, 0, 0, 1)


def test_history_goes_back_a_day_and_no_further() -> None:
    edge = Edge(0)
    for step in range(CALLER_STEPS + 10):
        edge.begin(step)
        asked(edge, step + 1)
    requests, _ = edge.past()
    assert requests == tuple(range(11, CALLER_STEPS + 11))
    assert edge.requests == sum(range(1, CALLER_STEPS + 11))


def test_a_jump_of_more_than_a_day_leaves_nothing_of_before() -> None:
    edge = Edge(0)
    asked(edge, 9)
    edge.begin(10 * CALLER_STEPS + 3)
    assert edge.past() == ((0,) * CALLER_STEPS, (0,) * CALLER_STEPS)
    assert edge.requests == 9


def test_an_edge_is_idle_a_day_after_its_last_request() -> None:
    edge = Edge(0)
    asked(edge, 1)
    for step in range(1, CALLER_STEPS):
        edge.begin(step)
        assert not edge.is_idle, step
    edge.begin(CALLER_STEPS)
    assert edge.is_idle
    asked(edge, 1)
    assert not edge.is_idle


def test_lately_is_of_one_to_two_minutes() -> None:
    edge = Edge(0)
    asked(edge, 4, 2, bucket=5)
    edge.turn()
    asked(edge, 1, bucket=6)
    assert edge.lately()[:2] == (5, 2)
    edge.turn()
    assert edge.lately()[:2] == (1, 0)
    counts = edge.lately()[2]
    assert counts[6] == 1 and sum(counts) == 1
    edge.turn()
    assert edge.lately() == (0, 0, (0,) * FINE_BUCKETS)


def test_what_was_counted_apart_is_added_to_now() -> None:
    edge, apart = Edge(0), CallerTally()
    asked(edge, 2, 1, bucket=3)
    edge.begin(1)
    edge.turn()
    edge.turn()
    asked(apart, 4, 2, bucket=4)
    edge.add(apart)
    assert (edge.requests, edge.failed, edge.counts[3], edge.counts[4]) == (6, 3, 2, 4)
    assert edge.past()[0][-2:] == (2, 4) and edge.past()[1][-2:] == (1, 2)
    assert edge.lately()[:2] == (4, 2)

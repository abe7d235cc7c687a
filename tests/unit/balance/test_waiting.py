import pytest

from router.balance.waiting import FairQueue, queue_limit
from router.model.ids import SiteId

A, B, C = SiteId("a"), SiteId("b"), SiteId("c")


def test_sites_are_served_in_turn_and_each_in_order() -> None:
    queue: FairQueue[str] = FairQueue(10)
    for item in ("a1", "a2", "a3"):
        queue.push(A, item, 9.0)
    queue.push(B, "b1", 9.0)
    queue.push(C, "c1", 9.0)
    assert [queue.pop(0.0) for _ in range(6)] == ["a1", "b1", "c1", "a2", "a3", None]


def test_a_full_queue_takes_nobody() -> None:
    queue: FairQueue[str] = FairQueue(1)
    assert queue.push(A, "a1", 9.0)
    assert not queue.push(B, "b1", 9.0)
    assert queue.discard("a1")
    assert queue.push(B, "b1", 9.0)


def test_a_queue_of_size_0_takes_nobody() -> None:
    assert not FairQueue[str](0).push(A, "a1", 9.0)


def test_a_lowered_limit_sends_nobody_away() -> None:
    queue: FairQueue[str] = FairQueue(2)
    queue.push(A, "a1", 9.0)
    queue.push(A, "a2", 9.0)
    queue.set_limit(1)
    assert len(queue) == 2
    assert queue.pop(0.0) == "a1"
    assert not queue.push(A, "a3", 9.0)


def test_who_left_is_not_served() -> None:
    queue: FairQueue[str] = FairQueue(5)
    queue.push(A, "a1", 9.0)
    queue.push(A, "a2", 9.0)
    assert queue.discard("a1")
    assert not queue.discard("a1")
    assert queue.waiting_of(A) == 1
    assert queue.pop(0.0) == "a2"


def test_who_waits_may_not_be_pushed_again() -> None:
    queue: FairQueue[str] = FairQueue(5)
    queue.push(A, "a1", 9.0)
    with pytest.raises(AssertionError, match="waits already"):
        queue.push(B, "a1", 9.0)


def test_items_past_their_deadline_are_skipped_and_handed_back_by_expire() -> None:
    queue: FairQueue[str] = FairQueue(5)
    queue.push(A, "late", 1.0)
    queue.push(A, "good", 5.0)
    assert queue.next_deadline() == 1.0
    assert queue.pop(1.0) == "good"
    assert queue.pop(1.0) is None
    assert len(queue) == 1
    assert queue.expire(1.0) == ["late"]
    assert queue.next_deadline() is None


def test_deadlines_of_those_who_left_count_no_more() -> None:
    queue: FairQueue[int] = FairQueue(5)
    for round_number in range(1_000):
        queue.push(A, round_number, float(round_number))
        queue.discard(round_number)
    assert queue.next_deadline() is None
    queue.push(A, 0, 7.0)
    assert queue.next_deadline() == 7.0


@pytest.mark.parametrize(
    ("configured", "held", "limit"),
    [
        *((None, 0, 10), (None, 2, 10), (None, 20, 80), (None, 500, 1_000)),
        *((0, 20, 0), (250, 1, 250)),
    ],
)
def test_the_queue_is_as_long_as_the_contract_says(
    configured: int | None, held: int, limit: int
) -> None:
    assert queue_limit(configured, held) == limit


def test_who_returns_is_first_of_its_site_again_even_in_a_full_queue() -> None:
    queue: FairQueue[str] = FairQueue(2)
    assert queue.push(A, "one", 9.0)
    assert queue.push(A, "two", 9.0)
    assert not queue.push(A, "three", 9.0)
    assert queue.push(A, "returned", 9.0, returns=True)
    assert [queue.pop(1.0) for _ in range(4)] == ["returned", "one", "two", None]

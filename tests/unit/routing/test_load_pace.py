"""What goes first to a neighbor, when, and how much."""

from math import ceil

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model import limits
from router.model.ids import RouterId
from router.model.messages.adverts import LoadReport, RateLoad
from router.routing.load_pace import LoadPace, LoadQueue, Urgency, refresh_s, urgency, weighed
from tests.examples import histories

N = RouterId("n")


def report(
    router: str, seq: int = 1, *, in_flight: int = 3, ready: int = 1, port: int = 80
) -> LoadReport:
    return LoadReport(RouterId(router), seq, "shop", port, in_flight, ready, 10)


def unlimited(router: str) -> LoadReport:
    """Of a site that is never full."""
    return msgspec.structs.replace(report(router), capacity=None)


def size(said: LoadReport) -> int:
    return len(msgspec.msgpack.encode(said))


def used_up(now: float) -> LoadQueue:
    """A queue that has told so much that it has to gather."""
    queue = LoadQueue(now)
    for number in range(2_000):
        queue.put(weighed(report(f"{number:016x}")), Urgency.REFRESH)
    queue.take(now)
    queue.keep(lambda router, key: False)
    return queue


def test_what_changes_is_told_at_once_while_the_link_is_little_used() -> None:
    queue = LoadQueue(5.0)
    for how in Urgency:
        said = report("a", how)
        queue.put(weighed(said), how)
        assert queue.ready_at(5.0) == 5.0
        assert queue.take(5.0) == [said]
    assert queue.ready_at(5.0) is None


def test_that_a_router_refuses_what_is_new_is_as_urgent_as_that_it_is_full() -> None:
    before = report("a")
    refuses = msgspec.structs.replace(before, refuses=True)
    assert urgency(before, refuses, 0) == urgency(refuses, before, 0) == Urgency.FLIP
    assert urgency(refuses, refuses, 0) == Urgency.REFRESH


def test_of_one_service_port_only_the_newest_report_waits() -> None:
    queue = used_up(5.0)
    for seq in range(50):
        queue.put(weighed(report("a", seq)), Urgency.CHANGE)
    assert len(queue) == 1
    at = queue.ready_at(5.0)
    assert at is not None and queue.take(at) == [report("a", 49)]


def test_who_used_half_of_the_burst_gathers_for_a_batch() -> None:
    queue = used_up(5.0)
    queue.put(weighed(report("a")), Urgency.FLIP)
    assert queue.take(5.0 + limits.LOAD_BATCH_S - 0.001) == []
    queue.put(weighed(report("b")), Urgency.FLIP)
    assert queue.ready_at(5.0) == pytest.approx(5.0 + limits.LOAD_BATCH_S)
    assert len(queue.take(5.0 + limits.LOAD_BATCH_S)) == 2


def test_a_burst_lets_out_what_it_holds_and_not_one_report_more() -> None:
    one = size(report("0" * 16))
    messages = limits.LOAD_MESSAGE_BYTES
    fits, rest = 0, limits.LOAD_LINK_BURST_BYTES
    while rest >= (cost := one + (messages if fits % limits.LOADS_PER_MESSAGE_MAX == 0 else 0)):
        fits, rest = fits + 1, rest - cost
    for count, waiting in ((fits, 0), (fits + 1, 1)):
        queue = LoadQueue(0.0)
        for number in range(count):
            queue.put(weighed(report(f"{number:016x}")), Urgency.CHANGE)
        assert len(queue.take(0.0)) == fits
        assert len(queue) == waiting


def test_flips_go_before_changes_and_those_before_refreshing_and_all_have_a_share() -> None:
    queue = LoadQueue(0.0)
    for how in reversed(Urgency):
        for number in range(100):
            queue.put(weighed(report(f"{how.name}{number}")), how)
    first = [said.router.rstrip("0123456789") for said in queue.take(0.0)[:50]]
    shares = {how: first.count(how.name) for how in Urgency}
    assert shares == {
        Urgency.FLIP: 20,
        Urgency.FAR_FLIP: 10,
        Urgency.CHANGE: 10,
        Urgency.FAR_CHANGE: 5,
        Urgency.REFRESH: 5,
    }
    order = [how.name for how in Urgency]
    assert sorted(order, key=first.index) == order, "the more urgent, the sooner"


@given(
    histories(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), 12),
    st.integers(0, 30),
)
def test_all_of_one_urgency_comes_out_in_turns_whether_more_is_affordable_or_not(
    said: list[tuple[str, int]], before: int
) -> None:
    """The reports that leave are the same with and without one of another urgency beside them."""
    alone, beside = LoadQueue(0.0), LoadQueue(0.0)
    for queue in (alone, beside):
        for number in range(before):  # Turns have gone on, and some of the budget is gone.
            queue.put(weighed(report(f"x{number}")), Urgency.FAR_CHANGE)
        queue.take(0.0)
        for router, port in said:
            queue.put(weighed(report(router, port=port)), Urgency.REFRESH)
    beside.put(weighed(report("z")), Urgency.CHANGE)
    told = alone.take(0.0)
    assert told == [one for one in beside.take(0.0) if one.router != "z"]
    assert len(alone) == len(beside) == 0
    assert told == alone_in_turns(said)


def alone_in_turns(said: list[tuple[str, int]]) -> list[LoadReport]:
    """Routers in the order in which they came, one service port of each at a time."""
    waiting: dict[str, list[int]] = {}
    for router, port in dict.fromkeys(said):
        waiting.setdefault(router, []).append(port)
    found = []
    while waiting:
        for router in list(waiting):
            found.append(report(router, port=waiting[router].pop(0)))
            if not waiting[router]:
                del waiting[router]
    return found


def test_what_is_not_affordable_at_once_keeps_its_budget_exactly() -> None:
    one = size(report("0" * 16))
    queue = LoadQueue(0.0)
    for number in range(5_000):
        queue.put(weighed(report(f"{number:016x}")), Urgency.REFRESH)
    told = queue.take(0.0)
    messages = ceil(len(told) / limits.LOADS_PER_MESSAGE_MAX)
    spent = len(told) * one + messages * limits.LOAD_MESSAGE_BYTES
    assert limits.LOAD_LINK_BURST_BYTES - one - limits.LOAD_MESSAGE_BYTES < spent
    assert spent <= limits.LOAD_LINK_BURST_BYTES
    assert [said.router for said in told] == [f"{number:016x}" for number in range(len(told))]


def test_a_flip_lifts_what_waits_and_a_later_change_does_not_sink_it() -> None:
    queue = LoadQueue(0.0)
    for number in range(20):
        queue.put(weighed(report(f"b{number}")), Urgency.FLIP)
    queue.put(weighed(report("a", 1)), Urgency.REFRESH)
    queue.put(weighed(report("a", 2)), Urgency.FLIP)
    queue.put(weighed(report("a", 3)), Urgency.CHANGE)
    told = queue.take(0.0)
    assert told[-1] == report("a", 3)
    assert len(told) == 21


def test_a_router_with_many_service_ports_does_not_crowd_others_out() -> None:
    queue = LoadQueue(0.0)
    for port in range(1, 200):
        queue.put(weighed(report("loud", port=port)), Urgency.FLIP)
    queue.put(weighed(report("quiet")), Urgency.FLIP)
    assert [said.router for said in queue.take(0.0)[:2]] == ["loud", "quiet"]


def test_what_is_no_candidate_any_more_is_not_told() -> None:
    pace = LoadPace()
    for name in "ab":
        pace.put((N,), report(name), Urgency.FLIP, 0.0)
    pace.keep(lambda router, key: router == "b")
    assert pace.due(0.0) == [(N, [report("b")])]
    pace.put((N,), report("a"), Urgency.FLIP, 0.0)
    pace.keep(lambda router, key: False)
    assert (pace.pending, pace.next_deadline()) == (0, None)


def test_what_says_nothing_new_gathers_and_goes_in_one_message() -> None:
    pace = LoadPace()
    pace.put((N,), report("a"), Urgency.REFRESH, 10.0, gathers_s=1.0)
    pace.put((N,), report("b"), Urgency.REFRESH, 10.6, gathers_s=1.0)
    assert pace.due(10.9) == [] and pace.next_deadline() == 11.0
    assert [(router, len(reports)) for router, reports in pace.due(11.0)] == [(N, 2)]
    assert pace.next_deadline() is None
    pace.put((N,), report("a", 2), Urgency.REFRESH, 11.1, gathers_s=1.0)
    assert pace.next_deadline() == 12.1


def test_what_gathers_goes_along_with_the_first_that_is_news() -> None:
    pace = LoadPace()
    pace.put((N,), report("a"), Urgency.REFRESH, 10.0, gathers_s=1.0)
    pace.put((N,), report("b"), Urgency.CHANGE, 10.2)
    (told,) = pace.due(10.2)
    assert {one.router for one in told[1]} == {"a", "b"}
    assert pace.due(11.0) == [] and pace.next_deadline() is None


def test_news_of_what_gathers_is_told_at_once() -> None:
    pace = LoadPace()
    pace.put((N,), report("a", 1), Urgency.REFRESH, 10.0, gathers_s=1.0)
    pace.put((N,), report("a", 2), Urgency.FLIP, 10.2)
    (told,) = pace.due(10.2)
    assert [one.seq for one in told[1]] == [2]


def test_a_neighbour_that_goes_while_something_gathers_begins_anew() -> None:
    pace = LoadPace()
    pace.put((N,), report("a"), Urgency.REFRESH, 10.0, gathers_s=1.0)
    pace.forget(N)
    pace.put((N,), report("b"), Urgency.FLIP, 10.1)
    (told,) = pace.due(10.1)
    assert [one.router for one in told[1]] == ["b"]
    assert pace.due(11.0) == []


def test_a_neighbour_that_is_gone_is_told_nothing_and_begins_anew() -> None:
    pace = LoadPace()
    pace.put((N,), report("a"), Urgency.FLIP, 0.0)
    pace.forget(N)
    assert pace.due(0.0) == []
    assert pace.pending == 0


@pytest.mark.parametrize(
    ("before", "after", "hops", "how"),
    [
        (None, report("a"), 1, Urgency.FLIP),
        (report("a"), report("a", 2), 1, Urgency.REFRESH),
        (report("a"), report("a", 2, in_flight=4), 1, Urgency.CHANGE),
        (report("a"), report("a", 2, in_flight=10), 1, Urgency.FLIP),
        (report("a", in_flight=10), report("a", 2, in_flight=9), 1, Urgency.FLIP),
        (report("a"), report("a", 2, ready=0), 1, Urgency.FLIP),
        (unlimited("a"), report("a", 2), 1, Urgency.CHANGE),
        (unlimited("a"), report("a", 2, in_flight=10), 1, Urgency.FLIP),
        (report("a"), report("a", 2, ready=2), 1, Urgency.CHANGE),
        (report("a"), report("a", in_flight=4), limits.LOAD_NEAR_HOPS, Urgency.CHANGE),
        (report("a"), report("a", in_flight=4), limits.LOAD_NEAR_HOPS + 1, Urgency.FAR_CHANGE),
        (report("a"), report("a", in_flight=10), limits.LOAD_NEAR_HOPS, Urgency.FLIP),
        (report("a"), report("a", in_flight=10), limits.LOAD_NEAR_HOPS + 1, Urgency.FAR_FLIP),
    ],
)
def test_how_urgent_a_report_is_follows_from_the_one_before(
    before: LoadReport | None, after: LoadReport, hops: int, how: Urgency
) -> None:
    assert urgency(before, after, hops) is how


def test_a_rate_that_is_over_or_calm_again_is_a_flip_and_its_permits_are_a_change() -> None:
    def rated(permits: int, state: int) -> LoadReport:
        return msgspec.structs.replace(report("a"), rate=RateLoad(10.0, permits, state))

    assert urgency(rated(3, 0), rated(3, 1), 1) is Urgency.FLIP
    assert urgency(rated(3, 0), rated(2, 0), 1) is Urgency.CHANGE
    assert urgency(rated(3, 0), rated(3, 0), 1) is Urgency.REFRESH


def test_the_pause_between_refreshes_grows_with_the_network_up_to_its_longest() -> None:
    most = limits.LOAD_REFRESH_BYTES_PER_S / limits.LOAD_REPORT_BYTES
    assert refresh_s(int(most * limits.LOAD_REFRESH_S)) == limits.LOAD_REFRESH_S
    assert refresh_s(int(most * limits.LOAD_REFRESH_S) + 1) > limits.LOAD_REFRESH_S
    assert refresh_s(int(most * limits.LOAD_REFRESH_S_MAX)) == pytest.approx(
        limits.LOAD_REFRESH_S_MAX
    )
    assert refresh_s(int(most * limits.LOAD_REFRESH_S_MAX) + 1) == limits.LOAD_REFRESH_S_MAX


def test_the_largest_report_that_is_waited_for_fits_what_a_wake_up_affords() -> None:
    most = limits.COUNTER_MAX
    largest = LoadReport(
        RouterId("f" * 16),
        most,
        "s" * limits.NAME_CHARS_MAX,
        65_535,
        most,
        most,
        most,
        RateLoad(limits.RATE_SUM_MAX, limits.PERMITS_MAX, 2),
    )
    assert size(largest) <= limits.LOAD_REPORT_BYTES_MAX
    queue = used_up(5.0)
    queue.put(weighed(largest), Urgency.FLIP)
    at = queue.ready_at(5.0)
    assert at is not None and queue.take(at) == [largest]


def test_a_link_affords_the_largest_report_with_each_batch() -> None:
    gained = limits.LOAD_BATCH_S * limits.LOAD_LINK_BYTES_PER_S
    assert gained >= limits.LOAD_MESSAGE_BYTES + limits.LOAD_REPORT_BYTES_MAX


@given(st.lists(st.sampled_from((1, 5, 40)), min_size=1, max_size=8))
def test_whoever_waits_for_reports_is_never_woken_in_vain_nor_long_after_a_batch(
    counts: list[int],
) -> None:
    queue, now = used_up(5.0), 5.0
    for number, count in enumerate(counts):
        for each in range(count):
            queue.put(weighed(report(f"{number}-{each}")), Urgency.CHANGE)
        while (at := queue.ready_at(now)) is not None:
            assert at <= now + limits.LOAD_BATCH_S
            now = max(now, at)
            assert queue.take(now)

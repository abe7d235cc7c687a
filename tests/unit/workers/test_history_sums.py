"""The history of several workers as one: each count appears once, whichever worker has it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from router.admin.views.history import HistorySample, HistorySite, ServiceHistory
from router.node.time_text import iso
from router.workers.history_sums import joined, partial_until

BEGAN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
HERE = HistorySite(name="west", id="0" * 32, local=True, path_cost=0)
EAST = HistorySite(name="east", id="1" * 32, local=False, path_cost=5)
GONE = HistorySite(name="gone", id="", local=False, path_cost=None)


def sample(
    at: float,
    served: tuple[int, ...],
    *,
    capacity: int | None = 4,
    p99_s: float | None = 0.2,
    nowhere: int = 0,
) -> HistorySample:
    return HistorySample(
        at=iso(datetime.fromtimestamp(BEGAN + at, UTC)),
        in_flight=tuple(float(one) for one in served),
        served=served,
        nowhere=nowhere,
        overflow=0,
        capacity=capacity,
        capacity_per_s=None,
        targets_ready=2,
        queued=1,
        p50_s=None if p99_s is None else p99_s / 2,
        p99_s=p99_s,
    )


def history(*samples: HistorySample, sites: tuple[HistorySite, ...] = (HERE,)) -> ServiceHistory:
    return ServiceHistory(
        service="shop",
        port=80,
        protocol="http",
        policy="fill",
        site="west",
        step_s=5.0,
        sites=sites,
        samples=samples,
    )


def test_steps_that_end_at_other_times_are_put_to_the_nearest() -> None:
    own = history(sample(5, (10,)), sample(10, (20,)), sample(15, (30,)))
    other = history(sample(2, (9,)), sample(7, (1,)), sample(12, (2,)), sample(17, (3,)))
    whole = joined(own, [other])
    assert [one.served for one in whole.samples] == [(20,), (22,), (33,)]
    assert [one.at for one in whole.samples] == [one.at for one in own.samples]
    newest = whole.samples[-1]
    assert (newest.capacity, newest.targets_ready, newest.queued) == (8, 2, 2)
    assert newest.in_flight == (33.0,)


def test_the_newest_step_waits_for_a_worker_whose_own_has_not_ended() -> None:
    own = history(sample(5, (10,)), sample(10, (20,)), sample(15, (30,)))
    late = history(sample(7, (1,)), sample(12, (2,)))
    assert [one.served for one in joined(own, [late]).samples] == [(11,), (22,)]
    gone = history(sample(7, (1,)))
    assert [one.served for one in joined(own, [gone]).samples] == [(11,), (20,), (30,)]


def test_sites_are_those_of_all_this_one_first_and_who_is_gone_last() -> None:
    own = history(sample(5, (1, 2), capacity=None), sites=(HERE, GONE))
    other = history(sample(5, (4, 8)), sites=(HERE, EAST))
    whole = joined(own, [other])
    assert [site.name for site in whole.sites] == ["west", "east", "gone"]
    assert whole.samples[0].served == (5, 8, 2)
    assert whole.samples[0].capacity == 4


def test_a_site_that_is_gone_stays_at_the_place_that_its_cost_gave_it() -> None:
    left = HistorySite(name="left", id="2" * 32, local=False, path_cost=None, last_cost=3)
    own = history(sample(5, (1, 2)), sites=(HERE, EAST))
    whole = joined(own, [history(sample(5, (4, 8)), sites=(HERE, left))])
    assert whole.sites == (HERE, left, EAST)


def test_the_median_is_between_theirs_and_few_requests_do_not_make_the_99th_percentile() -> None:
    slow = history(sample(5, (1,), p99_s=8.0))
    whole = joined(history(sample(5, (900,))), [history(sample(5, (99,), p99_s=0.4)), slow])
    assert whole.samples[0].p99_s == 0.4
    assert 0.1 < (whole.samples[0].p50_s or 0) < 0.2
    idle = joined(history(sample(5, (0,), p99_s=None)), [history(sample(5, (0,), p99_s=None))])
    assert (idle.samples[0].p50_s, idle.samples[0].p99_s) == (None, None)


def test_a_long_step_of_the_first_one_has_the_mean_of_what_others_had_in_flight() -> None:
    own = history(sample(5, (0,)), sample(16, (0,)))
    other = history(sample(5, (2,)), sample(14, (4,)), sample(18, (6,)))
    whole = joined(own, [other])
    assert whole.samples[1].served == (10,)
    assert whole.samples[1].in_flight == (5.0,)
    assert whole.samples[1].capacity == 8


def test_steps_that_end_midway_are_told_one_beside_the_other() -> None:
    """Their times are rounded to seconds: the nearest step is now the one, now the other."""
    own = history(*(sample(5.0 * step, (10,)) for step in range(1, 6)))
    other = history(*(sample(at, (1,)) for at in (3, 7, 13, 17, 23)))
    whole = joined(own, [other])
    assert [one.capacity for one in whole.samples] == [8] * 5
    assert [one.served for one in whole.samples] == [(11,)] * 5


def test_a_long_step_of_another_one_covers_the_step_before() -> None:
    own = history(*(sample(5.0 * step, (10,)) for step in range(1, 5)))
    other = history(sample(5, (1,)), sample(15, (4,)), sample(20, (1,)))
    whole = joined(own, [other])
    assert [one.capacity for one in whole.samples] == [8] * 4
    assert [one.served for one in whole.samples] == [(11,), (10,), (14,), (11,)]
    assert whole.samples[1].in_flight == (14.0,)


def test_of_a_service_that_the_first_one_keeps_nothing_of_another_one_tells() -> None:
    other = history(sample(5, (1,)))
    assert joined(history(), [other]).samples == other.samples
    assert joined(history(), []).samples == ()
    assert joined(history(), [history()]).samples == ()


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=20),
    st.lists(
        st.tuples(st.floats(-2.4, 2.4), st.lists(st.integers(0, 100), min_size=1, max_size=20)),
        max_size=4,
    ),
)
def test_what_was_counted_within_the_steps_told_is_there_once(
    own: list[int], others: list[tuple[float, list[int]]]
) -> None:
    first = history(*(sample(5 * step, (count,)) for step, count in enumerate([0, *own, 0])))
    counted = [(later, counts[: len(own)]) for later, counts in others]
    theirs = [
        history(*(sample(5 * step + later, (count,)) for step, count in enumerate(counts, 1)))
        for later, counts in counted
    ]
    told = sum(sum(one.served) for one in joined(first, theirs).samples)
    assert told == sum(own) + sum(sum(counts) for _, counts in counted)


def test_steps_before_a_worker_was_started_again_are_without_what_the_one_before_it_did() -> None:
    own = history(sample(5, (10,)), sample(10, (20,)), sample(15, (30,)), sample(20, (30,)))
    again = history(sample(13, (2,)), sample(18, (3,)))
    assert partial_until(own, []) == ""
    assert partial_until(own, [again]) == own.samples[1].at
    assert partial_until(own, [again, history(sample(3, (1,)))]) == own.samples[1].at
    assert partial_until(own, [history(sample(5, (1,)))]) == ""


def test_without_any_word_of_a_worker_no_step_is_whole() -> None:
    own = history(sample(5, (10,)), sample(10, (20,)))
    assert partial_until(own, [None]) == own.samples[1].at
    assert partial_until(own, [history()]) == own.samples[1].at
    assert partial_until(history(), [None]) == ""

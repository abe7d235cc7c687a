"""What several workers have of a service port lately, as that of one router."""

import asyncio
from collections.abc import Mapping

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.history.readings import IntervalCounts
from router.history.readings import change as change_between
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.port_reading import Reading
from router.workers.interval_sums import counts
from router.workers.one_worker import WorkerState
from router.workers.recent_port_figures import (
    Phases,
    PortTotals,
    RecentPortFigures,
    phases_of_all,
    together,
    totals_together,
)
from router.workers.worker_messages import FiguresQuestion, RecentFiguresByPort, WorkerAnswer

SHOP = ServiceKey("shop", 80)
NAMES = st.sampled_from(("a", "b", "c"))
COUNTS = st.dictionaries(NAMES, st.integers(1, 10_000))


def changed(
    served: Mapping[str, int],
    *,
    lasted_s: float = 5.0,
    failed_for: dict[str, int] | None = None,
    answered: int = 0,
    gave_up: int = 0,
    more_slots: int = 0,
) -> IntervalCounts:
    failed_for = failed_for or {}
    return IntervalCounts(
        served={SiteId(name): count for name, count in served.items()},
        nowhere=sum(failed_for.values()),
        overflow={},
        failed=sum(failed_for.values()) + answered,
        p50_s=0.1,
        p99_s=0.3,
        lasted_s=lasted_s,
        spilled={},
        failed_for=failed_for,
        gave_up=gave_up,
        more_slots=more_slots,
    )


def test_a_slot_that_one_worker_lends_another_is_no_more_than_before() -> None:
    one, other = changed({"near": 50}, more_slots=3), changed({"near": 40}, more_slots=-3)
    whole = together(
        [RecentPortFigures(key=SHOP, change=one), RecentPortFigures(key=SHOP, change=other)]
    )
    assert whole.change is not None and whole.change.more_slots == 0


def test_requests_that_clients_give_up_add_up() -> None:
    one, other = changed({"near": 50}, gave_up=4), changed({"near": 40}, gave_up=6, lasted_s=10.0)
    whole = together(
        [RecentPortFigures(key=SHOP, change=one), RecentPortFigures(key=SHOP, change=other)]
    )
    assert whole.change is not None
    assert (whole.change.gave_up, whole.change.lasted_s) == (2 * 4 + 6, 10.0)
    totals = totals_together([PortTotals(gave_up=4), PortTotals(gave_up=6)])
    assert totals.gave_up == 10


def test_the_last_seconds_add_up() -> None:
    one = RecentPortFigures(
        key=SHOP, change=changed({"near": 50}), in_flight_mean=1.5, queued=1, spilled={"far": 3}
    )
    other = RecentPortFigures(
        key=SHOP, change=changed({"near": 40, "far": 10}), in_flight_mean=2.0, spilled={"far": 4}
    )
    whole = together([one, other])
    assert whole.change is not None
    assert whole.change.served == {"near": 90, "far": 10}
    assert (whole.change.p50_s, whole.change.p99_s) == (0.1, 0.3)
    assert (whole.in_flight_mean, whole.queued, whole.spilled) == (3.5, 1, {"far": 7})
    assert together([one]) is one


def test_a_worker_that_looks_back_for_less_time_counts_by_its_rate() -> None:
    one = RecentPortFigures(key=SHOP, change=changed({"near": 100}, lasted_s=2.5))
    other = RecentPortFigures(key=SHOP, change=changed({"near": 100}, lasted_s=5.0))
    nothing = RecentPortFigures(key=SHOP, change=None)
    change = together([one, nothing, other]).change
    assert change is not None
    assert change.per_s(change.requests) == 60.0
    assert together([nothing, nothing]).change is None


def test_a_worker_that_has_just_started_counts_only_what_it_had() -> None:
    """It had nothing before: its rate is no rate of the time that the others look back for."""
    before, after = Reading(served={SiteId("near"): 100}), Reading(served={SiteId("near"): 220})
    other = RecentPortFigures(key=SHOP, change=change_between(before, after, 5.0))
    fresh = change_between(Reading(), Reading(served={SiteId("near"): 30}), 1.0)
    change = together([other, RecentPortFigures(key=SHOP, change=fresh)]).change
    assert change is not None
    assert change.per_s(change.requests) == 30.0
    unfinished = change_between(Reading(unfinished=1), Reading(served={SiteId("near"): 30}), 1.0)
    change = together([other, RecentPortFigures(key=SHOP, change=unfinished)]).change
    assert change is not None
    assert change.requests == 120 + 5 * 30


@given(
    st.lists(
        st.tuples(COUNTS, COUNTS, st.integers(0, 50), st.floats(1.0, 7.5)), min_size=1, max_size=5
    )
)
def test_rates_add_up_and_no_cause_is_made_up(
    parts: list[tuple[dict[str, int], dict[str, int], int, float]],
) -> None:
    each = [
        changed(served, lasted_s=lasted_s, failed_for=failed, answered=answered)
        for served, failed, answered, lasted_s in parts
    ]
    whole = together([RecentPortFigures(key=SHOP, change=one) for one in each]).change
    assert whole is not None
    for name in "abc":
        rate = sum(one.per_s(one.served.get(SiteId(name), 0)) for one in each)
        assert abs(whole.per_s(whole.served.get(SiteId(name), 0)) - rate) <= len(each)
    if not any(answered for _, _, answered, _ in parts):
        assert whole.failed == sum(whole.failed_for.values())


def test_all_counts_by_name_add_up_over_the_longest_time() -> None:
    empty = changed({})
    names = [
        one.name
        for one in msgspec.structs.fields(IntervalCounts)
        if isinstance(getattr(empty, one.name), dict)
    ]
    three = {name: {"far": 3} for name in names}
    one, other = (
        msgspec.structs.replace(changed({}, lasted_s=lasted_s), **three) for lasted_s in (5.0, 10.0)
    )
    whole = together([RecentPortFigures(key=SHOP, change=each) for each in (one, other)]).change
    assert "overflow_begun" in names
    assert [getattr(whole, name) for name in names] == [{"far": 9}] * len(names)


@given(st.lists(COUNTS, max_size=5))
def test_counts_of_one_name_are_added(parts: list[dict[str, int]]) -> None:
    whole = counts(parts)
    assert sum(whole.values()) == sum(sum(one.values()) for one in parts)


def test_what_spilled_at_a_worker_that_died_is_no_news_of_the_next() -> None:
    """When the service is re-created, an event would count it again."""

    async def lives() -> None:
        one = WorkerState(1)

        def says(spilled: int) -> None:
            one.ask(7, FiguresQuestion("lately"))
            item = RecentPortFigures(key=SHOP, change=None, spilled={"far": spilled})
            one.hear(WorkerAnswer(7, True, 0, told=RecentFiguresByPort((item,))))

        assert one.lately(SHOP) is None
        says(5)
        one.ended({})
        assert one.lately(SHOP) is None
        says(2)
        found = one.lately(SHOP)
        assert found is not None and found.spilled == {"far": 2}

    asyncio.run(lives())


def test_what_lives_before_counted_of_a_service_that_was_made_again_does_not_count_on() -> None:
    async def live() -> list[int]:
        one = WorkerState(1)
        found = []
        for requests in (5, 3, 4, 0, 1):
            one.ask(1, FiguresQuestion("lately"))
            port = RecentPortFigures(key=SHOP, change=None, totals=PortTotals(requests=requests))
            one.hear(WorkerAnswer(1, True, 0, RecentFiguresByPort((port,))))
            if requests == 5:
                one.ended({})
            found.append(one.totals(SHOP).requests)
        return found

    assert asyncio.run(live()) == [5, 8, 9, 0, 1]


def test_what_a_worker_lost_counts_with_what_it_had_spilled_of_that() -> None:
    async def lives() -> PortTotals:
        one = WorkerState(1)
        one.ask(1, FiguresQuestion("lately"))
        totals = PortTotals(requests=2, spilled=6)
        port = RecentPortFigures(key=SHOP, change=None, open_now=6, totals=totals)
        one.hear(WorkerAnswer(1, True, 0, RecentFiguresByPort((port,))))
        one.ended(one.open_now)
        return one.totals(SHOP)

    found = asyncio.run(lives())
    assert (found.requests, found.spilled) == (8, 6)


def test_a_silent_worker_adds_nothing_to_the_requests_of_the_last_seconds() -> None:
    async def silent() -> None:
        one = WorkerState(1)
        one.ask(7, FiguresQuestion("lately"))
        failed = msgspec.structs.replace(changed({"far": 50}), failed=50)
        said = RecentPortFigures(key=SHOP, change=failed, open_now=3)
        one.hear(WorkerAnswer(7, True, 0, told=RecentFiguresByPort((said,))))
        one.silence.answered(1.0)
        for _ in range(limits.WORKER_MISSED_ASKS):
            one.silence.asked()
        assert (one.lately(SHOP), one.unanswered) == (said, [SHOP])
        one.silence.asked()
        found = one.lately(SHOP)
        assert found is not None
        assert (found.change, found.open_now, one.unanswered) == (None, 3, [])

    asyncio.run(silent())


def test_a_port_that_did_nothing_is_idle() -> None:
    nothing = RecentPortFigures(key=SHOP, change=changed({}))
    assert nothing.is_idle
    for one in (
        msgspec.structs.replace(nothing, queued=1),
        msgspec.structs.replace(nothing, change=changed({"a": 1})),
        msgspec.structs.replace(nothing, spilled={"a": 1}),
    ):
        assert not one.is_idle


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(("queue", "network", "target")),
            st.tuples(st.integers(0, 9), st.integers(0, 9)),
        ),
        max_size=4,
    )
)
def test_phases_of_all_workers_are_the_sums_of_their_counts(parts: list[Phases]) -> None:
    whole = phases_of_all(parts)
    assert whole.keys() == {name for part in parts for name in part}
    for name, found in whole.items():
        assert sum(found) == sum(sum(part.get(name, ())) for part in parts)


def test_what_a_worker_counted_in_its_lives_counts_on() -> None:
    async def live() -> list[PortTotals]:
        one = WorkerState(1)
        found = []
        for requests, under_way in ((5, 0), (7, 2)):
            one.ask(1, FiguresQuestion("lately"))
            totals = PortTotals(requests=requests, spilled=1, by_target={"a:1": requests})
            port = RecentPortFigures(key=SHOP, change=None, open_now=under_way, totals=totals)
            one.hear(WorkerAnswer(1, True, 0, RecentFiguresByPort((port,))))
            assert one.open_now == ({SHOP: under_way} if under_way else {})
            found.append(one.totals(SHOP))
        one.ended({})
        found.append(one.totals(SHOP))
        one.ended({})  # Of a life in which it reported nothing.
        one.ask(2, FiguresQuestion("lately"))
        totals = PortTotals(requests=1, by_target={"b:1": 1})
        one.hear(
            WorkerAnswer(
                2,
                True,
                0,
                RecentFiguresByPort((RecentPortFigures(key=SHOP, change=None, totals=totals),)),
            )
        )
        found.append(one.totals(SHOP))
        assert one.open_now == {}
        return found

    first, second, dead, again = asyncio.run(live())
    assert (first.requests, second.requests, dead) == (5, 7, second)
    assert again == PortTotals(requests=8, spilled=1, by_target={"a:1": 7, "b:1": 1})

"""The counts of the last seconds, of workers that answer and of those that ended."""

import asyncio
from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.history.readings import IntervalCounts, change
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.port_reading import Reading
from router.workers.interval_sums import EndedCounts, changes_together
from router.workers.one_worker import WorkerState
from router.workers.recent_port_figures import RecentPortFigures
from router.workers.worker_messages import FiguresQuestion, RecentFiguresByPort, WorkerAnswer

SHOP = ServiceKey("shop", 80)
NEAR = SiteId("near")


def busy(requests: int, lasted_s: float = 5.0) -> IntervalCounts:
    """At a worker that had requests before."""
    before = Reading(served={NEAR: 1_000})
    return change(before, Reading(served={NEAR: 1_000 + requests}), lasted_s)


class Life:
    """A worker that is another one's, and the time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.worker = WorkerState(1, lambda: self.now)

    def reports(self, counts: IntervalCounts) -> None:
        self.worker.silence.answered(self.now)
        self.worker.ask(1, FiguresQuestion("lately"))
        port = RecentPortFigures(key=SHOP, change=counts)
        self.worker.hear(WorkerAnswer(1, True, 0, RecentFiguresByPort((port,))))

    def is_silent(self) -> None:
        for _ in range(limits.WORKER_MISSED_ASKS + 1):
            self.worker.silence.asked()

    def with_another(self, own: IntervalCounts) -> float:
        """Requests a second of both."""
        lately = self.worker.lately(SHOP)
        answered = [] if lately is None or lately.change is None else [lately.change]
        whole = changes_together([own, *answered], list(self.worker.ended_counts(SHOP)))
        assert whole is not None
        return whole.per_s(whole.requests)


def in_a_life(play: Callable[[Life], None]) -> None:
    async def lives() -> None:
        play(Life())

    asyncio.run(lives())


def test_requests_of_a_worker_that_died_count_while_they_are_of_the_last_seconds() -> None:
    """Clients send 20 a second all the time: to both workers, then to the one that is left."""

    def play(life: Life) -> None:
        life.reports(busy(50))
        assert life.with_another(busy(50)) == 20.0
        life.worker.ended({})
        assert life.with_another(busy(50)) == 20.0
        life.now += 2.5
        assert life.with_another(busy(75)) == 20.0
        life.now += 2.5
        assert life.with_another(busy(100)) == 20.0
        assert list(life.worker.ended_counts(ServiceKey("other", 80))) == []

    in_a_life(play)


def test_requests_of_the_next_life_count_beside_those_of_the_last_one() -> None:
    def play(life: Life) -> None:
        life.reports(busy(50))
        life.worker.ended({})
        life.now += 2.0
        fresh = change(Reading(), Reading(served={NEAR: 10}), 1.0)
        life.reports(fresh)
        assert life.with_another(busy(60)) == 20.0
        life.worker.ended({})
        assert life.with_another(busy(60)) == 20.0, "two lives ended in these seconds"
        life.now += limits.WORKER_PAST_S
        life.reports(busy(50))
        life.worker.ended({})
        assert len(list(life.worker.ended_counts(SHOP))) == 1, "the first two are forgotten"

    in_a_life(play)


def test_requests_that_a_silent_worker_reported_last_count_likewise() -> None:
    def play(life: Life) -> None:
        life.reports(busy(50))
        life.is_silent()
        life.now += 1.0
        assert life.with_another(busy(50)) == 18.0
        life.worker.ended({})
        assert life.with_another(busy(50)) == 18.0
        life.now += 4.0
        assert life.with_another(busy(50)) == 10.0

    in_a_life(play)


def test_slots_of_a_worker_that_ended_are_no_more_of_this_site() -> None:
    ended = EndedCounts(msgspec.structs.replace(busy(50), more_slots=3), 0.0)
    whole = changes_together([busy(50)], [ended])
    assert whole is not None and (whole.requests, whole.more_slots) == (100, 0)
    assert changes_together([], [ended]) is None, "the first worker has no figures yet"


@given(
    st.integers(0, 1_000), st.floats(0.5, 7.5), st.floats(0.0, 20.0), st.floats(0.5, 7.5, width=16)
)
def test_ended_counts_never_grow_and_are_gone_when_their_time_is_over(
    requests: int, lasted_s: float, ended_s: float, over_s: float
) -> None:
    found = EndedCounts(busy(requests, lasted_s), ended_s).within(over_s)
    if found is None:
        assert ended_s >= over_s
        return
    assert found.lasted_s == over_s
    assert found.requests <= requests
    if lasted_s + ended_s <= over_s:
        assert found.requests == requests

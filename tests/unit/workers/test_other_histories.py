"""What the other workers keep of the past, beside the first one."""

from router.admin.views.history import ServiceHistory
from router.workers.other_histories import Kept, OtherHistories, by_port
from router.workers.worker_messages import Histories
from tests.unit.workers.test_history_sums import history, sample

OWN = history(sample(5, (10,)), sample(10, (20,)))
BESIDE = history(sample(10, (2,)))


def whole(kept: Kept | None) -> ServiceHistory:
    each = [] if kept is None else [kept]
    (found,) = OtherHistories(each, all_told=kept is not None).join(iter([OWN]))
    return found


def test_figures_of_a_worker_that_was_started_again_are_said_to_be_partial_before_that() -> None:
    told = by_port([Histories((BESIDE,))])
    for restarted, until in ((True, OWN.samples[0].at), (False, "")):
        found = whole(Kept(told, restarted=restarted))
        assert [one.served for one in found.samples] == [(10,), (22,)]
        assert found.partial_until == until


def test_figures_without_a_worker_that_does_not_answer_are_partial() -> None:
    assert whole(None).partial_until == OWN.samples[-1].at

"""What is kept of the last requests of a service port."""

from router.model import limits
from router.service.recent_requests import RecentRequests, RequestRecord


def test_the_last_requests_are_told_newest_first_and_no_more_of_them_are_kept() -> None:
    past = RecentRequests()
    for number in range(3 * limits.DECISIONS_KEPT):
        past.begun(RequestRecord(float(number)))
    last = past.last(1_000, denied=False)
    newest = 3 * limits.DECISIONS_KEPT - 1
    assert [one.started_at for one in last] == [newest - n for n in range(limits.DECISIONS_KEPT)]
    assert past.last(2, denied=False) == last[:2]
    assert past.last(2, denied=True) == []


def test_who_was_denied_late_stands_where_it_began() -> None:
    past = RecentRequests()
    first, second = (RequestRecord(now) for now in (1.0, 2.0))
    past.denied(second)  # At once, while the first was still waiting.
    past.denied(first)
    assert past.last(9, denied=True) == [second, first]

"""Counts for another site between two load reports: permits of its rate, served requests."""

from router.balance.sites.recent_concurrency import RecentConcurrency
from router.balance.sites.remote_permits import RemotePermits
from router.model import limits
from router.model.messages.adverts import RateLoad


def test_a_refusal_takes_the_permits_of_then_and_those_that_time_brought() -> None:
    permits = RemotePermits(RateLoad(10.0, 5, 0), 0.0)
    permits.use_up(1.0)
    assert permits.at(1.0).permits == 0
    assert permits.at(1.5).permits == 5


def test_what_a_site_served_counts_for_two_spans_at_most() -> None:
    served = RecentConcurrency()
    for _ in range(4):
        served.note(9, 0.0)
    assert served.most(limits.EJECT_SERVED_S) == 5
    assert served.most(2 * limits.EJECT_SERVED_S) == 1
    for _ in range(4):
        served.note(9, 3 * limits.EJECT_SERVED_S)
    assert served.most(5 * limits.EJECT_SERVED_S) == 1

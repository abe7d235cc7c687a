"""When routes are computed."""

from itertools import pairwise

import pytest

from router.model.limits import (
    SPF_DELAY_MAX_S,
    SPF_DELAY_MIN_S,
    SPF_INTERVAL_S,
    TABLE_INTERVAL_PER_ROUTER_S,
    TABLE_REST_FACTOR,
    TABLE_REST_S_MAX,
)
from router.routing.pace import SpfPace

pytestmark = pytest.mark.usefixtures("both_orders")


def test_a_burst_of_changes_is_one_computation_and_churn_is_ever_fewer() -> None:
    pace, now, runs = SpfPace(), 100.0, []
    while now < 110.0:
        pace.paths_changed(now)
        if pace.at is not None and now >= pace.at:
            runs.append(now)
            pace.has_run(now)
        now += 0.005
    gaps = [after - before for before, after in pairwise(runs)]
    assert runs[0] - 100.0 < SPF_DELAY_MIN_S + 0.006
    assert min(gaps) >= SPF_INTERVAL_S - 1e-9
    assert gaps[-1] >= SPF_DELAY_MAX_S
    assert len(runs) <= 8 + 10 / SPF_DELAY_MAX_S


def test_after_quiet_the_first_change_is_computed_soon_again() -> None:
    pace = SpfPace()
    for now in (1.0, 1.1, 1.3, 1.7):
        pace.paths_changed(now)
        pace.has_run(now)
    pace.paths_changed(1.7 + SPF_DELAY_MAX_S + 0.01)
    assert pace.at == pytest.approx(1.7 + SPF_DELAY_MAX_S + 0.01 + SPF_DELAY_MIN_S)


def test_a_lost_neighbour_is_computed_at_once_unless_paths_were_a_moment_ago() -> None:
    pace = SpfPace()
    assert pace.neighbour_lost(1.0)
    pace.has_run(1.0)
    assert not pace.neighbour_lost(1.0 + SPF_INTERVAL_S - 0.001)
    assert pace.at == pytest.approx(1.0 + SPF_INTERVAL_S)
    soonest = pace.at
    assert soonest is not None and not pace.neighbour_lost(soonest - 0.001)
    assert pace.neighbour_lost(soonest)
    pace.has_run(soonest)
    assert pace.neighbour_lost(soonest + SPF_INTERVAL_S + 0.001)


def test_tables_for_services_alone_are_the_rarer_the_more_routers_there_are() -> None:
    for routers in (10, 1_000):
        pace = SpfPace()
        pace.services_changed(routers, 1.0)
        assert pace.at == 1.0 + SPF_DELAY_MIN_S
        pace.has_run(1.0)
        pace.services_changed(routers, 1.0)
        spaced = 1.0 + routers * TABLE_INTERVAL_PER_ROUTER_S
        assert pace.at == max(1.0 + SPF_DELAY_MIN_S, spaced)
        assert not pace.needs_paths


def test_a_cheap_table_is_followed_by_the_next_as_soon_as_ever() -> None:
    pace = SpfPace()
    for number in range(200):
        pace.services_changed(1, float(number))
        assert pace.at == number + SPF_DELAY_MIN_S
        pace.has_run(float(number))
        pace.took(0.09, float(number))  # Less than a tenth of the time.
    assert pace.runs == 200


def test_after_a_burst_each_table_is_paid_for_before_the_next() -> None:
    pace, now, begun = SpfPace(), 0.0, []
    while now < 60.0:
        pace.services_changed(1, now)
        assert pace.at is not None
        now = max(now, pace.at)
        begun.append(now)
        pace.has_run(now)
        pace.took(0.1, now)
        now += 0.1
    gaps = [after - before for before, after in pairwise(begun)]
    assert gaps[0] < 0.12
    assert min(gaps[3:]) >= 0.1 * TABLE_REST_FACTOR - 1e-9


def test_a_freak_of_a_table_stops_nothing_for_long() -> None:
    pace = SpfPace()
    pace.services_changed(1, 0.0)
    pace.has_run(0.0)
    pace.took(1_000.0, 0.0)
    pace.services_changed(1, 0.0)
    assert pace.at == TABLE_REST_S_MAX


def test_tables_of_services_put_off_no_paths() -> None:
    pace = SpfPace()
    pace.services_changed(1, 0.0)
    pace.has_run(0.0)
    pace.took(1_000.0, 0.0)
    assert pace.neighbour_lost(0.1)
    pace.has_run(0.1)
    pace.took(1_000.0, 0.1)
    assert not pace.neighbour_lost(0.2)
    assert pace.at == pytest.approx(0.1 + TABLE_REST_S_MAX)

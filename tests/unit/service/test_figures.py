"""Figures of a service port that are worked out from others."""

from typing import get_args

import pytest

from router.model.limits import QUEUE_DEFAULT_MAX, QUEUE_DEFAULT_MIN, QUEUE_PER_SLOT
from router.net.ports import DialCode, DialFailure
from router.service.figures import NO_LOAD, Load, SpillCount
from router.service.observers import Finished, RequestTiming
from router.service.ports import LegFailure, NoTls, TargetConfig, dial_failure
from router.service.sites.answer_timing import AnswerTiming
from tests.unit.exchange.fakes import Site, candidate, site_of
from tests.unit.service.test_ejection import KEY, Shop, is_silent
from tests.unit.service.test_waiting import KEY as DB
from tests.unit.service.test_waiting import Full


def test_clients_of_other_sites_may_have_what_is_not_reserved() -> None:
    assert Load(2, 1, 10, reserved=3).for_others == 7
    assert Load(2, 1, 10).for_others == 10
    assert Load(2, 1, None, reserved=3).for_others is None


def test_what_is_beyond_the_capacity_is_in_flight_too() -> None:
    assert Load(2, 1, 10, beyond=3).in_flight == 5


def test_what_nothing_is_said_of_is_none() -> None:
    assert Load(2, 1, 10).in_flight == 2
    assert SpillCount({"b": 2}).still_open == 0
    assert (NO_LOAD.used, NO_LOAD.targets_ready, NO_LOAD.capacity) == (0, 0, None)
    assert (NO_LOAD.beyond, NO_LOAD.waiting, NO_LOAD.reserved) == (0, 0, 0)
    assert not NO_LOAD.refuses and not NO_LOAD.is_learnt
    assert LegFailure("busy").retry_s == 0.0 and not NoTls("no CA").is_of_clients
    finished = Finished(key=DB, protocol="tcp", client="")
    assert (finished.bytes_in, finished.bytes_out, finished.status) == (0, 0, 0)
    passage = RequestTiming()
    times = (passage.queue_s, passage.network_s, passage.target_s, passage.total_s)
    assert (passage.attempts, times) == (0, (0.0, 0.0, 0.0, 0.0))


def test_answers_are_taken_to_be_whole_until_one_is_not() -> None:
    assert AnswerTiming().in_parts == 0


@pytest.mark.parametrize(("here", "there"), [(1, 0), (0, 1), (2, 3), (20, 20)])
def test_what_a_sites_clients_hold_anywhere_says_how_many_may_wait(here: int, there: int) -> None:
    readings = Full(here, there).a.forwarder.readings
    (snapshot,) = readings.services_snapshot()
    held = {site_of("a"): here, site_of("b"): there}
    assert snapshot.under_way == {site: count for site, count in held.items() if count}
    reading = readings.reading_of(DB)
    assert reading is not None
    share = QUEUE_PER_SLOT * (here + there)
    assert reading.queue_limit == max(QUEUE_DEFAULT_MIN, min(share, QUEUE_DEFAULT_MAX))


def asked_per_s(world: Full, server: Site) -> float:
    """At the site that serves, of two requests in a second."""
    server.forwarder.sample_demand()
    for holder in world.holders[:2]:
        holder.abort()
    world.client(), world.client()
    world.network.advance(1.0)
    server.forwarder.sample_demand()
    scale = server.forwarder.readings.scale_of(DB)
    assert scale is not None
    return scale.demand.demand_per_s


def test_what_other_sites_send_is_asked_for_here_as_what_own_clients_send() -> None:
    own, brought = Full(4, 0), Full(0, 4)
    assert asked_per_s(own, own.a) == asked_per_s(brought, brought.b) > 0.0


@pytest.mark.parametrize("capacity", [0, 1])
@pytest.mark.parametrize("sibling", [None, 0, 1])
def test_a_site_is_not_full_while_another_router_of_it_has_room(
    capacity: int, sibling: int | None
) -> None:
    shop = Shop(is_silent, targets=1)
    config = TargetConfig(connector="main", capacity=capacity)
    shop.forwarder.set_targets(KEY, {str(shop.bad): config})
    if sibling is not None:  # Of the same site, at another router.
        shop.forwarder.ports.set_remotes(KEY, [candidate("a", cost=0, capacity=sibling)])
    shop.network.run()
    totals = shop.forwarder.readings.totals_at(KEY)
    assert totals is not None
    assert (totals.full, totals.absent) == (capacity == 0 and not sibling, False)
    shop.forwarder.set_targets(KEY, {"10.9.9.9:1": config})  # Nothing listens there.
    shop.network.run()
    totals = shop.forwarder.readings.totals_at(KEY)
    assert totals is not None
    assert (totals.full, totals.absent) == (False, not sibling)


@pytest.mark.parametrize("code", get_args(DialCode))
def test_a_dial_that_fails_is_a_connect_that_failed_unless_the_lack_is_here(code: DialCode) -> None:
    failure = dial_failure(DialFailure(code, "why"))
    expected = "exhausted" if code == "exhausted" else "connect-failed"
    assert (failure.code, failure.reason) == (expected, "why")

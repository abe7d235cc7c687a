"""Counters of service ports at one worker, over its lives and theirs."""

from router.admin.ports import HistogramView, Labels, MetricValues
from router.workers.lasting_counters import (
    LastingCounters,
    gauges_beside,
    ports_of,
    removed_ports,
    without_lasting,
)
from router.workers.sums import summed

SHOP, CART = ("shop", "80"), ("cart", "80")
SPILLED, TARGET = "spillway_spilled_total", "spillway_target_requests_total"
WAITS = "spillway_queue_wait_seconds"
TO_FAR = (*SHOP, "far", "full")
AT_A = (*SHOP, "10.0.0.1:80")


def spilled(count: float) -> MetricValues:
    return MetricValues({SPILLED: {TO_FAR: count}}, {})


def waited(*counts: int, bounds: tuple[float, ...] = (0.1,)) -> MetricValues:
    return MetricValues({}, {WAITS: {SHOP: HistogramView(bounds, counts, 1.0)}})


def whole(counters: LastingCounters) -> MetricValues:
    return summed(counters.of(SHOP))


def shown(counters: LastingCounters) -> float:
    return whole(counters).numbers[SPILLED][TO_FAR]


def test_what_was_counted_goes_on_when_the_worker_dies_and_when_a_series_begins_again() -> None:
    counters = LastingCounters()
    counters.tell(spilled(5.0))
    counters.tell(spilled(7.0))
    assert shown(counters) == 7.0
    counters.restart()
    assert shown(counters) == 7.0
    counters.tell(spilled(2.0))
    assert shown(counters) == 9.0
    counters.tell(spilled(1.0))
    assert shown(counters) == 10.0
    counters.tell(MetricValues({}, {}))
    assert shown(counters) == 10.0
    counters.count(spilled(1.0))
    assert shown(counters) == 11.0


def test_histograms_go_on_too_and_other_buckets_are_not_added() -> None:
    counters = LastingCounters()
    counters.tell(waited(2, 1))
    counters.tell(waited(1, 1))
    counters.restart()
    counters.tell(waited(0, 1))
    (histogram,) = whole(counters).histograms[WAITS].values()
    assert histogram.counts == (3, 3)
    counters.restart()
    counters.tell(waited(1, 0, 0, bounds=(0.1, 1.0)))
    counters.restart()
    (histogram,) = whole(counters).histograms[WAITS].values()
    assert histogram.counts == (1, 0, 0)


def test_a_service_port_that_is_gone_and_a_target_that_no_worker_has_are_forgotten() -> None:
    counters = LastingCounters()
    both = MetricValues({SPILLED: {TO_FAR: 4.0}, TARGET: {AT_A: 3.0}}, {})
    told = counters.tell(both)
    assert ports_of(told) == {SHOP}
    counters.forget({SHOP})
    counters.forget_targets(SHOP, told)
    counters.forget_targets(CART, set())
    assert whole(counters).numbers == both.numbers
    counters.forget_targets(SHOP, set())
    assert whole(counters).numbers == {SPILLED: {TO_FAR: 4.0}}
    counters.forget({CART})
    assert whole(counters).numbers == {}
    counters.tell(spilled(1.0))
    assert shown(counters) == 1.0


def test_what_is_no_counter_of_a_service_port_is_left_to_others() -> None:
    lag: dict[Labels, float] = {(): 1.0}
    links: dict[Labels, float] = {("far", "in", "far"): 9.0}
    odd: dict[Labels, float] = {("shop",): 1.0}
    values = MetricValues(
        {
            "spillway_loop_lag_seconds": lag,
            "spillway_link_bytes_total": links,
            "spillway_demand": {SHOP: 2.0},
            SPILLED: {TO_FAR: 4.0, **odd},
            "spillway_of_another_release_total": odd,
        },
        waited(1, 0).histograms,
    )
    counters = LastingCounters()
    assert counters.tell(values) == {(SPILLED, TO_FAR), (WAITS, SHOP)}
    rest = without_lasting(values)
    assert rest.histograms == {WAITS: {}}
    assert rest.numbers == {**values.numbers, SPILLED: odd}


def test_gauges_of_other_workers_are_shown_of_known_services_and_those_of_a_silent_one_add_up() -> (
    None
):
    removed: dict[Labels, float] = {(*CART, "near"): 1.0}
    values = MetricValues(
        {
            "spillway_sites": {(): 3.0},
            "spillway_demand": {SHOP: 2.0, CART: 1.0},
            "spillway_in_flight": {(*SHOP, "near"): 2.0},
            "spillway_removed_in_flight": removed,
        },
        {},
    )
    assert removed_ports(values) == {CART}
    found = gauges_beside(values, {SHOP}, silent=False).numbers
    assert found == {
        **values.numbers,
        "spillway_demand": {SHOP: 2.0},
    }
    found = gauges_beside(values, {SHOP}, silent=True).numbers
    assert {name: one for name, one in found.items() if one} == {
        "spillway_demand": {SHOP: 2.0},
        "spillway_removed_in_flight": removed,
    }

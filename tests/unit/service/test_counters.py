"""Counters: plain numbers by site, with names only in human-readable views."""

import tracemalloc

from router.model.ids import SiteId
from router.model.latency import FINE_BOUNDS_S, quantile
from router.model.port_reading import SERVED_NOWHERE
from router.service.counters import CLASS_OF_DIGIT, HTTP_CLASSES, CodeClass, ServiceCounters
from router.service.histograms import Histogram
from router.service.spilled import by_reason, by_site

A, B, C = SiteId("a"), SiteId("b"), SiteId("c")


def count(
    counters: ServiceCounters,
    site: SiteId,
    code_class: CodeClass,
    target_s: float,
    queue_s: float = 0.0,
    network_s: float = 0.0,
) -> None:
    """A request ended, and so did the turn."""
    total_s = queue_s + network_s + target_s
    counters.ended[site, code_class].append((total_s, queue_s, network_s, target_s))
    counters.count_ended()


def test_a_value_is_counted_in_the_first_bucket_whose_bound_holds_it() -> None:
    histogram = Histogram()
    for seconds in (0.0, 0.001, 0.0011, 0.3, 101.0):
        histogram.observe(seconds)
    counts = dict(zip((*FINE_BOUNDS_S, float("inf")), histogram.counts, strict=True))
    assert counts[0.0001] == 1
    assert counts[0.001] == 1
    assert counts[0.0012] == 1
    assert counts[0.3] == 1
    assert counts[float("inf")] == 1
    assert histogram.total == 5


def test_a_snapshot_adds_up_and_stands_still() -> None:
    counters = ServiceCounters()
    count(counters, A, "2xx", 0.01)
    count(counters, B, "5xx", 0.02)
    counters.spilled[B, "full", "full"] += 1
    counters.spilled[B, "no-target", ""] += 2
    counters.decided("fill", "chosen")
    counters.decided("fill", "chosen")
    counters.decided("balanced", "chosen")
    counters.waited(0.2)
    snapshot = counters.snapshot()
    count(counters, A, "2xx", 0.01)
    assert snapshot.requests_total == 2
    assert snapshot.overflow_total == 1
    assert snapshot.overflow == {(B, "full"): 1}
    assert snapshot.spilled == {(B, "full"): 1, (B, "no-target"): 2}
    assert snapshot.spilled_total == 3
    assert counters.reading().spilled == {"full": 1, "no-target": 2}
    assert counters.left() == {"b": 1}
    assert counters.spilled_without_target() == {"b": 2}
    assert snapshot.decisions == {("fill", "chosen"): 2, ("balanced", "chosen"): 1}
    assert snapshot.queue_wait.sum_s == 0.2
    assert sum(snapshot.requests[A, "2xx"].counts) == 1


def test_each_count_of_what_happens_again_grows_by_one() -> None:
    counters = ServiceCounters()
    for seconds in (0.5, 2.0):
        counters.retry("reset", "retried")
        counters.was_held("served", seconds)
    counters.retry("reset", "denied")
    snapshot = counters.snapshot()
    assert snapshot.retries == {("reset", "retried"): 2, ("reset", "denied"): 1}
    assert snapshot.held == {"served": (2, 2.5)}


def test_spills_to_several_sites_are_added_by_reason() -> None:
    counters = ServiceCounters()
    for site, count_there in ((A, 3), (B, 3), (C, 1)):
        counters.spilled[site, "full", "full"] += count_there
    tally = counters.reading()
    assert (tally.spilled, tally.spilled_to) == ({"full": 7}, {A: 3, B: 3, C: 1})


def test_all_that_ends_in_a_turn_is_counted_at_its_end() -> None:
    counters = ServiceCounters()
    kinds: list[tuple[SiteId, CodeClass]] = [(A, "2xx"), (A, "5xx"), (SERVED_NOWHERE, "error")]
    for kind in kinds:
        counters.ended[kind].append((0.02, 0.0, 0.0, 0.02))
    assert counters.totals()[0] == 0
    assert counters.count_ended() == [0.02, 0.02], "of the third no target knows"
    assert counters.totals()[0] == 3
    assert counters.count_ended() == [] and counters.totals()[0] == 3


def test_what_is_counted_before_its_end_is_open_until_then() -> None:
    counters = ServiceCounters()
    full, policy = (B, "full", "full"), (B, "policy", "")
    for key in (full, full, policy, (C, "ejected", "")):
        counters.spill_begins(key)
    counters.spill_ends(full)
    counters.spill_ends(policy)
    snapshot = counters.snapshot()
    assert snapshot.spilled_total == 4
    assert counters.open_elsewhere == {full: 1, (C, "ejected", ""): 1}
    assert (by_site(counters.open_elsewhere), by_reason(counters.open_elsewhere)) == (
        {"b": 1, "c": 1},
        {"full": 1, "ejected": 1},
    )
    assert (counters.overflowing, counters.open_without_target) == (1, 1)
    counters.spill_ends(full)
    assert (counters.overflowing, counters.left()) == (0, {"b": 2})


def test_each_phase_is_counted_where_its_own_histogram_would_count_it() -> None:
    for shares in ((0.0, 0.0, 0.3), (0.0, 0.02, 0.3), (0.1, 0.0, 0.3), (1.0, 2.0, 0.0)):
        counters = ServiceCounters()
        queue_s, network_s, target_s = shares
        count(counters, A, "2xx", target_s, queue_s=queue_s, network_s=network_s)
        phases = counters.snapshot().served_phases
        for name, seconds in zip(("queue", "network", "target"), shares, strict=True):
            expected = Histogram()
            expected.observe(seconds)
            assert phases[name] == expected.snapshot(), (shares, name)
        whole = Histogram()
        whole.observe(sum(shares))
        assert counters.snapshot().requests[A, "2xx"] == whole.snapshot()


def test_phases_hold_every_dispatched_request_and_those_that_waited_for_nothing() -> None:
    counters = ServiceCounters()
    count(counters, A, "2xx", 0.02)
    count(counters, B, "2xx", 0.25, queue_s=0.1, network_s=0.15)
    counters.refused("4xx", "bad-request")
    count(counters, SERVED_NOWHERE, "5xx", 0.0)
    count(counters, SERVED_NOWHERE, "5xx", 0.0, queue_s=1.0)
    assert counters.snapshot().requests_total == 5
    everything = counters.snapshot().phases
    assert {sum(one.counts) for one in everything.values()} == {4}
    assert everything["queue"].sum_s == 1.1
    assert counters.snapshot().requests[SERVED_NOWHERE, "4xx"].sum_s == 0.0
    phases = counters.snapshot().served_phases
    assert {name: sum(one.counts) for name, one in phases.items()} == {
        "queue": 2,
        "network": 2,
        "target": 2,
    }
    assert (phases["queue"].sum_s, phases["network"].sum_s) == (0.1, 0.15)
    assert abs(phases["target"].sum_s - 0.27) < 1e-9
    assert [count for count in phases["target"].counts if count] == [1, 1]
    assert phases["queue"].counts[0] == 1


def test_reading_a_service_that_nobody_asked_keeps_nothing() -> None:
    services = [ServiceCounters() for _ in range(100)]
    tracemalloc.start()
    try:
        for counters in services:
            assert set(counters.snapshot().phases) == {"queue", "network", "target"}
            assert not any(counters.target_times())
        assert tracemalloc.get_traced_memory()[0] < 100 * 200
    finally:
        tracemalloc.stop()


def test_refusals_do_not_lower_the_latency_of_what_a_target_served() -> None:
    counters = ServiceCounters()
    for _ in range(100):
        count(counters, A, "2xx", 0.2)
        count(counters, SERVED_NOWHERE, "5xx", 0.0001)
        count(counters, SERVED_NOWHERE, "5xx", 0.0, queue_s=1.0)
    counts = counters.reading().counts
    assert [quantile(counts, share) for share in (0.01, 0.5, 0.99)] == [0.21] * 3
    assert counters.reading().served == {"a": 100, "": 200}
    assert counters.snapshot().served_phases["target"].quantile(0.01) == 0.21
    assert counters.snapshot().served_phases["queue"].quantile(0.99) == 0.0


def test_a_quantile_lies_in_the_bucket_of_its_rank() -> None:
    histogram = Histogram()
    assert histogram.snapshot().quantile(0.5) is None
    for seconds in [0.03] * 98 + [0.4, 101.0]:
        histogram.observe(seconds)
    snapshot = histogram.snapshot()
    assert 0.025 <= (snapshot.quantile(0.5) or 0) <= 0.03
    assert 0.36 <= (snapshot.quantile(0.99) or 0) <= 0.43
    assert snapshot.quantile(1.0) == FINE_BOUNDS_S[-1], "no more can be told"


def test_requests_that_all_took_a_second_are_not_told_as_two() -> None:
    histogram = Histogram()
    for _ in range(200):
        histogram.observe(1.01)
    histogram.observe(0.002)
    snapshot = histogram.snapshot()
    assert snapshot.quantile(0.5) == snapshot.quantile(0.99) == 1.2


def test_what_was_chosen_is_told_by_the_policy_that_chose() -> None:
    counters = ServiceCounters("fill")
    counters.chosen += 2
    counters.decided("fill", "all-full")
    counters.set_policy("spread")
    assert counters.snapshot().decisions == {("fill", "chosen"): 2, ("fill", "all-full"): 1}
    counters.chosen += 1
    counters.set_policy("fill")
    counters.chosen += 3
    decisions = {("fill", "chosen"): 5, ("fill", "all-full"): 1, ("spread", "chosen"): 1}
    for _ in range(2):
        assert counters.snapshot().decisions == decisions


def test_what_is_counted_of_two_sites_of_one_name_is_added() -> None:
    """One of them is gone."""
    counters = ServiceCounters()
    for site, seconds in ((A, 0.01), (B, 0.02), (C, 0.04)):
        count(counters, site, "2xx", seconds)
        counters.spilled[site, "full", "full"] += 1
    counters.refused("4xx", "bad-request")
    named = counters.snapshot().named(
        {A: "far", B: "far", C: "near", SERVED_NOWHERE: ""}.__getitem__
    )
    ended = {key: sum(one.counts) for key, one in named.requests.items()}
    assert ended == {("far", "2xx"): 2, ("near", "2xx"): 1, ("", "4xx"): 1}
    assert abs(named.requests["far", "2xx"].sum_s - 0.03) < 1e-9
    assert named.spilled == named.overflow == {("far", "full"): 2, ("near", "full"): 1}


def test_requests_whose_client_left_are_counted_apart_from_failures() -> None:
    counters = ServiceCounters()
    for code in ("2xx", "5xx", "client-gone", "client-gone", "cancelled"):
        count(counters, A, code, 0.1)
    counters.gave_up += 2
    tally = counters.reading()
    assert (tally.gave_up, tally.failed) == (2, 1)
    assert counters.snapshot().gave_up_total == 2


def test_the_time_of_answers_is_that_of_all_that_a_site_served_well() -> None:
    counters = ServiceCounters()
    ended: list[tuple[SiteId, CodeClass]] = [
        (A, "2xx"),
        (A, "4xx"),
        (B, "3xx"),
        (B, "5xx"),
        (B, "client-gone"),
    ]
    for site, code in ended:
        count(counters, site, code, 0.1)
    count(counters, SERVED_NOWHERE, "4xx", 0.1)
    times = counters.answer_times()
    assert {site: sum(counts) for site, counts in times.items()} == {A: 2, B: 1}
    single = Histogram()
    single.observe(0.1)
    assert times[B] == list(single.counts)


def test_what_each_site_served_is_the_sum_of_how_its_requests_ended() -> None:
    counters = ServiceCounters()
    ended: list[tuple[CodeClass, int]] = [("2xx", 3), ("4xx", 1), ("5xx", 2)]
    for code, times in ended:
        for _ in range(times):
            count(counters, A, code, 0.1)
    count(counters, B, "2xx", 0.1)
    tally = counters.reading()
    assert (tally.served, tally.failed, sum(tally.counts)) == ({A: 6, B: 1}, 2, 7)


def test_the_class_of_a_status_is_that_of_its_first_digit() -> None:
    assert [CLASS_OF_DIGIT[ord(digit)] for digit in "12345"] == [*HTTP_CLASSES]

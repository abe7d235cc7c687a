"""The demo's verdicts: the checks on the run, and the figures that they name."""

import msgspec
import pytest

from sitectl.demo.judge import DemoVerdict, late_share, rows, verdicts
from sitectl.demo.load import Held, RequestOutcome

SITES = ("onprem", "near", "far")
SLOTS = {"onprem": 2, "near": 2, "far": 2}


def burst(*changes: RequestOutcome, connections: tuple[Held, ...] = ()) -> list[DemoVerdict]:
    """Verdicts on ten seconds in which onprem and near are full and far takes the rest."""
    served = [
        RequestOutcome("burst", float(second), second + 1.0, site, in_hand=1)
        for second in range(10)
        for site in ("onprem", "onprem", "near", "near", "far")
    ]
    return verdicts([*served, *changes], connections, SITES, SLOTS, SLOTS, "burst")


def test_a_burst_that_fills_in_order_keeps_every_promise() -> None:
    held = tuple(
        Held("burst", site, answers=3) for site in ("onprem", "onprem", "near", "near", "far")
    )
    outcome = burst(connections=held)
    assert [verdict.kept for verdict in outcome] == [True, True, True]
    assert "0 of 50 requests and 0 of 5 connections lost, 0 met" in outcome[2].evidence


def test_what_was_lost_is_counted_by_its_cause() -> None:
    full = RequestOutcome("burst", 5.0, 5.1, "", error="status 503 all-full")
    reset = RequestOutcome("burst", 6.0, 6.1, "", error="ClientOSError: reset")
    silent = Held("burst", "", answers=0)
    lost = burst(full, full, reset, connections=(silent,))[2]
    assert not lost.kept
    assert "3 of 53 requests and 1 of 1 connections lost" in lost.evidence
    assert "(2 x status 503 all-full, 1 x ClientOSError: reset, 1 x no answer)" in lost.evidence


def test_a_target_over_its_capacity_breaks_the_promise() -> None:
    verdict = burst(RequestOutcome("burst", 3.0, 4.0, "onprem", in_hand=2))[2]
    assert not verdict.kept
    assert "1 met a target over its capacity" in verdict.evidence


def test_a_site_is_never_said_to_be_more_than_full() -> None:
    waited = [RequestOutcome("burst", 2.0, 8.0, "onprem", in_hand=1) for _ in range(4)]
    assert burst(*waited)[0].evidence.startswith("100% of its 2 slots used")


def late(served: RequestOutcome) -> RequestOutcome:
    """The same on a busy machine."""
    return msgspec.structs.replace(served, late_s=0.05)


def wrong_way(count: int) -> list[RequestOutcome]:
    """Requests that went to the most expensive site while the local one was idle."""
    return [RequestOutcome("burst", 20.0, 20.1, "far", in_hand=1) for _ in range(count)]


def test_a_wrong_way_is_broken_on_a_calm_machine_and_not_judged_on_a_busy_one() -> None:
    calm = burst(*wrong_way(10))
    assert [verdict.is_broken for verdict in calm] == [True, True, False]
    busy = burst(*map(late, wrong_way(10)))
    assert [verdict.kept for verdict in busy] == [False, False, True]
    assert not any(verdict.is_broken for verdict in busy)


def test_a_few_late_requests_excuse_nothing() -> None:
    served = [*wrong_way(30), *map(late, wrong_way(4))]
    assert late_share([RequestOutcome("burst", 0.0, 1.0, "far")] * 46 + served[-4:]) > 0.05
    assert burst(*served)[0].is_broken


def test_the_worst_phase_says_how_busy_the_machine_was() -> None:
    calm = [RequestOutcome("calm", 0.0, 0.1, "onprem")] * 900
    assert late_share(calm) == 0.0
    assert late_share([]) == 0.0
    slow = [late(RequestOutcome("burst", 1.0, 1.1, "onprem"))] * 10
    assert late_share([*calm, *slow, *[RequestOutcome("burst", 1.0, 1.1, "onprem")] * 90]) == 0.1


@pytest.mark.parametrize("error", ["status 503 all-full", "TimeoutError: "])
def test_a_busy_machine_may_lose_what_its_targets_had_no_time_for(error: str) -> None:
    busy = [late(RequestOutcome("burst", 5.0, 5.1, "", error=error)) for _ in range(10)]
    verdict = burst(*busy)[2]
    assert not verdict.kept and not verdict.is_broken
    assert burst(RequestOutcome("burst", 5.0, 5.1, "", error=error))[2].is_broken


@pytest.mark.parametrize(
    "error", ["status 502 link-lost", "status 503 no-route", "ClientOSError: reset", "no answer"]
)
def test_no_machine_is_so_busy_that_anything_else_may_be_lost(error: str) -> None:
    busy = [
        late(RequestOutcome("burst", 5.0, 5.1, "", error="status 503 all-full")) for _ in range(10)
    ]
    assert burst(*busy, RequestOutcome("burst", 6.0, 6.1, "", error=error))[2].is_broken


def test_no_machine_is_so_busy_that_a_target_may_get_more_than_its_capacity() -> None:
    busy = [late(RequestOutcome("burst", 3.0, 4.0, "onprem", in_hand=2)) for _ in range(10)]
    assert burst(*busy)[2].is_broken


def test_the_table_counts_answers_by_phase_and_site() -> None:
    served = [
        RequestOutcome("calm", 0.0, 0.1, "onprem", in_hand=1),
        RequestOutcome("burst", 1.0, 1.2, "near", in_hand=1),
        RequestOutcome("burst", 1.0, 1.2, "", error="status 503 all-full"),
    ]
    held = [Held("burst", "onprem", answers=1), Held("burst", "near", 0, "TimeoutError: ")]
    calm, busy, connections = rows(served, held, SITES)
    assert (calm.offered, calm.per_site["onprem"], calm.lost) == (1, 1, 0)
    assert (busy.offered, busy.per_site["near"], busy.lost) == (2, 1, 1)
    assert (connections.offered, connections.per_site["onprem"], connections.lost) == (2, 1, 1)

"""The demo's verdicts: what they hold against what happened, and the figures they name."""

from demo.judge import Verdict, rows, verdicts
from demo.load import Held, Served

SITES = ("onprem", "near", "far")
SLOTS = {"onprem": 2, "near": 2, "far": 2}


def burst(*changes: Served, connections: tuple[Held, ...] = ()) -> list[Verdict]:
    """Verdicts on ten seconds in which onprem and near are full and far takes the rest."""
    served = [
        Served("burst", float(second), second + 1.0, site, in_hand=1)
        for second in range(10)
        for site in ("onprem", "onprem", "near", "near", "far")
    ]
    return verdicts([*served, *changes], connections, SITES, SLOTS, SLOTS, "burst")


def test_a_burst_that_fills_in_order_keeps_every_promise() -> None:
    held = tuple(
        Held("burst", order, site, answers=3)
        for order, site in enumerate(("onprem", "onprem", "near", "near", "far"))
    )
    outcome = burst(connections=held)
    assert [verdict.kept for verdict in outcome] == [True, True, True]
    assert "0 of 50 requests and 0 of 5 connections lost, 0 met" in outcome[2].evidence


def test_what_was_lost_is_counted_by_its_cause() -> None:
    full = Served("burst", 5.0, 5.1, "", error="status 503 all-full")
    reset = Served("burst", 6.0, 6.1, "", error="ClientOSError: reset")
    silent = Held("burst", 0, "", answers=0)
    lost = burst(full, full, reset, connections=(silent,))[2]
    assert not lost.kept
    assert "3 of 53 requests and 1 of 1 connections lost" in lost.evidence
    assert "(2 x status 503 all-full, 1 x ClientOSError: reset, 1 x no answer)" in lost.evidence


def test_a_target_over_its_capacity_breaks_the_promise() -> None:
    verdict = burst(Served("burst", 3.0, 4.0, "onprem", in_hand=2))[2]
    assert not verdict.kept
    assert "1 met a target over its capacity" in verdict.evidence


def test_a_site_is_never_said_to_be_more_than_full() -> None:
    waited = [Served("burst", 2.0, 8.0, "onprem", in_hand=1) for _ in range(4)]
    assert burst(*waited)[0].evidence.startswith("100% of its 2 slots used")


def test_the_table_counts_answers_by_phase_and_site() -> None:
    served = [
        Served("calm", 0.0, 0.1, "onprem", in_hand=1),
        Served("burst", 1.0, 1.2, "near", in_hand=1),
        Served("burst", 1.0, 1.2, "", error="status 503 all-full"),
    ]
    held = [Held("burst", 0, "onprem", answers=1), Held("burst", 1, "near", 0, "TimeoutError: ")]
    calm, busy, connections = rows(served, held, SITES)
    assert (calm.offered, calm.per_site["onprem"], calm.lost) == (1, 1, 0)
    assert (busy.offered, busy.per_site["near"], busy.lost) == (2, 1, 1)
    assert (connections.offered, connections.per_site["onprem"], connections.lost) == (2, 1, 1)

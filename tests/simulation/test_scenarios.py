"""Scenarios on whole routers: determinism, bursts, faults, agreement with the other tests."""

from itertools import pairwise

import msgspec
import pytest

from simulator.outcomes import figures
from simulator.runs.run import Run, TooManyRequests
from simulator.scenarios import bounds
from simulator.scenarios.reading import read
from simulator.scenarios.scenario import Scenario
from tests.simulation.world import World

BURST = """apiVersion: spillway/v1
kind: Scenario
name: small
spec:
  seed: 3
  duration: 10s
  sites: [a, b]
  links:
    - {between: [a, b], cost: 1, rtt: 20ms}
  services:
    - {name: shop, policy: fill}
  targets:
    - {site: a, capacity: 10, serviceTime: 200ms}
    - {site: b, count: 2, capacity: 10, serviceTime: 200ms}
  arrivals:
    - {site: a, kind: flash, rate: 15/s, peak: 75/s, peakFrom: 2s, peakUntil: 7s}
"""


def scenario(text: str = BURST) -> Scenario:
    found, errors, _ = read(text, "s.yaml", lambda name: "")
    assert found is not None, errors
    return found


def outcome(text: str = BURST) -> figures.RunOutcome:
    run = Run(scenario(text))
    return figures.outcome(run.world.scenario, run.finish(), run.draw, ("v1", "v2"))


def test_the_same_file_gives_the_same_bytes_and_another_seed_another_history() -> None:
    first, second = (msgspec.json.encode(outcome()) for _ in range(2))
    assert first == second
    assert msgspec.json.encode(outcome(BURST.replace("seed: 3", "seed: 4"))) != first


def test_a_burst_fills_the_site_first_and_loses_nobody() -> None:
    found = outcome()
    a, b = found.sites
    assert a.offered == found.requests == a.here + sum(a.overflowed.values())
    assert a.first_spill_free == 0
    assert a.spilled_while_free is not None and a.spilled_while_free <= 0.05
    assert a.used is not None and a.ideal is not None and abs(a.used - a.ideal) <= 0.04
    assert a.p99_ms is not None and a.p99_ms < 230
    assert b.for_others == a.overflowed["b"]
    assert {one.rule for one in found.skupper} == {"skupper v1", "skupper v2"}


def test_the_ideal_is_of_the_same_slots_where_backends_have_more_than_the_capacity() -> None:
    text = BURST.replace("capacity: 10", "slots: 50, capacity: 10")
    assert text != BURST
    a = outcome(text).sites[0]
    assert a.used is not None and a.ideal is not None and abs(a.used - a.ideal) <= 0.04


def test_targets_that_stop_and_a_router_that_is_killed_leave_their_mark_and_no_more() -> None:
    events = """  events:
    - {at: 3s, do: stop-targets, site: a}
    - {at: 5s, do: start-targets, site: a}
    - {at: 6s, do: kill-router, site: b}
"""
    a = outcome(BURST.replace("75/s", "20/s") + events).sites[0]
    assert a.offered == a.here + sum(a.overflowed.values()) + a.refused + a.lost
    assert a.overflowed["b"] > 20  # While the targets of a were gone.
    assert a.lost <= 10  # At most the requests in a's hands when it stopped; a GET is asked again.


def test_closed_loops_keep_as_many_in_flight_as_there_are_clients() -> None:
    text = BURST.replace(
        "kind: flash, rate: 15/s, peak: 75/s, peakFrom: 2s, peakUntil: 7s",
        "kind: closed, clients: 5, connections: keep-alive",
    )
    a = outcome(text).sites[0]
    assert a.here == a.offered
    assert abs(a.offered - 5 * 10 / 0.2) <= 5


def test_one_that_is_interrupted_tells_what_it_has() -> None:
    run = Run(scenario())
    record = run.finish(lambda share, begun: share < 0.5)
    assert record.interrupted
    assert 4.5 <= record.lasted_s <= 5.5
    found = figures.outcome(run.world.scenario, record, run.draw, ())
    assert found.sites[0].offered == len(record.requests) > 0


def test_it_agrees_with_the_virtual_sites_that_all_other_tests_use() -> None:
    """The same steady load through both harnesses: the same requests leave."""
    steady = BURST.replace(
        "kind: flash, rate: 15/s, peak: 75/s, peakFrom: 2s, peakUntil: 7s",
        "kind: steady, rate: 74/s",
    )
    mine = outcome(steady).sites[0]
    world = World(3, "a", "b", delay_s=0.01)
    for near, far in pairwise(world.sites.values()):
        near.link(far, 1)
    world["a"].declare()
    for site in world.sites.values():
        site.serve(1, 10, 0.2)
    world.run(5.0)
    answers = world["a"].offer(74.0, 10.0)
    world.run(12.0)
    here = sum(answer.site == "a" for answer in answers)
    assert len(answers) == mine.offered
    assert abs(here - mine.here) <= 0.01 * mine.offered


def test_clients_that_are_refused_for_ever_end_the_run_and_not_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "RUN_REQUESTS_MAX", 1_000)
    text = BURST.replace("serviceTime: 200ms", "serviceTime: 600s").replace(
        "kind: flash, rate: 15/s, peak: 75/s, peakFrom: 2s, peakUntil: 7s",
        "kind: closed, clients: 200",
    )
    text = text.replace("policy: fill", "policy: fill, queue: 0")
    run = Run(scenario(text))
    with pytest.raises(TooManyRequests, match=r"more than 1,000 requests, 0\.\d s into"):
        run.finish()
    assert len(run.record.requests) == 1_000


def test_a_site_that_is_restarted_for_ever_does_not_run_out_of_ports() -> None:
    events = "".join(
        f"    - {{at: {i // 20 + 1}s, do: {what}, site: b}}\n"
        for i in range(8)
        for what in ("kill-router", "start-router")
    )
    text = BURST.replace("count: 2", "count: 200") + "  events:\n" + events
    run = Run(scenario(text))
    run.finish()
    ports = [one.port for one in run.world.sites["b"].groups[0].backends]
    assert max(ports) < 10_200

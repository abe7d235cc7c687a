"""Chains of services on whole routers, classes of requests, and advice."""

from pathlib import Path

import pytest

from simulator.advice.bursting import burst_costs
from simulator.advice.search import advise
from simulator.outcomes import figures
from simulator.runs.measure import RunRecord
from simulator.runs.run import Run
from tests.simulation.chained import CHAIN
from tests.simulation.test_scenarios import scenario

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
AT_EAST = CHAIN.replace(
    "answer: 1KiB}", "answer: 1KiB, policy: split, weights: {west: 0, east: 1}}"
)


def ran(text: str) -> RunRecord:
    return Run(scenario(text)).finish()


def mean_ms(record: RunRecord) -> float:
    asked = [one for one in record.requests if one.parent is None]
    assert all(one.served_by for one in asked)
    return 1000 * sum(one.latency_s for one in asked) / len(asked)


def test_a_request_takes_its_work_and_its_calls_one_after_the_other() -> None:
    record = ran(CHAIN)
    calls = [one for one in record.requests if one.parent is not None]
    assert len(record.requests) == 80 * 4 and len(calls) == 80 * 3
    assert {(one.site, one.served_by) for one in calls} == {("west", "east")}
    assert mean_ms(record) == pytest.approx(5 + 3 * (40 + 10), abs=2)


def test_calls_in_parallel_take_as_long_as_one() -> None:
    record = ran(CHAIN.replace("count: 3", "count: 3, parallel: true"))
    assert mean_ms(record) == pytest.approx(5 + 40 + 10, abs=2)


def test_where_the_database_is_a_request_crosses_once() -> None:
    record = ran(AT_EAST)
    assert mean_ms(record) == pytest.approx(40 + 5 + 3 * 10, abs=2)


def test_a_slot_waits_for_its_calls() -> None:
    """10 slots, 155 ms each: 64 a second at most, though the work is 5 ms."""
    text = CHAIN.replace("rate: 20/s", "rate: 100/s").replace(
        "    - {site: east, service: front, capacity: 10, serviceTime: 5ms}\n", ""
    )
    record = ran(text)
    served = sum(bool(one.served_by) and one.parent is None for one in record.requests)
    assert 4 * 60 <= served <= 5.2 * 66
    assert any(one.status == 503 for one in record.requests)


def test_a_call_that_fails_fails_its_request_and_frees_its_slot() -> None:
    events = "  events:\n    - {at: 1s, do: fail-targets, site: east, service: database}\n"
    record = ran(CHAIN + events)
    asked = [one for one in record.requests if one.parent is None]
    assert {one.status for one in asked if one.began - record.began_s > 1.1} <= {500, 502, 503}
    assert {one.status for one in asked if one.began - record.began_s < 0.8} == {200}


def test_the_same_requests_come_to_every_plan() -> None:
    """Whichever target serves them: the work of each request and of its calls stays the same."""
    first, second = ran(CHAIN), ran(AT_EAST)

    def draws(record: RunRecord) -> dict[float, list[float]]:
        found: dict[float, list[float]] = {}
        for one in record.requests:
            root = one if one.parent is None else one.parent
            found.setdefault(root.draw, []).append(one.draw)
        return {draw: sorted(of) for draw, of in found.items()}

    assert draws(first) == draws(second)


def test_what_a_burst_costs_counts_the_calls_that_go_back() -> None:
    """The database is at home: a request that is served away calls it across the link."""
    text = CHAIN.replace("{site: east, service: database,", "{site: west, service: database,")
    record = ran(text.replace("rate: 20/s", "rate: 300/s").replace("4s", "2s"))
    (cost,) = [one for one in burst_costs(record) if one.service == "front"]
    assert (cost.site, cost.there) == ("west", "east")
    assert cost.calls_back == pytest.approx(3.0, abs=0.1)
    assert cost.costs_ms is not None and cost.costs_ms > 3 * 30


def test_classes_work_and_call_as_they_say() -> None:
    text = CHAIN.replace(
        "  targets:", "  classes:\n    - {name: light}\n"
        "    - {name: heavy, work: 4, calls: {database: 1}}\n  targets:", 1,
    ).replace("rate: 20/s", "rate: 20/s, classes: {light: 1, heavy: 1}")  # fmt: skip
    run = Run(scenario(text))
    found = figures.outcome(run.world.scenario, run.finish(), run.draw, ())
    heavy, light = found.classes
    assert heavy.requests + light.requests == 80 and min(heavy.requests, light.requests) > 20
    assert heavy.mean_ms == pytest.approx(20 + 40 + 40, abs=2)
    assert light.mean_ms == pytest.approx(5 + 3 * 50, abs=2)


def test_advice_on_the_published_chain_sends_a_tenth_of_the_bytes() -> None:
    """SLATE, HotNets'24: greedy crosses where answers are large; the best plan, before that."""
    text = (EXAMPLES / "chain.yaml").read_text().replace("duration: 20s", "duration: 2s")
    found = advise(scenario(text))
    assert found.tried[found.best].plan == "metrics at east"
    assert found.times_fewer_bytes == pytest.approx(10.0, rel=0.1)
    assert found.times_faster >= 0.95


def test_advice_for_a_far_database_is_twice_as_fast() -> None:
    text = (EXAMPLES / "chain.yaml").read_text().replace("duration: 20s", "duration: 2s")
    found = advise(scenario(text.replace("{service: database}", "{service: database, count: 6}")))
    assert found.tried[found.best].plan == "metrics at east"
    assert found.times_faster >= 2.0


def test_advice_on_the_published_regions_is_twice_as_fast_by_real_capacities() -> None:
    """SLATE: two regions get too much and spill to the nearest, over a threshold."""
    text = (EXAMPLES / "regions.yaml").read_text().replace("duration: 12s", "duration: 4s")
    found = advise(scenario(text), lambda tried, share: tried < 7)
    assert found.tried[found.best].plan == "shop with the capacity that its targets have"
    assert found.times_faster >= 2.0
    assert not found.whole


def test_advice_that_is_ended_has_the_scenario_as_it_is() -> None:
    found = advise(scenario(CHAIN), lambda tried, share: share < 0.5)
    assert (len(found.tried), found.best, found.whole) == (1, 0, False)


SHEDDING = """
apiVersion: spillway/v1
kind: Scenario
name: shedding
spec:
  duration: 10s
  sites: [onprem]
  services:
    - {name: shop, queue: 20, queueWait: 1s, sheddable: "x-class: report", sheddableShare: 80%}
  classes: [{name: light}, {name: report}]
  targets:
    - {site: onprem, count: 1, capacity: 10, serviceTime: 100ms}
  arrivals:
    - {site: onprem, kind: poisson, rate: 160/s, classes: {light: 1, report: 1}}
"""


def test_a_sheddable_class_is_shed_by_the_rule_of_the_product() -> None:
    """80/s of each class for 100/s: the reports alone are refused."""
    run = Run(scenario(SHEDDING))
    found = figures.outcome(run.world.scenario, run.finish(), run.draw, ())
    light, report = found.classes
    assert (light.name, report.name) == ("light", "report")
    assert light.failed == 0 and light.p99_ms is not None and light.p99_ms < 500
    assert 0.2 < (report.requests - report.failed) / report.requests < 0.4
    without = SHEDDING.replace(', sheddable: "x-class: report", sheddableShare: 80%', "")
    run = Run(scenario(without))
    light, _ = figures.outcome(run.world.scenario, run.finish(), run.draw, ()).classes
    assert light.failed > 0.2 * light.requests

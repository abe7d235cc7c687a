"""A scenario built in memory, without a document."""

from simulator.outcomes import figures
from simulator.runs.run import Run
from simulator.scenarios.completing import completed
from simulator.scenarios.scenario import (
    Arrivals,
    Link,
    Scenario,
    ScenarioEvent,
    ScenarioService,
    ScenarioTargets,
    ServiceTime,
)

MEMORY = Scenario(
    name="memory",
    duration_s=2.0,
    sites=("a", "b"),
    links=(Link(between=("a", "b"), cost=2),),
    services=(ScenarioService(name="shop"),),
    targets=(
        ScenarioTargets(site="a", capacity=2, service_time=ServiceTime(mean_s=0.1)),
        ScenarioTargets(site="b", capacity="5,9/s", service_time=ServiceTime(mean_s=0.1)),
    ),
    arrivals=(Arrivals(site="a", kind="steady", rate=30.0),),
    events=(
        ScenarioEvent(at_s=1.5, do="start-router", site="b"),
        ScenarioEvent(at_s=1.0, do="kill-router", site="b"),
    ),
)


def test_services_slots_and_the_order_of_events_are_filled_in() -> None:
    whole = completed(MEMORY)
    assert {one.service for one in whole.targets} == {one.service for one in whole.events}
    assert whole.arrivals[0].service == whole.events[0].service == "shop"
    assert [one.slots for one in whole.targets] == [2, 5]
    assert [one.at_s for one in whole.events] == [1.0, 1.5]
    assert completed(whole) == whole


def test_it_runs_without_a_file_and_prints_nothing() -> None:
    run = Run(completed(MEMORY))
    found = figures.outcome(run.world.scenario, run.finish(), run.draw, ())
    assert found.sites[0].offered == 60
    assert found.sites[0].overflowed["b"] > 5

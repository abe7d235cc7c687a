"""Which changes are worth a try, and when one is better."""

from simulator.advice.plans import Plan, further
from simulator.advice.score import Score
from simulator.scenarios.reading import read
from simulator.scenarios.scenario import Scenario
from tests.simulation.chained import CHAIN


def chain(text: str = CHAIN) -> Scenario:
    found, errors, _ = read(text, "s.yaml", lambda name: "")
    assert found is not None, errors
    return found


def titles(plan: Plan) -> list[str]:
    return [one.title for one in further(plan)]


def test_services_of_a_chain_are_pinned_where_they_have_targets_or_kept_at_home() -> None:
    assert titles(Plan(scenario=chain())) == [
        "front at west",
        "front at east",
        "front does not burst",
    ]


def test_what_is_settled_is_not_tried_again() -> None:
    first = next(further(Plan(scenario=chain())))
    assert first.settled == {"front"}
    assert titles(first) == []


def test_a_command_says_what_the_plan_changes() -> None:
    _, east, strict = further(Plan(scenario=chain()))
    assert east.commands == (
        "sitectl service set front --policy split --weight west=0 --weight east=1",
    )
    assert east.scenario.services[0].weights == {"west": 0, "east": 1}
    assert strict.commands == ("sitectl service set front --isolation strict",)
    assert strict.scenario.services[0].isolation == "strict"


def test_a_capacity_above_what_targets_do_is_made_real() -> None:
    text = CHAIN.replace("service: front, capacity: 10", "service: front, slots: 2, capacity: 10")
    *_, real = further(Plan(scenario=chain(text)))
    assert real.title == "front with the capacity that its targets have"
    assert [one.capacity for one in real.scenario.targets] == [2, 2, 10]
    assert real.commands[0] == "sitectl service bind front … --capacity 2  # at west"


def score(*, failed: float = 0.0, mean_ms: float = 100.0, bytes_away: float = 1000.0) -> Score:
    return Score(
        failed=failed,
        mean_ms=mean_ms,
        p99_ms=mean_ms,
        crossings=1.0,
        bytes_away=bytes_away,
    )


def test_a_plan_wins_by_failing_less_being_faster_or_as_fast_with_fewer_bytes() -> None:
    assert score(failed=0.1, mean_ms=200.0).beats(score(failed=0.2))
    assert not score(failed=0.2, mean_ms=10.0).beats(score(failed=0.1))
    assert score(mean_ms=90.0, bytes_away=9e9).beats(score())
    assert not score(mean_ms=99.0).beats(score())
    assert score(mean_ms=101.0, bytes_away=100.0).beats(score())
    assert not score(mean_ms=110.0, bytes_away=0.0).beats(score())

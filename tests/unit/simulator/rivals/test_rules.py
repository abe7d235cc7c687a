"""How each rule uses its figures, and the world that they run in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rivals.compare import RULES, RuleName
from simulator.rivals.engine import HEALTH_S, RivalWorld, distances
from simulator.rivals.envoy_priority import shares
from simulator.rivals.google_waterfall import plan
from simulator.rivals.pods import Pod
from simulator.rivals.prequal import LoadProbe, best_of
from simulator.scenarios.call_graph import asked_per_request
from simulator.scenarios.reading import read
from simulator.scenarios.scenario import Scenario, ScenarioTargets, ServiceTime
from tests.simulation.chained import CHAIN
from tests.simulation.test_scenarios import BURST

EVERY = sorted(RULES)


def scenario(text: str = BURST) -> Scenario:
    found, errors, _ = read(text, "s.yaml", lambda name: "")
    assert found is not None, errors
    return found


def ran(rule: RuleName, text: str = BURST, rate: int = 75, seconds: float = 4.0) -> RivalWorld:
    """Clients of the first site ask ``rate`` times a second."""
    asked = scenario(text)
    world = RivalWorld(asked, RULES[rule]())
    service, site = asked.services[0].name, asked.sites[0]
    for number in range(int(rate * seconds)):
        world.run_until(number / rate)
        world.ask(site, service, number / (rate * seconds))
    world.run_until(120.0)
    return world


def away(world: RivalWorld, site: str = "b") -> float:
    return sum(one.by == site for one in world.requests) / len(world.requests)


@pytest.mark.parametrize(
    ("healths", "found"),
    [
        ([1.0, 1.0], [1.0, 0.0]),
        ([0.75, 1.0], [1.0, 0.0]),  # 1.4 times 0.75 is still all of it.
        ([0.5, 1.0], [0.7, 0.3]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.25, 0.25], [0.5, 0.5]),  # 0.35 each: in proportion.
        ([0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_a_priority_takes_what_its_health_times_1_4_allows(
    healths: list[float], found: list[float]
) -> None:
    assert shares(healths) == pytest.approx(found)


NEAREST = {"a": ["a", "b", "c"], "b": ["b", "a", "c"], "c": ["c", "b", "a"]}


def test_the_waterfall_fills_the_own_region_then_the_nearest_then_all() -> None:
    usable = {"a": 8.0, "b": 8.0, "c": 4.0}
    assert plan({"a": 10.0, "b": 2.0, "c": 0.0}, usable, NEAREST)["a"] == {"a": 8.0, "b": 2.0}
    over = plan({"a": 40.0, "b": 0.0, "c": 0.0}, usable, NEAREST)["a"]
    assert over == pytest.approx({"a": 16.0, "b": 16.0, "c": 8.0})


@given(
    wanted=st.lists(st.floats(0, 100), min_size=3, max_size=3),
    usable=st.lists(st.floats(0.5, 100), min_size=3, max_size=3),
)
def test_the_waterfall_places_all_and_overfills_only_when_all_are_full(
    wanted: list[float], usable: list[float]
) -> None:
    load = dict(zip("abc", wanted, strict=True))
    room = dict(zip("abc", usable, strict=True))
    found = plan(load, room, NEAREST)
    for region, want in load.items():
        assert sum(found[region].values()) == pytest.approx(want, abs=1e-6)
    taken = {there: sum(of.get(there, 0.0) for of in found.values()) for there in "abc"}
    if any(taken[there] > room[there] + 1e-6 for there in "abc"):
        assert all(taken[there] >= room[there] - 1e-6 for there in "abc")
        assert sum(wanted) > sum(usable) - 1e-6


POD = Pod(ScenarioTargets(site="a", slots=1, service_time=ServiceTime(mean_s=0.1)))


def test_prequal_takes_the_fastest_of_the_cold_and_the_emptiest_of_the_hot() -> None:
    cold_slow, cold_fast = LoadProbe(POD, 0.0, 1, 0.3), LoadProbe(POD, 0.0, 2, 0.1)
    hot = [LoadProbe(POD, 0.0, 9, 0.01)]
    assert best_of([cold_slow, cold_fast, *hot]) is cold_fast
    assert best_of([LoadProbe(POD, 0.0, 5, 0.2), fast := LoadProbe(POD, 0.0, 5, 0.1)]) is fast


@pytest.mark.parametrize("rule", EVERY)
def test_every_rule_serves_everything_that_fits(rule: RuleName) -> None:
    world = ran(rule, rate=30)
    assert all(one.by for one in world.requests)
    assert all(one.ended - one.began > 0.2 - 1e-9 for one in world.requests)


@pytest.mark.parametrize("rule", EVERY)
def test_the_same_seed_gives_the_same_history(rule: RuleName) -> None:
    first, second = ([(one.by, one.ended) for one in ran(rule).requests] for _ in range(2))
    assert first == second


def test_who_knows_no_load_stays_at_home_whatever_waits_there() -> None:
    world = ran("envoy-priority")
    assert away(world) == 0.0
    assert max(one.ended - one.began for one in world.requests) > 1.0


def test_who_knows_no_distance_sends_two_thirds_to_two_of_three_pods() -> None:
    assert away(ran("least-request", rate=20)) == pytest.approx(2 / 3, abs=0.12)


def test_the_waterfall_leaves_home_only_above_its_target() -> None:
    assert away(ran("google-waterfall", rate=20)) == 0.0
    assert away(ran("google-waterfall")) > 0.2


def test_load_aware_locality_probes_others_and_leaves_when_it_is_busier() -> None:
    calm = away(ran("load-aware-locality", rate=4, seconds=50.0))
    assert 0.0 < calm < 0.12  # 3 % probes, and the dead band of 0.1.
    assert away(ran("load-aware-locality", seconds=20.0)) > 0.25


def test_calls_are_asked_at_the_pod_s_site() -> None:
    world = ran("envoy-priority", CHAIN, rate=5)
    calls = [one for one in world.requests if one.service == "database"]
    assert len(calls) == 3 * 20
    assert asked_per_request(scenario(CHAIN), "front")["database"] == 3
    assert {(one.site, one.by) for one in calls} == {("west", "east")}
    front = next(one for one in world.requests if one.service == "front")
    assert front.ended - front.began == pytest.approx(0.005 + 3 * 0.05, abs=1e-6)


def test_pods_that_stop_break_what_they_have_and_are_left_once_noticed() -> None:
    events = "  events:\n    - {at: 1s, do: stop-targets, site: a}\n"
    world = ran("envoy-priority", BURST + events, rate=30)
    lost = [one for one in world.requests if not one.by]
    assert lost and all(one.began < 1.0 + HEALTH_S for one in lost)
    assert all(one.by == "b" for one in world.requests if one.began > 1.0 + HEALTH_S)


def test_a_slow_pod_works_longer() -> None:
    events = "  events:\n    - {at: 0s, do: slow-targets, site: a, factor: 3}\n"
    world = RivalWorld(scenario(BURST + events), RULES["envoy-priority"]())
    world.run_until(1.0)
    one = world.ask("a", "shop", 0.5)
    world.run_until(10.0)
    assert one.ended - one.began == pytest.approx(0.6)


def test_distances_add_up_along_the_cheapest_way() -> None:
    text = BURST.replace("sites: [a, b]", "sites: [a, b, c]").replace(
        "  services:", "    - {between: [b, c], cost: 2, rtt: 30ms}\n"
        "    - {between: [a, c], cost: 9, rtt: 10ms}\n  services:", 1,
    )  # fmt: skip
    assert distances(scenario(text), "a") == {
        "a": (0, 0.0),
        "b": (1, 0.02),
        "c": (3, pytest.approx(0.05)),
    }

"""Wrong scenarios: each error names the place and the expected value."""

import pytest

from simulator.scenarios.reading import read
from simulator.scenarios.scenario import Scenario

GOOD = """apiVersion: spillway/v1
kind: Scenario
name: small
spec:
  duration: 10s
  sites: [a, b]
  links:
    - {between: [a, b], cost: 2, rtt: 30ms}
  services:
    - {name: shop}
  targets:
    - {site: b, capacity: 4, serviceTime: 100ms}
  arrivals:
    - {site: a, kind: poisson, rate: 5/s}
"""


SPLIT = "{name: shop, policy: split, weights: "
POLICY = "  policies:\n    - {site: b, siteCapacity: "


def no_logs(name: str) -> str:
    raise FileNotFoundError(2, "No such file or directory")


def wrong(text: str) -> list[tuple[str, int, str]]:
    """(code, line, reason) of everything wrong."""
    scenario, errors, _ = read(text, "s.yaml", no_logs)
    assert scenario is None
    assert all(str(error).startswith("s.yaml:") for error in errors)
    return [(error.code, error.line, error.reason) for error in errors]


def good() -> Scenario:
    scenario, errors, _ = read(GOOD, "s.yaml", no_logs)
    assert not errors
    assert scenario is not None
    return scenario


def test_what_is_not_said_is_filled_in() -> None:
    scenario = good()
    assert scenario.targets[0].slots == 4
    assert scenario.targets[0].service == scenario.arrivals[0].service == "shop"
    assert scenario.links[0].rtt_s == 0.03


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "reason"),
    [
        ("kind: Scenario", "kind: Senario", "SW0726", 2, "expected kind: Scenario, got 'Senario'"),
        ("name: small\n", "", "SW0720", 1, "field 'name' is missing"),
        ("duration: 10s", "duration: 7d", "SW0720", 5, "expected a duration from 0.1s to 6h"),
        ("duration: 10s", "duratoin: 10s", "SW0720", 5, "unknown field 'duratoin'"),
        ("[a, b]\n  links", "[a, b, a]\n  links", "SW0724", 6, "'a' stands twice"),
        ("{site: b,", "{site: c,", "SW0721", 12, "no site 'c' in sites"),
        ("between: [a, b]", "between: [a, a]", "SW0724", 8, "expected two different sites"),
        ("capacity: 4", "capacity: 4, stay: 2s", "SW0104", 12, "stay belongs to a rate"),
        ("capacity: 4", "slots: 1, capacity: 0.1/s, window: 5s", "SW0104", 12, "not one request"),
        ("  arrivals", POLICY + "4/s, resume: 5/s}\n  arrivals", "SW0104", 14, "never be over"),
        ("capacity: 4", "capacity: 0", "SW0104", 12, "expected a capacity from 1 to 1000000"),
        ("capacity: 4, ", "", "SW0724", 12, "field 'slots' is missing"),
        ("100ms", "{kind: normal, mean: 1s}", "SW0720", 12, "expected one of constant"),
        ("5/s", "-5/s", "SW0720", 14, "expected a number from 0 to 20000"),
        ("5/s", "0/s", "SW0724", 14, "needs a rate above 0"),
        ("kind: poisson, rate: 5/s", "kind: closed", "SW0724", 14, "kind closed needs clients"),
        ("poisson, rate: 5/s", "replay, file: x.log", "SW0723", 14, "x.log: No such file"),
        ("{name: shop}", "{name: shop, policy: split}", "SW0724", 10, "split needs weights"),
        ("{name: shop}", SPLIT + "{a: 70%, b: 20%}}", "SW0720", 10, "sum to 90%, not to 100%"),
        ("{name: shop}", SPLIT + "{a: 0}}", "SW0720", 10, "all weights are 0"),
        ("{name: shop}", SPLIT + "{a: -1, b: 2}}", "SW0720", 10, "expected a whole number"),
        ("{name: shop}", SPLIT + "{a: 1, c: 2}}", "SW0721", 10, "no site 'c' in sites"),
        ("    - {between: [a, b], cost: 2, rtt: 30ms}", "    []", "SW0725", 14, "no targets of"),
        ("duration: 10s", "duration: &x 10s", "SW0103", 5, "an anchor"),
        (
            "  arrivals:",
            "  policies: [{site: a, siteCapacity: 2/s, resume: 3/s}]\n  arrivals:",
            "SW0104",
            13,
            "resume 3/s is above the rate 2/s",
        ),
    ],
)
def test_each_mistake_is_named_with_its_line(
    old: str, new: str, code: str, line: int, reason: str
) -> None:
    assert old in GOOD
    found = wrong(GOOD.replace(old, new))
    assert any((one[0], one[1]) == (code, line) and reason in one[2] for one in found), found


def test_a_load_without_end_is_refused_with_its_number_and_the_limit() -> None:
    text = GOOD.replace("10s", "6h").replace("5/s", "20000/s")
    assert wrong(text) == [("SW0722", 14, "up to 432,000,000 requests in all, at most 1,000,000")]


def test_an_event_that_lacks_what_it_needs_is_named() -> None:
    text = (
        GOOD
        + "  events:\n    - {at: 5s, do: set-cost}\n    - {at: 11s, do: kill-router, site: b}\n"
    )
    assert [(line, reason) for _, line, reason in wrong(text)] == [
        (16, "set-cost needs between"),
        (16, "set-cost needs cost"),
        (16, "there is no such link"),
        (17, "it is after the end of the scenario"),
    ]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{site: b, slots: 4, capacity: 9/s, resume: 10/s, serviceTime: 1s}", "above the rate"),
        ("{site: b, capacity: 9, resume: 1/s, serviceTime: 1s}", "belongs to a rate"),
        ("{site: b, capacity: 9, window: 2s, serviceTime: 1s}", "belongs to a rate"),
    ],
)
def test_what_stands_beside_a_rate_must_fit_it(target: str, said: str) -> None:
    code, line, reason = wrong(GOOD.replace("{site: b, capacity: 4, serviceTime: 100ms}", target))[
        0
    ]
    assert (code, line, said in reason) == ("SW0104", 12, True), reason


def test_a_site_that_shall_send_all_away_needs_a_rate() -> None:
    policy = "  policies:\n    - {site: a, siteCapacity: 9, spill: all}\n  arrivals:"
    found = wrong(GOOD.replace("  arrivals:", policy))
    assert found == [
        ("SW0104", 14, "spill: all belongs to a rate: only a rate can say when it is over")
    ]


def test_slots_may_stand_beside_a_rate_in_one_capacity() -> None:
    scenario, errors, _ = read(GOOD.replace("capacity: 4", 'capacity: "4,9/s"'), "s", no_logs)
    assert not errors
    assert scenario is not None
    assert scenario.targets[0].slots == 4


BURSTS = "  bursts:\n    - {site: a, wakes: b, wake: 5s, saturated: {used: 70%}}\n  arrivals:"
ASLEEP = "serviceTime: 100ms, asleep: true}"


def test_a_burst_is_read_with_the_marks_of_a_burst_document() -> None:
    text = GOOD.replace("  arrivals:", BURSTS).replace("serviceTime: 100ms}", ASLEEP)
    scenario, errors, _ = read(text, "s", no_logs)
    assert not errors
    assert scenario is not None
    burst = scenario.bursts[0]
    assert (burst.service, burst.wake_s, burst.saturated.used) == ("shop", 5.0, 0.7)


@pytest.mark.parametrize(
    ("bursts", "target", "code", "line", "said"),
    [
        (BURSTS, "serviceTime: 100ms}", "SW0724", 14, "no targets of shop sleep at b"),
        ("  arrivals:", ASLEEP, "SW0724", 12, "no burst wakes them"),
        (BURSTS.replace("wakes: b", "wakes: c"), ASLEEP, "SW0721", 14, "no site 'c' in sites"),
        (BURSTS.replace("used: 70%", ""), ASLEEP, "SW0703", 14, "at least one of used"),
        (BURSTS.replace(", wake: 5s", ""), ASLEEP, "SW0720", 14, "field 'wake' is missing"),
    ],
)
def test_a_burst_that_wakes_nothing_is_named(
    bursts: str, target: str, code: str, line: int, said: str
) -> None:
    text = GOOD.replace("  arrivals:", bursts).replace("serviceTime: 100ms}", target)
    found = wrong(text)
    assert any((one[0], one[1]) == (code, line) and said in one[2] for one in found), found


CALLS = "{name: shop, calls: [{service: %s}]}\n    - {name: cart, calls: [{service: %s}]}"


@pytest.mark.parametrize(
    ("first", "second", "code", "line", "said"),
    [
        ("cart", "shop", "SW0724", 10, "a circle: shop calls cart calls shop"),
        ("crat", "cart", "SW0721", 10, "no service 'crat'"),
    ],
)
def test_calls_that_lead_nowhere_or_in_a_circle_are_named(
    first: str, second: str, code: str, line: int, said: str
) -> None:
    text = GOOD.replace("{name: shop}", CALLS % (first, second))
    text = text.replace("{site: b,", "{site: b, service: shop,")
    found = wrong(text.replace("{site: a,", "{site: a, service: shop,"))
    assert any((one[0], one[1]) == (code, line) and said in one[2] for one in found), found


def test_a_class_that_is_not_there_is_named() -> None:
    text = GOOD.replace("rate: 5/s", "rate: 5/s, classes: {heavy: 1}")
    assert wrong(text) == [("SW0721", 14, "no class 'heavy'")]


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("protocol: tcp, sheddable: 'x-class: heavy'", "needs protocol http"),
        ("sheddable: 'x-class: heavy', sheddableShare: 0%", "no sheddable request is ever served"),
        ("sheddable: heavy", "a header field and its value"),
    ],
)
def test_a_service_that_cannot_shed_says_why(service: str, said: str) -> None:
    found = wrong(GOOD.replace("{name: shop}", "{name: shop, " + service + "}"))
    assert any(said in one[2] for one in found), found


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("do: cut-link, between: [a, c]", "no site 'c' in sites"),
        ("do: slow-targets, site: b", "slow-targets needs factor"),
        ("do: fail-targets, site: a", "no targets at 'a'"),
        ("do: freeze-site", "freeze-site needs site"),
    ],
)
def test_a_fault_that_strikes_nothing_is_named(event: str, said: str) -> None:
    found = wrong(GOOD + "  events:\n    - {at: 5s, " + event + "}\n")
    assert any(said in reason for _, _, reason in found), found

"""An operator's hours: nothing false is said in any, and what is false is noticed."""

import msgspec
import pytest

from tests.examples import seeds
from tests.simulation.hours.claims import false_of
from tests.simulation.hours.hour import Hour
from tests.simulation.hours.omissions import Said, unsaid

MINUTES_S = 120.0
FULL = "every site that may serve it is full"
FALSE = (
    "a is drained: 1.0/s go to b (cost 1)",
    "b: it is draining and takes nothing new",
    "b drains and takes nothing new of it",
    "b stops and takes nothing new",
    f"{FULL} or draining (b): the queue is in use",
    f"{FULL} or short of memory (b, c)",
    "no target of b is ready",
    "b has targets, none of them ready",
    f"{FULL}, and b and c are not reached",
    "b: link to-b to b is down since 19:44:55 UTC",
    "c: no path has led there since 19:44:55 UTC",
    "this site is drained of it and takes nothing new",
    "this router is short of memory and takes nothing new",
    "Service shop:8080: 0 of 2 targets are ready here",
    "Service shop:8080: 3 requests wait.",
    "Service shop:8080 has no ready target, here or at any site that is reached and may serve it",
    "a has no target of its own: 0.5/s go to b (cost 1), 3.0/s to c (cost 3)",
    "5.0/s served nowhere",
    "Service shop:8080: 5.0/s of 5.0/s requests are turned away.",
    "Service shop:8080: 5.0/s of 5.0/s requests fail: they lost their link.",
    "policy spread sends requests to other sites too: 0.1/s go to b (cost 1)",
    "2 of 6 slots of a are busy on average, and none was free when they left: 0.1/s go to b",
    "the rate of a, 5/s, was used up in the last seconds: 0.1/s go to b (cost 1)",
)


@pytest.mark.parametrize("seed", seeds(6))
def test_nothing_false_is_said_in_minutes_of_faults_and_mistakes(seed: int) -> None:
    assert list(map(str, Hour(seed).play(MINUTES_S))) == []


@pytest.fixture(scope="module")
def quiet() -> Hour:
    """All is well, and no client asks."""
    hour = Hour(1)
    for site in hour.world.sites.values():
        if not site.connectors:
            site.serve(1, capacity=5)
    for _ in range(80):
        hour.world.run(0.25)
        hour.truth.sample()
    return hour


@pytest.mark.parametrize("sentence", FALSE)
def test_a_sentence_that_is_false_is_noticed(quiet: Hour, sentence: str) -> None:
    assert list(false_of(quiet.truth, "a", sentence)) != []


def test_what_is_not_said_is_noticed(quiet: Hour) -> None:
    c = quiet.world["c"]
    for target in c.targets.values():
        target.listener.close()
    answers = c.offer(5, 20.0)
    for _ in range(80):
        quiet.world.run(0.25)
        quiet.truth.sample()
    quiet.truth.answers["c"].extend(answers)
    said = quiet.eye("c").said()
    assert list(unsaid(quiet.truth, "c", c, said)) == []
    silent = Said(msgspec.structs.replace(said.status, problems=(), notes=()), [])
    assert set(unsaid(quiet.truth, "c", c, silent)) == {
        "no target here is ready",
        "requests leave this site",
    }

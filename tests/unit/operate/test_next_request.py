"""The words of `why` for a request that no site takes."""

from collections.abc import Sequence

import pytest

from router.admin.views.why import WhyCandidate
from router.model.wording.fullness import NO_SITE_IS_READY
from router.operate.why.next_request import full_text
from tests.simulation.world import World
from tests.unit.operate.views import view_of


def candidates(verdicts: Sequence[str], *, refuses: bool = False) -> list[WhyCandidate]:
    """s0, s1 and so on; ``refuses``: the last one's router is short of memory."""
    return [
        WhyCandidate(
            site=f"s{number}",
            path=(),
            path_cost=0,
            targets_ready=1,
            capacity=1,
            in_flight=1,
            free=0,
            age_s=0.0,
            verdict=verdict,
            reason="",
            refuses=refuses and number == len(verdicts) - 1,
        )
        for number, verdict in enumerate(verdicts)
    ]


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["full"], "every site that may serve it is full"),
        (["full", "unreachable"], "every site that is reached and may serve it is full"),
        (["full", "draining"], "every site that may serve it is full or draining (s1)"),
        (
            ["full", "no-target", "draining"],
            "every site that may serve it is full or without a ready target (s1) or draining (s2)",
        ),
        (
            ["sheddable-share", "full"],
            "every site that may serve it is full or keeps its rest for others",
        ),
    ],
)
def test_that_no_site_has_room_is_said_as_every_other_surface_has_it(
    verdicts: list[str], said: str
) -> None:
    assert full_text(candidates(verdicts)) == said


def test_a_site_whose_router_is_short_of_memory_is_not_called_full() -> None:
    said = full_text(candidates(["full", "full"], refuses=True))
    assert said == "every site that may serve it is full or short of memory (s1)"


def test_a_decision_says_its_reason_in_words_whatever_it_is() -> None:
    world = World(1, "a")
    a = world["a"]
    a.declare()
    world.run(1)
    why = view_of(a).own_why("shop", None, None)
    assert why is not None
    assert (why.decision.reason, why.decision.text) == ("no-route", NO_SITE_IS_READY)
    a.serve(1, capacity=1, service_s=60)
    world.run(1)
    why = view_of(a).own_why("shop", None, None)
    assert why is not None and why.decision.site == "a"
    assert why.decision.text == why.decision.reason
    a.request()
    world.run(1)
    why = view_of(a).own_why("shop", None, None)
    assert why is not None
    full = "every site that may serve it is full"
    assert (why.decision.reason, why.decision.text) == ("all-full", full)


@pytest.mark.parametrize(("cap", "is_told"), [(2, True), (6, False)])
def test_of_a_site_that_takes_less_than_its_targets_it_is_said_that_its_cap_is_why(
    cap: int, is_told: bool
) -> None:
    """Its row said "its capacity is 4", beside targets with a capacity of 18."""
    world = World(1, "a")
    a = world["a"]
    a.declare()
    a.cap(cap)
    a.serve(1, capacity=6)
    world.run(1)
    why = view_of(a).own_why("shop", None, None)
    assert why is not None
    (row,) = why.candidates
    told = "the site's cap limits it: its targets take more"
    assert (row.capacity, row.note) == (cap, told * is_told)

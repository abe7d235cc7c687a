"""Sentences about overflow: their figures do not seem to contradict each other."""

from typing import Any

import pytest
from msgspec.structs import replace

from router.balance.deciding.candidates import Verdict
from router.balance.deciding.decisions import CandidateReport
from router.balance.site.spills import LocalTargets
from router.model.events import Refusals, Spill
from router.model.ids import SiteId
from router.model.messages.adverts import RateLoad
from router.model.specs import ServiceSpec
from router.operate.record.episode_sentences import (
    begun_sentence,
    ended_sentence,
    full_elsewhere,
    mark_sentence,
    overflow_sentence,
    refused_sentence,
    sheddable_sentence,
)


def figures(in_flight: int, capacity: int | None, active_s: float = 12.0) -> Spill:
    return Spill(
        began="2026-01-01T00:00:00Z",
        lasted_s=12.0,
        active_s=active_s,
        requests=340,
        to={"east": 300, "north": 40},
        in_flight_max=in_flight,
        capacity=capacity,
    )


def test_a_full_site_is_told_with_its_figures() -> None:
    assert overflow_sentence("shop:8080", figures(20, 20), is_end=True) == (
        "Service shop:8080 overflowed for 12 s: 340 requests, 300 to east, 40 to north; "
        "at most 20 in flight here, capacity 20 then."
    )
    assert overflow_sentence("shop:8080", figures(20, 20), is_end=False) == (
        "Service shop:8080 overflows: 20 in flight here, capacity 20; so far 300 to east, 40 to "
        "north."
    )


def test_pauses_of_an_episode_are_not_told_as_time_in_which_requests_left() -> None:
    paused = figures(0, None, active_s=3.0)
    assert ended_sentence("shop:8080", paused).startswith(
        "Service shop:8080: for 3 s within 12 s other sites took 340 requests because "
    )
    ended = overflow_sentence("shop:8080", paused, is_end=True)
    assert ended.startswith("Service shop:8080 overflowed for 3 s within 12 s: 340 requests, ")


def test_one_request_that_was_shed_is_singular() -> None:
    shed = Refusals(
        began="2026-01-01T00:00:00Z",
        lasted_s=0.0,
        requests=1,
        reasons={"shed": 1},
        in_flight_max=2,
        capacity=4,
    )
    assert "refuses requests: so far 1 was shed, as" in refused_sentence(
        "jobs:1", shed, is_end=False
    )


def test_the_share_of_sheddable_requests_is_named() -> None:
    spec = ServiceSpec(protocol="http", ports=(8080,), sheddable="x-priority: batch")
    assert sheddable_sentence(spec) == "Sheddable requests leave from 80% of its slots on."
    assert sheddable_sentence(ServiceSpec(protocol="http", ports=(8080,))) == ""
    assert sheddable_sentence(None) == ""


def candidate(name: str, cost: int, verdict: Verdict, in_flight: int, targets: int = 1) -> Any:
    return CandidateReport(
        site=SiteId(name),
        site_name=name,
        path_cost=cost,
        path=(),
        targets_ready=targets,
        capacity=10 if targets else 0,
        in_flight=in_flight,
        free=None,
        age_s=0.0,
        verdict=verdict,
        reason=f"{in_flight} in flight, its capacity is 10" if verdict == "full" else "",
    )


@pytest.mark.parametrize("capacity", [10, None])
def test_another_site_whose_router_is_short_of_memory_is_not_called_full(
    capacity: int | None,
) -> None:
    far, hub = candidate("far", 5, "full", 0), candidate("hub", 9, "chosen", 2)
    far = replace(far, refuses=True, capacity=capacity)
    assert full_elsewhere([far, hub], {"hub"}, is_end=False) == "far is short of memory"


def test_another_site_that_was_full_is_named_in_place_of_this_one() -> None:
    far, hub = candidate("far", 5, "full", 10), candidate("hub", 9, "chosen", 2)
    for seen in ([far, hub], [candidate("near", 0, "no-target", 0, 0), far, hub]):
        elsewhere = full_elsewhere(seen, {"hub"}, is_end=False)
        told = overflow_sentence("shop:8080", figures(0, None), is_end=False, elsewhere=elsewhere)
        assert told == (
            "Service shop:8080 overflows: far is full (10 in flight, its capacity is 10); "
            "so far 300 to east, 40 to north."
        )
    ended = overflow_sentence(
        "shop:8080",
        figures(0, None),
        is_end=True,
        elsewhere=full_elsewhere([far, hub], {"hub"}, is_end=True),
    )
    assert ended.endswith("300 to east, 40 to north; far was full.")


@pytest.mark.parametrize("capacity", [10, None])
@pytest.mark.parametrize(
    "reason",
    [
        "its rate of 15/s is used up",
        "full for others: 0 in flight, and of its 10 slots 10 are reserved for clients of that "
        "site",
        "it has just refused a request for want of room",
    ],
)
def test_another_site_that_is_full_with_free_slots_is_told_with_its_reason(
    reason: str, capacity: int | None
) -> None:
    """Not ``far is full (0 in flight, capacity 10)``."""
    far, hub = candidate("far", 5, "full", 0), candidate("hub", 9, "chosen", 2)
    far = replace(far, reason=reason, capacity=capacity)
    assert full_elsewhere([far, hub], {"hub"}, is_end=False) == f"far is full ({reason})"


def test_the_site_that_got_the_requests_and_is_full_now_is_not_their_cause() -> None:
    """``overflows: hub is full; so far 5 to hub``, when the target of the cheaper site died."""
    far, hub = candidate("far", 5, "no-target", 0, 0), candidate("hub", 9, "full", 10)
    near, end = candidate("near", 0, "no-target", 0, 0), candidate("end", 12, "chosen", 2)
    assert full_elsewhere([near, hub], {"hub"}, is_end=False) == ""
    assert full_elsewhere([far, hub, end], {"hub"}, is_end=False) == (
        "far was full or at a higher level"
    )
    assert full_elsewhere([far, hub, end], {"hub", "end"}, is_end=False).startswith("hub is full (")


def test_another_site_that_has_room_again_was_full_if_no_other_can_be_meant() -> None:
    seen = [candidate("far", 5, "chosen", 9), candidate("hub", 9, "dearer", 2)]
    assert full_elsewhere(seen, {"hub"}, is_end=False) == "far was full"
    seen.insert(0, candidate("mid", 3, "ejected", 0))
    assert full_elsewhere(seen, {"hub"}, is_end=False) == "a cheaper site was full"
    assert full_elsewhere(seen, {"gone"}, is_end=False) == "a cheaper site was full"


def test_another_site_without_a_capacity_was_at_a_higher_level_and_never_full() -> None:
    """As `fill` passes it: it has more in flight for its cost than the site that was chosen."""
    drained = replace(candidate("near", 0, "draining", 0, 0), capacity=None)
    far, hub, end = (
        replace(candidate(name, cost, "higher-level", 3), capacity=None)
        for name, cost in (("far", 5), ("hub", 9), ("end", 12))
    )
    for is_end in (False, True):
        assert full_elsewhere([drained, far, hub], {"hub"}, is_end=is_end) == (
            "far was at a higher level"
        )
        assert full_elsewhere([drained, far, hub, end], {"end"}, is_end=is_end) == (
            "a cheaper site was at a higher level"
        )
        limited = replace(far, capacity=10)
        assert full_elsewhere([drained, limited, hub, end], {"end"}, is_end=is_end) == (
            "a cheaper site was full or at a higher level"
        )
        rated = replace(far, rate=RateLoad(per_s=5.0, permits=1))
        assert full_elsewhere([drained, rated, hub], {"hub"}, is_end=is_end) == (
            "a cheaper site was full"
        )


def test_of_another_site_that_lost_its_targets_it_is_not_known_whether_it_was_full() -> None:
    """It reports no capacity any more, and may never have had one."""
    far, mid = candidate("far", 5, "no-target", 0, 0), candidate("mid", 7, "no-target", 0, 0)
    hub = replace(candidate("hub", 9, "no-target", 0, 0), capacity=None)
    assert full_elsewhere([far, hub], {"hub"}, is_end=True) == "far was full or at a higher level"
    for to in ("hub", "gone"):
        assert full_elsewhere([far, mid, hub], {to}, is_end=True) == (
            "a cheaper site was full or at a higher level"
        )
    unlimited = replace(candidate("mid", 7, "chosen", 1), capacity=None)
    assert full_elsewhere([unlimited], {"gone"}, is_end=True) == (
        "a cheaper site was at a higher level"
    )


def test_of_a_site_that_lost_its_own_targets_it_is_not_said_that_another_one_was_full() -> None:
    """It read "a cheaper site was full" where the only cheaper one was this site."""
    near = replace(candidate("near", 0, "no-target", 0, 0), capacity=None)
    seen = [near, candidate("far", 5, "chosen", 7)]
    for is_end in (False, True):
        assert full_elsewhere(seen, {"far"}, is_end=is_end, had_slots=False, has_targets=True) == (
            "this site or a cheaper one was full or at a higher level"
        )


def test_a_site_that_was_full_and_then_lost_its_targets_is_told_with_its_own_figures() -> None:
    """No other site is cheaper than those that got the requests."""
    seen = [candidate("near", 0, "no-target", 8), candidate("far", 5, "chosen", 7)]
    elsewhere = full_elsewhere(seen, {"far"}, is_end=False)
    told = overflow_sentence("shop:8080", figures(8, None), is_end=False, elsewhere=elsewhere)
    assert told == "Service shop:8080 overflows: 8 in flight here; so far 300 to east, 40 to north."


@pytest.mark.parametrize("verdict", ["full", "chosen", "above-mark", "higher-level", "sends-away"])
def test_a_site_that_takes_requests_itself_is_told_with_its_own_figures(verdict: Verdict) -> None:
    seen = [candidate("near", 0, verdict, 10), candidate("far", 5, "full", 10)]
    assert full_elsewhere(seen, {"far"}, is_end=False) == ""


def test_refusals_at_a_site_without_targets_tell_nothing_of_slots_here() -> None:
    refused = Refusals(
        began="2026-01-01T00:00:00Z",
        lasted_s=34.0,
        requests=3,
        reasons={"all-full": 3},
        in_flight_max=0,
        capacity=None,
    )
    for is_end in (False, True):
        told = refused_sentence("shop:8080", refused, is_end=is_end, serves_here=False)
        assert told.endswith("3 found room at no site that is reached and may serve them.")


def test_a_mark_below_full_is_named() -> None:
    assert mark_sentence(0.8) == "Requests leave from 80% of its slots on."
    assert mark_sentence(None) == ""


def test_of_fullness_between_two_looks_it_is_said_that_the_figure_is_of_a_look() -> None:
    assert "0 in flight here when looked at, capacity 2;" in (
        overflow_sentence("shop:8080", figures(0, 2), is_end=False)
    )
    assert overflow_sentence("shop:8080", figures(1, 2), is_end=True).endswith(
        "at most 1 in flight here when looked at, capacity 2 then."
    )


def test_without_a_stated_capacity_there_is_nothing_to_compare_with() -> None:
    told = overflow_sentence(
        "shop:8080",
        figures(3, None),
        is_end=True,
        unstated=" when looked at, no capacity configured",
    )
    assert told.endswith("at most 3 in flight here when looked at, no capacity configured.")


def test_while_no_target_is_ready_nothing_is_said_of_capacity() -> None:
    told = overflow_sentence("shop:8080", figures(3, None), is_end=True)
    assert told.endswith("at most 3 in flight here.")


def test_without_a_ready_target_it_is_said_who_serves_instead() -> None:
    first = "0 of 2 targets are ready here (1 ejected); other sites serve its requests"
    assert begun_sentence("shop:8080", figures(0, 2), LocalTargets(2, 0, 1)) == (
        f"Service shop:8080: {first}: so far 300 to east, 40 to north."
    )
    assert ended_sentence("shop:8080", figures(0, 2)) == (
        "Service shop:8080: for 12 s other sites took 340 requests because no target was ready "
        "here: 300 to east, 40 to north."
    )


def test_of_one_request_the_noun_is_singular() -> None:
    one = replace(figures(1, 1), requests=1, to={"east": 1})
    assert "took 1 request because" in ended_sentence("shop:8080", one)
    assert "12 s: 1 request, 1 to east" in overflow_sentence("shop:8080", one, is_end=True)


def test_a_target_that_is_back_when_it_is_told_is_not_said_to_be_down() -> None:
    assert "no target was ready here;" in (
        begun_sentence("shop:8080", figures(0, 2), LocalTargets(2, 1))
    )


def test_refusals_for_one_reason_in_other_words_are_one() -> None:
    figures = Refusals(
        began="2026-01-01T00:00:00Z",
        lasted_s=0.0,
        requests=172,
        reasons={"no-target": 171, "no-route": 1},
        in_flight_max=0,
        capacity=None,
    )
    told = refused_sentence("shop:8080", figures, is_end=False)
    assert (
        "refuses requests: so far 172 found no ready target at any site that is reached and may "
        "serve them; 0 in flight" in told
    )


def test_refusals_are_told_with_their_reasons() -> None:
    figures = Refusals(
        began="2026-01-01T00:00:00Z",
        lasted_s=34.0,
        requests=340,
        reasons={"all-full": 300, "no-route": 40},
        in_flight_max=2,
        capacity=2,
    )
    reasons = (
        "300 found room at no site that is reached and may serve them, "
        "40 found no ready target at any site that is reached and may serve them"
    )
    assert refused_sentence("shop:8080", figures, is_end=False) == (
        f"Service shop:8080 refuses requests: so far {reasons}; 2 in flight here, capacity 2."
    )
    assert refused_sentence("shop:8080", figures, is_end=True) == (
        f"Service shop:8080 refused 340 requests within 34 s: {reasons}; "
        "at most 2 in flight here, capacity 2 then."
    )


def test_of_a_tcp_service_connections_are_counted() -> None:
    unit = "connection"
    spill, refused = (
        figures(20, 20),
        Refusals(began="", lasted_s=3.0, requests=1, reasons={}, in_flight_max=0, capacity=None),
    )
    for told in (
        overflow_sentence("db:5432", spill, is_end=True, unit=unit),
        begun_sentence("db:5432", spill, LocalTargets(2, 0), unit),
        ended_sentence("db:5432", spill, unit),
        refused_sentence("db:5432", refused, is_end=False, unit=unit),
        refused_sentence("db:5432", refused, is_end=True, unit=unit),
        mark_sentence(0.5, unit),
    ):
        assert unit in told.lower() and "request" not in told.lower()

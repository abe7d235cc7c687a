"""Requests by target: the counts, how long they last, and how many targets they cover."""

from router.callers.callers import Callers
from router.callers.target_calls import OTHER_SITES, OTHER_TARGETS, TargetCalls
from router.model import limits
from router.model.ids import SiteId
from router.model.latency import quantile
from tests.unit.callers.names import FAR, HERE, SHOP, STOCK, Clock, Names

Row = tuple[str, str, int, int]


def rows(calls: TargetCalls) -> list[Row]:
    """Service, target, requests, failures."""
    return sorted(
        (key.name, target, edge.requests, edge.failed) for (key, target), edge in calls.edges()
    )


def asked(
    calls: TargetCalls,
    target: str,
    *,
    failed: bool = False,
    seconds: float = 0.01,
    client_site: SiteId = HERE,
) -> None:
    calls.count(SHOP, target, f"name of {target}", client_site, failed, seconds)


def by_site(calls: TargetCalls, wanted: str) -> dict[SiteId, tuple[int, int]]:
    """Of one target: requests and failures by the site of their clients."""
    return {
        site: (tally.requests, tally.failed)
        for (_, target), edge in calls.edges()
        if target == wanted
        for site, tally in edge.by_client_site.items()
    }


def test_each_target_of_each_service_is_an_edge() -> None:
    calls = TargetCalls(0)
    asked(calls, "a:80")
    asked(calls, "a:80", failed=True)
    asked(calls, "b:80")
    calls.count(STOCK, "a:80", "a", HERE, False, 0.01)
    assert rows(calls) == [
        ("shop", "a:80", 2, 1),
        ("shop", "b:80", 1, 0),
        ("stock", "a:80", 1, 0),
    ]
    assert {edge.name for (key, _), edge in calls.edges() if key == SHOP} == {
        "name of a:80",
        "name of b:80",
    }


def test_an_edge_has_the_times_of_its_requests() -> None:
    calls = TargetCalls(0)
    for _ in range(98):
        asked(calls, "a:80", seconds=0.012)
    for _ in range(2):
        asked(calls, "a:80", seconds=0.7)
    ((_, edge),) = calls.edges()
    assert quantile(edge.counts, 0.5) == 0.012 and quantile(edge.counts, 0.99) == 0.7


def test_more_targets_than_are_kept_apart_are_counted_together_by_service() -> None:
    calls = TargetCalls(0)
    for number in range(limits.TARGET_EDGES_MAX + 50):
        asked(calls, f"10.0.{number // 250}.{number % 250}:80")
    calls.count(STOCK, "a:80", "a", HERE, True, 0.01)
    assert len(rows(calls)) == limits.TARGET_EDGES_MAX + 2
    together = [row for row in rows(calls) if row[1] == OTHER_TARGETS]
    assert together == [("shop", "", 50, 0), ("stock", "", 1, 1)]
    asked(calls, "10.0.0.0:80")
    assert ("shop", "10.0.0.0:80", 2, 0) in rows(calls), "who is known goes on"


def test_a_target_without_a_request_for_a_day_is_forgotten_and_makes_room() -> None:
    calls = TargetCalls(0)
    for number in range(limits.TARGET_EDGES_MAX // 2):
        asked(calls, f"old-{number}:80")
    for step in range(1, limits.CALLER_STEPS):
        calls.begin(step)
        asked(calls, "used:80")
    assert len(rows(calls)) == limits.TARGET_EDGES_MAX // 2 + 1
    calls.begin(limits.CALLER_STEPS)
    assert rows(calls) == [("shop", "used:80", limits.CALLER_STEPS - 1, 0)]
    for number in range(limits.TARGET_EDGES_MAX - 1):
        asked(calls, f"new-{number}:80")
    assert not [row for row in rows(calls) if row[1] == OTHER_TARGETS]


def test_in_a_crowd_an_idle_hour_is_enough() -> None:
    calls = TargetCalls(0)
    for number in range(limits.TARGET_EDGES_MAX * 3 // 4 + 1):
        asked(calls, f"old-{number}:80")
    for step in range(1, limits.CALLER_CROWDED_STEPS + 1):
        calls.begin(step)
        asked(calls, "used:80")
    assert rows(calls) == [("shop", "used:80", limits.CALLER_CROWDED_STEPS, 0)]


def test_minutes_and_steps_pass_as_those_of_callers_do() -> None:
    clock = Clock()
    callers = Callers(Names(), clock)

    def after(seconds: float) -> None:
        for _ in range(int(seconds)):
            clock.now += 1.0
            callers.look()

    asked(callers.targets, "a:80")
    ((_, edge),) = callers.targets.edges()
    after(limits.CALLER_MINUTE_S + 1)
    assert edge.lately()[0] == 1
    after(limits.CALLER_MINUTE_S + 1)
    assert edge.lately()[0] == 0
    after(limits.CALLER_STEP_S)
    asked(callers.targets, "a:80")
    requests, _ = edge.past()
    assert requests[-1] == 1 and sum(requests) == 2


def test_requests_of_a_target_are_counted_by_the_site_of_their_clients_too() -> None:
    calls = TargetCalls(0)
    asked(calls, "a:80")
    asked(calls, "a:80", client_site=FAR)
    asked(calls, "a:80", client_site=FAR, failed=True)
    asked(calls, "b:80")
    assert rows(calls) == [("shop", "a:80", 3, 1), ("shop", "b:80", 1, 0)]
    assert by_site(calls, "a:80") == {HERE: (1, 0), FAR: (2, 1)}
    assert by_site(calls, "b:80") == {HERE: (1, 0)}


def test_more_sites_than_are_kept_apart_are_counted_together_by_target() -> None:
    calls = TargetCalls(0)
    most = limits.TARGET_CLIENT_SITES_MAX
    for number in range(most + 10):
        asked(calls, "a:80", client_site=SiteId(f"{number:032x}"))
    asked(calls, "b:80", client_site=FAR, failed=True)
    known = by_site(calls, "a:80")
    assert len(known) == most + 1 and known[OTHER_SITES] == (10, 0)
    assert by_site(calls, "b:80") == {OTHER_SITES: (1, 1)}
    asked(calls, "a:80", client_site=SiteId("0" * 32))
    assert by_site(calls, "a:80")[SiteId("0" * 32)] == (2, 0), "who is known goes on"
    for step in range(1, limits.CALLER_STEPS + 2):  # Both targets are forgotten.
        calls.begin(step)
    asked(calls, "b:80", client_site=FAR)
    assert by_site(calls, "b:80") == {FAR: (1, 0)}, "there is room again"


def test_in_a_crowd_a_site_without_a_request_in_a_step_makes_room() -> None:
    calls = TargetCalls(0)
    for number in range(limits.TARGET_CLIENT_SITES_MAX):  # A neighbor may say any of them.
        asked(calls, "a:80", client_site=SiteId(f"{number:032x}"))
    calls.begin(1)
    asked(calls, "a:80", client_site=HERE)
    assert HERE not in by_site(calls, "a:80"), "the others had one in the last step"
    asked(calls, "a:80", client_site=SiteId("0" * 32))
    calls.begin(2)
    asked(calls, "a:80", client_site=HERE)
    assert by_site(calls, "a:80") == {SiteId("0" * 32): (2, 0), HERE: (1, 0), OTHER_SITES: (1, 0)}


def test_a_known_site_of_other_targets_goes_on_when_there_is_no_room_for_targets() -> None:
    calls = TargetCalls(0)
    for number in range(limits.TARGET_EDGES_MAX):
        asked(calls, f"10.0.{number // 250}.{number % 250}:80")
    asked(calls, "10.0.0.0:80", client_site=FAR)
    assert by_site(calls, "10.0.0.0:80") == {HERE: (1, 0), FAR: (1, 0)}
    asked(calls, "new:80", client_site=FAR)
    asked(calls, "new:80", client_site=FAR)
    assert by_site(calls, OTHER_TARGETS) == {FAR: (2, 0)}


def test_the_last_minutes_of_a_site_pass_with_those_of_its_target() -> None:
    calls = TargetCalls(0)
    asked(calls, "a:80", client_site=FAR, failed=True)
    ((_, edge),) = calls.edges()
    tally = edge.by_client_site[FAR]
    assert tally.lately() == (1, 1)
    calls.turn()
    asked(calls, "a:80", client_site=FAR)
    assert tally.lately() == (2, 1)
    calls.turn()
    assert tally.lately() == (1, 0)

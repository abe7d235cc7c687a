"""Sentences about targets of this site that are not ready."""

import msgspec

from router.balance.deciding.decisions import Outlook
from router.balance.site.spills import LocalTargets
from router.model.ids import ServiceKey
from router.operate.problems.local_targets import (
    PortTargets,
    notes_of,
    problems_of,
    without_used,
)
from router.service.figures import QueueNow, TargetInfo

SHOP = ServiceKey("shop", 8080)
NONE = "no site that is reached and may serve it has room"


def target(number: int, error: str = "connection refused", since: float = 0.0) -> TargetInfo:
    return TargetInfo(
        name="shop",
        host="127.0.0.1",
        port=9000 + number,
        ready=False,
        in_flight=0,
        capacity=None,
        requests_total=0,
        error=error,
        since=since,
    )


def found(ready: int, *targets: TargetInfo, ejected: int = 0, **per_s: float) -> PortTargets:
    total = ready + len(targets)
    return PortTargets(
        key=SHOP,
        targets=LocalTargets(total, ready, ejected),
        infos=targets,
        elsewhere=["cloud", "north"],
        spilled_per_s=per_s,
        costs={"cloud": 9, "north": 5, "west": 9, "gone": None},
    )


def messages(one: PortTargets) -> list[str]:
    problems = problems_of([one], str)
    assert all(problem.code == "SW0335" for problem in problems)
    return [problem.message for problem in problems]


def test_no_ready_target_is_a_problem_with_the_figures_of_now() -> None:
    one = found(0, target(1), target(2, "timed out", since=5.0), north=1.25, cloud=138.6)
    assert messages(one) == [
        "Service shop:8080: 0 of 2 targets are ready here; 1.2/s go to north, 139/s go to cloud. "
        "127.0.0.1:9002: timed out (and 1 more)."
    ]
    assert not notes_of([one], str)
    (problem,) = problems_of([one], str)
    assert (problem.since, problem.hint) == (
        "5.0",
        "See why under ERROR: sitectl service status shop",
    )


def test_the_sites_that_serve_are_listed_by_cost_and_none_is_passed_over() -> None:
    (text,) = messages(found(0, target(1), gone=50.0, west=20.0, cloud=1.0, north=2.0, x=3.0))
    assert ": 0 of 1 target is ready here; 2.0/s go to north, 1.0/s go to cloud, " in text
    assert ", 20/s go to west, 53/s to 2 other sites." in text


def test_without_requests_it_says_where_they_would_go() -> None:
    assert messages(found(0, target(1), ejected=1)) == [
        "Service shop:8080: 0 of 1 target is ready here (1 ejected); requests go to cloud, north. "
        "127.0.0.1:9001: connection refused."
    ]


def test_a_tcp_service_has_connections_not_requests() -> None:
    def said(outlook: Outlook | None, waiting: int = 0) -> str:
        queue = None if outlook is None else QueueNow(outlook, waiting, 10, 1.0)
        one = msgspec.structs.replace(found(0, target(1)), noun="connection", queue=queue)
        (message,) = messages(one)
        return message

    assert "; connections go to cloud, north." in said(None)
    assert f"{NONE}: 1 connection waits." in said("waits", 1)
    assert f"{NONE}: connections are refused." in said("full", 10)


def test_an_ejection_is_shown_with_its_begin_not_as_if_all_of_it_were_left() -> None:
    error = "ejected for 32 s: a request was reset again"
    at = "2026-11-22T19:44:55Z"
    (problem,) = problems_of([found(0, target(1, error))], lambda _: at)
    (note,) = notes_of([found(2, target(1, error))], lambda _: at)
    said = "127.0.0.1:9001: ejected for 32 s since 19:44:55 UTC: a request was reset again."
    assert problem.message.endswith(said) and note.message.endswith(said)


def test_a_target_that_another_worker_uses_is_not_down() -> None:
    """Each worker ejects by its own requests: here worker 0 ejected the last target of the site."""
    refusing, failing = target(1), msgspec.structs.replace(target(2, "ejected"), ejected=True)
    both = LocalTargets(2, 0, 1)
    assert without_used(["127.0.0.1:9002"], both, [refusing, failing]) == (
        LocalTargets(2, 1, 0),
        [refusing],
    )
    assert without_used((), both, [refusing, failing]) == (both, [refusing, failing])


def test_one_of_several_is_a_warning() -> None:
    one = found(2, target(1, "127.0.0.1:9001 refused the connection"))
    assert not problems_of([one], str)
    (note,) = notes_of([one], str)
    assert (note.code, note.severity) == ("SW0336", "warning")
    assert note.message == (
        "Service shop:8080: 2 of 3 targets are ready here. 127.0.0.1:9001 refused the connection."
    )


def test_while_the_other_sites_are_full_it_does_not_say_that_requests_go_there() -> None:
    """Nor that all of them are full: some may be drained, ejected or not reached."""

    def said(outlook: Outlook, waiting: int = 0, cloud: float = 0.0) -> str:
        one = found(0, target(1), cloud=cloud)
        queue = QueueNow(outlook, waiting, 10, 1.0)
        (message,) = messages(msgspec.structs.replace(one, queue=queue))
        return message.split("; ")[1].split(". ")[0]

    assert said("waits") == f"{NONE}: the next request waits"
    assert said("waits", 1) == f"{NONE}: 1 request waits"
    assert said("waits", 7, cloud=4.0) == (f"4.0/s go to cloud, {NONE}: 7 requests wait")
    assert said("full") == f"{NONE}: the next request is refused"
    assert said("full", 10) == f"{NONE}: requests are refused"
    assert said("full", 10, cloud=4.0) == (f"4.0/s go to cloud, {NONE}: the rest is refused")
    (steady,) = messages(msgspec.structs.replace(found(0, target(1)), knows_room=False))
    assert "; other sites serve: cloud, north." in steady

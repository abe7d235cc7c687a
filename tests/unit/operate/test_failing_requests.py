"""Sentences about failing requests, and the service ports that get one."""

from typing import get_args

import pytest
from msgspec.structs import replace

from router.exchange.clients.observed_leg import OWN_CODES
from router.history.readings import NOTHING_YET, SHED, IntervalCounts, change
from router.model import limits
from router.model.events import Note
from router.model.ids import ServiceKey, SiteId
from router.model.latency import NO_COUNTS
from router.model.port_reading import SERVED_NOWHERE, Reading
from router.model.specs import SitePolicySpec
from router.model.wording.traffic import noun_of
from router.node.problems.left_out import LeftOut
from router.operate.figures.history_recorder import HistoryRecorder
from router.operate.problems.failing_requests import (
    WORDS,
    NoRoom,
    PortFailures,
    ejected_sites,
    failing,
    is_taken,
    kept_from_others,
    no_room,
    problems_of,
    waiting,
)
from router.operate.problems.spill_reason import ejected
from router.service.ports import LegCode
from router.workers.recent_port_figures import RecentPortFigures
from tests.simulation.world import SimSite, World
from tests.unit.balance.builders import balancer_of, ledger_of, remote, take

SHOP = ServiceKey("shop", 8080)


def lately(requests: int, lasted_s: float = 10.0, **failed_for: int) -> IntervalCounts:
    """``answered``: the failed requests that a target answered."""
    failed, answered = sum(failed_for.values()), failed_for.pop("answered", 0)
    codes = {name.replace("_", "-"): count for name, count in failed_for.items()}
    counts = (requests, *NO_COUNTS[1:])
    served = {SiteId("a"): requests - failed + answered, SERVED_NOWHERE: failed - answered}
    after = Reading(served=served, failed=failed, failed_for=codes, counts=counts)
    return change(NOTHING_YET, after, lasted_s)


def nothing_more(key: ServiceKey) -> NoRoom:
    return NoRoom()


def problem(found: PortFailures) -> tuple[str, str]:
    (one,) = problems_of([found], nothing_more)
    return one.code, one.message


def test_requests_that_no_site_has_room_for_are_turned_away() -> None:
    found = PortFailures(key=SHOP, lately=lately(200, all_full=120), queued=4)
    assert problem(found) == (
        "SW0337",
        "Service shop:8080: every site that may serve it is full: 12/s of 20/s requests are "
        "turned away; 4 requests wait.",
    )


def test_a_tcp_service_has_connections_not_requests() -> None:
    found = PortFailures(key=SHOP, lately=lately(20, all_full=12), queued=1, noun="connection")
    code, message = problem(found)
    assert code == "SW0337"
    assert "1.2/s of 2.0/s connections are turned away; 1 connection waits." in message
    found = PortFailures(key=SHOP, lately=lately(20, target_reset=12), noun="connection")
    (one,) = problems_of([found], nothing_more)
    assert "of 2.0/s connections fail: they were reset by a target" in one.message
    assert "request" not in f"{one.message} {one.hint}"


def test_the_protocol_of_the_service_says_what_waits_and_fails() -> None:
    world = World(1, "a")
    (a,) = world.sites.values()
    a.declare(protocol="tcp")
    world.run(1)
    assert noun_of(a.router.readings.config_of(SHOP)) == "connection"
    assert noun_of(None) == "request"


def test_connections_that_were_accepted_and_last_are_of_the_whole_too() -> None:
    found = PortFailures(key=SHOP, lately=replace(lately(20, all_full=20), more_open=60))
    assert problem(found)[1].endswith("2.0/s of 8.0/s requests are turned away.")


def test_those_that_are_turned_away_are_of_those_that_came_as_in_req_s() -> None:
    """Connections that lasted and end now came earlier: of those that came, all were refused."""
    found = PortFailures(key=SHOP, lately=replace(lately(50, all_full=20), more_open=-30))
    assert problem(found)[1].endswith("2.0/s of 2.0/s requests are turned away.")
    early = PortFailures(key=SHOP, lately=replace(lately(50, all_full=20), more_open=-40))
    assert problem(early)[1].endswith("2.0/s of 2.0/s requests are turned away.")
    broken = PortFailures(key=SHOP, lately=replace(lately(50, link_lost=20), more_open=-30))
    assert "2.0/s of 5.0/s requests fail" in problem(broken)[1]


def test_requests_that_are_shed_as_configured_are_no_failures() -> None:
    both = PortFailures(key=SHOP, lately=lately(200, shed=60, all_full=40))
    assert problem(both) == (
        "SW0337",
        "Service shop:8080: every site that may serve it is full: 4.0/s of 20/s requests are "
        "turned away.",
    )
    broken = PortFailures(key=SHOP, lately=lately(200, shed=60, answered=20))
    assert problem(broken) == (
        "SW0338",
        "Service shop:8080: 2.0/s of 20/s requests fail: they were answered 5xx by a target.",
    )
    found = lately(200, shed=60, answered=20)
    assert (found.failed, found.failures, found.shed) == (80, 20, 60)


def test_an_answer_that_a_target_tore_is_not_said_to_be_no_http() -> None:
    """Its head was valid, and its client had got it."""
    found = PortFailures(key=SHOP, lately=lately(20, bad_response=10))
    assert problem(found)[1].endswith(
        "requests fail: they got an answer that was cut short or is no valid HTTP."
    )


def test_a_request_that_this_router_refused_was_not_answered_by_a_target() -> None:
    """java.net.http tries `Upgrade: h2c` at a service of HTTP/2, which speaks it from the start."""
    found = PortFailures(key=SHOP, lately=lately(200, version_not_supported=180, answered=20))
    (one,) = problems_of([found], nothing_more)
    assert one.message == (
        "Service shop:8080: 20/s of 20/s requests fail: 90% speak another version of HTTP than "
        "the service, 10% were answered 5xx by a target."
    )
    assert one.hint == "Its clients must speak its protocol: sitectl service status shop"


@pytest.mark.parametrize("code", [code for status, code in OWN_CODES.items() if status >= 500])
def test_every_answer_to_what_is_no_request_has_words(code: str) -> None:
    assert code in WORDS


def test_requests_that_fail_at_a_target_are_not_called_turned_away() -> None:
    found = PortFailures(key=SHOP, lately=lately(600, all_full=210, answered=140), queued=4)
    assert problem(found) == (
        "SW0337",
        "Service shop:8080: every site that may serve it is full: 21/s of 60/s requests are "
        "turned away; 14/s more fail: they were answered 5xx by a target; 4 requests wait.",
    )
    (one,) = problems_of([found], nothing_more)
    assert one.hint.endswith("Of those that fail: sitectl why shop:8080 --failed")
    (one,) = problems_of([replace(found, queued=0)], lambda key: NoRoom(is_over=True))
    assert one.message == (
        "Service shop:8080: 21/s of 60/s requests were turned away in the last seconds: they "
        "found room at no site that is reached and may serve them; 14/s more fail: they were "
        "answered 5xx by a target."
    )
    many = lately(600, all_full=210, busy=90, answered=60, stalled=20, target_reset=20)
    assert problem(PortFailures(key=SHOP, lately=many))[1] == (
        "Service shop:8080: every site that may serve it is full: 30/s of 60/s requests are "
        "turned away; 10/s more fail: 60% were answered 5xx by a target, 20% did not move for too "
        "long, 20% were reset by a target."
    )


def test_the_rule_that_leaves_out_sites_with_room_is_named_with_the_command_that_ends_it() -> None:
    found = PortFailures(key=SHOP, lately=lately(200, all_full=120))
    command = "Let far in: sitectl service set shop --import-from far"
    left = LeftOut("importFrom of near leaves out far (50 free).", command)
    (one,) = problems_of([found], lambda key: NoRoom(left_out=left))
    assert one.message.endswith("are turned away. importFrom of near leaves out far (50 free).")
    assert one.hint.startswith(f"{command}. Add targets, ")


def test_the_rule_that_leaves_out_the_only_sites_with_targets_is_named_too() -> None:
    command = "Let far in: sitectl service set shop --isolation none"
    left = LeftOut("Isolation strict leaves out far (50 free).", command)
    found = PortFailures(key=SHOP, lately=lately(200, no_route=120))
    (one,) = problems_of([found], lambda key: NoRoom(left_out=OF_ROOM, without_targets=left))
    assert one.message.endswith("and may serve them. Isolation strict leaves out far (50 free).")
    see = "See which requests failed last, and how: sitectl why shop:8080 --failed"
    assert one.hint == f"{command}. {see}"
    (other,) = problems_of([replace(found, lately=lately(200, answered=9, no_route=2))], none_asked)
    assert (other.code, other.hint) == ("SW0338", see)


OF_ROOM = LeftOut("Policy failover leaves out far (50 free).", "Let far in")


def none_asked(key: ServiceKey) -> NoRoom:
    raise AssertionError("these failed for another reason")


@pytest.mark.parametrize("wants_targets", [True, False])
def test_a_rate_that_is_used_up_is_to_be_raised(wants_targets: bool) -> None:
    found = PortFailures(key=SHOP, lately=lately(200, all_full=120))
    command = "Raise the rate: sitectl service set shop --site-capacity N/s"
    room = NoRoom(
        used_up="The rate is used up at near (5/s).",
        raise_them=command,
        wants_targets=wants_targets,
    )
    (one,) = problems_of([found], lambda key: room)
    assert one.message.endswith("are turned away. The rate is used up at near (5/s).")
    assert one.hint.startswith(command) and ("Add targets" in one.hint) == wants_targets


def test_slots_that_others_do_not_get_are_named() -> None:
    reserve, share = remote("a", capacity=7), remote("b", cost=2)
    lenders = (replace(reserve, reserved=3), replace(share, most_for_one=1), remote("c", cost=9))
    balancer = balancer_of(ledger_of(), *lenders)
    balancer.report_load(SiteId("a"), 7, 1, 7, 0.0, reserved=3)
    balancer.opened(SiteId("b"))
    balancer.report_load(SiteId("c"), 10, 1, 10, 0.0)
    assert kept_from_others(balancer.explain(0.0).candidates) == (
        "Slots that are free are kept from this site's clients at site-a (3 of 10 reserved), "
        "site-b (at most 1 of 10 for one neighbor)."
    )
    balancer.report_load(SiteId("a"), 10, 1, 7, 0.0, reserved=3)
    balancer.ended(SiteId("b"), 0, 0.0)
    assert kept_from_others(balancer.explain(0.0).candidates) == ""
    found = PortFailures(key=SHOP, lately=lately(200, all_full=120))
    (one,) = problems_of([found], lambda key: NoRoom(reserved="Slots are kept."))
    assert one.message.endswith("are turned away. Slots are kept.")


def test_failures_are_named_by_their_causes() -> None:
    found = PortFailures(key=SHOP, lately=lately(200, answered=20))
    assert problem(found) == (
        "SW0338",
        "Service shop:8080: 2.0/s of 20/s requests fail: they were answered 5xx by a target.",
    )
    found = PortFailures(key=SHOP, lately=lately(200, answered=10, target_timeout=30, stalled=8))
    assert problem(found)[1] == (
        "Service shop:8080: 4.8/s of 20/s requests fail: 62% got no answer of a target in "
        "time, 21% were answered 5xx by a target, 17% did not "
        "move for too long."
    )


def test_what_another_site_says_of_the_same_is_the_same_cause() -> None:
    found = PortFailures(key=SHOP, lately=lately(200, connect_failed=40, no_route=30, no_target=30))
    assert problem(found)[1] == (
        "Service shop:8080: 10/s of 20/s requests fail: 60% found no ready target at any site "
        "that is reached and may serve them, 40% could not connect to a target."
    )
    found = PortFailures(key=SHOP, lately=lately(200, connect_failed=40, busy=30, all_full=30))
    assert problem(found)[0] == "SW0337"


def found_at(a: SimSite, recorder: HistoryRecorder) -> list[PortFailures]:
    def lately_of(key: ServiceKey) -> RecentPortFigures:
        queued = a.router.readings.queued().get(key, 0)
        return RecentPortFigures(key=key, change=recorder.lately(key), queued=queued)

    return list(failing(a.router, recorder.unanswered, lately_of))


def waiting_at(a: SimSite, *told: ServiceKey) -> list[Note]:
    return list(waiting(a.router, a.network.now(), a.router.readings.queued(), told, nothing_more))


@pytest.fixture
def world() -> World:
    return World(3, "a")


def recorded(world: World) -> tuple[SimSite, HistoryRecorder]:
    """A site with a recorder that has seen two steps."""
    (a,) = world.sites.values()
    a.declare()
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    world.run(2 * limits.HISTORY_STEP_S)
    return a, recorder


def test_requests_that_fail_are_told_of_at_once_and_not_when_a_step_ends(world: World) -> None:
    a, recorder = recorded(world)
    a.serve(1, capacity=1, service_s=1.0)
    world.run(0.6 * limits.HISTORY_STEP_S)
    assert found_at(a, recorder) == []
    a.offer(60, 10)
    world.run(1.5)
    (found,) = found_at(a, recorder)
    assert problem(found)[0] == "SW0337"


@pytest.mark.parametrize("frozen_s", [4.0, 8.0, 31.0])
def test_requests_that_fail_when_a_router_goes_on_after_a_stall_are_told_of_at_once(
    world: World, frozen_s: float
) -> None:
    a, recorder = recorded(world)
    a.serve(1, capacity=4, service_s=0.05)
    a.offer(60, 60)
    world.run(2 * limits.HISTORY_STEP_S)
    assert found_at(a, recorder) == []
    world.internet.freeze(a.ip)
    world.run(frozen_s)
    world.internet.thaw(a.ip)
    world.run(1.0)
    (found,) = found_at(a, recorder)
    assert problem(found)[0] == "SW0337", "clients of the time that it stood still were refused"
    world.run(5 * limits.HISTORY_STEP_S)
    assert found_at(a, recorder) == []


def test_a_full_site_is_told_of_while_it_turns_requests_away(world: World) -> None:
    a, recorder = recorded(world)
    a.serve(1, capacity=1, service_s=1.0)
    world.run(2)
    a.offer(30, 20)
    world.run(15)
    (found,) = found_at(a, recorder)
    assert problem(found)[0] == "SW0337" and "/s of 30/s requests" in problem(found)[1]
    assert waiting_at(a, found.key) == []
    (note,) = waiting_at(a)
    assert (note.code, note.severity) == ("SW0339", "warning")
    assert "is full: " in note.message and " wait" in note.message
    world.run(5 + 3 * limits.HISTORY_STEP_S)
    assert found_at(a, recorder) == []
    assert waiting_at(a) == []


def test_a_service_that_no_site_has_a_target_of_is_another_problem(world: World) -> None:
    a, recorder = recorded(world)
    a.offer(30, 20)
    world.run(15)
    (found,) = found_at(a, recorder)  # No site has ever bound a target.
    assert problem(found)[1].endswith(
        "30/s of 30/s requests fail: they found no ready target at any site that is reached and "
        "may serve them."
    )


def test_a_site_that_is_not_reached_is_not_called_full() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare(queue=1)
    a.serve(1, capacity=1, service_s=1.0)
    b.serve(1, capacity=50)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    b.kill()
    world.run(15)
    a.offer(30, 20)
    world.run(15)
    (found,) = found_at(a, recorder)
    (one,) = problems_of([found], lambda key: no_room(a.router, key, a.network.now()))
    full = "every site that is reached and may serve it is full, and b is not reached: "
    assert one.code == "SW0337" and full in one.message
    assert one.hint.startswith("See why b is not reached: sitectl ping b. ")


def test_while_no_site_with_targets_is_reached_none_is_called_full() -> None:
    """They were full until their links went down, and no other one was reached."""
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare(queue=1)
    b.serve(1, capacity=1, service_s=1.0)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(30, 20)
    world.run(8)
    (found,) = found_at(a, recorder)
    (one,) = problems_of([found], lambda key: no_room(a.router, key, a.network.now()))
    assert one.message.startswith("Service shop:8080: every site that may serve it is full: ")
    b.kill()
    world.run(4)
    room = no_room(a.router, SHOP, a.network.now())
    (one,) = problems_of([replace(found, queued=2)], lambda key: room)
    assert one.code == "SW0337" and one.message.endswith(
        "requests were turned away in the last seconds: they found room at no site that is "
        "reached and may serve them; now b is not reached; 2 requests wait."
    )
    assert one.hint.startswith("See why b is not reached: sitectl ping b. ")


def test_a_site_that_drains_is_not_called_full() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare(queue=1)
    a.serve(1, capacity=1, service_s=1.0)
    b.serve(1, capacity=50, service_s=60.0)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(30, 40)
    world.run(5)
    b.stop(lambda: None, grace_s=60.0)
    world.run(15)
    (found,) = found_at(a, recorder)
    (one,) = problems_of([found], lambda key: no_room(a.router, key, a.network.now()))
    assert one.code == "SW0337"
    assert "every site that may serve it is full or draining (b): " in one.message


def test_the_command_that_ends_the_drain_of_another_site_is_a_next_step_there() -> None:
    world = World(3, "a", "b", "c")
    a, b, c = world.sites.values()
    for number, other in enumerate((b, c), 1):
        a.link(other, cost=number)
        other.serve(1, capacity=50, service_s=60.0)
    a.declare(queue=1)
    a.serve(1, capacity=1, service_s=1.0)
    b.policies["shop"] = SitePolicySpec(service="shop", takes=0.0)
    b.apply()
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(80, 40)
    world.run(5)
    c.stop(lambda: None, grace_s=60.0)
    world.run(15)
    (found,) = found_at(a, recorder)
    (one,) = problems_of([found], lambda key: no_room(a.router, key, a.network.now()))
    assert "every site that may serve it is full or draining (b, c): " in one.message
    step = "At b, see the command that ends the drain: sitectl status. "
    assert one.hint.startswith(step), "no command ends the drain of a site that stops"


def test_a_site_without_a_ready_target_is_not_called_full() -> None:
    """Its targets were dead, and the step was to add some, or to raise their capacity."""
    world = World(3, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    a.link(c, cost=2)
    a.declare(queue=1)
    a.serve(1, capacity=1, service_s=1.0)
    b.serve(2, capacity=50)
    world.run(5)
    for target in b.targets.values():
        target.listener.close()
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(30, 40)
    c.offer(5, 40)
    world.run(20)
    (found,) = found_at(a, recorder)
    (one,) = problems_of([found], lambda key: no_room(a.router, key, a.network.now()))
    full = "every site that may serve it is full or without a ready target (b): "
    assert one.code == "SW0337" and full in one.message
    see = "sitectl service status shop"
    assert one.hint.startswith(f"See why no target of b is ready. At b: {see}. Add targets, or ")
    room = no_room(c.router, SHOP, c.network.now())
    assert room.unready == ["b"], "c has no targets, so none of them is down"
    assert f"make targets of b ready (at b: {see}), " in room.in_passing(SHOP)


def test_this_site_is_not_called_full_while_its_own_targets_are_down() -> None:
    found = PortFailures(key=SHOP, lately=lately(200, all_full=120))
    (one,) = problems_of([found], lambda key: NoRoom(unready=["near"]))
    assert "every site that may serve it is full or without a ready target (near): " in one.message
    assert one.hint.startswith("Add targets, or "), "SW0335 has the step"


def test_the_command_that_ends_the_drain_of_this_site_is_a_next_step() -> None:
    found = PortFailures(key=SHOP, lately=lately(200, all_full=120))
    command = "sitectl site drain --to 100%"
    drained = NoRoom(draining=("near",), take_all=command)
    (one,) = problems_of([found], lambda key: drained)
    assert "every site that may serve it is full or draining (near): " in one.message
    assert one.hint.startswith(f"To take all of it here: {command}. Add targets, or ")


def test_a_slot_that_is_free_at_the_moment_is_no_figure_beside_those_of_the_last_seconds(
    world: World,
) -> None:
    a, recorder = recorded(world)
    a.declare(queue=0)
    a.serve(1, capacity=1, service_s=1.0)
    world.run(2)
    a.offer(30, 20)
    world.run(12)

    def told() -> tuple[str, str]:
        (found,) = found_at(a, recorder)
        (one,) = problems_of([found], lambda key: no_room(a.router, key, a.network.now()))
        return one.message, one.hint

    message, hint = told()
    no_queue = "No request may wait: the queue of the service is 0."
    assert "is full: " in message and message.endswith(f"are turned away. {no_queue}")
    assert "Add targets" in hint
    assert hint.endswith("Let requests wait: sitectl service set shop --queue default")
    a.serve(1, capacity=1000)
    world.run(2)
    message, hint = told()
    assert message.endswith(
        "turned away in the last seconds: they found room at no site that is reached and may serve "
        f"them. {no_queue}"
    )
    assert hint == (
        "See them, and why: sitectl why shop:8080 --denied. If it goes on: let requests wait "
        "(sitectl service set shop --queue default), add targets, or raise the capacity of those "
        "there are"
    )


@pytest.mark.parametrize(
    ("failed_for", "room", "told"),
    [
        (
            {"all_full": 300, "link_lost": 20},
            NoRoom(is_over=True),
            "7.5/s of 15/s requests were turned away in the last 40 s: they found room at no site "
            "that is reached and may serve them; 0.5/s more failed: they lost their link.",
        ),
        (
            {"all_full": 300},
            NoRoom(),
            "every site that may serve it is full: 7.5/s of 15/s requests were turned away in the "
            "last 40 s.",
        ),
        (
            {"answered": 300},
            NoRoom(),
            "7.5/s of 15/s requests failed in the last 40 s: they were answered 5xx by a target.",
        ),
    ],
)
def test_of_a_router_that_stood_still_it_is_said_how_long_a_time_the_figures_are_of(
    failed_for: dict[str, int], room: NoRoom, told: str
) -> None:
    """For nine seconds after it had gone on, none of which had a failure, requests were turned
    away "in the last seconds"."""
    found = PortFailures(key=SHOP, lately=lately(600, 40.0, **failed_for))
    (one,) = problems_of([found], lambda key: room)
    assert one.message == f"Service shop:8080: {told}"


def test_a_few_requests_of_a_long_time_are_not_called_none() -> None:
    found = PortFailures(key=SHOP, lately=lately(600, 100.0, all_full=120, link_lost=4))
    assert "; <0.1/s more failed: " in problem(found)[1]


def test_a_queue_is_set_at_the_site_that_declares_the_service() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    b.declare(queue=0)
    a.serve(1, capacity=1, service_s=5.0)
    world.run(5)
    a.offer(20, 20)
    world.run(18)
    here = no_room(a.router, SHOP, a.network.now())
    assert here.hint(SHOP).endswith(
        "Let requests wait. At b: sitectl service set shop --queue default"
    )
    there = no_room(b.router, SHOP, b.network.now())
    assert there.hint(SHOP).endswith("Let requests wait: sitectl service set shop --queue default")


def test_a_rate_that_is_used_up_elsewhere_is_to_be_raised_there() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    a.serve(1, capacity=1, service_s=5.0)
    b.serve(1, capacity="1/s")
    world.run(5)
    a.offer(20, 20)
    world.run(18)
    found = no_room(a.router, SHOP, a.network.now())
    assert found.raise_them == (
        "Raise the rate. At b: sitectl service set shop --site-capacity N/s, or --capacity N/s if "
        "its targets have the rate"
    )
    assert found.may_wait


def test_a_site_whose_cap_is_used_up_is_not_told_to_raise_the_capacity_of_its_targets() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    a.cap(2)
    a.serve(1, capacity=6, service_s=5.0)
    world.run(5)
    raise_it = "sitectl service set shop --site-capacity N"
    idle = no_room(a.router, SHOP, a.network.now())
    assert idle.in_passing(SHOP) == f"raise the cap of this site ({raise_it}), "
    a.offer(20, 20)
    world.run(18)
    found = no_room(a.router, SHOP, a.network.now())
    assert found.hint(SHOP) == f"Raise the cap of this site: {raise_it}"
    b.serve(1, capacity=1, service_s=5.0)
    world.run(5)
    both = no_room(a.router, SHOP, a.network.now()).hint(SHOP)
    assert both.startswith(f"Raise the cap of this site: {raise_it}. Add targets, or raise ")
    assert not no_room(b.router, SHOP, b.network.now()).raise_cap


@pytest.mark.parametrize(
    ("away", "named"),
    [
        (("b",), "b is"),
        (("b", "c"), "b and c are"),
        (("b", "c", "d", "e", "f"), "b, c, d and 2 more are"),
    ],
)
def test_sites_that_are_not_reached_are_named_up_to_a_bound(
    away: tuple[str, ...], named: str
) -> None:
    found = PortFailures(key=SHOP, lately=lately(200, all_full=120))
    (one,) = problems_of([found], lambda key: NoRoom(away=away))
    assert f"See why {named} not reached: " in one.hint


@pytest.mark.parametrize("code", sorted({*get_args(LegCode)} - {SHED}))
def test_each_code_that_a_request_may_fail_with_has_words(code: str) -> None:
    cause = {code.replace("-", "_"): 10}
    _, message = problem(PortFailures(key=SHOP, lately=lately(10, **cause)))
    assert f"they {code}." not in message


def test_a_site_that_bars_this_one_does_not_take_the_next_request_for_sure() -> None:
    balancer = balancer_of(full := ledger_of(1), remote("b"))
    take(full)
    explanation = balancer.explain(0.0)
    assert is_taken(explanation, ())
    assert not is_taken(explanation, (SiteId("b"),))
    assert not is_taken(balancer_of(full).explain(0.0), ())


@pytest.mark.parametrize("is_lent", [False, True])
def test_a_site_whose_router_is_short_of_memory_is_not_called_full(is_lent: bool) -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare(queue=1)
    b.serve(1, capacity=50)
    if is_lent:
        b.policies["shop"] = SitePolicySpec(service="shop", max_share=0.5)
        b.apply()
    world.run(5)
    b.router.relief.refuse_new(True)
    world.run(1)
    found = PortFailures(key=SHOP, lately=lately(20, all_full=9))
    (one,) = problems_of([found], lambda key: no_room(a.router, key, a.network.now()))
    full = "every site that may serve it is full or short of memory (b)"
    assert one.message == f"Service shop:8080: {full}: 0.9/s of 2.0/s requests are turned away."
    assert one.hint == "Give the router more memory at b"


def test_a_site_that_is_ejected_is_not_called_full() -> None:
    balancer = balancer_of(full := ledger_of(1), remote("b"))
    for number in range(limits.EJECT_AFTER):
        balancer.ejections.failed(SiteId("b"), None, "reset", number / limits.EJECT_AFTER)
    take(full)
    explanation = balancer.explain(1.0)
    assert ejected_sites(explanation.candidates) == "Ejected since requests fail there: site-b."
    names = ejected(explanation)
    found = PortFailures(key=SHOP, lately=lately(20, all_full=9))
    (one,) = problems_of([found], lambda key: NoRoom(ejected=names))
    assert "every site that may serve it is full or ejected (site-b): " in one.message

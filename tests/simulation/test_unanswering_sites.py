"""A site whose targets hang is named where the clients are that wait."""

from router.balance.targets.answer_streaks import UsualTimes
from router.model import limits
from router.model.events import Note
from router.model.specs import ServiceProtocol
from router.workers.recent_port_figures import PortTotals, RecentPortFigures
from tests.simulation.other_worker import OtherWorker
from tests.simulation.world import SERVICE, SimSite, World


def owing(site: SimSite) -> list[Note]:
    return [note for note in site.router.notes if note.code == "SW0361"]


def follow(site: SimSite) -> list[str]:
    """The events of its router about sites that owe answers, from now on."""
    told: list[str] = []

    def hear(code: str, subject: str, message: str) -> None:
        if code in ("site-stuck", "site-moves"):
            told.append(f"{code} {subject}")

    site.told.append(hear)
    return told


def two_sites(
    protocol: ServiceProtocol = "http", *, slots: int = 50, service_s: float = 0.05
) -> World:
    """Clients at ``a``, the only target at ``b``."""
    world = World(1, "a", "b")
    world["a"].link(world["b"], 5)
    world["a"].declare(protocol=protocol)
    world["b"].serve(1, capacity=slots, service_s=service_s)
    world.run(3)
    return world


def test_a_site_that_owes_answers_is_named_until_it_answers_again() -> None:
    world = two_sites()
    near, far = world["a"], world["b"]
    told = follow(near)
    (target,) = far.targets.values()
    near.offer(20, 20)
    world.run(10)
    assert not owing(near)
    began = world.internet.now
    target.service_s = 100.0
    world.run_while(lambda: not owing(near), 30)
    assert limits.TARGET_STUCK_S <= world.internet.now - began <= limits.TARGET_STUCK_S + 3
    (note,) = owing(near)
    assert note.message.startswith(f"Site b has answered no request of {SERVICE} for at least 1")
    assert "await an answer: targets there may hang." in note.message
    assert note.hint == "At b: sitectl service status shop -v"
    (report,) = near.router.readings.unanswering_sites_of(SERVICE).values()
    assert report.shown == "requests await an answer, and it completes none"
    assert told == ["site-stuck b"]
    assert not owing(far)
    target.service_s = 0.05
    world.run_while(lambda: bool(owing(near)), 120)
    assert not owing(near)
    assert told == ["site-stuck b", "site-moves b"]


def test_clients_that_give_up_are_no_answers() -> None:
    """Nor do they tell how long requests take."""
    world = two_sites()
    near = world["a"]
    told = follow(near)
    (target,) = world["b"].targets.values()
    near.offer(20, 5)
    world.run(6)
    target.service_s = 300.0
    for _ in range(4):
        asked = [near.request() for _ in range(6)]
        world.run(20)
        assert owing(near)
        for one in asked:
            one.leave()
    assert told == ["site-stuck b"]


def test_what_another_worker_awaits_and_has_answered_counts_too() -> None:
    world = two_sites()
    near, far = world["a"], world["b"]
    other = OtherWorker()
    near.router.site_services.judge_with(other)
    (target,) = far.targets.values()
    near.offer(20, 5)
    world.run(6)
    target.service_s = 300.0
    near.request()
    near.request()
    site = far.router.identity.site
    world.run(20)
    assert not owing(near), "two are too few"
    other.has_counted(SERVICE, PortTotals(answers_elsewhere={site: 7}))
    owed = RecentPortFigures(key=SERVICE, change=None, awaited_elsewhere={site: 2})
    other.reports(owed)
    world.run(20)
    (note,) = owing(near)
    assert "and 4 await an answer" in note.message
    other.has_counted(SERVICE, PortTotals(answers_elsewhere={site: 8}))
    other.reports(owed)
    world.run(2)
    assert not owing(near)


def test_what_is_usual_may_be_known_to_another_worker_alone() -> None:
    """All clients came to that one until now."""
    world = two_sites(service_s=300.0)
    near = world["a"]
    other = OtherWorker()
    near.router.site_services.judge_with(other)
    for _ in range(limits.TARGET_STUCK_AWAITED):
        near.request()
    world.run(2 * limits.TARGET_STUCK_S)
    assert not owing(near), "nobody knows how long they take"
    for usual, count in ((UsualTimes(5.0, 5.0), 0), (UsualTimes(0.1, 0.2), 1)):
        other.reports(RecentPortFigures(key=SERVICE, change=None, usual=usual))
        world.run(2)
        assert len(owing(near)) == count


def test_a_site_that_takes_long_as_a_rule_is_not_said_to_hang_at_each_burst() -> None:
    """Between bursts all are served here, and fast."""
    world = two_sites(service_s=15.0)
    near = world["a"]
    near.serve(1, capacity=2, service_s=0.05)
    world.run(3)
    told = follow(near)
    for _ in range(3):
        near.offer(20, 150)
        world.run(151)
        asked = [near.request() for _ in range(8)]
        world.run(40)
        assert all(one.status == 200 for one in asked)
        assert told == ["site-stuck b", "site-moves b"], "nobody knew before the first"


def test_a_worker_that_does_not_lead_says_nothing() -> None:
    world = two_sites()
    near = world["a"]
    told = follow(near)
    near.router.site_services.leave_judging()
    (target,) = world["b"].targets.values()
    near.offer(20, 5)
    world.run(6)
    target.service_s = 300.0
    near.offer(20, 5)
    world.run(40)
    assert not owing(near) and not told


def test_what_waits_for_a_slot_there_is_not_owed_an_answer() -> None:
    """It spills no further, and the slots are taken by local requests."""
    world = two_sites(slots=2, service_s=30.0)
    near, far = world["a"], world["b"]
    far.offer(2, 60)
    world.run(5)
    near.offer(2, 40)
    world.run(60)
    assert not owing(near)


def test_answers_that_have_begun_are_no_debt() -> None:
    world = two_sites()
    near = world["a"]
    (target,) = world["b"].targets.values()
    near.offer(20, 5)
    world.run(6)
    target.streams, target.service_s = True, 100.0
    near.offer(1, 10)
    world.run(60)
    assert near.router.readings.in_flight_elsewhere(SERVICE)
    assert not owing(near)


def test_the_note_goes_with_the_site() -> None:
    world = two_sites()
    near, far = world["a"], world["b"]
    told = follow(near)
    (target,) = far.targets.values()
    near.offer(20, 6)
    world.run(5)
    target.service_s = 500.0
    world.run_while(lambda: not owing(near), 40)
    far.kill()
    world.run_while(lambda: bool(owing(near)), 10)
    assert told == ["site-stuck b"], "that the link is down is an event of its own"

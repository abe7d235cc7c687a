"""Session affinity across whole routers: it stays, it yields, and capacity comes first."""

from itertools import pairwise

import pytest

from router.model import limits
from router.model.settings import Affinity
from tests.examples import seeds
from tests.simulation.test_fill_and_spill import all_answered, at_rest, joined, within_capacity
from tests.simulation.world import SERVICE, Answer, SimSite, World

SEEDS = seeds(2)
USERS = [f"X-User: user-{number}" for number in range(16)]
BY_HEADER = Affinity(by="header", name="X-User")


def network(seed: int, affinity: Affinity = BY_HEADER, policy: str = "fill") -> World:
    """Sites a, b and c in a line, two targets of 4 at each."""
    world = World(seed, "a", "b", "c")
    joined(world, 5, 15)
    world["a"].declare(policy, affinity=affinity)
    for site in world.sites.values():
        site.serve(2, capacity=4)
    world.run(5)
    return world


def in_turn(world: World, site: SimSite, users: list[str]) -> list[Answer]:
    """One request of each user, one after the other, while no other is under way."""
    answers = []
    for user in users:
        answers.append(site.request(user))
        world.run(0.3)
    all_answered(answers)
    return answers


def together(world: World, site: SimSite, users: list[str]) -> list[Answer]:
    """One request of each user, all at once."""
    answers = [site.request(user) for user in users]
    world.run(3)
    all_answered(answers)
    return answers


def places(answers: list[Answer]) -> list[str]:
    return [answer.target for answer in answers]


def decision(site: SimSite, user: str) -> str:
    """What `why` says of the next request of ``user``."""
    forwarder, now = site.router.forwarder, site.network.now()
    sessions = forwarder.readings.sessions_of(SERVICE)
    assert sessions is not None
    session = sessions.look("header", user.partition(": ")[2], now)
    explanation = forwarder.readings.explain(SERVICE, now, session)
    assert explanation is not None
    return explanation.decision.reason


@pytest.mark.parametrize("policy", ["fill", "balanced"])
@pytest.mark.parametrize("seed", SEEDS)
def test_sessions_stay_at_their_site_and_target_and_are_no_overflow(seed: int, policy: str) -> None:
    world = network(seed, policy=policy)
    a = world["a"]
    first = together(world, a, USERS)
    assert {answer.site for answer in first} >= {"a", "b"}, "some had to go on"
    (snapshot,) = a.router.readings.services_snapshot()
    overflow = snapshot.counters.overflow_total
    second = in_turn(world, a, USERS)  # Everybody would have room at a.
    third = in_turn(world, a, USERS)
    assert [answer.site for answer in second] == [answer.site for answer in first]
    assert places(third) == places(second)
    for before, after in zip(first, second, strict=True):
        assert decision(a, USERS[first.index(before)]) == f"session stays at {after.site}"
    (snapshot,) = a.router.readings.services_snapshot()
    assert snapshot.counters.overflow_total == overflow
    within_capacity(world, 4)
    at_rest(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_when_a_target_dies_only_its_sessions_move_and_they_come_back(seed: int) -> None:
    world = network(seed)
    a = world["a"]
    a.serve(2, capacity=4)
    world.run(3)
    before = in_turn(world, a, USERS)
    assert len(set(places(before))) == 4
    gone = before[0].fields["X-Target"]
    listener = a.targets[int(gone)].listener
    listener.close()
    world.run(3)
    during = in_turn(world, a, USERS)
    for was, now in zip(before, during, strict=True):
        assert now.site == "a"
        assert (now.target == was.target) == (was.target != f"a:{gone}")
    a.targets[int(gone)].listen()
    world.run(5)
    assert places(in_turn(world, a, USERS)) == places(before)


@pytest.mark.parametrize("seed", SEEDS)
def test_sessions_leave_a_site_that_drains_and_stay_where_they_went(seed: int) -> None:
    world = network(seed)
    a, b = world["a"], world["b"]
    first = together(world, a, USERS)
    moving = [user for user, answer in zip(USERS, first, strict=True) if answer.site == "b"]
    assert moving
    last = a.request(moving[0])
    world.run(0.02)
    b.router.drain(lambda: None)
    world.run(0.05)
    assert decision(a, moving[0]) == "session yields: b is draining"
    world.run(1)
    assert (last.status, last.site) == (200, "b")
    moved = in_turn(world, a, moving)
    assert {answer.site for answer in moved} == {"a"}
    b.kill()
    b.start()
    world.run(10)
    assert places(in_turn(world, a, moving)) == places(moved)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_session_yields_when_its_site_is_full_and_is_then_where_it_went(seed: int) -> None:
    world = network(seed)
    a, b = world["a"], world["b"]
    first = together(world, a, USERS)
    user = next(user for user, answer in zip(USERS, first, strict=True) if answer.site == "b")
    load = [b.request(f"X-User: other-{number}") for number in range(8)]
    world.run(0.06)  # Now b is full, and a knows.
    assert decision(a, user) == "session yields: b is full"
    moved = a.request(user)
    world.run(2)
    all_answered([*load, moved])
    assert moved.site == "a"
    assert decision(a, user) == "session stays at a"
    within_capacity(world, 4)


@pytest.mark.parametrize("seed", SEEDS)
def test_under_load_sessions_never_exceed_a_capacity_nor_starve_anybody(seed: int) -> None:
    world = network(seed)
    a = world["a"]
    answers: list[Answer] = []
    begin = a.network.now()
    for number in range(600):  # 200 a second; there is room for 240.
        user = USERS[number * 7 % len(USERS)]
        a.network.call_at(
            begin + number / 200,
            lambda user=user: answers.append(a.request(user)),  # type: ignore[misc]
        )
    world.run(8)
    assert len(answers) == 600
    all_answered(answers)
    within_capacity(world, 4)
    at_rest(world)


@pytest.mark.parametrize("served_at", ["b", "c"])
@pytest.mark.parametrize("seed", SEEDS)
def test_any_ingress_honours_the_cookie_of_another(seed: int, served_at: str) -> None:
    world = network(seed, Affinity(by="cookie"))
    a, c = world["a"], world["c"]
    answers = [a.request() for _ in range(24)]
    world.run(3)
    all_answered(answers)
    answer = next(answer for answer in answers if answer.site == served_at)
    cookie = answer.fields["Set-Cookie"].partition(";")[0]
    again = in_turn(world, a, [f"Cookie: x=1; {cookie}"] * 3)
    there = in_turn(world, c, [f"Cookie: {cookie}; x=1"] * 3)
    assert {one.site for one in (*again, *there)} == {served_at}
    assert len({one.target for one in (*again, *there)}) == 1
    assert not any("Set-Cookie" in one.fields for one in (*again, *there))
    seen = [head for target in world[served_at].targets.values() for head in target.seen]
    assert sum(b"Cookie: x=1\r\n" in head for head in seen) == 6
    assert not any(b"spillway-shop" in head for head in seen)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_client_keeps_its_site_and_target_until_it_was_away_for_long(seed: int) -> None:
    world = network(seed, Affinity(by="client"))
    a = world["a"]
    together(world, a, USERS)  # All of one client: as many as do not fit spill.
    answers = in_turn(world, a, USERS[:4])
    assert len(set(places(answers))) == 1
    assert all(near.site == far.site for near, far in pairwise(answers))
    world.run(limits.SESSION_IDLE_S)
    assert in_turn(world, a, USERS[:1])[0].site == "a"


@pytest.mark.parametrize("seed", SEEDS)
def test_affinity_is_taken_off_and_put_on_while_requests_are_under_way(seed: int) -> None:
    world = network(seed)
    a = world["a"]
    first = together(world, a, USERS)
    elsewhere = [user for user, one in zip(USERS, first, strict=True) if one.site != "a"]
    under_way = [a.request(user) for user in elsewhere]
    world.run(0.05)
    a.declare()
    world.run(2)
    all_answered(under_way)
    assert {answer.site for answer in in_turn(world, a, elsewhere)} == {"a"}
    under_way = [a.request(user) for user in elsewhere]
    world.run(0.05)
    a.declare(affinity=BY_HEADER)
    world.run(2)
    all_answered(under_way)
    assert {answer.site for answer in in_turn(world, a, elsewhere)} == {"a"}
    at_rest(world)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("in_flight", [500])
def test_a_site_that_dies_with_hundreds_in_flight_fails_no_idempotent_request(
    seed: int, in_flight: int
) -> None:
    world = World(seed, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, 1)
    a.link(c, 5)
    a.declare()
    for site in (b, c):
        site.serve(2, capacity=in_flight // 2, service_s=2.0)
    world.run(5)
    for victim in (b, c):  # One after the other, as in a rolling restart.
        answers = [a.request() for _ in range(in_flight)]
        world.run(1.0)
        victim.kill()
        world.run(6.0)
        all_answered(answers)
        victim.start()
        world.run(10.0)
    (snapshot,) = a.router.readings.services_snapshot()
    retried = sum(
        n for (_, outcome), n in snapshot.counters.retries.items() if outcome == "retried"
    )
    assert in_flight <= retried <= 2 * in_flight
    assert not any(outcome == "denied" for _, outcome in snapshot.counters.retries)

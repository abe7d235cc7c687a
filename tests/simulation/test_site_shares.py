"""Routers of one site give out its capacity together: all of it, and never more."""

import random
from collections.abc import Sequence

import pytest

from router.documents import CapacityDivision
from router.documents.division import Division
from router.model.settings import Affinity
from router.model.specs import ConnectorSpec, ListenerSpec, TargetSpec
from simulator.runs.virtual import SimIdentity
from tests.simulation.world import SERVICE, Answer, SimSite, Target, World

CAPACITY = 5
SERVICE_S = 0.1


class Sharing:
    """Site a by ``count`` routers, linked to each other, which have the same ``targets``.

    Site b is linked to the first router. The targets are on a separate host.
    """

    def __init__(
        self,
        count: int,
        targets: int = 2,
        capacity: int = CAPACITY,
        stated: int | str | None = None,
    ) -> None:
        names = [f"a{number}" for number in range(1, count + 1)]
        self.world = World(1, *names, "b", "pods")
        self.pods = self.world["pods"]
        self.pods.router.close()
        self.targets = [
            Target(self.pods.network, 9001 + n, "a", SERVICE_S, [], self.pods.ip)
            for n in range(targets)
        ]
        self.slots = targets * capacity
        self.capacity = capacity
        self.routers = [self.world[name] for name in names]
        for index, router in enumerate(self.routers):
            router.kill()
            router.identity = SimIdentity("a", f"{index + 1:016x}")
            router.start()
            router.declared_at_s = {"shop": 0.0}
            router.siblings = self.routers[:index]
            router.division = Division(count=count, index=index)
            router.connectors["here"] = ConnectorSpec(
                service="shop",
                targets=tuple(TargetSpec(self.pods.ip, one.port) for one in self.targets),
                capacity=capacity if stated is None else stated,
            )
            router.declare(queue=200, queue_wait_s=5.0)
        self.world.run(3)

    def served_in(self, seconds: float) -> int:
        """Requests that the targets served within ``seconds`` from now."""
        before = sum(one.served for one in self.targets)
        self.world.run(seconds)
        return sum(one.served for one in self.targets) - before

    def busy(self, seconds: float) -> float:
        """The share of all slots that was busy for ``seconds`` from now."""
        return self.served_in(seconds) / (self.slots * seconds / SERVICE_S)

    def never_too_many(self) -> None:
        assert max(one.most_in_hand for one in self.targets) <= self.capacity


def flood(routers: Sequence[SimSite], sharing: Sharing, seconds: float) -> list[list[Answer]]:
    """Twice what the site can take, at ``routers`` alike."""
    rate = 2 * sharing.slots / SERVICE_S / len(routers)
    return [router.offer(rate, seconds) for router in routers]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("at", [0, -1])
def test_with_all_clients_at_one_router_the_slots_of_all_are_busy(count: int, at: int) -> None:
    sharing = Sharing(count)
    flood([sharing.routers[at]], sharing, 5)
    sharing.world.run(1)
    assert sharing.busy(3) >= 0.95
    sharing.never_too_many()


@pytest.mark.parametrize("count", [2, 3])
def test_with_clients_at_all_routers_all_slots_are_busy(count: int) -> None:
    sharing = Sharing(count)
    flood(sharing.routers, sharing, 5)
    sharing.world.run(1)
    assert sharing.busy(3) >= 0.95
    sharing.never_too_many()


def test_with_clients_at_one_then_at_the_other_all_slots_are_busy() -> None:
    sharing = Sharing(2)
    for turn in range(4):
        flood([sharing.routers[turn % 2]], sharing, 1)
        assert sharing.busy(1) >= (0.90 if turn == 0 else 0.95)
    sharing.never_too_many()


def test_more_routers_than_slots_and_each_serves_its_clients() -> None:
    sharing = Sharing(3, targets=1, capacity=2)
    for router in sharing.routers:
        answers = router.offer(5, 2)
        sharing.world.run(4)
        assert {answer.status for answer in answers} == {200}
        assert not router.router.problems()
    sharing.never_too_many()


def test_requests_of_a_sibling_are_of_the_own_site_and_no_overflow() -> None:
    sharing = Sharing(2)
    first = sharing.routers[0]
    first.offer(60, 2)
    sharing.world.run(4)
    (snapshot,) = first.router.readings.services_snapshot()
    assert snapshot.counters.overflow_total == 0
    assert {site for site, _ in snapshot.counters.requests} == {first.identity.site}
    local = snapshot.explanation.candidates[0]
    assert (local.capacity, local.targets_ready) == (10, 2)


def test_a_remote_site_uses_the_slots_of_all_routers() -> None:
    sharing = Sharing(2)
    b = sharing.world["b"]
    b.link(sharing.routers[0], cost=3)
    b.listeners["shop"] = ListenerSpec(service="shop")
    b.apply()
    sharing.world.run(2)
    flood([b], sharing, 5)
    sharing.world.run(1)
    assert sharing.busy(3) >= 0.95
    sharing.never_too_many()
    named = [route.name for route in b.router.routing.table.sites.values()]
    assert sorted(named) == ["a", "b"]


def test_a_router_that_dies_costs_what_it_had_in_flight_and_no_more() -> None:
    sharing = Sharing(2)
    one, other = sharing.routers
    answers = one.offer(40, 3)
    sharing.world.run(1)
    before = [answer for answer in answers if not answer.ended]
    other.kill()
    sharing.world.run(5)
    assert {answer.status for answer in answers if answer not in before} == {200}
    sharing.never_too_many()


def test_a_router_that_drains_loses_nothing_of_what_its_sibling_sent_it() -> None:
    sharing = Sharing(2)
    one, other = sharing.routers
    answers = one.offer(80, 3)
    sharing.world.run(1)
    gone: list[bool] = []
    other.stop(lambda: gone.append(True))
    sharing.world.run(8)
    assert gone
    assert {answer.status for answer in answers} == {200}
    sharing.never_too_many()


def test_a_rate_that_is_divided_is_used_up_from_one_router() -> None:
    sharing = Sharing(2, targets=1, capacity=100, stated="40/s")
    sharing.routers[0].offer(100, 30)
    sharing.world.run(20)  # What the window of 15 s lets in at once is used up.
    served = sharing.served_in(8)
    assert 0.95 * 320 <= served <= 320 + 2  # A permit of each router may have been left.


def test_a_cap_of_the_site_that_is_divided_is_used_up_from_one_router_and_never_passed() -> None:
    sharing = Sharing(2)
    for router in sharing.routers:
        router.cap(6)
    sharing.world.run(1)
    flood([sharing.routers[1]], sharing, 5)
    most = 0
    sharing.world.run(1)
    before = sum(one.served for one in sharing.targets)
    for _ in range(300):
        sharing.world.run(0.01)
        most = max(most, sum(one.in_hand for one in sharing.targets))
    served = sum(one.served for one in sharing.targets) - before
    assert most <= 6
    assert served >= 0.95 * 6 * 3 / SERVICE_S


def test_while_the_way_to_a_sibling_is_cut_each_gives_out_its_own_share() -> None:
    sharing = Sharing(2, capacity=6)
    one, other = sharing.routers
    flood([one], sharing, 9)
    sharing.world.run(1)
    sharing.world.internet.cut(one.ip, other.ip)
    sharing.world.run(4)
    assert 0.45 <= sharing.busy(1) <= 0.5
    sharing.world.internet.heal(one.ip, other.ip)
    sharing.world.run(1)
    sharing.never_too_many()


def test_one_that_is_killed_and_started_again_is_used_again() -> None:
    sharing = Sharing(2)
    one, other = sharing.routers
    flood([one], sharing, 9)
    sharing.world.run(1)
    other.kill()
    sharing.world.run(2)
    other.start()
    sharing.world.run(2)
    assert sharing.busy(2) >= 0.95


def divide(sharing: Sharing, sees: SimSite, members: Sequence[SimSite], alive: int = 3) -> None:
    """Router ``sees`` has learnt that ``members`` share, of those ``alive`` first that may run."""
    index = members.index(sees) if sees in members else None
    sees.division = Division(count=len(members), index=index)
    others = frozenset(one.name for one in sharing.routers[:alive] if one is not sees)
    sees.shares = CapacityDivision(sees.name, " ".join(one.name for one in members), others)
    sees.apply()


def agreed(count: int = 3, capacity: int = CAPACITY) -> Sharing:
    """All share, and have agreed."""
    sharing = Sharing(count, capacity=capacity)
    for router in sharing.routers:
        divide(sharing, router, sharing.routers, count)
    sharing.world.run(2)
    return sharing


def test_routers_that_agree_give_out_everything() -> None:
    sharing = agreed()
    flood(sharing.routers[:1], sharing, 5)
    sharing.world.run(1)
    assert sharing.busy(3) >= 0.95
    sharing.never_too_many()


def test_a_router_that_ends_is_not_waited_for_though_its_epoch_is_ahead_of_the_clock() -> None:
    """A router of the site whose clock is ahead raises the epochs of the others. After a restart in
    place such a router seemed to live in the future, and its share stayed unused when it ended."""
    sharing = agreed(2)
    one, other = sharing.routers
    other.keeper.keep_epoch(10_000_000)
    other.kill()
    other.start()
    divide(sharing, other, sharing.routers, 2)
    sharing.world.run(5)
    other.kill()
    one.division = Division(count=1, index=0)
    one.shares = CapacityDivision(one.name, one.name, frozenset(), {other.name: 1_000.0})
    one.apply()
    sharing.world.run(2)
    flood([one], sharing, 5)
    sharing.world.run(1)
    assert sharing.busy(3) >= 0.95
    sharing.never_too_many()


def test_slots_that_one_router_owes_another_are_busy_again_within_moments() -> None:
    sharing = agreed(2, capacity=6)
    one, other = sharing.routers
    divide(sharing, one, [one], 2)
    divide(sharing, other, [one], 2)
    sharing.world.run(2)
    flood([other], sharing, 9)
    sharing.world.run(1)
    for members in ([other], [one], [other], [one]):
        for router in sharing.routers:
            divide(sharing, router, members, 2)
        assert sharing.busy(0.5) >= 0.6, "it was 0.2 while they were only told twice a second"
        sharing.world.run(0.83)
    sharing.never_too_many()


class Clients:
    """Each asks again soon after its answer, at one of ``doors``, for ``seconds`` from now."""

    def __init__(self, doors: Sequence[SimSite], count: int, seconds: float) -> None:
        self.answers: list[Answer] = []
        self._doors = doors
        self._chance = random.Random(count)
        self._network = doors[0].network
        self._until = self._network.now() + seconds
        for _ in range(count):
            self._ask()

    def _ask(self) -> None:
        if self._network.now() < self._until:
            self.answers.append(self._chance.choice(self._doors).request())
            self._look(self.answers[-1])

    def _look(self, answer: Answer) -> None:
        now = self._network.now()
        if answer.ended:
            self._network.call_at(now + 0.005, self._ask)
        else:
            self._network.call_at(now + 0.001, lambda: self._look(answer))

    @property
    def longest_s(self) -> float:
        return max(answer.ended - answer.began for answer in self.answers)


@pytest.mark.parametrize("sharers", [0, 1])
def test_clients_of_a_router_without_a_share_wait_no_longer_than_others(sharers: int) -> None:
    """As while a second router ends, or has just begun: clients still, or already, ask it."""
    sharing = agreed(2, capacity=4)
    for router in sharing.routers:
        router.declare(queue_wait_s=1.0)
        divide(sharing, router, [sharing.routers[sharers]], 2)
    sharing.world.run(2)
    clients = Clients(sharing.routers, 12, 10.0)
    sharing.world.run(12)
    assert {answer.status for answer in clients.answers} == {200}
    assert clients.longest_s < 4 * SERVICE_S
    sharing.never_too_many()


def test_while_routers_learn_of_a_change_at_different_times_they_give_out_no_more() -> None:
    sharing = agreed()
    one, two, three = sharing.routers
    for target in sharing.targets:
        target.service_s = 1.5  # Requests under way outlast the change.
    flood(sharing.routers, sharing, 30)
    for members in ([one, two], [two, three], [one], [one, three], [one, two, three]):
        sharing.world.run(1)
        for router in (three, one, two):
            divide(sharing, router, members)
            sharing.world.run(0.4)
    sharing.never_too_many()
    sharing.world.run(5)
    assert sum(one.in_hand for one in sharing.targets) == sharing.slots
    sharing.never_too_many()


def test_what_a_router_gains_from_one_out_of_reach_it_has_when_that_one_is_gone() -> None:
    sharing = agreed(2, capacity=6)
    one, other = sharing.routers
    flood([one], sharing, 20)
    sharing.world.run(1)
    sharing.world.internet.cut(one.ip, other.ip)
    sharing.world.run(5)
    divide(sharing, one, [one], 2)
    sharing.world.run(1)
    assert sharing.busy(1) <= 0.5
    divide(sharing, one, [one], 1)
    sharing.world.run(1)
    assert sharing.busy(1) >= 0.95


def test_when_a_router_is_killed_all_slots_are_used_within_five_seconds_of_its_end() -> None:
    sharing = agreed(2)
    one, other = sharing.routers
    flood([one], sharing, 12)
    sharing.world.run(1)
    other.kill()
    sharing.world.run(1)
    divide(sharing, one, [one], 1)
    sharing.world.run(3)
    assert sharing.busy(2) >= 0.95
    sharing.never_too_many()


def test_a_site_is_saturated_when_all_its_routers_are() -> None:
    sharing = Sharing(2)
    one = sharing.routers[0]
    one.offer(70, 2)  # More than its share of 5 or so, less than all 10 slots.
    sharing.world.run(1)
    (totals,) = one.router.readings.totals_of("shop").values()
    local = one.router.readings.load_of(SERVICE)
    assert local.in_flight == local.capacity and not totals.full
    flood([one], sharing, 2)
    sharing.world.run(1.5)
    (totals,) = one.router.readings.totals_of("shop").values()
    assert totals.full


def test_a_session_has_its_target_whichever_router_serves_it() -> None:
    sharing = Sharing(2, targets=4, capacity=4)
    for router in sharing.routers:
        router.declare(affinity=Affinity(by="header", name="X-User"), queue=200, queue_wait_s=5.0)
    sharing.world.run(1)
    for user in range(6):
        asked = [
            sharing.routers[number % 2].request(f"X-User: {user}") for number in range(4)
        ]  # More than a router's share of one target, as many as that target takes.
        sharing.world.run(2)
        assert {answer.status for answer in asked} == {200}
        assert len({answer.fields["X-Target"] for answer in asked}) == 1
    sharing.never_too_many()

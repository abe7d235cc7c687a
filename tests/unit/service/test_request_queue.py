"""The line of a service port by itself: who counts as waiting, and how many stand elsewhere."""

from collections.abc import Callable
from math import inf

import pytest

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import PLAIN, Asked, Decision, NoChoice, RemoteWait
from router.balance.site.fair_queue import LOCAL_LINK, WaitingPlace
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model import limits
from router.model.capacity import TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.specs import PolicySpec
from router.service.admission import SlotAdmission
from router.service.request_queue import RequestQueue
from tests.simulation.tables import sizes
from tests.unit.exchange.fakes import FakeNetwork

HERE, B, C, Z = SiteId("here"), SiteId("b"), SiteId("c"), SiteId("z")
SIBLING = RouterId("sibling")
WAIT_S = 60.0


def full(*sites: SiteId, local: bool = False) -> NoChoice:
    waits = tuple(RemoteWait(site, (RouterId(site),)) for site in sites)
    return NoChoice("all-full", waits, local)


class Waiter:
    """A request of this site."""

    line = WaitingPlace(LOCAL_LINK, HERE)
    session = 0
    out: frozenset[str] = frozenset()
    patient_until = inf

    def __init__(self, *, is_sheddable: bool = False) -> None:
        self.is_sheddable = is_sheddable
        self.asked = Asked(sheddable=True) if is_sheddable else PLAIN
        self.stands_at = ""
        self.travel_s = inf
        self.asked_to_stand: list[str] = []
        self.has_adjacency = True
        self.is_displaced = False

    def forget_lost_ways(self) -> None: ...
    def granted(self, slot: Slot) -> None: ...
    def expired(self) -> None: ...
    def proceed(self, decision: Decision) -> None: ...
    def dismiss(self) -> None: ...

    def displaced(self) -> None:
        self.is_displaced = True

    def stand(self, to: Decision | RemoteWait, wait_s: float, travel_s: float) -> bool:
        self.asked_to_stand.append(to.place)
        if self.has_adjacency:
            self.stands_at, self.travel_s = to.place, travel_s
        return self.has_adjacency


class Room(RequestQueue):
    """Of a site without targets; others are ``rtt_s`` away and free ``freed_per_s`` slots each.

    Not ``is_held``: who cannot be served in time is turned away.
    """

    def __init__(
        self,
        *,
        limit: int = 100,
        rtt_s: float = 0.0,
        freed_per_s: float = 0.0,
        is_held: bool = True,
    ) -> None:
        self.network = FakeNetwork()
        self.most = limit
        self.ledger = ledger = LocalLedger()
        key = ServiceKey("shop", 80)
        super().__init__(
            HERE,
            ServiceBalancer(key, HERE, "here", ledger, PolicySpec()),
            SlotAdmission(ledger, lambda: self.most, self.network),
            self.network,
            limit=lambda: self.most,
            round_trip_s=lambda site: rtt_s,
            freed_per_s=lambda place: freed_per_s,
            is_held=lambda: is_held,
        )

    def come(
        self, choice: NoChoice, count: int, *, is_sheddable: bool = False, left_s: float = WAIT_S
    ) -> list[Waiter]:
        """The waiters that were let in, of ``count`` that may wait for so long."""
        waiters = [Waiter(is_sheddable=is_sheddable) for _ in range(count)]
        until = self.network.now() + left_s
        return [one for one in waiters if self.enter(one, choice, until) == "waits"]


def test_a_line_is_full_at_its_limit_and_beyond_it_when_that_falls() -> None:
    room = Room(limit=3)
    found = []
    for _ in range(3):
        found.append(room.is_full)
        room.come(full(local=True), 1)
    outlooks = []
    for room.most in (3, 1, 4):
        found.append(room.is_full)
        outlooks.append(room.outlook(full(local=True), 60.0))
    assert found == [False, False, False, True, True, False]
    assert outlooks == ["full", "full", "waits"]


@pytest.mark.parametrize("standing", [0, 1, 2])
def test_sheddable_requests_take_no_place_of_others_wherever_they_wait(standing: int) -> None:
    room = Room(limit=5)
    batch = room.come(full(*[B, C][:standing], local=True), 5, is_sheddable=True)
    assert len(batch) == 5
    choice = full(local=True)
    assert room.outlook(choice, 60.0, sheddable=True) == "full"
    found = []
    for _ in range(6):
        found.append(room.outlook(choice, 60.0))
        room.come(choice, 1)
    assert found == ["waits"] * 5 + ["full"]


@pytest.mark.parametrize("is_sheddable", [False, True])
def test_those_at_another_router_of_this_site_are_counted_there(is_sheddable: bool) -> None:
    room = Room(limit=2)
    to = RemoteWait(HERE, (SIBLING,), router=SIBLING)
    until = room.network.now() + 60.0
    for waiter in (Waiter(), Waiter(is_sheddable=is_sheddable)):
        assert room.stand(waiter, to, until, is_only=False)
    assert (room.unserved, room.queued, room.is_full) == (0, 0, True)
    room.stand_ended(Waiter(), SIBLING, turned_away=False)
    assert not room.is_full
    room.most = 5
    found = []
    for _ in range(4):
        room.come(full(local=True), 1)
        found.append((room.unserved, room.queued, room.is_full))
    assert found == [(1, 1, False), (2, 2, False), (3, 3, False), (4, 4, True)]


def test_those_on_the_way_to_another_router_of_this_site_wait_nowhere_yet() -> None:
    """It may seem far: after it stood still, the way took seconds."""
    room = Room(limit=1, rtt_s=10 * limits.FAR_RTT_S)
    to = RemoteWait(HERE, (SIBLING,), router=SIBLING)
    assert room.stand(Waiter(), to, room.network.now() + 60.0, is_only=False)
    assert (room.queued, room.is_full) == (0, False)
    room.network.advance(11 * limits.FAR_RTT_S)
    assert (room.queued, room.is_full) == (0, True)


@pytest.mark.parametrize("classes", [[False, True], [False, True, True], [True, False, False]])
def test_those_on_the_way_to_a_far_site_wait_nowhere_yet_whatever_their_class(
    classes: list[bool],
) -> None:
    room = Room(limit=1 + len(classes), rtt_s=2 * limits.FAR_RTT_S)
    room.come(full(local=True), 1)
    for is_sheddable in classes:
        waiter = Waiter(is_sheddable=is_sheddable)
        (to,) = full(B).waitable
        assert room.stand(waiter, to, room.network.now() + WAIT_S, is_only=False)
    every = 1 + len(classes)
    assert (room.unserved, room.queued, room.is_full) == (every, 1, False)
    room.network.advance(3 * limits.FAR_RTT_S)
    assert (room.unserved, room.queued, room.is_full) == (every, every, True)


@pytest.mark.parametrize(
    ("rtt_s", "freed_per_s", "standing"),
    [
        (0.0, 1000.0, 1),
        (limits.FAR_RTT_S, 3 / limits.FAR_RTT_S, 3),
        (limits.FAR_RTT_S, 1000 / limits.FAR_RTT_S, limits.STANDING_MAX),
        (0.2, 3 / (0.2 + limits.ACCEPT_HELD_S), 3),
        (0.2, 0.0, 1),
    ],
)
def test_at_each_of_several_sites_stand_as_many_as_it_frees_in_a_round_trip(
    rtt_s: float, freed_per_s: float, standing: int
) -> None:
    room = Room(rtt_s=rtt_s, freed_per_s=freed_per_s)
    waiters = room.come(full(B, C), 60)
    stand_at: Callable[[str], int] = [one.stands_at for one in waiters].count
    assert (stand_at(B), stand_at(C)) == (standing, standing)
    assert len(room.line) == 60 - 2 * standing


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 1.5])
def test_the_way_is_part_of_a_stand_only_where_it_is_far(share: float) -> None:
    rtt_s = share * limits.FAR_RTT_S
    room = Room(rtt_s=rtt_s)
    (waiter,) = room.come(full(B), 1)
    assert (waiter.stands_at, waiter.travel_s) == (B, rtt_s if share > 1 else 0.0)
    assert room.queued == (0 if share > 1 else 1), "as far as is known it does not wait yet"


def test_at_the_only_site_all_stand_if_it_is_far_and_there_is_no_queue_here() -> None:
    room = Room(rtt_s=0.2, freed_per_s=10.0, limit=5)
    waiters = room.come(full(B), 60)
    travelling = 3  # 10 a second for 0.2 s and as long as an ACCEPTED may be held.
    assert [one.stands_at for one in waiters[: travelling + 5]] == [B] * (travelling + 5)
    assert not any(one.stands_at for one in waiters[travelling + 5 :])


@pytest.mark.parametrize("first_is_sheddable", [False, True])
def test_a_sheddable_request_stands_elsewhere_only_behind_the_others(
    first_is_sheddable: bool,
) -> None:
    room = Room(rtt_s=limits.FAR_RTT_S, freed_per_s=2 / limits.FAR_RTT_S)
    room.come(full(B), 1, is_sheddable=first_is_sheddable)
    batch = room.come(full(B), 2, is_sheddable=True)
    assert [one.stands_at for one in batch] == [B, ""]
    (normal,) = room.come(full(B), 1)
    assert normal.stands_at == B


PLACES = [((B,), False), ((), True), ((B,), True), ((B, C), False), ((B, C), True)]
"""Full sites, and whether one may wait for a slot of this one."""


@pytest.mark.parametrize("is_sheddable", [False, True])
@pytest.mark.parametrize(("sites", "local"), PLACES)
@pytest.mark.parametrize("freed_in_time", [0.01, 1.0, 6.0])
def test_no_more_wait_than_slots_come_free_in_time_but_one_at_each_full_site(
    sites: tuple[SiteId, ...], local: bool, freed_in_time: float, is_sheddable: bool
) -> None:
    room = Room(freed_per_s=freed_in_time / WAIT_S, is_held=False)
    places = len(sites) + local
    let_in = room.come(full(*sites, local=local), 30, is_sheddable=is_sheddable)
    assert len(let_in) == max(places, int(places * freed_in_time))


@pytest.mark.parametrize("serves_sheddable", [False, True])
def test_each_class_goes_by_how_many_of_its_own_were_served(serves_sheddable: bool) -> None:
    room = Room(freed_per_s=1.0, is_held=False)
    choice = full(B, local=True)
    for is_sheddable in (False, True):
        room.come(choice, 2, is_sheddable=is_sheddable, left_s=10 * WAIT_S)
    room.network.advance(WAIT_S)
    for _ in range(36):
        room.served(sheddable=serves_sheddable)
    let_in = [len(room.come(choice, 40, is_sheddable=each)) for each in (False, True)]
    waited = 2
    served = 36 - 2 * 6 - waited  # Less two standard deviations.
    assert let_in == ([0, served] if serves_sheddable else [served, 0])


def test_a_line_that_begins_again_is_not_judged_by_those_served_before() -> None:
    room = Room(freed_per_s=2 / WAIT_S, is_held=False)
    choice = full(local=True)
    for waiter in room.come(choice, 2):
        room.leave(waiter)
    room.network.advance(2 * WAIT_S)
    assert len(room.come(choice, 5)) == 2, "none was served, as none waited"


def test_who_is_on_the_way_to_a_far_site_is_before_nobody_until_it_is_there() -> None:
    room = Room(rtt_s=0.2, freed_per_s=0.01 / WAIT_S, is_held=False)
    choice = full(B, C)
    let_in = room.come(choice, 10)
    assert [one.stands_at for one in let_in] == [B, C, "", ""], "two wait, as there are two sites"
    room.network.advance(0.3)
    for waiter in let_in[2:]:
        room.leave(waiter)
    assert room.come(choice, 1) == [], "two wait there"
    room.stand_ended(let_in[0], B, turned_away=False)
    assert len(room.come(choice, 3)) == 2, "one goes there, and one waits"


@pytest.mark.parametrize("has_adjacency", [False, True])
def test_a_place_that_lets_none_stand_is_left_alone_for_a_while_and_others_are_not(
    has_adjacency: bool,
) -> None:
    room = Room()
    first = Waiter()
    first.has_adjacency = has_adjacency
    until = room.network.now() + WAIT_S
    assert room.enter(first, full(B), until) == "waits"
    if has_adjacency:
        room.stand_ended(first, B, turned_away=True)
        assert room.enter(first, full(B), until, returns=True) == "waits"
    first.has_adjacency = True
    (second,) = room.come(full(B), 1)
    assert (first.asked_to_stand, second.asked_to_stand) == ([B], [])
    room.network.advance(limits.STAND_RETRY_S / 2)
    room.come(full(B, C), 1)
    assert (first.asked_to_stand, second.asked_to_stand) == ([B, C], [])
    room.network.advance(limits.STAND_RETRY_S / 2)
    room.come(full(B), 1)
    assert second.asked_to_stand == [B]


def test_who_has_no_time_to_stand_stays_and_one_behind_it_goes() -> None:
    room = Room()
    (hurried,) = room.come(full(B), 1, left_s=limits.STAND_MIN_S)
    (next_one,) = room.come(full(B), 1, left_s=2 * limits.STAND_MIN_S)
    assert (hurried.asked_to_stand, next_one.asked_to_stand) == ([], [B])
    assert list(room.line) == [hurried]


def test_places_that_turned_a_request_away_are_forgotten_once_they_may_be_asked_again() -> None:
    room = Room()
    for number in range(100):
        site = SiteId(f"s{number}")
        wait = RemoteWait(site, (RouterId(site),))
        for waiter in (Waiter(), Waiter()):
            waiter.has_adjacency = not number % 2
            if room.stand(waiter, wait, room.network.now() + WAIT_S, is_only=True):
                room.stand_ended(waiter, site, turned_away=True)
        room.come(full(site), 2)
        room.network.advance(2 * limits.STAND_RETRY_S)
    assert sizes(room)["Room._not_before"] <= 1


def test_a_slow_start_ends_for_one_that_would_be_turned_away_and_for_no_other() -> None:
    room = Room(limit=1)
    room.ledger.set_targets({"new:1": TargetTerms(name="n", capacity=20)})
    room.ledger.set_ready("new:1", True)
    assert room.ledger.start_slowly("new:1", room.network.now())
    choice = full(local=True)
    found: list[tuple[int, bool]] = []
    for _ in range(3):
        let_in = len(room.come(choice, 1))
        found.append((let_in, room.ledger.sums.is_starting))
    assert found == [(1, True), (1, False), (0, False)], "nothing is left to end"


def test_one_that_stands_elsewhere_or_never_came_leaves_no_line() -> None:
    room = Room()
    standing, waiting = room.come(full(B), 2)
    assert standing.stands_at == B
    assert [room.leave(one) for one in (standing, waiting, waiting, Waiter())] == [
        False,
        True,
        False,
        False,
    ]


def test_who_comes_back_from_a_stand_is_before_all_others() -> None:
    room = Room()
    first, *others = room.come(full(B), 4)
    assert first.stands_at == B
    room.stand_ended(first, B, turned_away=False)
    until = room.network.now() + WAIT_S
    assert room.enter(first, full(local=True), until, returns=True) == "waits"
    room.come(full(B), 1)
    assert first.asked_to_stand == [B, B]
    assert [one.asked_to_stand for one in others] == [[], [], []]


@pytest.mark.parametrize("site", [B, Z])
def test_who_stands_at_another_site_waits_for_this_one_whatever_its_id(site: SiteId) -> None:
    room = Room(limit=1)
    assert [one.stands_at for one in room.come(full(site), 1)] == [site]
    assert (room.unserved, room.queued, room.is_full) == (1, 1, True)

"""The usable part of shares while routers of a site agree, and their messages."""

from typing import cast

import msgspec

from router.documents import CapacityDivision
from router.exchange.target_readings import TargetReadings
from router.link.links import Links
from router.model import limits
from router.model.capacity import Rate, SiteCap
from router.model.ids import RouterId, ServiceKey
from router.model.messages.adverts import Declaration
from router.model.messages.shares import SharesMessage
from router.model.specs import ServiceSpec
from router.net.simulated.internet import SimulatedInternet
from router.node.services.planned import PlannedService, PlannedTarget
from router.node.services.share_run import ShareRun
from router.service.figures import TargetInfo

KEY = ServiceKey("shop", 80)
OTHER = RouterId("b" * 16)
RATE = Rate(per_s=5.0, resume_per_s=4.0, window_s=15.0, stay_s=5.0)


class FakeLinks:
    """Siblings and whether they send their shares; the messages sent to them."""

    def __init__(self) -> None:
        self.sharing: dict[RouterId, bool] = {OTHER: True}
        self.adjacencies = self
        self.sent: list[SharesMessage] = []

    def send(self, router: RouterId, message: SharesMessage) -> bool:
        assert router == OTHER
        self.sent.append(message)
        return True


class FakeReadings:
    """At each target as many requests are under way as it says."""

    def __init__(self) -> None:
        self.in_flight: dict[str, int] = {}
        self.asked = 0

    def of(self, key: ServiceKey) -> list[TargetInfo]:
        assert key == KEY
        self.asked += 1
        return [
            TargetInfo(
                name=host,
                host=host,
                port=80,
                ready=True,
                in_flight=count,
                capacity=None,
                requests_total=0,
                error="",
            )
            for host, count in self.in_flight.items()
        ]


class Here:
    """A router whose shares are 3 slots of a target, a rate of another and a cap of 4."""

    def __init__(self) -> None:
        self.internet = SimulatedInternet(1)
        self.links = FakeLinks()
        self.readings = FakeReadings()
        self.changes = 0
        self.run = ShareRun(
            self.internet.host("10.0.0.1"),
            cast(Links, self.links),
            cast(TargetReadings, self.readings),
            7,
            self._changed,
        )
        declaration = Declaration(
            name="shop", spec=ServiceSpec(protocol="http", ports=(80,)), declared_at_s=0.0
        )
        self.planned = PlannedService(
            key=KEY,
            declaration=declaration,
            targets={
                "10.0.1.1:80": PlannedTarget(connector="c", capacity=3),
                "10.0.1.2:80": PlannedTarget(connector="c", rate=RATE),
                "10.0.1.3:80": PlannedTarget(connector="c"),
            },
            has_connector=True,
            listen=None,
            cap=SiteCap(slots=4),
        )

    def _changed(self) -> None:
        self.changes += 1

    def divide(self, sharing: CapacityDivision | None) -> PlannedService:
        self.run.divide(sharing, {KEY: self.planned})
        return self.run.limited(self.planned)


def agrees(division: str, round_: int, *debts: tuple[str, int]) -> SharesMessage:
    return SharesMessage("b", 1, round_, 1, division, 7, 1, debts)


BOTH = CapacityDivision("a", "ab", frozenset({"b"}))


def test_where_nobody_has_to_agree_all_that_is_planned_counts() -> None:
    here = Here()
    assert here.divide(None) is here.planned
    assert here.divide(CapacityDivision("a", "a", frozenset())) is here.planned


def test_nothing_counts_before_the_other_has_agreed_and_all_of_it_afterwards() -> None:
    here = Here()
    limited = here.divide(BOTH)
    assert [one.capacity for one in limited.targets.values()] == [0, 0, None]
    assert limited.cap == SiteCap(slots=0)
    here.run.received(OTHER, agrees("ab", 1))
    assert here.changes == 1
    assert here.run.limited(here.planned) is here.planned


def test_a_new_round_of_the_other_is_answered_at_once_and_the_same_one_is_not() -> None:
    here = Here()
    here.divide(BOTH)
    here.run.tell()
    here.run.received(OTHER, agrees("ab", 1))
    assert [one.heard_round for one in here.links.sent] == [0, 1]
    here.run.received(OTHER, agrees("ab", 2))
    assert len(here.links.sent) == 2


def test_what_was_lost_is_said_again_until_it_is_closed() -> None:
    here = Here()
    here.divide(BOTH)
    here.internet.run_until(2.1)
    assert len(here.links.sent) >= 4
    here.run.close()
    count = len(here.links.sent)
    here.internet.run_until(4.0)
    assert len(here.links.sent) == count


def test_slots_that_it_owed_are_given_to_others_soon_after_they_are_free() -> None:
    here = Here()
    here.readings.in_flight = {"10.0.1.1": 5}
    here.divide(BOTH)
    here.run.tell()
    told: list[list[list[int]]] = []
    for count in (5, 4, 4, 3):
        here.readings.in_flight = {"10.0.1.1": count}
        here.links.sent.clear()
        here.internet.run_until(here.internet.now + limits.SHARE_DEBTS_S)
        told.append([[owed for _, owed in one.debts] for one in here.links.sent])
    assert told == [[], [[1]], [], [[]]]
    asked = here.readings.asked
    here.internet.run_until(here.internet.now + limits.SHARES_REPEAT_S - limits.SHARE_DEBTS_S)
    assert here.readings.asked <= asked + 1, "it owes nothing, so only the repetition looks"


def test_slots_that_it_owes_for_long_are_only_looked_at_with_each_repetition() -> None:
    """Those of long connections may be owed for hours."""
    here = Here()
    here.readings.in_flight = {"10.0.1.1": 9}
    here.divide(BOTH)
    here.run.tell()

    def looks(seconds: float) -> int:
        before = here.readings.asked
        here.internet.run_until(here.internet.now + seconds)
        return here.readings.asked - before

    soon = limits.SHARE_DEBTS_FOR_S
    assert looks(soon) >= soon / limits.SHARE_DEBTS_S
    repeats = soon / limits.SHARES_REPEAT_S
    assert looks(soon) <= repeats + 1
    here.readings.in_flight = {"10.0.1.1": 8}
    assert looks(soon) <= repeats + 1, "it owes fewer"
    here.planned = msgspec.structs.replace(here.planned, cap=SiteCap(slots=2))
    here.divide(BOTH)
    here.run.tell()
    assert looks(soon) >= soon / limits.SHARE_DEBTS_S, "it owes more"


def test_debts_are_not_looked_at_once_the_router_is_closed() -> None:
    here = Here()
    here.readings.in_flight = {"10.0.1.1": 5}
    here.divide(BOTH)
    here.run.tell()
    here.run.close()
    asked = here.readings.asked
    here.internet.run_until(2.0)
    assert here.readings.asked == asked


def test_a_router_that_is_not_heard_is_a_problem_until_it_agrees() -> None:
    here = Here()
    here.divide(CapacityDivision("a", "a", frozenset()))
    here.internet.run_until(limits.SHARES_UNHEARD_S + 1)
    assert here.run.problems(str) == ()
    here.divide(BOTH)
    here.internet.run_until(limits.SHARES_UNHEARD_S * 2)
    assert here.run.problems(str) == (), "it may start"
    here.internet.run_until(limits.SHARES_UNHEARD_S * 2 + 2)
    (problem,) = here.run.problems(lambda at: f"{at:.0f} s")
    assert problem.code == "SW0678"
    assert f"since {limits.SHARES_UNHEARD_S + 1:.0f} s" in problem.message
    assert "does not hear b." in problem.message
    here.run.received(OTHER, SharesMessage("b", 1, 1, 1, "ab", 7, 2, ()))
    assert here.run.problems(str) == ()


def test_one_that_serves_clients_and_was_never_heard_is_a_problem_here_too() -> None:
    here = Here()
    alone = CapacityDivision("a", "a", frozenset())
    here.divide(alone)
    here.divide(msgspec.structs.replace(alone, others=frozenset({"b"}), ready=frozenset({"b"})))
    here.internet.run_until(limits.SHARES_UNHEARD_S + 1)
    assert here.run.limited(here.planned) is here.planned, "it goes on with all"
    assert [one.code for one in here.run.problems(str)] == ["SW0678"]
    heard: list[frozenset[str] | None] = []
    here.run.follow_heard(lambda: heard.append(here.run.heard))
    here.run.received(OTHER, SharesMessage("b", 1, 1, 1, "ab", 7, 1, ()))
    assert heard == [frozenset({"b"})]
    assert here.run.problems(str) == ()


def test_a_router_that_ends_says_so_and_its_news_of_others_changes_with_their_lives() -> None:
    here = Here()
    here.run.end()
    assert here.links.sent == [], "nothing is divided"
    here.divide(BOTH)
    here.run.end()
    assert [one.is_over for one in here.links.sent] == [True]
    here.internet.run_until(1.1)
    assert all(one.is_over for one in here.links.sent[1:]), "it is repeated: messages may be lost"
    assert len(here.links.sent) > 1
    heard: list[dict[str, int]] = []
    here.run.follow_heard(lambda: heard.append(dict(here.run.over)))
    over = msgspec.structs.replace(agrees("ab", 1), is_over=True)
    here.run.received(OTHER, over)
    here.run.received(OTHER, msgspec.structs.replace(over, number=2))
    here.run.received(OTHER, msgspec.structs.replace(agrees("ab", 1), life=2))
    assert heard == [{"b": 1}, {}]


def test_where_no_capacity_is_divided_nobody_misses_an_agreement() -> None:
    here = Here()
    here.planned = msgspec.structs.replace(here.planned, targets={}, cap=None)
    here.divide(BOTH)
    here.internet.run_until(limits.SHARES_UNHEARD_S + 1)
    assert here.run.problems(str) == ()


def test_beside_a_router_of_an_older_version_nobody_is_waited_for() -> None:
    here = Here()
    here.links.sharing = {OTHER: False}
    assert here.divide(BOTH) is here.planned
    here.run.tell()
    assert not here.links.sent


def test_no_agreement_is_missed_beside_a_router_of_an_older_version() -> None:
    here = Here()
    here.links.sharing = {OTHER: False}
    here.divide(msgspec.structs.replace(BOTH, ready=frozenset({"b"})))
    here.internet.run_until(limits.SHARES_UNHEARD_S + 1)
    assert here.run.problems(str) == ()


def test_what_is_divided_without_an_older_router_is_not_used_once_it_is_linked() -> None:
    here = Here()
    here.links.sharing = {}
    alone = CapacityDivision("a", "a", frozenset({"b"}), is_by_all=False)
    assert here.divide(alone).cap == SiteCap(slots=0)
    here.links.sharing = {OTHER: False}
    here.run.met(OTHER)
    assert here.run.limited(here.planned).cap == SiteCap(slots=0), "the other one uses its share"
    assert here.divide(BOTH) is here.planned


def test_a_router_that_serves_and_was_linked_is_told_of_once_it_no_longer_is() -> None:
    here = Here()
    here.divide(msgspec.structs.replace(BOTH, ready=frozenset({"b"})))
    here.internet.run_until(1.0)
    assert here.run.unlinked == {}, "it was never heard: that is another matter"
    here.run.received(OTHER, agrees("ab", 1))
    here.internet.run_until(3.0)
    assert here.run.unlinked == {}
    here.links.sharing = {}
    here.internet.run_until(9.0)
    ((name, since),) = here.run.unlinked.items()
    assert name == "b"
    assert 3.0 <= since <= 3.0 + limits.SHARES_REPEAT_S
    here.divide(BOTH)
    assert here.run.unlinked == {}, "it is about to end"
    here.divide(msgspec.structs.replace(BOTH, ready=frozenset({"b"})))
    here.links.sharing = {OTHER: True}
    here.run.received(OTHER, agrees("ab", 2))
    here.internet.run_until(10.0)
    assert here.run.unlinked == {}

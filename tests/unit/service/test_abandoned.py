"""Requests that are given up while their target has them: when their slots are free."""

import pytest

from router.model import limits
from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from router.net.ports import Connection, ConnectionHandler
from router.service.ports import TargetConfig
from router.service.targets.abandoned import Abandoned, hold_s
from tests.unit.exchange.fakes import FakeMesh, FakeNetwork, FakeTarget, Party, Site

KEY = ServiceKey("shop", 8080)
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SLOTS = 2
ATTACK = 598


class DeafTarget(FakeTarget):
    """It does not notice that a client leaves, and closes nothing."""

    def _accept(self, connection: Connection) -> ConnectionHandler:
        party = Party()
        party.connection = connection
        self.parties.append(party)
        return party


class Shop:
    """One site, whose target has two slots."""

    def __init__(self, kind: type[FakeTarget] = DeafTarget) -> None:
        self.network = FakeNetwork()
        self.site = Site(self.network, FakeMesh(self.network), "a")
        self.target = kind(self.network, "10.0.0.1", 80)
        forwarder = self.forwarder = self.site.forwarder
        forwarder.set_service(KEY, ServiceSpec(protocol="http", ports=(8080,), queue=0))
        forwarder.set_targets(KEY, {str(self.target): TargetConfig(connector="t", capacity=SLOTS)})
        forwarder.set_listeners({KEY: ("127.0.0.1", 8080)})
        self.network.run()

    def ask(self, request: bytes = GET) -> Party:
        party = self.site.connect("127.0.0.1", 8080)
        party.send(request)
        self.network.run()
        return party

    def serve_one(self, service_s: float) -> None:
        """So long has the target one request."""
        self.ask()
        self.network.advance(service_s)
        for party in self.target.serving:
            if party.got:
                party.send(OK)
                party.got.clear()
        self.network.run()

    @property
    def in_flight(self) -> int:
        return self.site.in_flight(KEY)


def test_a_storm_of_resets_puts_no_more_on_a_target_than_it_has_slots() -> None:
    shop = Shop()
    for _ in range(ATTACK):
        shop.ask().abort()
        shop.network.run()
    assert shop.target.requests == SLOTS
    assert shop.in_flight == SLOTS
    assert not any(held for _, held in shop.forwarder.readings.under_way()), (
        "no client has any of it"
    )
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert shop.in_flight == 0
    assert all(party.was_reset for party in shop.target.parties if party.got)


def test_the_slot_is_held_for_as_long_as_a_request_usually_takes() -> None:
    shop = Shop()
    for _ in range(3):
        shop.serve_one(0.2)
    shop.ask().abort()
    shop.network.run()
    assert shop.in_flight == 1
    shop.network.advance(0.1)
    assert shop.in_flight == 1
    shop.network.advance(0.15)
    assert shop.in_flight == 0


def test_the_slot_is_free_when_the_target_closes_its_connection() -> None:
    shop = Shop(FakeTarget)  # It closes when its client leaves, as most servers do.
    shop.ask().abort()
    shop.network.run()
    assert shop.in_flight == 0


@pytest.mark.parametrize("kind", [DeafTarget, FakeTarget])
def test_a_request_that_is_given_up_counts_at_no_time_as_completed(kind: type[FakeTarget]) -> None:
    """A count that falls, and rises again with the free slot, looks like an answer."""
    shop, counts = Shop(kind), set[int | None]()
    completed = shop.forwarder.readings.targets.completed_by
    shop.serve_one(0.2)
    for _ in range(SLOTS):
        client = shop.ask()
        counts.add(completed(KEY, str(shop.target)))
        client.abort()
        shop.network.run()
        counts.add(completed(KEY, str(shop.target)))
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert shop.in_flight == 0
    assert counts | {completed(KEY, str(shop.target))} == {1}


@pytest.mark.parametrize("answered", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx"])
def test_an_answer_that_nobody_reads_is_bounded(answered: bytes) -> None:
    shop = Shop()
    client = shop.ask()
    (party,) = (one for one in shop.target.serving if one.got)
    if answered:
        party.send(answered)
        shop.network.run()
    client.abort()
    shop.network.run()
    assert not party.losses
    party.send(b"x" * (limits.LINGER_DISCARD_BYTES_MAX + 1))
    shop.network.run()
    assert party.was_reset
    assert shop.in_flight == 0


def test_part_of_a_request_never_looks_whole_and_holds_its_slot() -> None:
    shop = Shop()
    shop.ask(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\n\r\nhal").abort()
    shop.network.run()
    (party,) = (one for one in shop.target.parties if one.got)
    assert party.was_reset
    assert shop.in_flight == 1
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert shop.in_flight == 0


def test_of_an_answer_no_more_than_so_much_is_discarded_however_it_comes() -> None:
    most = limits.LINGER_DISCARD_BYTES_MAX
    for sizes, expected in (
        ([most], [True]),
        ([most + 1], [False]),
        ([1, most - 1, 1], [True, True, False]),
    ):
        given_up = Abandoned(FakeNetwork(), 1.0)
        assert [given_up.discard(size) for size in sizes] == expected


@pytest.mark.parametrize("by_time", [False, True])
def test_who_waits_for_the_end_is_told_once_and_at_once_if_it_has_come(by_time: bool) -> None:
    network, told = FakeNetwork(), list[str]()
    given_up = Abandoned(network, 1.0, lambda: told.append("expired"))
    given_up.then(lambda: told.append("over"))
    network.advance(0.9)
    assert told == []
    if not by_time:
        given_up.end()
    network.advance(5.0)
    expected = ["expired", "over"] if by_time else ["over"]
    assert told == expected
    given_up.end()
    given_up.then(lambda: told.append("late"))
    assert told == [*expected, "late"]


def test_a_slot_waits_as_long_as_is_usual_but_never_for_ever() -> None:
    most = limits.ABANDONED_S_MAX
    usual_s = [0.0, most / 2, most, 2 * most]
    assert [hold_s(seconds) for seconds in usual_s] == [most, most / 2, most, most]

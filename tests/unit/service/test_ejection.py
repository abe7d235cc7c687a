"""Targets whose requests fail in a row are put out and come back; figures and texts with it."""

from collections.abc import Callable

import msgspec
import pytest

from router.balance.targets.answer_streaks import NoAnswer
from router.balance.targets.error_answers import ErrorShare
from router.model import limits
from router.model.addresses import join
from router.model.ids import ServiceKey
from router.model.settings import Health, Timeouts
from router.model.specs import ServiceProtocol, ServiceSpec
from router.net.ports import Address
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Party,
    Site,
    answer_ok,
    candidate,
)

KEY = ServiceKey("shop", 8080)
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n"


def answers(status: int) -> Callable[[Party], None]:
    """Answer each whole request with ``status``."""

    def answer(party: Party) -> None:
        if party.got.endswith(b"\r\n\r\n"):
            party.send(b"HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\n\r\n" % status)

    return answer


def resets(party: Party) -> None:
    party.abort()


def babbles(party: Party) -> None:
    party.send(b"what?\r\n\r\n")


def is_silent(party: Party) -> None:
    """Never answer."""


def kinds(shop: "Shop") -> list[str]:
    return [target.error_kind for target in shop.forwarder.readings.targets.of(KEY)]


class Shop:
    """One site with two targets, the first of them as told; maybe another site that has one."""

    def __init__(
        self,
        answer: Callable[[Party], None],
        *,
        targets: int = 2,
        elsewhere: int = 0,
        health: Health | None = None,
        protocol: ServiceProtocol = "http",
        timeouts: Timeouts | None = None,
    ) -> None:
        self.network = FakeNetwork()
        self.site = Site(self.network, FakeMesh(self.network), "a")
        self.forwarder = self.site.forwarder
        self.answer = answer
        self.bad = FakeTarget(self.network, "10.0.0.1", 80, lambda party: self.answer(party))
        self.good = FakeTarget(self.network, "10.0.0.2", 80, answer_ok)
        self.spec = ServiceSpec(ports=(8080,), protocol=protocol, timeouts=timeouts or Timeouts())
        self.forwarder.set_service(KEY, self.spec)
        config = TargetConfig(connector="main", health=health or Health())
        chosen = (self.bad, self.good)[:targets]
        self.forwarder.set_targets(KEY, {str(target): config for target in chosen})
        if elsewhere:
            self.forwarder.ports.set_remotes(KEY, [candidate("b")])
        self.forwarder.set_listeners({KEY: ("127.0.0.1", 8080)})
        self.network.run()

    def send(self, request: bytes = POST) -> Party:
        party = self.site.connect("127.0.0.1", 8080)
        party.send(request)
        self.network.run()
        return party

    def ready(self) -> dict[str, bool]:
        return {target.host: target.ready for target in self.forwarder.readings.targets.of(KEY)}

    def is_in(self) -> bool:
        return self.ready()["10.0.0.1"]

    def error(self) -> str:
        return self.forwarder.readings.targets.of(KEY)[0].error

    def send_until_out(self, at_most: int = 40) -> int:
        """POSTs until the bad target is out; how many reached it."""
        before = self.bad.requests
        while self.is_in():
            assert at_most, "it is never ejected"
            at_most -= 1
            self.send()
        return self.bad.requests - before


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (resets, "were reset"),
        (babbles, "got malformed or torn answers"),
        (answers(502), "were answered 502"),
        (answers(503), "were answered 503"),
        (answers(504), "were answered 504"),
    ],
)
def test_so_many_failures_in_a_row_put_a_target_out(
    answer: Callable[[Party], None], words: str
) -> None:
    shop = Shop(answer)
    assert shop.send_until_out() == limits.EJECT_AFTER
    assert shop.error() == f"ejected for 2 s: 5 requests in a row {words}"
    assert shop.forwarder.readings.load_of(KEY).targets_ready == 1
    assert shop.forwarder.readings.targets.of(KEY)[0].ejected
    assert kinds(shop) == ["ejected", ""]


def test_what_is_wrong_with_a_target_is_told_in_a_word_of_its_own_too() -> None:
    shop = Shop(answers(200))
    (one, other) = shop.forwarder.readings.targets.of(KEY)
    first, second = (join(target.host, target.port) for target in (one, other))
    shop.forwarder.ports.set_unanswering(
        {KEY: {first: NoAnswer(key=KEY, address=first, in_a_row=3)}}
    )
    share = ErrorShare(address=second, errors=0, breaks=4, requests=5, seconds=1)
    shop.forwarder.ports.set_failing({KEY: {second: share}})
    assert kinds(shop) == ["no-answer", "no-whole-answer"]
    share = msgspec.structs.replace(share, errors=1)
    shop.forwarder.ports.set_failing({KEY: {second: share}})
    assert kinds(shop) == ["no-answer", "answers-5xx"]


@pytest.mark.parametrize("answer", [resets, babbles])
def test_a_target_that_may_not_be_ejected_has_its_failures_counted(
    answer: Callable[[Party], None],
) -> None:
    shop = Shop(answer, health=Health(eject_after=0))
    for _ in range(20):
        shop.send()
    assert shop.is_in()
    assert shop.forwarder.readings.targets.breaks_of(KEY) == {str(shop.bad): shop.bad.requests}


@pytest.mark.parametrize("status", [200, 301, 400, 404, 429, 500, 501, 505])
def test_other_answers_are_the_targets_own(status: int) -> None:
    shop = Shop(answers(status))
    for _ in range(40):
        shop.send()
    assert shop.is_in()
    counted = {str(shop.bad): shop.bad.requests} if status >= 500 else {}
    assert shop.forwarder.readings.targets.errors_of(KEY) == counted, "5xx is counted by target"


@pytest.mark.parametrize(
    ("status", "words"), [(500, "5xx"), (501, "5xx"), (505, "5xx"), (503, "503")]
)
def test_any_5xx_puts_a_target_out_where_that_is_wanted(status: int, words: str) -> None:
    shop = Shop(answers(status), health=Health(eject_on="5xx"))
    assert shop.send_until_out() == limits.EJECT_AFTER
    assert shop.error() == f"ejected for 2 s: 5 requests in a row were answered {words}"


@pytest.mark.parametrize("status", [200, 404, 429, 499])
def test_no_other_answer_does(status: int) -> None:
    shop = Shop(answers(status), health=Health(eject_on="5xx"))
    for _ in range(40):
        shop.send()
    assert shop.is_in()


def test_each_target_is_judged_as_its_connector_says() -> None:
    shop = Shop(answers(500))
    strict = TargetConfig(connector="strict", health=Health(eject_on="5xx"))
    shop.forwarder.set_targets(
        KEY, {str(shop.bad): TargetConfig(connector="main"), str(shop.good): strict}
    )
    for _ in range(40):
        shop.send()
    assert shop.is_in()


def test_a_good_request_in_between_starts_the_count_anew() -> None:
    shop = Shop(answers(503))
    for number in range(100):  # Every other one goes to the good target.
        shop.answer = answer_ok if number % 10 in (8, 9) else answers(503)
        shop.send()
    assert shop.bad.requests == 50
    assert shop.is_in()


def test_a_target_that_does_not_answer_in_time_is_ejected_and_its_client_told_504() -> None:
    shop = Shop(is_silent, health=Health(eject_after=3), timeouts=Timeouts(response_s=0.2))
    clients = []
    while shop.is_in():
        clients.append(shop.send())
        shop.network.advance(0.26)
    assert shop.error() == "ejected for 2 s: 3 requests in a row got no answer in time"
    assert [bytes(client.got[9:12]) for client in clients].count(b"504") == 3


def test_clients_that_leave_hold_nothing_against_a_target() -> None:
    shop = Shop(is_silent)
    for _ in range(40):
        shop.send().abort()
        shop.network.run()
    assert shop.is_in()


def test_the_last_target_is_never_ejected_while_no_other_site_has_one() -> None:
    shop = Shop(resets, targets=1)
    changes: list[bool] = []
    shop.forwarder.news.follow_targets(lambda: changes.append(shop.is_in()))
    for _ in range(20):
        shop.send()
    assert changes == [], "not even for a moment"
    assert shop.is_in()
    assert shop.bad.requests == 20


def test_a_request_that_all_targets_fail_on_leaves_half_of_them_to_the_others() -> None:
    shop = Shop(resets)
    config = TargetConfig(connector="main")
    targets = [FakeTarget(shop.network, f"10.0.1.{n}", 80, resets) for n in range(5)]
    shop.forwarder.set_targets(KEY, {str(target): config for target in targets})
    shop.network.run()
    assert sum(shop.ready().values()) == 5
    for _ in range(100):
        shop.send()
        assert sum(shop.ready().values()) >= 2
    assert sum(shop.ready().values()) == 2


def test_with_a_ready_target_at_another_site_the_last_one_here_is_ejected() -> None:
    shop = Shop(resets, targets=1, elsewhere=1)
    assert shop.send_until_out() == limits.EJECT_AFTER
    assert shop.forwarder.readings.load_of(KEY).targets_ready == 0


def test_when_nobody_else_is_left_an_ejected_target_is_asked_at_once() -> None:
    shop = Shop(resets, targets=1, elsewhere=1)
    shop.send_until_out()
    shop.forwarder.ports.set_remotes(KEY, [])
    shop.network.run()
    assert shop.is_in()


def test_when_the_other_target_dies_an_ejected_one_is_asked_at_once() -> None:
    shop = Shop(resets)
    shop.send_until_out()
    shop.good.stop()
    shop.network.advance(1.2)
    assert shop.ready() == {"10.0.0.1": True, "10.0.0.2": False}


def test_it_returns_on_probation_and_each_time_it_stays_out_for_longer() -> None:
    shop = Shop(resets)
    out_s = []
    for _ in range(7):
        shop.send_until_out()
        began = shop.network.now()
        while not shop.is_in():
            shop.network.advance(0.05)
        out_s.append(shop.network.now() - began)
    for took_s, full_s in zip(out_s, (2, 4, 8, 16, 32, 60, 60), strict=True):
        assert full_s * (1 - limits.EJECT_JITTER) <= took_s <= full_s + 0.05
    assert shop.send_until_out() == 1


def test_a_target_that_is_mended_is_as_good_as_new_after_a_while() -> None:
    shop = Shop(resets)
    shop.send_until_out()
    shop.answer = answer_ok
    shop.network.advance(limits.EJECT_BASE_S)
    assert shop.is_in()
    for _ in range(40):
        shop.network.advance(1.0)
        shop.send()
        shop.send()
    shop.network.advance(limits.POOL_IDLE_S + 1)  # A kept connection's reset would not count.
    shop.answer = resets
    assert shop.send_until_out() == limits.EJECT_AFTER


def test_what_began_before_a_target_returned_holds_nothing_against_it_afterwards() -> None:
    shop = Shop(is_silent, elsewhere=1, targets=1, timeouts=Timeouts(response_s=10.0))
    for _ in range(20):  # They fail one after the other, the first five before it is out.
        shop.send()
        shop.network.advance(0.5)
    assert shop.is_in()
    while shop.is_in():
        shop.network.advance(0.05)
    shop.answer = answer_ok
    shop.network.advance(limits.EJECT_BASE_S)
    assert shop.is_in()
    for _ in range(100):
        shop.network.advance(0.1)
        assert shop.is_in()


def test_what_began_before_a_target_was_put_out_clears_nothing_afterwards() -> None:
    shop = Shop(is_silent, elsewhere=1, targets=1, timeouts=Timeouts(response_s=300.0))
    shop.send()
    (begun,) = shop.bad.serving
    shop.answer = resets
    shop.send_until_out()
    shop.network.advance(limits.EJECT_BASE_S)
    assert shop.is_in()
    shop.network.advance(limits.EJECT_FORGET_S + 1)
    answer_ok(begun)
    shop.network.advance(limits.POOL_IDLE_S + 1)  # A kept connection's reset would not count.
    began = shop.network.now()
    assert shop.send_until_out() == 1, "it is still on probation"
    while not shop.is_in():
        shop.network.advance(0.05)
    assert shop.network.now() - began > limits.EJECT_BASE_S + 1, "and stays out for longer"


def test_ejection_can_be_turned_off() -> None:
    shop = Shop(resets, health=Health(eject_after=0))
    for _ in range(40):
        shop.send()
    assert shop.is_in()


def test_a_reset_of_a_connection_that_was_kept_says_nothing_by_itself() -> None:
    """It may have been about to end: the target could not know that a request was coming."""

    def answers_once(party: Party) -> None:
        if party.got.count(b" HTTP/1.1\r\n") == 1:
            answer_ok(party)
        else:
            party.abort()

    shop = Shop(answers_once, health=Health(eject_after=1))
    for _ in range(40):
        shop.send(GET)
    assert sum(party.got.count(b" HTTP/1.1\r\n") == 2 for party in shop.bad.parties) >= 5
    assert shop.is_in()


def test_a_tcp_connection_that_is_reset_at_once_counts_and_one_that_was_served_does_not() -> None:
    shop = Shop(resets, protocol="tcp")
    assert shop.send_until_out() == limits.EJECT_AFTER

    def serves_then_resets(party: Party) -> None:
        party.send(b"bye")
        shop.network.soon(party.abort)

    shop = Shop(serves_then_resets, protocol="tcp")
    for _ in range(40):
        shop.send()
    assert shop.is_in()


def test_a_tcp_connection_that_was_open_for_long_may_end_by_a_reset() -> None:
    shop = Shop(is_silent, protocol="tcp")
    for _ in range(20):
        shop.send()
    shop.network.advance(limits.EJECT_TCP_RESET_S + 0.1)
    for party in shop.bad.serving:
        party.abort()
    shop.network.run()
    assert shop.is_in()


def test_refused_connects_eject_where_checks_bear_more_failures() -> None:
    shop = Shop(answer_ok, health=Health(down_after=100, interval_s=3_600))
    shop.bad.stop()
    while shop.is_in():
        shop.send()
    assert shop.error() == "ejected for 2 s: 5 connections in a row were refused"


def test_changed_timeouts_hold_for_new_exchanges() -> None:
    shop = Shop(is_silent, targets=1, timeouts=Timeouts(response_s=10.0))
    old = shop.send()
    shop.forwarder.set_service(
        KEY, ServiceSpec(ports=(8080,), protocol="http", timeouts=Timeouts(response_s=0.2))
    )
    new = shop.send()
    shop.network.advance(0.3)
    assert (bytes(old.got), bytes(new.got[9:12])) == (b"", b"504")
    shop.network.advance(11.0)
    assert bytes(old.got[9:12]) == b"504"


def test_a_connect_takes_as_long_as_the_service_allows() -> None:
    shop = Shop(answer_ok, targets=1, timeouts=Timeouts(connect_s=0.1))
    shop.network.silent.add(Address("10.0.0.1", 80))
    client = shop.send()
    shop.network.advance(0.11)
    assert bytes(client.got[9:12]) == b"502"
    assert not shop.is_in()

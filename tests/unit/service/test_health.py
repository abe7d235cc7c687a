"""Health of targets: first check, thresholds, GETs, ejection, settings that change."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any, get_args

import pytest

from router.model import limits
from router.model.errors import NOT_CHECKED
from router.model.settings import Health
from router.model.wording.other_protocol import NO_TLS
from router.net.ports import Connection, Dial, DialCode, DialFailure, Tls
from router.service.ports import TargetConfig, dial_failure
from router.service.targets.health import HealthChecks, pace
from router.service.targets.proxy_header import LOCAL_HEADER
from tests.unit.exchange.fakes import FakeDial, FakeNetwork, FakeTarget, Party

TARGET = "10.0.0.1:80"


class Watch:
    def __init__(self) -> None:
        self.network = FakeNetwork()
        self.changes: list[tuple[str, bool]] = []
        self.checks = HealthChecks(
            self.network, random.Random(1), lambda target, up: self.changes.append((target, up))
        )

    def check(self, health: Health | None = None, *, proxy_protocol: bool = False) -> None:
        """Check the one target as ``health`` says, from now on."""
        config = TargetConfig(
            connector="here", health=health or Health(), proxy_protocol=proxy_protocol
        )
        self.checks.set_targets({TARGET: config})

    def is_up(self) -> bool:
        return bool(self.changes) and self.changes[-1][1]

    def advance_until(self, look: Callable[[], bool], at_most_s: float = 60.0) -> float:
        """Let time pass until ``look``; how much it was."""
        began = self.network.now()
        while not look():
            assert self.network.now() < began + at_most_s, "it never comes to that"
            self.network.advance(0.01)
        return self.network.now() - began


def answering(text: bytes) -> Callable[[Party], None]:
    """A target that answers each GET with ``text`` and closes."""

    def answer(party: Party) -> None:
        if party.got.endswith(b"\r\n\r\n"):
            party.send(text)
            party.finish()

    return answer


def test_a_new_target_is_up_after_its_first_good_check() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check()
    watch.network.run()
    assert watch.changes == [(TARGET, True)]
    assert watch.checks.error_of(TARGET) == ""


def test_one_failed_check_takes_a_target_down_and_two_good_ones_bring_it_back() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check()
    watch.network.run()
    target.stop()
    watch.network.advance(1.2)
    assert watch.changes[1:] == [(TARGET, False)]
    assert "refused" in watch.checks.error_of(TARGET)
    target.start()
    watch.network.advance(0.9)
    assert len(watch.changes) == 2
    watch.network.advance(1.4)
    assert watch.changes[2:] == [(TARGET, True)]


def test_a_target_that_takes_connections_again_is_back_soon_after_the_first() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check(Health(interval_s=10.0))
    watch.network.run()
    up_at = watch.network.now()
    assert watch.checks.since(TARGET) == up_at
    target.stop()
    watch.advance_until(lambda: not watch.is_up())
    down_at = watch.network.now()
    watch.network.advance(20.0)
    assert down_at - 0.01 <= watch.checks.since(TARGET) <= down_at, "as long as it is down"
    target.start()
    watch.advance_until(lambda: len(target.parties) == 2)
    found_at = watch.network.now()
    watch.advance_until(watch.is_up)
    back_at = watch.checks.since(TARGET)
    assert 0.2 < back_at - found_at <= limits.HEALTH_CONFIRM_S * (1 + limits.HEALTH_SPREAD) + 0.02


def test_a_path_is_asked_for_at_its_interval_also_by_a_target_that_comes_back() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80, answering(b"HTTP/1.1 200 OK\r\n\r\n"))
    watch.check(Health(path="/", interval_s=5.0))
    watch.network.run()
    target.stop()
    watch.advance_until(lambda: not watch.is_up())
    target.start()
    seen = len(target.parties)
    watch.advance_until(lambda: len(target.parties) > seen)
    assert watch.advance_until(watch.is_up) > 4.0


def test_a_check_by_connecting_says_goodbye_and_does_not_reset() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check()
    watch.network.advance(3.0)
    assert len(target.parties) >= 3
    assert all(party.got_end and party.losses == [None] for party in target.parties)


def test_a_target_that_never_closes_is_left_when_the_check_is_over() -> None:
    watch = Watch()
    parties: list[Party] = []

    def accept(connection: Connection) -> Party:
        parties.append(Party())
        parties[-1].connection = connection
        return parties[-1]

    watch.network.listen("10.0.0.1", 80, accept)
    watch.check()
    watch.network.advance(limits.HEALTH_TIMEOUT_S + 0.1)
    assert watch.is_up()
    assert parties[0].was_reset
    watch.network.advance(10.0)
    assert watch.changes == [(TARGET, True)]
    assert sum(party.is_open for party in parties) <= 2


def test_a_target_that_talks_on_after_a_check_by_connecting_is_cut_off() -> None:
    watch = Watch()
    talkers: list[Party] = []

    def accept(connection: Connection) -> Party:
        talkers.append(Party())
        talkers[-1].connection = connection
        return talkers[-1]

    watch.network.listen("10.0.0.1", 80, accept)
    watch.check(Health(timeout_s=60, interval_s=3_600))
    watch.network.run()
    (talker,) = talkers
    for _ in range(3):
        assert talker.is_open
        talker.send(bytes(limits.HEALTH_BODY_BYTES_MAX // 2 - 1))
        watch.network.run()
    assert talker.was_reset
    assert watch.is_up()


def test_a_target_that_is_dead_for_minutes_is_checked_less_often_and_comes_back_as_any() -> None:
    watch = Watch()
    watch.check()  # Nothing listens.
    watch.network.advance(200.0)
    often = len(watch.network.dialed)
    assert often > 190
    watch.network.advance(300.0)
    before = len(watch.network.dialed)
    watch.network.advance(100.0)
    assert 8 <= len(watch.network.dialed) - before <= 12
    FakeTarget(watch.network, "10.0.0.1", 80)
    assert watch.advance_until(watch.is_up) < 2 * limits.HEALTH_DEAD_INTERVAL_S
    found = len(watch.network.dialed)
    watch.network.advance(10.0)
    assert len(watch.network.dialed) - found >= 9, "it is checked as before"


class NotedNetwork(FakeNetwork):
    """Notes when each dial began."""

    def __init__(self) -> None:
        super().__init__()
        self.dialed_at: list[float] = []

    def dial(self, *words: Any, **more: Any) -> Dial:
        self.dialed_at.append(self.now())
        return super().dial(*words, **more)


def test_checks_become_rare_after_exactly_so_many_bad_ones() -> None:
    watch = Watch()
    watch.network = network = NotedNetwork()
    watch.checks = HealthChecks(network, random.Random(1), lambda target, up: None)
    watch.check()  # Nothing listens.
    network.advance(2.0 * limits.HEALTH_DEAD_AFTER)
    pauses = [later - at for at, later in pairwise(network.dialed_at)]
    usual, rare = pauses[: limits.HEALTH_DEAD_AFTER], pauses[limits.HEALTH_DEAD_AFTER :]
    assert max(usual) <= 1 + limits.HEALTH_SPREAD < 2 - 2 * limits.HEALTH_SPREAD <= min(rare)


def test_a_longer_interval_than_that_of_dead_targets_stays() -> None:
    assert pace(60.0, 10_000) == pace(60.0, 0) == 60.0
    assert pace(0.1, 10_000) == limits.HEALTH_DEAD_INTERVAL_S
    assert pace(1.0, limits.HEALTH_DEAD_AFTER) == 1.0
    assert pace(1.0, limits.HEALTH_DEAD_AFTER + 2) == 4.0


def test_a_target_that_does_not_answer_in_time_is_down() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check()
    watch.network.run()
    watch.network.silent.add(target.address)
    watch.network.advance(1.2 + limits.HEALTH_TIMEOUT_S)
    assert watch.changes[1:] == [(TARGET, False)]


def test_a_failed_connect_of_a_request_takes_it_down_at_once() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check()
    watch.network.run()
    watch.checks.connect_failed(TARGET, "refused")
    assert watch.changes[1:] == [(TARGET, False)]
    watch.network.advance(2.5)
    assert watch.changes[2:] == [(TARGET, True)]


def test_a_lack_of_descriptors_here_says_nothing_of_a_target() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check()
    watch.network.run()
    watch.network.is_exhausted = True
    watch.network.advance(5)
    watch.network.is_exhausted = False
    watch.network.advance(5)
    assert watch.changes == [(TARGET, True)]


class RefusingNetwork(FakeNetwork):
    """No dial succeeds, for a reason of ``code``."""

    code: DialCode = "refused"
    reason = "a reason"

    def dial(
        self, host: str, port: int, connected: Any, failed: Callable[[DialFailure], None], **_: Any
    ) -> Dial:
        self.soon(lambda: failed(DialFailure(self.code, self.reason)))
        return FakeDial()


@pytest.mark.parametrize("code", get_args(DialCode))
def test_a_dial_that_fails_speaks_against_its_target_unless_the_lack_is_here(
    code: DialCode,
) -> None:
    watch = Watch()
    watch.network = RefusingNetwork()
    watch.network.code = code
    watch.checks = HealthChecks(watch.network, random.Random(1), lambda target, up: None)
    watch.check()
    watch.network.run()
    assert watch.checks.error_of(TARGET) == (NOT_CHECKED if code == "exhausted" else "a reason")


def test_a_target_without_tls_is_down_with_the_flag_that_fits() -> None:
    watch = Watch()
    watch.network = RefusingNetwork()
    watch.network.reason = reason = f"TLS handshake with {TARGET} failed: {NO_TLS}"
    watch.checks = HealthChecks(watch.network, random.Random(1), lambda target, up: None)
    watch.check()
    watch.network.run()
    flag = 'A target without TLS is bound with --tls-trust ""'
    assert watch.checks.error_of(TARGET) == f"{reason}. {flag}"
    assert dial_failure(DialFailure("refused", reason)).reason == f"{reason}. {flag}"


def test_a_removed_target_is_checked_no_more() -> None:
    watch = Watch()
    watch.check()
    watch.checks.set_targets({})
    watch.network.advance(5)
    assert watch.changes == []
    assert watch.checks.error_of(TARGET) == "not checked"


TLS = Tls(context=None, certificate=b"", alpn=())


def test_a_target_that_must_not_be_dialed_is_down_with_the_reason() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    unusable = TargetConfig(connector="c", unusable="ca.crt is not there")
    watch.checks.set_targets({TARGET: unusable})
    watch.network.advance(5)
    assert watch.network.dialed == []
    assert watch.checks.error_of(TARGET) == "ca.crt is not there"
    watch.checks.set_targets({TARGET: TargetConfig(connector="c", tls=TLS)})
    watch.network.advance(limits.HEALTH_TLS_LOOK_S)
    assert watch.changes == [(TARGET, True)]
    assert watch.network.dialed_tls == [TLS]
    watch.checks.set_targets({TARGET: unusable})
    assert watch.changes[1:] == [(TARGET, False)]
    watch.network.advance(5)
    assert watch.changes[2:] == []


def test_a_target_is_told_that_a_check_is_no_client() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets({TARGET: TargetConfig(connector="c", proxy_protocol=True)})
    watch.network.run()
    (party,) = target.parties
    assert bytes(party.got) == LOCAL_HEADER
    assert party.got_end and not party.losses
    watch.network.advance(limits.HEALTH_TIMEOUT_S)
    assert party.was_reset  # It would not close its side.


def test_a_check_by_tls_says_so_before_its_handshake() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets({TARGET: TargetConfig(connector="c", tls=TLS, proxy_protocol=True)})
    watch.network.advance(limits.HEALTH_TLS_LOOK_S)
    (tls,) = watch.network.dialed_tls
    assert tls is not None and tls.preface == LOCAL_HEADER
    assert target.parties[0].got_end


def test_so_many_failures_in_a_row_take_it_down_and_so_many_good_ones_bring_it_back() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check(Health(down_after=3, up_after=4, interval_s=1.0))
    watch.network.run()
    target.stop()
    assert 1.9 <= watch.advance_until(lambda: not watch.is_up()) <= 3.3
    target.start()
    soon_s = limits.HEALTH_CONFIRM_S  # To the second, then at the interval again.
    assert 1.7 + soon_s <= watch.advance_until(lambda: watch.is_up()) <= 3.4 + soon_s


def test_a_failure_between_good_checks_counts_for_nothing_but_itself() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check(Health(down_after=2))
    watch.network.run()
    for _ in range(5):
        watch.checks.connect_failed(TARGET, "refused")
        watch.network.advance(1.2)
    assert watch.changes == [(TARGET, True)]
    watch.checks.connect_failed(TARGET, "refused")
    watch.checks.connect_failed(TARGET, "refused")
    assert not watch.is_up()


def test_checks_of_many_targets_drift_apart_and_keep_their_interval() -> None:
    watch = Watch()
    configs = {
        f"10.0.0.{n}:80": TargetConfig(connector="c", health=Health(interval_s=10))
        for n in range(1, 9)
    }
    watch.checks.set_targets(configs)
    watch.network.advance(100.0)
    assert 8 * 9 <= len(watch.network.dialed) <= 8 * 12
    assert len(set(watch.network.dialed)) == 8


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", ""),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 99_000, ""),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "answered 503 to GET /healthz"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "answered 404 to GET /healthz"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "closed the connection within"),
        (b"", "closed the connection within the response (GET /healthz)"),
        (b"nonsense\r\n\r\n", "malformed"),
    ],
)
def test_a_path_must_be_answered_wholly_and_well(answer: bytes, error: str) -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80, answering(answer))
    watch.check(Health(path="/healthz"))
    watch.network.run()
    assert watch.is_up() == (not error)
    assert error in watch.checks.error_of(TARGET)
    party = target.parties[0]
    assert bytes(party.got) == (
        b"GET /healthz HTTP/1.1\r\nHost: 10.0.0.1:80\r\nUser-Agent: spillway-health\r\n"
        b"Connection: close\r\n\r\n"
    )
    assert not party.is_open
    assert len(target.parties) == 1, "a redirect is not followed"


def test_a_whole_good_answer_is_not_followed_by_a_reset() -> None:
    watch = Watch()
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    target = FakeTarget(watch.network, "10.0.0.1", 80, answering(ok))
    watch.check(Health(path="/"))
    watch.network.run()
    assert target.parties[0].losses == [None]


def test_a_target_that_keeps_its_connection_open_is_left_at_the_checks_end() -> None:
    watch = Watch()
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    target = FakeTarget(
        watch.network, "10.0.0.1", 80, lambda party: party.send(ok), keeps_open=True
    )
    watch.check(Health(path="/", timeout_s=0.5, interval_s=60))
    watch.network.run()
    assert watch.is_up()
    assert target.serving
    watch.network.advance(0.6)
    assert not target.serving


def test_a_path_that_is_not_answered_in_time_is_a_failure() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check(Health(path="/slow", timeout_s=0.3))
    watch.network.advance(0.31)
    assert watch.checks.error_of(TARGET) == "did not answer GET /slow within 0.3 s"
    assert not target.serving


def test_a_target_that_is_told_of_clients_is_told_that_a_check_stands_for_none() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check(Health(path="/"), proxy_protocol=True)
    watch.network.run()
    assert target.parties[0].got.startswith(b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00GET / ")


def test_settings_change_while_it_is_checked_and_what_was_found_stands() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check(Health(interval_s=3_600))
    watch.network.run()
    assert watch.is_up()
    watch.check(Health(path="/healthz", interval_s=0.5, timeout_s=0.2))
    watch.network.run()
    assert watch.is_up()
    watch.network.advance(0.8)
    assert not watch.is_up()
    assert b"GET /healthz" in target.parties[-1].got
    watch.check(Health(interval_s=0.5))
    watch.network.advance(1.2)
    assert watch.is_up()


def test_another_capacity_changes_nothing_about_the_checks() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check()
    for capacity in range(100):
        watch.checks.set_targets({TARGET: TargetConfig(connector="here", capacity=capacity)})
        watch.network.advance(0.1)
    assert 9 <= len(watch.network.dialed) <= 12


def test_an_ejected_target_is_not_checked_until_its_time_and_then_one_good_check_is_enough() -> (
    None
):
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check(Health(up_after=5))
    watch.network.run()
    watch.checks.eject(TARGET, 4.0, "ejected for 4 s: 5 requests in a row were reset")
    assert watch.changes[1:] == [(TARGET, False)]
    assert watch.checks.is_ejected(TARGET)
    dials = len(watch.network.dialed)
    watch.network.advance(3.9)
    assert len(watch.network.dialed) == dials
    assert watch.checks.error_of(TARGET).startswith("ejected for 4 s")
    watch.network.advance(0.2)
    assert watch.is_up()
    assert not watch.checks.is_ejected(TARGET)


def test_an_ejected_target_that_fails_its_check_needs_good_ones_as_any_other() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check()
    watch.network.run()
    watch.checks.eject(TARGET, 4.0, "ejected")
    target.stop()
    watch.network.advance(4.1)
    assert "refused" in watch.checks.error_of(TARGET)
    target.start()
    watch.network.advance(1.2)
    assert not watch.is_up()
    watch.network.advance(1.2)
    assert watch.is_up()


def test_a_recalled_target_is_checked_at_once() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check()
    watch.network.run()
    watch.checks.eject(TARGET, 60.0, "ejected")
    watch.checks.recall()
    watch.network.run()
    assert watch.is_up()


def test_a_removed_target_leaves_no_connection_of_a_check() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check(Health(path="/"))
    watch.network.run()
    assert target.serving
    watch.checks.set_targets({})
    watch.network.advance(5)
    assert not target.serving
    assert len(target.parties) == 1


class TlsTarget:
    """Takes each connection, and does ``then`` so long after its handshake."""

    def __init__(self, network: FakeNetwork) -> None:
        self.network = network
        self.connections: list[Connection] = []
        self.then: tuple[float, str] = (0.0, "")
        network.listen("10.0.0.1", 80, self.accept)

    def accept(self, connection: Connection) -> Party:
        self.connections.append(connection)
        after_s, what = self.then
        if what:
            self.network.call_at(self.network.now() + after_s, getattr(connection, what))
        party = Party()
        party.connection = connection
        return party


BY_TLS = TargetConfig(connector="c", tls=TLS)


@pytest.mark.parametrize(
    ("after_s", "ready"), [(0.02, False), (2 * limits.HEALTH_TLS_LOOK_S, True)]
)
def test_a_target_that_breaks_off_right_after_a_tls_handshake_is_down(
    after_s: float, ready: bool
) -> None:
    watch = Watch()
    TlsTarget(watch.network).then = (after_s, "abort")
    watch.checks.set_targets({TARGET: BY_TLS})
    watch.network.advance(0.5)
    assert watch.checks.is_ready(TARGET) is ready
    if not ready:
        assert watch.checks.error_of(TARGET) == (
            "broke off right after the TLS handshake: connection reset by peer"
        )


def test_a_target_that_speaks_or_ends_after_a_tls_handshake_is_up_at_once() -> None:
    watch = Watch()
    TlsTarget(watch.network).then = (0.02, "finish")
    watch.checks.set_targets({TARGET: BY_TLS})
    watch.network.advance(0.03)
    assert watch.checks.is_ready(TARGET)


def test_a_check_by_tls_ends_within_its_own_time() -> None:
    watch = Watch()
    target = TlsTarget(watch.network)
    health = Health(timeout_s=0.05)
    watch.checks.set_targets({TARGET: TargetConfig(connector="c", tls=TLS, health=health)})
    watch.network.advance(0.06)
    assert watch.checks.is_ready(TARGET)
    assert all(connection.over for connection in target.connections)  # type: ignore[attr-defined]


def test_a_recall_leaves_targets_alone_that_no_request_put_out() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check()
    watch.network.run()
    watch.checks.recall()
    watch.network.run()
    assert len(target.parties) == 1


def test_a_request_that_fails_to_connect_says_nothing_of_a_target_that_is_out_already() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.check(Health(down_after=1))
    watch.network.run()
    watch.checks.eject(TARGET, 60.0, "ejected")
    watch.checks.connect_failed(TARGET, "refused")
    watch.checks.connect_failed("10.0.0.9:80", "refused")
    assert watch.checks.error_of(TARGET) == "ejected" and watch.checks.is_ejected(TARGET)
    watch.network.advance(61.0)
    assert watch.is_up(), "one good check is enough"


def test_after_a_change_of_their_settings_targets_are_checked_soon_and_not_all_at_once() -> None:
    watch = Watch()
    watch.network = network = NotedNetwork()
    watch.checks = HealthChecks(network, random.Random(1), lambda target, up: None)
    targets = [f"10.0.0.{number}:80" for number in range(1, 21)]
    for interval_s in (60.0, 30.0):
        health = Health(interval_s=interval_s)
        config = TargetConfig(connector="c", health=health)
        watch.checks.set_targets(dict.fromkeys(targets, config))
        network.run()
    changed_at = network.now()
    assert len(network.dialed_at) == 20, "the first ones"
    network.advance(limits.HEALTH_INTERVAL_S)
    after_s = [at - changed_at for at in network.dialed_at[20:]]
    assert len(after_s) == 20
    assert min(after_s) < 0.3 * limits.HEALTH_INTERVAL_S
    assert max(after_s) > 0.7 * limits.HEALTH_INTERVAL_S

"""Names whose addresses change, vanish or cannot be asked for, at a clock of the test's own."""

import errno
import socket
import threading
import time
from collections import Counter

import pytest

from router.model import limits
from router.net.epoll import EpollNetwork
from router.net.ports import Address, Connection, DialFailure
from tests.scenario.waiting import own_time
from tests.unit.net.recorder import Recorder
from tests.unit.net.self_host import SelfHost


class JumpingHost(SelfHost):
    """Real time, with jumps forward over intervals that no test waits for."""

    def __init__(self) -> None:
        super().__init__()
        self._jumped_s = 0.0

    def now(self) -> float:
        return time.monotonic() + self._jumped_s

    def jump(self, seconds: float) -> None:
        self._jumped_s += seconds


class Names:
    """A network whose name ``shop`` resolves to what the test says, and targets there."""

    def __init__(self) -> None:
        self.host = JumpingHost()
        self.answer: tuple[str, ...] = ()
        self.asked = 0
        self.faults: list[Exception] = []  # Of the next look-ups.
        self.gate = threading.Event()
        self.gate.set()
        self.network = EpollNetwork(self.host, lookup=self._look_up)
        self.port = 0

    def _look_up(self, name: str) -> tuple[str, ...]:
        self.asked += 1
        self.gate.wait(10.0)
        if self.faults:
            raise self.faults.pop()
        return self.answer

    def listen(self, *hosts: str) -> None:
        for host in hosts:
            listener = self.network.listen(host, self.port, lambda connection: Recorder())
            self.port = listener.address.port

    def dial(self, timeout_s: float = 2.0) -> Address | DialFailure:
        """Where one dial of ``shop`` led, or why nowhere."""
        outcome: list[Address | DialFailure] = []

        def connected(connection: Connection) -> Recorder:
            outcome.append(connection.peer)
            connection.abort()
            return Recorder()

        self.network.dial("shop", self.port, connected, outcome.append, timeout_s=timeout_s)
        self.host.run_while(lambda: not outcome)
        return outcome[0]

    def host_dialed(self) -> str:
        outcome = self.dial()
        assert isinstance(outcome, Address), outcome
        return outcome.host


@pytest.fixture
def names() -> Names:
    return Names()


def test_new_connections_are_spread_over_the_addresses_of_a_name(names: Names) -> None:
    names.answer = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
    names.listen(*names.answer)
    assert Counter(names.host_dialed() for _ in range(9)) == dict.fromkeys(names.answer, 3)
    assert names.asked == 1
    names.network.close()


@pytest.mark.parametrize(
    "hidden", ["169.254.169.254", "fe80::1", "::ffff:169.254.1.1", "fd00:ec2::254"]
)
def test_a_name_leads_to_a_link_local_address_only_where_that_is_allowed(
    names: Names, hidden: str
) -> None:
    names.answer = (hidden,)
    names.network.close()
    tried: list[int] = []

    def no_socket(family: socket.AddressFamily) -> socket.SocketType:
        tried.append(family)
        raise OSError(errno.ENETUNREACH, "nothing leaves this test")

    names.network = EpollNetwork(names.host, lookup=lambda name: names.answer, new_socket=no_socket)
    refused = names.dial()
    assert isinstance(refused, DialFailure) and "--allow-link-local" in refused.reason
    assert not tried
    names.network.allow_link_local(frozenset({"shop"}))
    assert isinstance(names.dial(), DialFailure) and len(tried) == 1
    names.network.close()


def test_of_several_addresses_those_that_are_link_local_are_left_out(names: Names) -> None:
    names.answer = ("169.254.169.254", "127.0.0.2")
    names.listen("127.0.0.2")
    assert names.host_dialed() == "127.0.0.2"
    names.network.close()


def test_the_family_that_the_system_prefers_stays_first(names: Names) -> None:
    names.answer = ("::1", "127.0.0.2")
    names.listen("::1", "127.0.0.2")
    assert {names.host_dialed() for _ in range(4)} == {"::1"}
    assert names.network.is_current("shop", "::1")
    names.network.close()


def test_an_ipv6_address_that_refuses_is_followed_by_one_that_answers(names: Names) -> None:
    names.answer = ("::1", "127.0.0.2")
    names.listen("127.0.0.2")
    assert names.host_dialed() == "127.0.0.2"
    names.network.close()


def test_a_changed_answer_is_followed_once_the_old_one_is_no_longer_fresh(names: Names) -> None:
    names.answer = ("127.0.0.2",)
    names.listen("127.0.0.2", "127.0.0.3")
    assert names.host_dialed() == "127.0.0.2"
    names.answer = ("127.0.0.3",)
    assert names.host_dialed() == "127.0.0.2", "two seconds are not over"
    assert names.network.is_current("shop", "127.0.0.2")
    names.host.jump(limits.RESOLVE_FRESH_S)
    assert names.host_dialed() == "127.0.0.3"
    assert not names.network.is_current("shop", "127.0.0.2")
    names.network.close()


def test_an_empty_answer_leaves_the_last_good_one_in_use_and_is_told(names: Names) -> None:
    names.answer = ("127.0.0.2",)
    names.listen("127.0.0.2")
    assert names.host_dialed() == "127.0.0.2"
    names.answer = ()
    names.host.jump(limits.RESOLVE_FRESH_S)
    assert names.host_dialed() == "127.0.0.2"
    assert names.network.is_current("shop", "127.0.0.2")
    names.port = 1
    names.host.jump(7)
    failure = names.dial()
    assert isinstance(failure, DialFailure)
    assert failure.code == "refused"
    assert failure.reason.startswith("shop:1 (127.0.0.2) refused the connection, an address of")
    assert "has not been resolved for 7 s" in failure.reason
    names.network.close()


def test_a_look_up_that_hangs_holds_nobody_up_who_has_an_answer_of_before(names: Names) -> None:
    names.answer = ("127.0.0.2",)
    names.listen("127.0.0.2")
    assert names.host_dialed() == "127.0.0.2"
    names.host.jump(limits.RESOLVE_FRESH_S)
    names.gate.clear()
    began = own_time()
    assert [names.host_dialed() for _ in range(50)] == ["127.0.0.2"] * 50
    assert own_time() - began < 2.0, "only the first waits, and not long"
    assert names.asked == 2
    names.answer = ("127.0.0.2", "127.0.0.3")
    names.gate.set()
    names.host.run_while(lambda: not names.network.is_current("shop", "127.0.0.3"))
    names.network.close()


def test_a_name_that_fails_is_asked_for_less_and_less_often_and_found_again(names: Names) -> None:
    names.port = 1
    for _ in range(200):
        failure = names.dial()
        assert isinstance(failure, DialFailure)
        assert failure.code == "name"
        names.host.jump(0.1)
    fewest = int(20 / limits.RESOLVE_RETRY_MAX_S)
    assert fewest <= names.asked <= fewest + 5
    names.answer = ("127.0.0.2",)
    names.port = 0
    names.listen("127.0.0.2")
    names.host.jump(limits.RESOLVE_RETRY_MAX_S)
    assert names.host_dialed() == "127.0.0.2"
    names.network.close()


def test_look_ups_without_memory_end_no_later_ones(names: Names) -> None:
    names.faults = [MemoryError() for _ in range(limits.RESOLVE_THREADS)]
    names.port = 1
    while names.faults:
        failure = names.dial()
        assert isinstance(failure, DialFailure) and failure.code == "name"
        names.host.jump(limits.RESOLVE_RETRY_MAX_S)
    names.port = 0
    names.answer = ("127.0.0.2",)
    names.listen("127.0.0.2")
    assert names.host_dialed() == "127.0.0.2"
    names.network.close()


def test_a_dial_that_ends_before_its_name_is_resolved_says_so(names: Names) -> None:
    names.gate.clear()
    names.port = 80
    failure = names.dial(timeout_s=0.02)
    assert isinstance(failure, DialFailure)
    assert failure.code == "timeout"
    assert failure.reason == "shop:80 could not be resolved within 0.02 s"
    names.network.close()
    names.gate.set()


def test_an_address_in_ipv6_dress_is_known_as_the_socket_tells_it(names: Names) -> None:
    names.answer = ("::ffff:127.0.0.2",)
    names.listen("127.0.0.2")
    assert names.network.is_current("shop", names.host_dialed())
    names.network.close()


def test_a_number_is_always_current_and_so_is_a_name_never_asked_for(names: Names) -> None:
    assert names.network.is_current("127.0.0.1", "127.0.0.1")
    assert names.network.is_current("other", "127.0.0.9")
    names.network.close()


def test_an_address_that_takes_no_connection_is_tried_last_for_a_while(names: Names) -> None:
    names.answer = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
    names.listen("127.0.0.2", "127.0.0.4")
    assert Counter(names.host_dialed() for _ in range(2)) == {"127.0.0.2": 1, "127.0.0.4": 1}
    shared = Counter(names.host_dialed() for _ in range(12))
    assert shared == {"127.0.0.2": 6, "127.0.0.4": 6}
    names.listen("127.0.0.3")
    names.host.jump(limits.ADDRESS_SHUNNED_S)
    assert names.host_dialed() in names.answer
    assert Counter(names.host_dialed() for _ in range(9)) == dict.fromkeys(names.answer, 3)
    names.network.close()


def test_with_all_addresses_failing_all_are_tried_each_time(names: Names) -> None:
    names.answer = ("127.0.0.2", "127.0.0.3")
    names.listen("127.0.0.4")  # To reserve a port that is otherwise unused.
    assert isinstance(names.dial(), DialFailure)
    names.listen("127.0.0.3")
    assert {names.host_dialed() for _ in range(4)} == {"127.0.0.3"}
    names.network.close()

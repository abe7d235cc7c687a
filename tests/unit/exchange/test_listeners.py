"""Listeners: bound as wanted, a reported problem when they cannot be."""

import pytest

from router.exchange.clients.listeners import Listeners, Where, is_same_place
from router.model import limits
from router.model.ids import ServiceKey
from router.model.settings import ServiceLimits
from router.net.ports import Address, Connection, ConnectionHandler, Tls
from router.service.ports import NoTls
from tests.unit.exchange.fakes import FakeNetwork, Party

KEY = ServiceKey("shop", 80)
WHERE = ("127.0.0.1", 80)
PLACE = Address(*WHERE)


class Door:
    def __init__(self, connections_max: int = 100, **bounds: int) -> None:
        self.network = FakeNetwork()
        self.limits = ServiceLimits(**bounds)
        self.held = False
        self.listeners = Listeners(
            self.network,
            self.accept,
            lambda key: self.limits,
            connections_max,
            is_held=lambda key: self.held,
        )
        self.accepted: list[Party] = []

    def accept(self, key: ServiceKey, connection: Connection) -> ConnectionHandler:
        party = Party()
        party.connection = connection
        self.accepted.append(party)
        return party

    def error(self) -> str:
        return self.listeners.states()[KEY].error


def test_listeners_are_bound_and_closed_as_wanted() -> None:
    door = Door()
    door.listeners.set_listeners({KEY: WHERE})
    assert set(door.network.listening) == {PLACE}
    door.listeners.set_listeners({KEY: ("127.0.0.2", 80)})
    assert set(door.network.listening) == {Address("127.0.0.2", 80)}
    door.listeners.close()
    assert not door.network.listening
    assert door.listeners.states() == {}


def test_a_listener_is_bound_at_its_own_port_alone_and_only_while_it_is() -> None:
    door = Door()
    door.network.taken.add(PLACE)
    door.listeners.set_listeners({KEY: WHERE})
    bound = [door.listeners.is_bound(KEY, 80)]
    door.network.taken.clear()
    door.network.advance(limits.LISTEN_RETRY_S)
    other = ServiceKey("shop", 81)
    bound += [door.listeners.is_bound(*one) for one in ((KEY, 80), (KEY, 81), (other, 80))]
    door.listeners.close()
    assert [*bound, door.listeners.is_bound(KEY, 80)] == [False, True, False, False, False]


def test_the_state_of_a_listener_is_made_again_only_when_it_is_another() -> None:
    door = Door()
    door.network.taken.add(PLACE)
    door.listeners.set_listeners({KEY: WHERE})
    said = []
    for tls in (None, NoTls("a", "x"), NoTls("b", "x"), NoTls("a", "x"), NoTls("a", "y"), None):
        door.listeners.set_listeners({KEY: WHERE}, {KEY: tls} if tls is not None else {})
        state = door.listeners.states()[KEY]
        assert door.listeners.states()[KEY] is state
        said.append((state.error, state.hint))
        assert (state.host, state.port, state.listening) == (*WHERE, False)
    speak = [(f"it must speak TLS: {reason}", hint) for reason, hint in ("ax", "bx", "ax", "ay")]
    taken = ("cannot listen on 127.0.0.1:80: Address already in use", "")
    assert said == [taken, *speak, taken]
    door.network.taken.clear()
    door.network.advance(limits.LISTEN_RETRY_S)
    state = door.listeners.states()[KEY]
    assert (state.host, state.port, state.listening) == (*WHERE, True)
    assert door.listeners.states()[KEY] is state


def test_a_taken_port_is_a_problem_that_heals_by_itself() -> None:
    door = Door()
    door.network.taken.add(PLACE)
    door.listeners.set_listeners({KEY: WHERE})
    assert "Address already in use" in door.error()
    assert not door.listeners.states()[KEY].listening
    door.network.taken.clear()
    door.network.advance(limits.LISTEN_RETRY_S)
    assert door.error() == ""
    assert door.listeners.states()[KEY].listening


def test_a_listener_of_a_process_that_follows_is_bound_only_while_the_first_has_it() -> None:
    door = Door()
    led: set[ServiceKey] = set()

    def may_listen(key: ServiceKey, where: Where) -> bool:
        return where == WHERE and key in led

    door.listeners.follow(may_listen)
    door.listeners.set_listeners({KEY: WHERE})
    assert "first worker" in door.error() and not door.network.listening
    led.add(KEY)
    door.network.advance(limits.LISTEN_RETRY_S)
    assert door.error() == "" and door.network.listening
    led.clear()
    door.listeners.follow(may_listen)
    assert "first worker" in door.error() and not door.network.listening
    led.add(KEY)
    door.listeners.follow(may_listen)
    assert door.error() == "" and door.network.listening
    bound = dict(door.network.listening)
    door.listeners.follow(may_listen)
    assert dict(door.network.listening) == bound, "nothing changed: none is closed and bound again"


def test_a_listener_is_never_bound_where_a_target_is() -> None:
    door = Door()
    door.listeners.set_listeners({KEY: WHERE})
    door.listeners.set_targets(KEY, frozenset({"127.0.0.1:80"}))
    assert not door.network.listening
    assert "own address" in door.error()
    door.network.taken.add(PLACE)
    door.listeners.set_targets(KEY, frozenset())
    assert "Address already in use" in door.error()
    door.network.taken.clear()
    door.network.advance(limits.LISTEN_RETRY_S)
    assert set(door.network.listening) == {PLACE}
    assert door.error() == ""


@pytest.mark.parametrize(
    ("listen", "target", "same"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80), True),
        (("127.0.0.1", 80), ("127.0.0.1", 81), False),
        (("127.0.0.1", 80), ("127.0.0.2", 80), False),
        (("0.0.0.0", 80), ("127.0.0.2", 80), True),
        (("0.0.0.0", 80), ("localhost", 80), True),
        (("127.0.0.1", 80), ("localhost", 80), True),
        (("0.0.0.0", 80), ("10.0.0.1", 80), False),
        (("::", 80), ("::1", 80), True),
    ],
)
def test_a_target_is_a_listener_when_a_connection_would_end_there(
    listen: tuple[str, int], target: tuple[str, int], same: bool
) -> None:
    assert is_same_place(listen, target) is same


def connect(door: Door, where: tuple[str, int] = WHERE) -> None:
    door.network.dial(*where, lambda connection: Party(), lambda failure: None, timeout_s=1.0)
    door.network.run()


def connection_of(party: Party) -> Connection:
    assert party.connection is not None
    return party.connection


def test_a_listener_full_of_connections_pauses_until_one_is_gone() -> None:
    door = Door(connections=2)
    door.listeners.set_listeners({KEY: WHERE})
    connect(door)
    assert not door.network.is_paused(PLACE)
    assert door.listeners.full_ports() == {}
    connect(door)
    assert door.network.is_paused(PLACE)
    assert door.listeners.full_ports() == {KEY: 2}
    door.listeners.gone(KEY, connection_of(door.accepted[0]))
    assert not door.network.is_paused(PLACE)
    assert door.listeners.full_ports() == {}


def test_a_listener_that_is_closed_while_it_is_full_is_full_no_more() -> None:
    door = Door(connections=1)
    door.listeners.set_listeners({KEY: WHERE})
    connect(door)
    door.listeners.set_listeners({})
    assert door.listeners.full_ports() == {}
    door.listeners.set_listeners({KEY: WHERE})
    assert door.listeners.full_ports() == {KEY: 1}, "its client is there still"


def test_all_listeners_together_pause_at_the_limit_of_the_process() -> None:
    door = Door(connections_max=2)
    other, there = ServiceKey("cart", 81), ("127.0.0.1", 81)
    door.listeners.set_listeners({KEY: WHERE, other: there})
    connect(door)
    connect(door, there)
    assert door.network.is_paused(PLACE)
    assert door.network.is_paused(Address(*there))
    assert door.listeners.full_ports() == {}, "none by its own limit"
    full_of = []
    for most in (None, 1, None):  # While memory is short it is not for want of descriptors.
        door.listeners.cap(most)
        full_of.append(door.listeners.full_of)
    door.listeners.gone(other, connection_of(door.accepted[1]))
    assert [*full_of, door.listeners.full_of] == [2, None, 2, None]
    assert not door.network.is_paused(PLACE)
    assert not door.network.is_paused(Address(*there))


def test_all_pause_also_if_fewer_are_allowed_than_are_there() -> None:
    door = Door(connections_max=3)
    door.listeners.set_listeners({KEY: WHERE})
    for _ in range(3):
        connect(door)
    door.listeners.cap(1)
    door.listeners.gone(KEY, connection_of(door.accepted[0]))
    assert door.network.is_paused(PLACE), "two are left"
    door.listeners.gone(KEY, connection_of(door.accepted[1]))
    assert door.network.is_paused(PLACE)
    door.listeners.gone(KEY, connection_of(door.accepted[2]))
    assert not door.network.is_paused(PLACE)


def test_a_source_with_too_many_connections_gets_no_more_until_one_is_gone() -> None:
    door = Door(connections_per_source=2)
    door.listeners.set_listeners({KEY: WHERE})
    for _ in range(4):
        connect(door)
    assert len(door.accepted) == 2
    assert door.listeners.refused[KEY] == 2
    assert not door.network.is_paused(PLACE)
    door.listeners.gone(KEY, connection_of(door.accepted[0]))
    connect(door)
    assert len(door.accepted) == 3
    for gone in door.accepted[1:3]:
        door.listeners.gone(KEY, connection_of(gone))
    for _ in range(3):
        connect(door)
    assert len(door.accepted) == 5, "once all are gone, as many again"


def test_a_service_port_that_was_removed_counts_from_0_when_it_comes_again() -> None:
    door = Door(connections_per_source=1)
    door.listeners.set_listeners({KEY: WHERE})
    for _ in range(3):
        connect(door)
    door.listeners.tls_failed(PLACE)
    assert (door.listeners.refused, door.listeners.tls_failures) == ({KEY: 2}, {KEY: 1})
    door.listeners.forget(KEY)
    assert (door.listeners.refused, door.listeners.tls_failures) == ({}, {})


def test_a_source_with_more_than_it_may_have_by_now_gets_no_more() -> None:
    door = Door(connections_per_source=4)
    door.listeners.set_listeners({KEY: WHERE})
    for _ in range(3):
        connect(door)
    door.limits = ServiceLimits(connections_per_source=2)
    accepted = []
    for gone in (0, 1, 2):
        connect(door)
        accepted.append(len(door.accepted))
        door.listeners.gone(KEY, connection_of(door.accepted[gone]))
    assert accepted == [3, 3, 4]


def test_addresses_of_one_ipv6_network_are_one_source() -> None:
    """Who has one of a /64 has them all."""
    door = Door(connections_per_source=2)
    door.listeners.set_listeners({KEY: WHERE})
    for host in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"):
        door.network.client_host = host
        connect(door)
    accepted = [connection_of(party).peer.host for party in door.accepted]
    assert accepted == ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
    door.listeners.gone(KEY, connection_of(door.accepted[0]))
    door.network.client_host = "2001:db8::4"
    connect(door)
    assert len(door.accepted) == 4


def test_many_connections_of_one_source_are_served_until_places_get_scarce() -> None:
    door = Door(10_000, connections=1_000)
    door.listeners.set_listeners({KEY: WHERE})
    for _ in range(1_000):
        connect(door)
    assert 512 < len(door.accepted) < 1_000, "no fixed number, and some places are left"
    assert door.listeners.refused[KEY] == 1_000 - len(door.accepted)
    assert not door.network.is_paused(PLACE)


def test_a_source_has_one_share_over_all_listeners() -> None:
    door = Door(connections_max=1_000)
    other, there = ServiceKey("cart", 81), ("127.0.0.1", 81)
    door.listeners.set_listeners({KEY: WHERE, other: there})
    for _ in range(1_000):
        connect(door)
        connect(door, there)
    assert 800 < len(door.accepted) < 900
    for party in door.accepted:
        door.listeners.gone(KEY if party in door.accepted[::2] else other, connection_of(party))
    before = len(door.accepted)
    connect(door)
    assert len(door.accepted) == before + 1


def test_a_held_listener_accepts_again_when_it_is_let_go() -> None:
    door = Door()
    door.listeners.set_listeners({KEY: WHERE})
    door.held = True
    door.listeners.reconsider()
    assert door.network.is_paused(PLACE)
    door.held = False
    door.listeners.reconsider()
    assert not door.network.is_paused(PLACE)


def tls(name: bytes = b"one") -> Tls:
    return Tls(context=None, certificate=name, alpn=())


def test_a_listener_that_must_speak_tls_and_cannot_is_not_bound_at_all() -> None:
    door = Door()
    refusal = NoTls("secrets/tls/shop/tls.crt is not there", "Put it there")
    door.listeners.set_listeners({KEY: WHERE}, {KEY: refusal})
    door.network.advance(3 * limits.LISTEN_RETRY_S)
    assert not door.network.listening
    assert door.error() == "it must speak TLS: secrets/tls/shop/tls.crt is not there"
    assert door.listeners.states()[KEY].hint == "Put it there"
    good = tls()
    door.listeners.set_listeners({KEY: WHERE}, {KEY: good})
    assert door.network.listening_tls[PLACE] is good
    assert door.error() == door.listeners.states()[KEY].hint == ""


def test_handshakes_that_failed_are_counted_by_the_listener_that_is_bound_there() -> None:
    door = Door()
    door.listeners.set_listeners({KEY: WHERE})
    for place in (PLACE, PLACE, Address("127.0.0.1", 81)):
        door.listeners.tls_failed(place)
    door.listeners.set_listeners({})
    door.listeners.tls_failed(PLACE)
    assert dict(door.listeners.tls_failures) == {KEY: 2}


def test_another_certificate_is_taken_up_without_binding_anew() -> None:
    door = Door()
    door.listeners.set_listeners({KEY: WHERE}, {KEY: tls()})
    accept = door.network.listening[PLACE]
    new = tls(b"two")
    door.listeners.set_listeners({KEY: WHERE}, {KEY: new})
    assert door.network.listening[PLACE] is accept
    assert door.network.listening_tls[PLACE] is new


def test_a_listener_changes_between_clear_and_tls_by_binding_anew() -> None:
    door = Door()
    door.listeners.set_listeners({KEY: WHERE})
    in_clear = door.network.listening[PLACE]
    good = tls()
    door.listeners.set_listeners({KEY: WHERE}, {KEY: good})
    assert door.network.listening[PLACE] is not in_clear
    assert door.network.listening_tls[PLACE] is good
    door.listeners.set_listeners({KEY: WHERE})
    assert door.network.listening_tls[PLACE] is None


def test_a_listener_whose_certificate_goes_is_closed() -> None:
    door = Door()
    door.listeners.set_listeners({KEY: WHERE}, {KEY: tls()})
    door.listeners.set_listeners({KEY: WHERE}, {KEY: NoTls("expired")})
    assert not door.network.listening
    assert "expired" in door.error()


def test_a_raised_limit_counts_at_once() -> None:
    door = Door(connections=1)
    door.listeners.set_listeners({KEY: WHERE})
    connect(door)
    assert door.network.is_paused(PLACE)
    door.limits = ServiceLimits(connections=2)
    door.listeners.reconsider()
    assert not door.network.is_paused(PLACE)

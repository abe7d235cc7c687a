"""http2 services through whole forwarders: each stream is a request, whatever ends it."""

import gc
from collections.abc import Callable
from typing import Any, cast

import h2.events
import h2.settings
import pytest
from hyperframe.frame import GoAwayFrame

from router.link.ports import OpenRequest
from router.model import limits
from router.model.ids import ServiceKey
from router.model.settings import Timeouts
from router.model.specs import ServiceSpec
from router.net.ports import Address, Connection, ConnectionHandler, Tls
from router.service.figures import TargetInfo
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeStream,
    Ignored,
    Party,
    Site,
    candidate,
    router_of,
    site_of,
)
from tests.unit.exchange.http2_peers import GET, GRPC, REQUEST, H2Peer, raw

KEY = ServiceKey("shop", 8080)
OK = [(b":status", b"200")]
NO_ERROR, CANCEL, INTERNAL, REFUSED = 0, 8, 2, 7


class H2Party(Party):
    """One connection, with h2 at its end."""

    def __init__(self, *, client: bool) -> None:
        super().__init__()
        self.peer = H2Peer(client=client)
        self.told: Callable[[H2Party, h2.events.Event], None] | None = None

    def received(self, data: memoryview) -> None:
        for event in self.peer.hear(bytes(data)):
            if self.told is not None:
                self.told(self, event)
        self.push()

    def ended(self) -> None:
        self.finish()

    def push(self) -> None:
        sent = self.peer.take()
        if sent:
            self.send(sent)


class H2Target:
    """A server that answers each whole request with its name, unless told otherwise."""

    def __init__(self, network: FakeNetwork, host: str) -> None:
        self.network = network
        self.address = Address(host, 80)
        self.parties: list[H2Party] = []
        self.requests = 0
        self.act: Callable[[H2Party, int], None] = self.answer
        self.start()

    def start(self) -> None:
        self._listener = self.network.listen(self.address.host, 80, self._accept)

    def stop(self) -> None:
        self._listener.close()

    def __str__(self) -> str:
        return str(self.address)

    def _accept(self, connection: Connection) -> ConnectionHandler:
        party = H2Party(client=False)
        party.connection = connection
        party.told = self._told
        self.parties.append(party)
        self.network.soon(party.push)
        return party

    def _told(self, party: H2Party, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self.requests += 1
        if isinstance(event, h2.events.StreamEnded):
            self.act(party, event.stream_id or 0)

    def answer(self, party: H2Party, stream: int) -> None:
        party.peer.h2.send_headers(stream, OK)
        party.peer.h2.send_data(stream, self.address.host.encode())
        party.peer.h2.send_headers(stream, [(b"grpc-status", b"0")], end_stream=True)

    def hold(self, party: H2Party, stream: int) -> None:
        """Answer nothing."""

    @property
    def serving(self) -> list[H2Party]:
        """Connections on which requests came."""
        return [
            party
            for party in self.parties
            if party.is_open and party.peer.h2.highest_inbound_stream_id
        ]


class Shop:
    """The ingress ``a`` and ``b``; the targets are at one of them."""

    def __init__(self, remote: bool, targets: int = 1, capacity: int | None = 10) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.a = Site(self.network, self.mesh, "a")
        self.b = Site(self.network, self.mesh, "b")
        self.targets = [
            H2Target(self.network, f"10.0.0.{number}") for number in range(1, targets + 1)
        ]
        config = ServiceSpec(ports=(8080,), protocol="http2", queue_wait_s=0.5)
        for site in (self.a, self.b):
            site.forwarder.set_service(KEY, config)
        (self.b if remote else self.a).forwarder.set_targets(
            KEY,
            {
                str(target): TargetConfig(connector="t", capacity=capacity)
                for target in self.targets
            },
        )
        self.network.run()
        if remote:
            total = None if capacity is None else capacity * targets
            self.a.forwarder.ports.set_remotes(
                KEY, [candidate("b", capacity=total, targets_ready=targets)]
            )
        self.a.forwarder.set_listeners({KEY: ("127.0.0.1", 8080)})
        self.client = self.connect()

    def serve_far(self, host: str) -> H2Target:
        """A target at ``b``, which ``a`` knows."""
        target = H2Target(self.network, host)
        self.targets.append(target)
        self.b.forwarder.set_targets(KEY, {str(target): TargetConfig(connector="t", capacity=10)})
        self.network.run()
        self.a.forwarder.ports.set_remotes(KEY, [candidate("b", capacity=10, targets_ready=1)])
        return target

    def connect(self) -> H2Party:
        party = H2Party(client=True)

        def connected(connection: Connection) -> ConnectionHandler:
            party.connection = connection
            return party

        self.network.dial("127.0.0.1", 8080, connected, lambda failure: None, timeout_s=1.0)
        self.network.run()
        return party

    @property
    def target(self) -> H2Target:
        return self.targets[0]

    def ask(self, fields: list[tuple[bytes, bytes]] = GET, body: bytes | None = None) -> int:
        stream = self.client.peer.ask(fields, end=body is None)
        if body:
            self.client.peer.h2.send_data(stream, body, end_stream=True)
        self.run()
        return stream

    def run(self) -> None:
        self.client.push()
        for target in self.targets:
            for party in target.parties:
                if party.is_open:
                    party.push()
        self.network.run()

    def said(self, stream: int) -> list[str]:
        self.run()
        return self.client.peer.said(stream)

    @property
    def in_flight(self) -> int:
        return self.a.in_flight(KEY) + self.b.in_flight(KEY)


@pytest.fixture(params=[False, True], ids=["local", "remote"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(remote=request.param)


ANSWER = ["head 200", "data 10.0.0.1", "trailers grpc 0", "end"]


def test_requests_are_answered_and_slots_given_back(shop: Shop) -> None:
    for fields, body in ((GET, None), (REQUEST, b"hello"), (GRPC, b"message")):
        assert shop.said(shop.ask(fields, body)) == ANSWER
    assert (shop.in_flight, shop.target.requests) == (0, 3)
    counters = shop.a.forwarder.readings.services_snapshot()[0].counters
    assert counters.requests_total == 3
    assert all(opened.protocol == "http2" for opened in shop.mesh.opens)


def test_an_http2_request_elsewhere_is_owed_no_answer() -> None:
    """The head of a gRPC answer comes with its first message, however late."""
    shop = Shop(remote=True)
    shop.target.act = shop.target.hold
    shop.ask()
    assert shop.a.forwarder.readings.in_flight_elsewhere(KEY) == {site_of("b"): 1}
    assert not shop.a.forwarder.awaited_elsewhere()


def test_requests_leave_nothing_to_the_collector() -> None:
    shop = Shop(remote=False)

    def ask(count: int) -> None:
        for _ in range(count):
            shop.ask(GRPC, b"message")
            shop.client.peer.events.clear()

    ask(5)
    gc.collect()
    gc.disable()
    try:
        ask(50)
        left_behind = gc.collect()
    finally:
        gc.enable()
    assert left_behind < 50, f"{left_behind / 50:g} objects a request"


def end_client_reset(shop: Shop, stream: int) -> None:
    shop.client.peer.h2.reset_stream(stream, CANCEL)


def end_client_lost(shop: Shop, stream: int) -> None:
    shop.client.abort()


def end_target_reset(shop: Shop, stream: int) -> None:
    shop.target.serving[0].peer.h2.reset_stream(1, INTERNAL)


def end_target_lost(shop: Shop, stream: int) -> None:
    shop.target.serving[0].abort()


def end_answered_early(shop: Shop, stream: int) -> None:
    shop.target.serving[0].peer.h2.send_headers(1, OK, end_stream=True)


def end_torn(shop: Shop, stream: int) -> None:
    peer = shop.target.serving[0].peer.h2
    peer.send_headers(1, [*OK, (b"content-length", b"9")])
    peer.send_data(1, b"part")
    shop.run()
    peer.reset_stream(1, INTERNAL)


def end_link_cut(shop: Shop, stream: int) -> None:
    shop.mesh.cut(router_of("b"))


def end_abort(shop: Shop, stream: int) -> None:
    shop.a.forwarder.abort()
    shop.b.forwarder.abort()


def end_idle(shop: Shop, stream: int) -> None:
    for _ in range(40):
        shop.network.advance(10.0)
        shop.run()


ENDS: dict[str, tuple[Callable[[Shop, int], None], str]] = {
    "client resets": (end_client_reset, ""),
    "client is lost": (end_client_lost, ""),
    "target resets": (end_target_reset, "head 502"),
    "target is lost": (end_target_lost, "head 502"),
    "answered early": (end_answered_early, "head 200"),
    "torn": (end_torn, "head 200"),
    "aborted": (end_abort, ""),
    "nothing moves": (end_idle, "head 504"),
}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "begun"])
def test_whatever_ends_a_stream_frees_its_slot(shop: Shop, name: str, whole: bool) -> None:
    end, status = ENDS[name]
    shop.target.act = shop.target.hold
    stream = shop.ask(REQUEST, b"hello" if whole else b"")
    if not whole:
        shop.client.peer.h2.send_data(stream, b"hel")
        shop.run()
    assert shop.in_flight == 1
    end(shop, stream)
    shop.run()
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert shop.in_flight == 0
    if status and not (name == "nothing moves" and not whole):
        assert shop.said(stream)[0] == status
    if name == "torn":
        assert shop.said(stream) == ["head 200", "data part", f"reset {INTERNAL}"]
    if name == "answered early" and not whole:
        assert shop.said(stream) == ["head 200", "end", "reset 0"]


def test_a_cut_link_is_502_for_what_was_on_it() -> None:
    shop = Shop(remote=True)
    shop.target.act = shop.target.hold
    stream = shop.ask(REQUEST, b"hello")
    end_link_cut(shop, stream)
    assert shop.said(stream)[0] == "head 502"
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert shop.in_flight == 0


@pytest.mark.parametrize("body", [None, b"hello"])
def test_a_stream_beyond_a_goaway_goes_to_a_new_connection(shop: Shop, body: bytes | None) -> None:
    shop.target.act = shop.target.hold
    stream = shop.ask(REQUEST, body)
    party = shop.target.serving[0]
    shop.target.act = shop.target.answer
    party.send(bytes(GoAwayFrame(0, last_stream_id=0).serialize()))
    assert shop.said(stream) == ANSWER
    assert len(shop.target.serving) == 1
    assert shop.target.serving[0] is not party
    assert shop.in_flight == 0


def test_streams_named_by_a_goaway_are_finished_by_the_old_connection(shop: Shop) -> None:
    shop.target.act = shop.target.hold
    old = shop.ask(REQUEST, b"hello")
    party = shop.target.serving[0]
    party.send(bytes(GoAwayFrame(0, last_stream_id=2**31 - 1).serialize()))
    shop.run()
    shop.target.act = shop.target.answer
    assert shop.said(shop.ask(REQUEST, b"hello")) == ANSWER
    shop.target.answer(party, 1)
    assert shop.said(old) == ANSWER
    assert (shop.in_flight, shop.target.requests) == (0, 2)


def test_a_refused_stream_is_tried_again_a_few_times(shop: Shop) -> None:
    refusals = limits.HTTP2_REFUSED_TRIES_MAX

    def refuse(party: H2Party, stream: int) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            party.peer.h2.reset_stream(stream, REFUSED)
        else:
            shop.target.answer(party, stream)

    shop.target.act = refuse
    assert shop.said(shop.ask(GRPC, b"hello")) == ANSWER
    refusals = 100
    assert shop.said(shop.ask(GRPC, b"hello"))[0] == "head 200 grpc 14"
    assert refusals == 100 - limits.HTTP2_REFUSED_TRIES_MAX - 1
    assert shop.in_flight == 0


@pytest.mark.parametrize("end", ["reset", "lost", "malformed"])
def test_a_request_that_was_refused_and_then_ran_does_not_run_again(shop: Shop, end: str) -> None:
    """Its method may not be repeated, and the second failure says that a target had it."""

    def refuse_once(party: H2Party, stream: int) -> None:
        if shop.target.requests == 1:
            party.peer.h2.reset_stream(stream, REFUSED)
        elif end == "reset":
            party.peer.h2.reset_stream(stream, INTERNAL)
        elif end == "lost":
            party.abort()
        else:
            party.send(raw(1, 5, stream, b"\x08\x0299"))

    shop.target.act = refuse_once
    assert shop.said(shop.ask(REQUEST, b"hello"))[0] == "head 502"
    assert (shop.target.requests, shop.in_flight) == (2, 0)


def test_a_target_that_refuses_every_stream_is_ejected_at_last() -> None:
    shop = Shop(remote=False, targets=2)
    bad, good = shop.targets
    bad.act = lambda party, stream: party.peer.h2.reset_stream(stream, REFUSED)
    for _ in range(30):
        assert shop.said(shop.ask(REQUEST, b"hello"))[:2] == ["head 200", "data 10.0.0.2"]
    ejected, ready = shop.a.forwarder.readings.targets.of(KEY)
    assert (ejected.ready, ready.ready) == (False, True)
    assert ejected.error.endswith("requests in a row were refused"), "none was reset"
    assert (bad.requests, good.requests) == (2 * limits.EJECT_AFTER, 30)


def test_only_the_target_that_refused_a_request_twice_is_blamed_for_it() -> None:
    """The next one refuses it once, which may be for want of a moment."""
    shop = Shop(remote=False, targets=3)
    *bad, good = shop.targets
    for target in bad:
        target.act = lambda party, stream: party.peer.h2.reset_stream(stream, REFUSED)
    for _ in range(60):
        assert shop.said(shop.ask(REQUEST, b"hello"))[0] == "head 200"
    assert [one.ready for one in targets_of(shop.a)] == [False, False, True]
    assert min(target.requests for target in bad) >= 2 * limits.EJECT_AFTER
    assert good.requests == 60


def test_a_request_that_one_target_refused_and_another_ran_does_not_run_again() -> None:
    shop = Shop(remote=False, targets=3)
    for target in shop.targets:
        target.act = lambda party, stream: party.peer.h2.reset_stream(
            stream, REFUSED if sum(one.requests for one in shop.targets) < 3 else INTERNAL
        )
    assert shop.said(shop.ask(REQUEST, b"hello"))[0] == "head 502"
    assert sorted(target.requests for target in shop.targets) == [0, 1, 2]
    assert shop.in_flight == 0


def test_a_request_that_every_target_refuses_is_refused_a_few_times_in_all() -> None:
    shop = Shop(remote=False, targets=3)
    for target in shop.targets:
        target.act = lambda party, stream: party.peer.h2.reset_stream(stream, REFUSED)
    assert shop.said(shop.ask(REQUEST, b"hello"))[0] == "head 502"
    asked = [target.requests for target in shop.targets]
    assert sum(asked) == limits.HTTP2_REFUSED_TRIES_MAX + 1
    assert (min(asked), max(asked), shop.in_flight) == (1, 2, 0)


def test_a_request_that_all_targets_here_refuse_goes_to_another_site() -> None:
    """REFUSED_STREAM promises that nothing ran, so even a POST may run elsewhere."""
    shop = Shop(remote=False)
    far = shop.serve_far("10.0.0.9")
    shop.target.act = lambda party, stream: party.peer.h2.reset_stream(stream, REFUSED)
    assert shop.said(shop.ask(REQUEST, b"hello"))[:2] == ["head 200", "data 10.0.0.9"]
    assert (shop.target.requests, far.requests) == (limits.HTTP2_REFUSED_TRIES_MAX + 1, 1)
    assert shop.in_flight == 0


def test_a_request_that_no_site_processes_is_counted_as_that() -> None:
    shop = Shop(remote=False)
    shop.target.act = lambda party, stream: party.peer.h2.reset_stream(stream, REFUSED)
    assert shop.said(shop.ask(REQUEST, b"hello"))[0] == "head 502"
    (last,) = shop.a.forwarder.readings.past_of(KEY, 1, "all")
    assert last.outcome == "not-processed"


def test_a_target_that_refuses_has_the_request_again_where_no_other_has_room() -> None:
    shop = Shop(remote=False, targets=2, capacity=1)
    first, second = shop.targets
    first.act = second.act = first.hold
    shop.ask(REQUEST, b"hello")
    busy, free = (first, second) if first.requests else (second, first)
    free.act = lambda party, stream: party.peer.h2.reset_stream(stream, REFUSED)
    assert shop.said(shop.ask(REQUEST, b"hello"))[0] == "head 502"
    assert (busy.requests, free.requests) == (1, limits.HTTP2_REFUSED_TRIES_MAX + 1)


def test_a_target_that_refuses_a_request_that_another_takes_later_is_ejected_at_last() -> None:
    shop = Shop(remote=False, targets=2, capacity=1)
    refuser, other = shop.targets
    refuser.act, other.act = refuser.hold, other.hold
    shop.ask(REQUEST, b"hello")
    if other.requests:
        refuser, other = other, refuser
    shop.ask(REQUEST, b"hello")  # Each holds one; the refuser has room for more from now on.

    def give_room(others: int) -> None:
        rooms = {str(refuser): 10, str(other): others}
        shop.a.forwarder.set_targets(
            KEY, {name: TargetConfig(connector="t", capacity=room) for name, room in rooms.items()}
        )

    def refuse(party: H2Party, stream: int) -> None:
        party.peer.h2.reset_stream(stream, REFUSED)
        if (refuser.requests - 1) % 3 == 0:
            give_room(10)

    refuser.act, other.act = refuse, other.answer
    for _ in range(limits.EJECT_AFTER):
        give_room(1)
        assert shop.said(shop.ask(REQUEST, b"hello"))[0] == "head 200"
    assert refuser.requests - 1 == 3 * limits.EJECT_AFTER
    ready = {info.host: info.ready for info in shop.a.forwarder.readings.targets.of(KEY)}
    assert ready == {refuser.address.host: False, other.address.host: True}


def test_what_is_no_longer_in_hand_is_not_tried_again(shop: Shop) -> None:
    shop.target.act = shop.target.hold
    stream = shop.client.peer.ask(REQUEST, end=False)
    for _ in range(limits.REPLAY_BYTES_MAX // 16_384 + 1):
        shop.client.peer.h2.send_data(stream, b"x" * 16_384)
        shop.run()
    shop.target.serving[0].peer.h2.reset_stream(1, REFUSED)
    assert shop.said(stream)[0] == "head 502"
    assert shop.target.requests == 1


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_when_a_target_leaves_for_good_another_takes_what_it_did_not(remote: bool) -> None:
    shop = Shop(remote, targets=2)
    first, second = shop.targets
    first.act = second.act = first.hold
    streams = [shop.ask(REQUEST, b"hello") for _ in range(4)]
    assert (first.requests, second.requests) == (2, 2)
    first.stop()
    second.act = second.answer
    first.serving[0].send(bytes(GoAwayFrame(0, last_stream_id=0).serialize()))
    shop.run()
    for party in second.serving:
        for stream in (1, 3):
            second.answer(party, stream)
    shop.run()
    assert all(shop.said(stream)[-1] == "end" for stream in streams)
    assert (second.requests, shop.in_flight) == (4, 0)


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_streams_of_one_connection_fill_targets_of_one_slot(remote: bool) -> None:
    shop = Shop(remote, targets=3, capacity=1)
    for target in shop.targets:
        target.act = target.hold
    for _ in shop.targets:
        shop.ask()
    assert [target.requests for target in shop.targets] == [1, 1, 1]
    waiting = shop.ask(GRPC)
    shop.network.advance(0.6)
    assert shop.said(waiting) == ["head 200 grpc 14", "end"]
    assert [target.requests for target in shop.targets] == [1, 1, 1]


def test_what_waits_for_a_client_s_credit_counts_as_held_and_can_be_let_go(shop: Shop) -> None:
    size = 50_000

    def answer_much(party: H2Party, stream: int) -> None:
        party.peer.h2.send_headers(stream, OK)
        party.peer.h2.send_data(stream, b"x" * 10_000)
        for _ in range(4):
            party.peer.h2.send_data(stream, b"x" * 10_000)

    shop.target.act = answer_much
    shop.client.peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    for _ in range(5):
        shop.ask()
    forwarder = shop.a.forwarder
    assert forwarder.memory.held_bytes >= 5 * size
    other = shop.connect()
    assert forwarder.memory.drop_slowest(size) == 1
    shop.run()
    assert forwarder.memory.held_bytes == 0
    assert (shop.client.is_open, other.is_open) == (False, True)
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert shop.in_flight == 0


def test_a_drain_ends_with_the_last_stream(shop: Shop) -> None:
    shop.target.act = shop.target.hold
    stream = shop.ask(REQUEST, b"hello")
    drained: list[bool] = []
    shop.a.forwarder.drain(lambda: drained.append(True))
    shop.network.advance(3.0)
    assert not drained
    seen = shop.client.peer
    shop.target.answer(shop.target.serving[0], 1)
    for party in shop.target.serving:
        party.push()
    shop.network.run()
    assert seen.said(stream) == ANSWER
    shop.client.finish()
    shop.network.run()
    assert drained == [True]


def test_a_neighbour_that_lies_about_a_head_is_reset() -> None:
    shop = Shop(remote=True)

    for head in (b"POST / HTTP/1.1\r\nhost: a\r\nte: trailers\r\n", b"POST /\r\n\r\n"):
        offer = OpenRequest(
            path=(router_of("b"),),
            service="shop",
            port=8080,
            protocol="http2",
            ingress=site_of("a"),
            body_bytes=0,
            head=head,
        )
        stream = shop.mesh.open_stream(offer, cast(Any, Ignored()))
        shop.network.run()
        assert isinstance(stream, FakeStream)
        assert stream.over
    assert shop.target.requests == 0


def set_targets(shop: Shop, targets: list[H2Target], capacity: int = 10) -> None:
    site = shop.b if shop.mesh.opens else shop.a
    config = TargetConfig(connector="t", capacity=capacity)
    site.forwarder.set_targets(KEY, {str(target): config for target in targets})
    shop.run()


def test_a_target_that_was_removed_and_refuses_a_stream_leaves_it_to_another(shop: Shop) -> None:
    first = shop.target
    second = H2Target(shop.network, "10.0.0.9")
    first.act = first.hold
    stream = shop.ask(REQUEST, b"hello")
    set_targets(shop, [second])
    first.serving[0].send(bytes(GoAwayFrame(0, last_stream_id=0).serialize()))
    assert shop.said(stream)[1] == "data 10.0.0.9"
    assert shop.in_flight == 0
    assert all(not info.in_flight for site in (shop.a, shop.b) for info in targets_of(site))


def test_a_target_that_was_removed_and_refuses_a_stream_gets_its_slot_back(shop: Shop) -> None:
    shop.target.act = shop.target.hold
    stream = shop.ask(REQUEST, b"hello")
    set_targets(shop, [])
    shop.target.serving[0].send(bytes(GoAwayFrame(0, last_stream_id=0).serialize()))
    assert shop.said(stream)[0] == "head 502"
    assert not any(targets_of(site) for site in (shop.a, shop.b))


def targets_of(site: Site) -> list[TargetInfo]:
    return site.forwarder.readings.targets.of(KEY)


SPOKEN = Tls(object(), b"", ("h2",))


def tls_targets(*targets: H2Target, unusable: str = "") -> dict[str, TargetConfig]:
    tls = None if unusable else SPOKEN
    config = TargetConfig(connector="t", capacity=10, tls=tls, unusable=unusable)
    return {str(target): config for target in targets}


def test_a_stream_is_not_tried_again_in_clear_when_tls_cannot_be_spoken_any_more() -> None:
    shop = Shop(remote=False)
    shop.a.forwarder.set_targets(KEY, tls_targets(shop.target))
    shop.network.advance(5.0)
    shop.target.act = shop.target.hold
    stream = shop.ask(REQUEST, b"hello")
    shop.a.forwarder.set_targets(KEY, tls_targets(shop.target, unusable="no CA"))
    asked = len(shop.network.dialed)
    shop.target.serving[0].send(bytes(GoAwayFrame(0, last_stream_id=0).serialize()))
    assert shop.said(stream)[0] == "head 502"
    assert shop.network.dialed[asked:] == []
    assert shop.in_flight == 0


def test_who_waits_is_not_sent_to_a_target_that_has_just_become_unusable() -> None:
    shop = Shop(remote=False, targets=2)
    first, second = shop.targets
    for target in shop.targets:
        target.act = target.hold
    config = TargetConfig(connector="t", capacity=1, tls=SPOKEN)
    shop.a.forwarder.set_targets(KEY, {str(first): config, str(second): config})
    shop.network.advance(5.0)
    for _ in range(3):
        shop.ask(REQUEST, b"hello")
    asked = len(shop.network.dialed)
    shop.a.forwarder.set_targets(KEY, tls_targets(first, second, unusable="no CA"))
    shop.run()
    assert shop.network.dialed[asked:] == []


def test_who_waits_for_a_connection_goes_to_another_target_when_its_own_is_removed(
    shop: Shop,
) -> None:
    second = H2Target(shop.network, "10.0.0.9")
    shop.target.act = shop.target.hold
    stream = shop.ask(REQUEST, b"hello")
    shop.network.silent.add(shop.target.address)
    shop.target.serving[0].send(bytes(GoAwayFrame(0, last_stream_id=0).serialize()))
    shop.run()
    set_targets(shop, [shop.target, second])
    set_targets(shop, [second])
    assert shop.said(stream)[1] == "data 10.0.0.9"
    assert shop.in_flight == 0


def test_a_stream_that_nobody_takes_after_all_is_502(shop: Shop) -> None:
    shop.target.act = shop.target.hold
    stream = shop.ask(REQUEST, b"hello")
    shop.network.silent.add(shop.target.address)
    shop.target.serving[0].send(bytes(GoAwayFrame(0, last_stream_id=0).serialize()))
    shop.run()
    set_targets(shop, [])
    assert shop.said(stream)[0] == "head 502"
    assert shop.in_flight == 0


@pytest.mark.parametrize("method", [b"POST", b"PUT"])
def test_short_memory_ends_no_stream_that_a_target_has_taken(shop: Shop, method: bytes) -> None:
    shop.target.act = shop.target.hold
    stream = shop.client.peer.ask([(b":method", method), *REQUEST[1:]], end=False)
    for ends in (False, False, True):
        shop.client.peer.h2.send_data(stream, b"x" * 16_000, end_stream=ends)
        shop.run()
    egress = shop.b.forwarder if shop.mesh.opens else shop.a.forwarder
    assert egress.memory.held_bytes == 48_000
    egress.memory.drop_slowest(48_000)
    assert egress.memory.held_bytes == 0
    shop.target.answer(shop.target.serving[0], 1)
    assert shop.said(stream) == ANSWER


def test_an_answer_has_the_time_for_it_and_not_that_of_idle_streams(shop: Shop) -> None:
    timeouts = Timeouts(response_s=60.0, idle_s=5.0)
    config = ServiceSpec(ports=(8080,), protocol="http2", timeouts=timeouts)
    for site in (shop.a, shop.b):
        site.forwarder.set_service(KEY, config)
    shop.client = shop.connect()
    shop.target.act = shop.target.hold
    stream = shop.ask(REQUEST, b"hello")
    shop.network.advance(30.0)
    assert shop.said(stream) == []
    shop.target.answer(shop.target.serving[0], 1)
    assert shop.said(stream) == ANSWER


def test_a_changed_time_for_answers_counts_from_the_next_request_of_a_connection(
    shop: Shop,
) -> None:
    assert shop.said(shop.ask()) == ANSWER
    config = ServiceSpec(ports=(8080,), protocol="http2", timeouts=Timeouts(response_s=600.0))
    for site in (shop.a, shop.b):
        site.forwarder.set_service(KEY, config)
    shop.target.act = shop.target.hold
    stream = shop.ask()
    shop.network.advance(500.0)
    assert shop.said(stream) == []
    (party,) = shop.target.serving
    shop.target.answer(party, party.peer.h2.highest_inbound_stream_id)
    assert shop.said(stream) == ANSWER


def test_short_memory_before_a_target_is_held_sends_the_request_elsewhere() -> None:
    shop = Shop(remote=True)
    shop.network.silent.add(shop.target.address)
    here = H2Target(shop.network, "10.0.0.9")
    stream = shop.client.peer.ask(REQUEST, end=False)
    for ends in (False, False, True):
        shop.client.peer.h2.send_data(stream, b"x" * 16_000, end_stream=ends)
        shop.run()
    shop.a.forwarder.set_targets(KEY, {str(here): TargetConfig(connector="t", capacity=1)})
    shop.run()
    assert shop.b.forwarder.memory.drop_slowest(48_000) == 1
    assert shop.said(stream)[1] == "data 10.0.0.9"
    assert shop.in_flight == 0


class Elsewhere(Shop):
    """The only target here takes a request and will not process it; ``b`` has one that does."""

    def __init__(self) -> None:
        super().__init__(remote=False, capacity=1)
        self.target.act = self.target.hold
        self.there = H2Target(self.network, "10.0.0.9")
        self.b.forwarder.set_targets(
            KEY, {str(self.there): TargetConfig(connector="t", capacity=1)}
        )
        self.network.run()
        self.a.forwarder.ports.set_remotes(KEY, [candidate("b")])

    def leave(self) -> None:
        """The target here goes, by GOAWAY, and takes no other connection."""
        self.network.silent.add(self.target.address)
        self.target.serving[0].send(bytes(GoAwayFrame(0, last_stream_id=0).serialize()))
        self.run()
        self.network.advance(5.0)


def test_what_a_target_did_not_process_goes_to_another_site_whatever_its_method() -> None:
    shop = Elsewhere()
    stream = shop.ask(REQUEST, b"hello")
    assert shop.target.requests == 1
    shop.leave()
    assert shop.said(stream)[:2] == ["head 200", "data 10.0.0.9"]
    bodies = [
        event.data
        for party in shop.there.parties
        for event in party.peer.events
        if isinstance(event, h2.events.DataReceived)
    ]
    assert bodies == [b"hello"]
    assert shop.in_flight == shop.a.forwarder.memory.held_bytes == 0


def test_what_is_not_all_in_hand_any_more_goes_nowhere_else() -> None:
    for size, dropped in ((limits.REPLAY_BYTES_MAX + 1, False), (48_000, True)):
        shop = Elsewhere()
        stream = shop.client.peer.ask(REQUEST, end=False)
        for start in range(0, size, 16_000):
            part = b"x" * min(16_000, size - start)
            shop.client.peer.h2.send_data(stream, part, end_stream=start + len(part) == size)
            shop.run()
        if dropped:
            assert shop.a.forwarder.memory.drop_slowest(size) == 1
        assert shop.a.forwarder.memory.held_bytes == 0
        shop.leave()
        assert shop.said(stream)[0] == "head 502"
        assert (shop.there.requests, shop.in_flight) == (0, 0)


def test_what_another_site_s_target_did_not_process_after_taking_it_stays_a_loss() -> None:
    shop = Elsewhere()
    shop.there.act = shop.there.hold
    assert shop.ask(REQUEST, b"first")
    stream = shop.ask(REQUEST, b"hello")
    assert shop.there.requests == 1
    shop.network.silent.add(shop.there.address)
    shop.there.serving[0].send(bytes(GoAwayFrame(0, last_stream_id=0).serialize()))
    shop.run()
    shop.network.advance(5.0)
    assert shop.said(stream)[0] == "head 502"


@pytest.mark.parametrize(("code", "end"), [(NO_ERROR, "end"), (INTERNAL, f"reset {INTERNAL}")])
def test_what_came_before_a_reset_is_passed_on(shop: Shop, code: int, end: str) -> None:
    def answer(party: H2Party, stream: int) -> None:
        party.peer.h2.send_headers(stream, [*OK, (b"content-length", b"5")])
        party.peer.h2.send_data(stream, b"hello")
        party.peer.h2.reset_stream(stream, code)

    shop.target.act = answer
    assert shop.said(shop.ask()) == ["head 200", "data hello", end]
    assert shop.target.requests == 1
    assert shop.in_flight == 0


# What a target answers on stream 1, malformed each in another way.
MALFORMED = {
    "hpack": raw(1, 5, 1, b"\xff\x00"),
    "too large": raw(1, 0, 1, b"\x88" + b"y" * 16_000) + raw(9, 0, 1, b"y" * 16_384) * 3,
    "no status": raw(1, 5, 1, b"\x00\x01x\x01y"),
    "no head": raw(0, 1, 1, b"data"),
    "settings": raw(4, 0, 0, b"short"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_answer_is_said_to_be_one_and_its_request_not_repeated(
    shop: Shop, name: str
) -> None:
    def answer(party: H2Party, stream: int) -> None:
        party.send(MALFORMED[name])

    shop.target.act = answer
    assert shop.said(shop.ask())[0] == "head 502"
    shop.network.advance(5.0)
    assert shop.target.requests == 1
    assert [each.outcome for each in shop.a.forwarder.readings.past_of(KEY, 9, "all")] == [
        "bad-response"
    ]
    assert shop.in_flight == 0


PLAIN = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "script",
    [
        [("send_head", PLAIN, 5), ("send", b"too long"), ("finish",)],
        [("send_head", PLAIN, 5), ("send", b"sho"), ("finish",)],
        [("send_head", PLAIN, 5), ("finish",)],
        [
            ("send_head", PLAIN, -1),
            ("send_trailers", b"Content-Length: 5\r\n"),
            ("finish",),
        ],
        [("send_head", PLAIN, -1), ("send_head", PLAIN, 0), ("finish",)],
        [("send_head", PLAIN, -1), ("send", b"abc"), ("break_off", "target-reset")],
    ],
)
def test_an_answer_of_a_neighbour_that_lies_is_never_taken_for_whole(
    script: list[tuple[object, ...]],
) -> None:
    shop = Shop(remote=True)

    def offered(stream: object, request: OpenRequest) -> None:
        assert isinstance(stream, FakeStream)
        stream.accept(1)
        for name, *arguments in script:
            getattr(stream, str(name))(*arguments)

    shop.mesh.offered[router_of("b")] = offered
    said = shop.said(shop.ask())
    assert said[0] == "head 200" and said[-1].startswith("reset"), said
    assert "end" not in said
    assert shop.said(shop.ask()) == said, "the connection goes on"
    assert shop.in_flight == 0

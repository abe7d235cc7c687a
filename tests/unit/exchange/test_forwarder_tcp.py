"""TCP services through whole forwarders: fill, spill, retry, half-close, reset."""

from typing import Any, cast

import msgspec
import pytest

from router.link.ports import OpenRequest
from router.model import limits
from router.model.ids import ServiceKey
from router.model.port_reading import SERVED_NOWHERE
from router.model.service_choice import ServiceChoice
from router.model.settings import ServiceLimits, Timeouts
from router.model.specs import PolicySpec, ServiceSpec
from router.net.ports import Address, Tls
from router.service.ports import TargetConfig
from router.service.targets.proxy_header import LOCAL_HEADER, proxy_header
from tests.unit.exchange.fakes import (
    FakeConnection,
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Ignored,
    Party,
    Site,
    candidate,
    router_of,
    site_of,
)

KEY = ServiceKey("db", 5432)
CONFIG = ServiceSpec(ports=(8080,), protocol="tcp", policy=PolicySpec())


class Two:
    """Sites ``a`` (with a listener) and ``b``, each with one target of the given capacity."""

    def __init__(self, here: int | None, there: int | None, told: int | None = -1) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.a = Site(self.network, self.mesh, "a")
        self.b = Site(self.network, self.mesh, "b")
        self.target_a = FakeTarget(self.network, "10.0.0.1", 5432)
        self.target_b = FakeTarget(self.network, "10.0.0.2", 5432)
        for site, target, capacity in (
            (self.a, self.target_a, here),
            (self.b, self.target_b, there),
        ):
            site.forwarder.set_service(KEY, CONFIG)
            if capacity != 0:
                site.forwarder.set_targets(
                    KEY, {str(target): TargetConfig(connector="main", capacity=capacity)}
                )
        self.a.forwarder.ports.set_remotes(
            KEY, [candidate("b", capacity=there if told == -1 else told)]
        )
        self.a.forwarder.set_listeners({KEY: ("127.0.0.1", 5432)})
        self.network.run()

    def client(self, hello: bytes = b"hello") -> Party:
        party = self.a.connect("127.0.0.1", 5432)
        if hello:
            party.send(hello)
        self.network.run()
        return party

    @property
    def counts(self) -> tuple[int, int]:
        return self.a.in_flight(KEY), self.b.in_flight(KEY)


def serving(target: FakeTarget) -> list[Party]:
    return [party for party in target.serving if party.got]


def test_local_slots_fill_first_and_only_the_excess_spills() -> None:
    world = Two(2, 2)
    for expected in [(1, 0), (2, 0), (2, 1), (2, 2)]:
        world.client()
        assert world.counts == expected


def test_the_next_connection_is_local_again_once_a_local_slot_is_free() -> None:
    world = Two(1, 2)
    first = world.client()
    world.client()
    assert world.counts == (1, 1)
    first.abort()
    world.network.run()
    world.client()
    assert world.counts == (1, 1)


def test_no_connection_is_idle_however_little_it_says() -> None:
    world = Two(1, 1)
    clients = [world.client(), world.client()]
    assert world.a.forwarder.memory.shed_idle() == 0
    world.network.run()
    assert world.counts == (1, 1) and not any(client.losses for client in clients)


@pytest.mark.parametrize("hello", [b"", b"hello"])
def test_who_waits_and_ends_without_a_word_is_gone_and_one_that_asked_waits_on(
    hello: bytes,
) -> None:
    world = Two(1, 0)
    holder = world.client()
    waits = world.client(hello)
    seen = [world.a.forwarder.readings.queued()]
    waits.finish()
    world.network.run()
    seen.append(world.a.forwarder.readings.queued())
    assert seen == [{KEY: 1}, {KEY: 1} if hello else {}]
    assert bool(waits.losses) != bool(hello)
    holder.abort()
    world.network.run()
    assert world.counts == (1 if hello else 0, 0)


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
@pytest.mark.parametrize(
    ("end", "outcome"),
    [("closed", "ok"), ("client left", "client-gone"), ("target reset", "error")],
)
def test_a_connection_is_counted_by_how_it_ended(here: int, end: str, outcome: str) -> None:
    world = Two(here, 1)
    client = world.client()
    (far,) = serving(world.target_a if here else world.target_b)
    {"closed": far.finish, "client left": client.abort, "target reset": far.abort}[end]()
    world.network.run()
    client.finish()
    world.network.run()
    (snapshot,) = world.a.forwarder.readings.services_snapshot()
    assert set(snapshot.counters.requests) == {(site_of("a" if here else "b"), outcome)}
    assert snapshot.counters.requests_total == 1


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_bytes_and_half_closes_pass_both_ways(here: int) -> None:
    world = Two(here, 1)
    client = world.client(b"question")
    (far,) = serving(world.target_a if here else world.target_b)
    assert bytes(far.got) == b"question"
    client.finish()
    world.network.run()
    assert far.got_end and not client.losses
    far.send(b"answer")
    far.finish()
    world.network.run()
    assert bytes(client.got) == b"answer"
    assert client.losses == [None]
    assert world.counts == (0, 0)


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_a_reset_target_is_a_reset_client(here: int) -> None:
    world = Two(here, 1)
    client = world.client()
    (far,) = serving(world.target_a if here else world.target_b)
    far.send(b"half an ans")
    far.abort()
    world.network.run()
    assert client.was_reset
    assert not client.got_end
    assert world.counts == (0, 0)


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_a_reset_client_is_a_reset_target(here: int) -> None:
    world = Two(here, 1)
    client = world.client()
    (far,) = serving(world.target_a if here else world.target_b)
    client.abort()
    world.network.run()
    assert far.was_reset
    assert world.counts == (0, 0)


def test_a_cut_link_resets_the_client_and_the_remote_target() -> None:
    world = Two(0, 1)
    client = world.client()
    (far,) = serving(world.target_b)
    world.mesh.cut(router_of("b"))
    world.network.run()
    assert client.was_reset
    assert far.was_reset
    assert world.counts == (0, 0)


def test_a_slow_client_pauses_its_target_and_resumes_it() -> None:
    world = Two(1, 1)
    client = world.client()
    (far,) = serving(world.target_a)
    assert client.connection is not None and far.connection is not None
    near_end = client.connection.other  # type: ignore[attr-defined]
    leg_end = far.connection.other  # type: ignore[attr-defined]
    near_end.full = True
    far.send(b"much")
    world.network.run()
    assert leg_end.paused
    near_end.room()
    assert not leg_end.paused


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_slow_client_pauses_its_stream_and_resumes_it(pieces: int) -> None:
    """Behind the first piece its leg stands aside."""
    world = Two(0, 1)
    client = world.client()
    (far,) = serving(world.target_b)
    (stream,) = world.mesh.streams
    assert client.connection is not None
    near_end = client.connection.other  # type: ignore[attr-defined]
    for piece in range(pieces):
        near_end.full = piece == pieces - 1
        far.send(b"much")
        world.network.run()
    paused = [stream.paused]
    near_end.room()
    assert [*paused, stream.paused] == [True, False]
    client.abort()
    world.network.run()
    assert far.losses and world.counts == (0, 0)


@pytest.mark.parametrize("reads", [(1, 1, 1, 1), (1, 3), (4,), (3, 2), (3, 0.5, 3, 1)])
def test_bytes_are_left_to_the_kernel_after_four_full_reads_in_a_row_also_in_one(
    monkeypatch: pytest.MonkeyPatch, reads: tuple[float, ...]
) -> None:
    spliced: list[object] = []
    monkeypatch.setattr(
        FakeConnection, "splice_to", lambda source, sink, moved: spliced.append(source)
    )
    world = Two(1, 1)
    client = world.client()
    (far,) = serving(world.target_a)
    for sender in (client, far):
        for count in reads:
            assert not spliced
            sender.send(bytes(int(count * limits.READ_BYTES)))
            world.network.run()
        assert sender.connection is not None
        assert spliced.pop() is sender.connection.other  # type: ignore[attr-defined]


def test_a_refused_dial_moves_on_to_the_next_target_with_the_bytes_sent_so_far() -> None:
    world = Two(1, 1)
    second = FakeTarget(world.network, "10.0.0.9", 5432)
    world.a.forwarder.set_targets(
        KEY,
        {
            str(world.target_a): TargetConfig(connector="main", capacity=1),
            str(second): TargetConfig(connector="main", capacity=1),
        },
    )
    world.network.run()
    world.target_a.stop()
    first, other = world.client(b"one"), world.client(b"two")
    assert sorted(bytes(party.got) for party in serving(second)) == [b"one"]
    assert [bytes(party.got) for party in serving(world.target_b)] == [b"two"]
    assert not first.losses and not other.losses
    assert world.a.forwarder.readings.load_of(KEY).targets_ready == 1


def test_when_all_local_targets_refuse_the_connection_goes_to_the_other_site() -> None:
    world = Two(1, 1)
    world.target_a.stop()
    client = world.client()
    assert not client.losses
    assert world.counts == (0, 1)


def test_a_site_that_turns_out_full_is_left_for_the_next_with_the_bytes_in_hand() -> None:
    world = Two(0, 1, told=5)
    c = Site(world.network, world.mesh, "c")
    target_c = FakeTarget(world.network, "10.0.0.3", 5432)
    c.forwarder.set_service(KEY, CONFIG)
    c.forwarder.set_targets(KEY, {str(target_c): TargetConfig(connector="main", capacity=1)})
    world.network.run()
    remotes = [candidate("b", cost=1, capacity=5), candidate("c", cost=9, capacity=1)]
    world.a.forwarder.ports.set_remotes(KEY, remotes)
    world.client(b"one")
    world.client(b"two")
    assert [bytes(party.got) for party in serving(world.target_b)] == [b"one"]
    assert [bytes(party.got) for party in serving(target_c)] == [b"two"]


def test_a_connection_that_may_have_reached_a_target_is_not_dispatched_again() -> None:
    world = Two(0, 1)
    c = Site(world.network, world.mesh, "c")
    target_c = FakeTarget(world.network, "10.0.0.3", 5432)
    c.forwarder.set_service(KEY, CONFIG)
    c.forwarder.set_targets(KEY, {str(target_c): TargetConfig(connector="main", capacity=1)})
    world.network.run()
    world.a.forwarder.ports.set_remotes(KEY, [candidate("b"), candidate("c", cost=9)])
    client = world.client()
    world.mesh.cut(router_of("b"))
    world.network.run()
    assert client.was_reset
    assert not serving(target_c)


def test_without_any_candidate_the_client_is_reset() -> None:
    world = Two(0, 0)
    world.a.forwarder.ports.set_remotes(KEY, [])
    first = world.client()  # It waits: the site may only be replaced.
    resets = [first.was_reset]
    for _ in range(2):
        world.network.advance(0.6 * limits.REROUTE_WAIT_S)
        resets.append(first.was_reset)
    assert resets == [False, False, True]
    assert world.client().was_reset
    (snapshot,) = world.a.forwarder.readings.services_snapshot()
    assert set(snapshot.counters.requests) == {(SERVED_NOWHERE, "error")}
    assert snapshot.counters.failed_for == {"no-route": 2}


@pytest.mark.parametrize("here", [1, 0], ids=["here", "elsewhere"])
def test_what_is_under_way_is_known_though_nobody_watched_it_begin(here: int) -> None:
    world = Two(here, 1)
    client = world.client(b"hello")
    (target,) = serving(world.target_a if here else world.target_b)
    target.send(b"hi")
    world.network.run()
    (flow,) = world.a.forwarder.flows(5)
    assert (flow.key, flow.bytes_in, flow.bytes_out) == (KEY, 5, 2)
    assert flow.target == (str(world.target_a) if here else "")
    assert flow.record.site == site_of("a" if here else "b")
    assert flow.client == flow.request.client == str(client.connection and client.connection.local)


def test_an_egress_without_slot_refuses_at_once_unless_it_may_wait() -> None:
    world = Two(0, 1, told=5)
    world.client()
    second = world.client()
    waits = [offer.wait_ms for offer in world.mesh.opens]
    assert waits[:2] == [0, 0]
    assert set(waits[2:]) == {1000 * limits.STAND_S}
    assert second.is_open
    assert world.counts == (0, 1)


def test_an_idle_connection_is_ended_and_a_half_closed_one_sooner() -> None:
    world = Two(2, 0)
    idle, half = world.client(), world.client()
    half.finish()
    world.network.advance(61.0)
    assert half.was_reset and idle.is_open
    world.network.advance(2 * 3_600.0)
    assert idle.was_reset
    assert world.counts == (0, 0)
    past = world.a.forwarder.readings.past_of(KEY, 2, "all")
    ended = [(one.outcome, one.departs_for) for one in past]
    assert sorted(ended) == [("cancelled", "half-closed"), ("cancelled", "tunnel")]


def test_idle_limits_are_those_of_the_service_and_exact_enough_for_a_second() -> None:
    world = Two(2, 0)
    timeouts = Timeouts(tunnel_s=1.0, half_closed_s=0.5)
    world.a.forwarder.set_service(KEY, msgspec.structs.replace(CONFIG, timeouts=timeouts))
    idle, busy, half = world.client(), world.client(b""), world.client()
    half.finish()
    world.network.run()
    for _ in range(8):
        world.network.advance(0.1)
        busy.send(b"tick")
        world.network.run()
    assert half.was_reset and idle.is_open
    world.network.advance(0.5)
    assert idle.was_reset and busy.is_open
    world.network.advance(1.3)
    assert busy.was_reset
    assert world.counts == (0, 0)


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_a_target_is_told_its_client_first_when_it_wants_to_be(here: int) -> None:
    world = Two(here, 1 - here)
    site, target = (world.a, world.target_a) if here else (world.b, world.target_b)
    told = TargetConfig(connector="main", proxy_protocol=True)
    site.forwarder.set_targets(KEY, {str(target): told})
    world.network.advance(1.2)
    client = world.client(b"hello")
    (party,) = [party for party in serving(target) if party.got.endswith(b"hello")]
    assert client.connection is not None
    peer = client.connection.local
    assert bytes(party.got) == proxy_header(str(peer), "127.0.0.1:5432") + b"hello"


def test_a_neighbour_that_lies_about_the_client_makes_it_an_unknown_one() -> None:
    world = Two(0, 1)
    told = TargetConfig(connector="main", proxy_protocol=True)
    world.b.forwarder.set_targets(KEY, {str(world.target_b): told})
    world.network.advance(1.2)
    stream = world.mesh.open_stream(
        OpenRequest(
            path=(router_of("b"),),
            service=KEY.name,
            port=KEY.port,
            protocol="tcp",
            ingress=site_of("a"),
            body_bytes=-1,
            client="1.2.3.4:5\r\nQUIT",
        ),
        cast(Any, Ignored()),
    )
    assert stream is not None
    stream.send(b"hello")
    world.network.run()
    assert [bytes(p.got) for p in serving(world.target_b) if p.got.endswith(b"hello")] == [
        LOCAL_HEADER + b"hello"
    ]


def test_a_target_is_dialed_by_its_tls_and_anew_when_that_changes() -> None:
    world = Two(1, 0)
    first, second = (Tls(context=None, certificate=name, alpn=()) for name in (b"1", b"2"))
    for tls in (first, second):
        config = TargetConfig(connector="main", capacity=1, tls=tls, proxy_protocol=True)
        world.a.forwarder.set_targets(KEY, {str(world.target_a): config})
        world.network.run()
        client = world.client()
        used = world.network.dialed_tls[-1]
        assert used is not None and used.certificate == tls.certificate
        assert used.preface.startswith(LOCAL_HEADER[:12])
        (party,) = serving(world.target_a)
        assert bytes(party.got) == b"hello"  # The preface is the network's.
        client.abort()
        world.network.run()


def test_requests_and_overflow_are_counted_once_at_the_ingress() -> None:
    world = Two(1, 1)
    clients = [world.client(), world.client()]
    for client in clients:
        client.abort()
    world.network.run()
    (snapshot,) = world.a.forwarder.readings.services_snapshot()
    assert snapshot.counters.requests_total == 2
    assert snapshot.counters.overflow == {(site_of("b"), "full"): 1}
    ended = {(site_of(name), "client-gone") for name in "ab"}
    assert set(snapshot.counters.requests) == ended
    (remote,) = world.b.forwarder.readings.services_snapshot()
    assert remote.counters.requests_total == 0
    assert remote.targets[0].requests_total == 1


def test_when_a_service_goes_only_those_that_wait_for_it_are_sent_elsewhere() -> None:
    world, other = Two(0, 1, told=5), ServiceKey("other", 5432)
    target = FakeTarget(world.network, "10.0.0.3", 5432)
    for site in (world.a, world.b):
        site.forwarder.set_service(other, CONFIG)
    terms = {str(target): TargetConfig(connector="main", capacity=1)}
    world.b.forwarder.set_targets(other, terms)
    world.a.forwarder.ports.set_remotes(other, [candidate("b", capacity=5)])
    places = {KEY: ("127.0.0.1", 5432), other: ("127.0.0.1", 5433)}
    world.a.forwarder.set_listeners(places)
    waiting = {key: [world.a.connect(*place) for _ in range(2)] for key, place in places.items()}
    world.network.run()
    stands = [one.service for one in world.mesh.opens if one.wait_ms]
    assert sorted(stands) == ["db", "other"]
    opens = len(world.mesh.opens)
    world.b.forwarder.remove_service(other)
    world.network.run()
    assert "db" not in [one.service for one in world.mesh.opens[opens:]], "it stands where it is"
    first = world.target_b.serving
    waiting[KEY][0].abort()
    world.network.run()
    assert len(world.target_b.serving) == 1 and world.target_b.serving != first


def test_load_changes_are_told_with_every_slot() -> None:
    world = Two(2, 0)
    seen: list[int] = []
    world.a.forwarder.news.follow_load(lambda key: seen.append(world.a.in_flight(key)))
    client = world.client()
    client.abort()
    world.network.run()
    assert seen == [1, 0]


def test_a_service_is_explained_with_its_candidates() -> None:
    world = Two(1, 1)
    explanation = world.a.forwarder.readings.explain(KEY, world.network.now())
    assert explanation is not None
    assert [report.site for report in explanation.candidates] == [site_of("a"), site_of("b")]
    assert world.a.forwarder.readings.explain(ServiceKey("other", 1), 0.0) is None


def test_a_tcp_service_that_comes_while_memory_is_short_leaves_its_clients_in_the_backlog() -> None:
    world = Two(1, 0)
    forwarder = world.a.forwarder
    forwarder.memory.refuse_new(True)
    other = ServiceKey("late", 5433)
    place = Address("127.0.0.1", 5433)
    forwarder.set_service(other, CONFIG)
    forwarder.set_listeners({KEY: ("127.0.0.1", 5432), other: (place.host, place.port)})
    assert world.network.is_paused(place)
    forwarder.set_service(other, msgspec.structs.replace(CONFIG, protocol="http"))
    assert not world.network.is_paused(place)  # It can be answered.
    forwarder.set_service(other, CONFIG)
    assert world.network.is_paused(place)
    forwarder.memory.refuse_new(False)
    assert not world.network.is_paused(place)


def test_only_what_frees_memory_is_dropped_for_it() -> None:
    size = limits.DROP_BYTES_MIN
    world = Two(2, 0)
    with_the_kernel, held = world.client(), world.client()
    for client, unsent in ((with_the_kernel, 0), (held, size)):
        assert client.connection is not None
        near = client.connection.other  # type: ignore[attr-defined]
        near.buffered_bytes, near.unsent_bytes = 2 * size - unsent, unsent
    assert world.a.forwarder.memory.drop_slowest(10 * size) == 1
    world.network.run()
    assert held.was_reset and with_the_kernel.is_open


@pytest.mark.parametrize(("kept", "gives_way"), [(-1, False), (0, True), (1, True)])
def test_who_keeps_less_than_is_worth_it_keeps_it_when_memory_is_short(
    kept: int, gives_way: bool
) -> None:
    world = Two(0, 1)
    world.client()
    waiting = world.client(b"x" * (limits.DROP_BYTES_MIN + kept))
    assert world.a.forwarder.memory.drop_slowest(1) == gives_way
    world.network.run()
    assert waiting.was_reset == gives_way


@pytest.mark.parametrize(("more", "count"), [(-1, 1), (0, 1), (1, 2)])
def test_all_that_give_way_when_memory_is_short_are_counted(more: int, count: int) -> None:
    """Bytes kept for a retry go first; a slow reader goes only if that is not enough."""
    size = limits.DROP_BYTES_MIN
    world = Two(0, 1)
    unread, waiting = world.client(), world.client(b"x" * size)
    assert unread.connection is not None
    unread.connection.other.unsent_bytes = size  # type: ignore[attr-defined]
    assert world.a.forwarder.memory.drop_slowest(size + more) == count
    world.network.run()
    assert waiting.was_reset and unread.was_reset == (count == 2)


def test_a_shared_listener_sends_new_connections_to_the_first_service_with_a_target() -> None:
    network = FakeNetwork()
    site = Site(network, FakeMesh(network), "a")
    other = ServiceKey("db-standby", 5432)
    places = {KEY: FakeTarget(network, "10.0.0.1", 5432), other: FakeTarget(network, "10.0.0.2", 5)}
    for key, target in places.items():
        site.forwarder.set_service(key, CONFIG)
        site.forwarder.set_targets(key, {str(target): TargetConfig(connector="main", capacity=9)})
    site.forwarder.entry.set_choices({other: ServiceChoice((KEY, other))})
    site.forwarder.set_listeners({other: ("127.0.0.1", 5432)})
    chosen: list[tuple[ServiceKey, ServiceKey]] = []
    site.forwarder.entry.follow_choices(lambda *told: chosen.append(told))
    network.run()

    def client() -> Party:
        party = site.connect("127.0.0.1", 5432)
        party.send(b"hello")
        network.run()
        return party

    first = client()
    assert (site.in_flight(KEY), site.in_flight(other)) == (1, 0)
    site.forwarder.set_targets(KEY, {})
    client()
    assert (site.in_flight(KEY), site.in_flight(other)) == (1, 1), "the first one goes on"
    assert not first.losses
    target = places[KEY]
    site.forwarder.set_targets(KEY, {str(target): TargetConfig(connector="main", capacity=9)})
    network.run()
    client()
    assert (site.in_flight(KEY), site.in_flight(other)) == (2, 1)
    assert chosen == [(other, KEY), (other, other), (other, KEY)]
    site.forwarder.entry.set_choices({})
    client()
    assert (site.in_flight(KEY), site.in_flight(other)) == (2, 2)
    assert len(chosen) == 3


def test_places_of_a_shared_listener_are_given_back_to_it() -> None:
    network = FakeNetwork()
    site = Site(network, FakeMesh(network), "a")
    other = ServiceKey("db-standby", 5432)
    target = FakeTarget(network, "10.0.0.1", 5432)
    bounded = msgspec.structs.replace(CONFIG, limits=ServiceLimits(connections=1))
    site.forwarder.set_service(KEY, CONFIG)
    site.forwarder.set_service(other, bounded)
    site.forwarder.set_targets(KEY, {str(target): TargetConfig(connector="main", capacity=9)})
    site.forwarder.entry.set_choices({other: ServiceChoice((KEY, other))})
    site.forwarder.set_listeners({other: ("127.0.0.1", 5432)})
    network.run()
    for _ in range(3):
        party = site.connect("127.0.0.1", 5432)
        party.send(b"hello")
        network.run()
        assert site.in_flight(KEY) == 1
        assert network.is_paused(Address("127.0.0.1", 5432)), "it is full"
        party.abort()
        network.run()
        assert not network.is_paused(Address("127.0.0.1", 5432))

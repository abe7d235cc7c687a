"""Connections that end before their clients end them: by age, or as the policy has changed."""

from itertools import pairwise
from math import inf

import pytest
from msgspec.structs import replace

from router.balance.deciding.placement import Placement
from router.exchange.clients.ingress_tcp import TcpSession
from router.exchange.clients.rebalancing import RebalanceNews, RebalanceTerms
from router.http.http1.websocket_frames import RESTARTING
from router.model import limits
from router.model.ids import ServiceKey
from router.model.settings import Affinity
from router.model.specs import ServiceSpec
from router.service.observers import Finished
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Party,
    Site,
    answer_ok,
    candidate,
    site_of,
)
from tests.unit.exchange.test_forwarder_http2 import KEY as HTTP2_KEY
from tests.unit.exchange.test_forwarder_http2 import Shop as Http2Shop

pytestmark = pytest.mark.usefixtures("lateness")

KEY = ServiceKey("db", 5432)
PLAIN = ServiceSpec(ports=(5432,), protocol="tcp")
AGED = replace(PLAIN, max_age_s=60.0, max_age_jitter=0.0, max_age_grace_s=20.0)
GET = b"GET / HTTP/1.1\r\nHost: db\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: db\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
ALMOST_S = 59.0
SOON_S = limits.DEPARTURE_QUIET_S + 2 * limits.DEPARTURES_LOOK_S


class World:
    """Site ``a`` accepts the clients. ``a`` and ``b`` have a target each, and a test answers."""

    def __init__(self, spec: ServiceSpec, here: int = 4, there: int = 100) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.news: list[RebalanceNews] = []
        self.a, self.b = (Site(self.network, self.mesh, name) for name in "ab")
        self.targets = [FakeTarget(self.network, f"10.0.0.{n}", 5432, self.answer) for n in (1, 2)]
        for site in (self.a, self.b):
            site.forwarder.set_service(KEY, spec)
        self.set_capacity(here)
        self.b.forwarder.set_targets(
            KEY, {str(self.targets[1]): TargetConfig(connector="main", capacity=there)}
        )
        self.a.forwarder.ports.set_remotes(KEY, [candidate("b", capacity=there)])
        self.a.forwarder.set_listeners({KEY: ("127.0.0.1", 5432)})
        self.rebalancing = self.a.forwarder.moves.rebalancing
        self.rebalancing.follow(self.news.append)
        self.network.advance(limits.HEALTH_INTERVAL_S)

    def answer(self, party: Party) -> None:
        if b"Upgrade" not in party.got:
            answer_ok(party)
        elif party.got.endswith(b"\r\n\r\n"):
            party.send(SWITCHED)

    def set_capacity(self, here: int) -> None:
        target = {str(self.targets[0]): TargetConfig(connector="main", capacity=here)}
        self.a.forwarder.set_targets(KEY, target if here else {})

    def client(self, hello: bytes = b"hello") -> Party:
        party = self.a.connect("127.0.0.1", 5432)
        party.send(hello)
        self.network.run()
        return party

    def served(self, number: int = 0) -> list[Party]:
        return [party for party in self.targets[number].serving if party.got]

    @property
    def counts(self) -> tuple[int, int]:
        return len(self.served(0)), len(self.served(1))

    def end_what_ended(self) -> None:
        """Both ends answer an end with theirs, as most programs do."""
        for target in self.targets:
            for party in target.serving:
                if party.got_end:
                    party.finish()
        self.network.run()


def has_ended(party: Party) -> bool:
    return party.got_end


def departed(world: World) -> dict[str, int]:
    return dict(world.a.forwarder._services[KEY].counters.departed)


# By age


def test_an_old_idle_tcp_connection_ends_both_ways() -> None:
    world = World(AGED)
    client = world.client()
    world.network.advance(ALMOST_S)
    assert not has_ended(client)
    world.network.advance(1 + SOON_S)
    (target,) = world.served()
    assert has_ended(client) and has_ended(target) and not client.losses
    world.end_what_ended()
    client.finish()
    world.network.run()
    assert client.losses == [None] and departed(world) == {"age": 1}


class Log:
    """An access log: each connection is watched."""

    def __init__(self) -> None:
        self.count = 0

    def finished(self, finished: Finished) -> None:
        self.count += 1


def test_one_that_is_watched_ends_too_and_is_looked_at_until_its_client_is_gone() -> None:
    """Its target finishes before its client: the follower gets its end then."""
    world, log = World(AGED), Log()
    world.a.forwarder.observing.set(log, None)
    client, other = world.client(), world.client()
    world.network.advance(60 + SOON_S)
    world.end_what_ended()
    assert has_ended(client) and has_ended(other)
    world.network.advance(2 * limits.DEPARTURES_LOOK_S)
    for one in (client, other):
        one.finish()
    world.network.run()
    assert (log.count, departed(world)) == (2, {"age": 2})


def test_what_a_client_says_after_its_end_reaches_nobody() -> None:
    world = World(AGED)
    client = world.client()
    world.network.advance(60 + SOON_S)
    client.send(b"UPDATE everything")
    world.network.run()
    assert [bytes(party.got) for party in world.served()] == [b"hello"]


def test_a_busy_one_lasts_until_it_is_quiet_or_past_its_grace() -> None:
    world = World(AGED)
    quiet, busy = world.client(), world.client()
    for _ in range(60 + 18):
        busy.send(b"more")
        world.network.advance(1.0)
    assert has_ended(quiet) and not has_ended(busy)
    for _ in range(4):
        busy.send(b"more")
        world.network.advance(1.0)
    assert busy.was_reset and not has_ended(busy)  # What it has got may be torn.
    for _ in range(int(limits.DEPARTURE_LINGER_S) + 1):
        world.network.advance(1.0)
    assert quiet.was_reset  # It has not answered its end.


@pytest.mark.parametrize("grace_s", [0.0, limits.DEPARTURES_LOOK_S, limits.DEPARTURE_QUIET_S])
def test_a_grace_too_short_to_show_which_are_idle_resets_only_busy_ones(grace_s: float) -> None:
    world = World(replace(AGED, max_age_grace_s=grace_s))
    idle, busy = world.client(), world.client()
    for _ in range(int((60 + SOON_S) / 0.1)):
        busy.send(b"more")
        world.network.advance(0.1)
    assert has_ended(idle) and not idle.was_reset
    assert busy.was_reset and not has_ended(busy)


def test_a_fault_of_ours_with_one_connection_ends_no_departure() -> None:
    world = World(AGED)
    clients = [world.client(), world.client()]

    def fails(session: TcpSession, *, quiet: bool) -> None:
        raise LookupError("a fault of ours")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TcpSession, "leave", fails)
        for _ in clients:
            with pytest.raises(LookupError):
                world.network.advance(60.0)
        with pytest.raises(LookupError):
            world.network.advance(limits.DEPARTURES_LOOK_S)
    world.network.advance(SOON_S)
    assert all(has_ended(client) for client in clients)


def test_ages_differ_by_the_jitter() -> None:
    world = World(replace(AGED, max_age_jitter=0.5), here=50)
    clients = [world.client() for _ in range(20)]
    ended = []
    for _ in range(12):
        world.network.advance(6.0)
        ended.append(sum(has_ended(client) for client in clients))
    assert ended[3] == 0 and 4 < ended[8] < 16 and len(set(ended)) > 5


def test_a_service_that_gets_an_age_gives_it_to_who_is_there() -> None:
    world = World(PLAIN)
    client = world.client()
    world.network.advance(300.0)
    world.a.forwarder.set_service(KEY, AGED)
    world.network.advance(ALMOST_S)
    assert not has_ended(client)
    world.network.advance(1 + SOON_S)
    assert has_ended(client)


def test_one_that_loses_its_age_keeps_its_connections() -> None:
    world = World(AGED)
    client = world.client()
    world.network.advance(30.0)
    world.a.forwarder.set_service(KEY, PLAIN)
    world.network.advance(300.0)
    assert not has_ended(client)


def test_an_idle_http_connection_stays_and_its_next_answer_says_close() -> None:
    world = World(replace(AGED, protocol="http"))
    client = world.client(GET)
    world.network.advance(60 + SOON_S)
    assert client.got.endswith(b"ok") and b"close" not in client.got and not has_ended(client)
    client.send(GET)
    world.network.run()
    assert b"Connection: close\r\n" in client.got and has_ended(client)


def test_a_request_on_a_connection_that_idled_beyond_its_grace_is_answered() -> None:
    patient = replace(AGED.timeouts, keep_alive_s=600.0)
    world = World(replace(AGED, protocol="http", timeouts=patient))
    client = world.client(GET)
    world.network.advance(60.0 + AGED.max_age_grace_s + limits.DEPARTURE_LINGER_S + 30.0)
    client.got.clear()
    world.targets[0].answer = None  # It takes a while.
    client.send(GET)
    world.network.advance(10.0)
    assert not client.losses
    (target,) = world.served()
    answer_ok(target)
    world.network.run()
    assert client.got.startswith(b"HTTP/1.1 200 OK") and b"Connection: close" in client.got


@pytest.mark.parametrize("here", [4, 0], ids=["local", "remote"])
def test_a_websocket_gets_a_close_between_two_frames_and_says_good_bye_itself(here: int) -> None:
    world = World(replace(AGED, protocol="http"), here=here)
    client = world.client(UPGRADE)
    (target,) = world.served(0 if here else 1)
    client.got.clear()
    target.got.clear()
    target.send(b"\x81\x05he")
    world.network.advance(60 + SOON_S)
    assert bytes(client.got) == b"\x81\x05he"  # Not within a frame.
    target.send(b"llo")
    world.network.advance(SOON_S)
    assert bytes(client.got) == b"\x81\x05hello" + RESTARTING
    target.send(b"\x81\x02no")
    client.send(b"\x88\x80mask")
    world.network.run()
    assert bytes(target.got) == b"\x88\x80mask"
    assert bytes(client.got).endswith(RESTARTING)  # After a Close nothing follows.
    target.send(b"\x88\x00")
    target.finish()
    world.network.run()
    assert has_ended(client)
    client.finish()
    world.network.run()
    assert client.losses == [None]


def test_a_websocket_whose_client_says_nothing_ends_like_tcp() -> None:
    world = World(replace(AGED, protocol="http"))
    client = world.client(UPGRADE)
    (target,) = world.served()
    world.network.advance(60 + SOON_S + limits.DEPARTURE_LINGER_S)
    assert client.got.endswith(RESTARTING) and has_ended(client) and has_ended(target)


# By policy


def test_a_plan_says_what_would_move_and_moves_nothing() -> None:
    world = World(PLAIN, here=0)
    clients = [world.client() for _ in range(12)]
    world.set_capacity(5)
    world.network.advance(10.0)
    plan = world.a.forwarder.moves.plan(KEY)
    assert plan is not None and plan.placed == {site_of("b"): 12}
    assert plan.placement == Placement({site_of("b"): 5}, {site_of("a"): 5})
    world.network.advance(60.0)
    assert not any(has_ended(client) for client in clients)


def test_a_stream_of_http2_counts_where_it_is_once_it_lasts() -> None:
    shop = Http2Shop(remote=True)
    shop.target.act = shop.target.hold
    shop.network.advance(100.0)
    shop.client = shop.connect()
    shop.ask()
    for seconds, placed in ((limits.REBALANCE_LASTS_S - 0.1, {}), (0.2, {site_of("b"): 1})):
        shop.network.advance(seconds)
        plan = shop.a.forwarder.moves.plan(HTTP2_KEY)
        assert plan is not None and plan.placed == placed


def test_a_run_ends_idle_ones_at_its_rate_and_no_more_than_have_room_here() -> None:
    world = World(PLAIN, here=0)
    clients = [world.client() for _ in range(40)]
    world.set_capacity(15)
    world.network.advance(10.0)
    world.a.forwarder.moves.begin(KEY, RebalanceTerms(per_s=4.0, idle_s=2.0))
    world.network.advance(1.9)
    assert not any(has_ended(client) for client in clients)
    ends = 0
    for second in range(1, 12):
        world.network.advance(1.0)
        world.end_what_ended()
        gone = [client for client in clients if has_ended(client)]
        for client in gone:
            clients.remove(client)
            client.finish()
            world.network.run()
            clients.append(world.client())  # It comes again at once.
        ends += len(gone)
        assert len(gone) <= 5 and ends <= 4 * second + 1
    world.network.advance(2 * limits.REBALANCE_RETURN_S + 1)
    assert ends == 15 and world.counts == (15, 25)
    assert world.news == [RebalanceNews(key=KEY, moved={site_of("b"): 15}, left=0)]
    assert departed(world) == {"rebalance": 15}


def test_one_that_was_sent_away_counts_as_one_that_comes_back_until_it_had_time_to() -> None:
    """Also once it is gone: its place is kept, so no other one is sent after it."""
    world = World(PLAIN, here=0)
    clients = [world.client() for _ in range(3)]
    world.set_capacity(1)
    world.network.advance(10.0)
    world.a.forwarder.moves.begin(KEY, RebalanceTerms(idle_s=1.0, over_s=600.0))
    began, ended = world.network.time, list[float]()
    while world.network.time < began + 12.0:
        world.network.advance(0.1)
        world.end_what_ended()
        for client in [one for one in clients if has_ended(one)]:
            client.finish()
            clients.remove(client)
            ended.append(world.network.time)
    assert len(ended) == 3, "none came back"
    for before, after in pairwise(ended):
        most = limits.REBALANCE_RETURN_S + 2 * limits.REBALANCE_TICK_S
        assert limits.REBALANCE_RETURN_S <= after - before <= most


def test_a_request_of_http_is_not_moved_however_long_it_takes() -> None:
    world = World(replace(PLAIN, protocol="http"), here=0)
    for target in world.targets:
        target.answer = None
    client = world.client(GET)
    world.set_capacity(5)
    world.network.advance(2 * limits.REBALANCE_LASTS_S)
    plan = world.a.forwarder.moves.begin(KEY, RebalanceTerms(idle_s=1.0, grace_s=1.0))
    assert plan is not None and plan.placed == {}
    assert world.rebalancing.is_running(KEY)
    world.network.advance(10.0)
    assert not world.rebalancing.is_running(KEY)
    assert client.is_open and not world.news[-1].moved


@pytest.mark.parametrize("idle_s", [1.0, 4.0])
def test_a_quiet_one_is_moved_once_it_was_quiet_for_so_long(idle_s: float) -> None:
    world = World(PLAIN, here=0)
    client = world.client()
    world.set_capacity(5)
    world.network.advance(10.0)
    world.a.forwarder.moves.begin(KEY, RebalanceTerms(idle_s=idle_s))
    world.network.advance(idle_s)
    assert not has_ended(client), "it may have been busy until now"
    world.network.advance(1.5 * limits.REBALANCE_TICK_S)
    assert has_ended(client)


@pytest.mark.parametrize("grace_s", [1.0, 4.0])
def test_a_busy_one_is_moved_at_the_end_of_its_grace(grace_s: float) -> None:
    world = World(PLAIN, here=0)
    client = world.client()
    world.set_capacity(5)
    world.network.advance(10.0)
    world.a.forwarder.moves.begin(KEY, RebalanceTerms(idle_s=600.0, grace_s=grace_s))
    ended_s = 0.0
    while not client.was_reset and ended_s < 10.0:
        client.send(b"more")
        world.network.advance(0.05)
        ended_s += 0.05
    assert ended_s == pytest.approx(grace_s, abs=0.11)
    assert not has_ended(client), "what it has got may be torn"


@pytest.mark.parametrize("is_busy", [False, True])
def test_one_of_http2_is_moved_by_a_word_of_its_protocol_however_busy(is_busy: bool) -> None:
    shop = Http2Shop(remote=True)
    shop.target.act = shop.target.hold
    stream = shop.ask(body=b"")
    shop.network.advance(limits.REBALANCE_LASTS_S)
    shop.a.forwarder.set_targets(
        HTTP2_KEY, {str(shop.target): TargetConfig(connector="t", capacity=10)}
    )
    shop.network.advance(limits.HEALTH_INTERVAL_S)
    shop.a.forwarder.moves.begin(HTTP2_KEY, RebalanceTerms(idle_s=600.0))
    for _ in range(4):
        if is_busy:
            shop.client.peer.h2.send_data(stream, b"more")
            shop.client.push()
        shop.network.advance(limits.REBALANCE_TICK_S)
    assert shop.client.peer.goaways and shop.client.is_open


@pytest.mark.parametrize(
    ("spec", "hello"),
    [(PLAIN, b"hello"), (replace(PLAIN, protocol="http"), UPGRADE)],
    ids=["tcp", "tunnel"],
)
def test_busy_ones_stay_unless_a_grace_is_over(spec: ServiceSpec, hello: bytes) -> None:
    world = World(spec, here=0)
    client = world.client(hello)
    world.set_capacity(5)
    world.a.forwarder.moves.begin(KEY, RebalanceTerms(over_s=20.0))
    for _ in range(25):
        client.send(b"more")
        world.network.advance(1.0)
    assert not has_ended(client)
    assert [(one.moved, one.left) for one in world.news] == [({}, 1)]
    world.a.forwarder.moves.begin(KEY, RebalanceTerms(over_s=20.0, grace_s=5.0))
    for _ in range(7):
        client.send(b"more")
        world.network.advance(1.0)
    assert client.was_reset and not has_ended(client)


def test_sessions_stay_where_they_are() -> None:
    world = World(replace(PLAIN, affinity=Affinity(by="client")), here=0)
    client = world.client()
    world.set_capacity(5)
    world.a.forwarder.moves.begin(KEY, RebalanceTerms(idle_s=1.0))
    world.network.advance(30.0)
    assert not has_ended(client)


def test_with_auto_connections_come_back_by_themselves_and_stay_when_they_are_right() -> None:
    world = World(replace(PLAIN, rebalance="auto"))
    right = [world.client() for _ in range(4)]
    far = [world.client() for _ in range(3)]
    assert world.counts == (4, 3)
    world.network.advance(60.0)
    assert not any(has_ended(client) for client in right + far)
    world.set_capacity(6)
    world.network.advance(2 * limits.REBALANCE_LOOK_S + limits.REBALANCE_IDLE_S + 1)
    assert not any(has_ended(client) for client in right)
    assert sum(has_ended(client) for client in far) == 2
    world.a.forwarder.set_service(KEY, PLAIN)
    world.set_capacity(50)
    world.network.advance(60.0)
    assert sum(has_ended(client) for client in far) == 2


def test_with_auto_connections_come_back_however_often_the_service_is_configured() -> None:
    auto = replace(PLAIN, rebalance="auto")
    world = World(auto, here=0)
    client = world.client()
    world.set_capacity(5)
    for number in range(int(3 * limits.REBALANCE_LOOK_S + limits.REBALANCE_IDLE_S) + 1):
        world.a.forwarder.set_service(KEY, replace(auto, max_age_grace_s=20.0 + number))
        world.network.advance(1.0)
    assert has_ended(client)


def test_a_fault_of_ours_at_the_end_of_a_run_ends_no_other_run() -> None:
    auto = replace(PLAIN, rebalance="auto")
    world = World(auto, here=0)
    first = world.client()

    def fails(news: RebalanceNews) -> None:
        raise LookupError("a fault of ours")

    world.rebalancing.follow(fails)
    world.set_capacity(5)
    world.network.advance(3 * limits.REBALANCE_LOOK_S + limits.REBALANCE_IDLE_S + 1)
    assert has_ended(first)
    world.end_what_ended()
    with pytest.raises(LookupError):
        world.network.advance(60.0)
    world.set_capacity(0)
    second = world.client()
    world.set_capacity(5)
    world.rebalancing.follow(world.news.append)
    world.network.advance(3 * limits.REBALANCE_LOOK_S + limits.REBALANCE_IDLE_S + 1)
    assert has_ended(second)


def test_with_auto_what_is_busy_stays_and_is_not_told_again_and_again() -> None:
    world = World(replace(PLAIN, rebalance="auto"), here=0)
    client = world.client()
    world.set_capacity(5)
    for _ in range(200):
        client.send(b"more")
        world.network.advance(1.0)
    assert not has_ended(client) and not world.news
    world.network.advance(limits.REBALANCE_IDLE_S + 1)
    assert has_ended(client)


def test_a_service_that_uses_none_of_it_is_not_looked_at() -> None:
    world = World(PLAIN)
    client = world.client()
    assert not world.a.forwarder.moves.involved
    client.abort()
    world.network.run()
    assert departed(world) == {}


def test_a_removed_service_ends_its_run() -> None:
    world = World(PLAIN, here=0)
    client = world.client()
    world.set_capacity(5)
    world.a.forwarder.moves.begin(KEY, RebalanceTerms(idle_s=1.0, grace_s=inf))
    world.a.forwarder.remove_service(KEY)
    world.network.advance(30.0)
    assert not has_ended(client) and not world.news

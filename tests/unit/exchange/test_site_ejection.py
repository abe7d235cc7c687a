"""Remote sites that fail: what their streams report, and where requests go meanwhile."""

from collections.abc import Callable
from math import inf

import pytest

from router.balance.sites.site_ejection import SiteEjected, SiteNews, SiteReturned
from router.link.ports import DeadEnd, OfferedStream, OpenRequest, ResetCode, ToldCount
from router.model import limits
from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from tests.unit.exchange.fakes import Party, candidate, router_of
from tests.unit.exchange.test_holding import World
from tests.unit.exchange.test_retries import CONNECT_S, KEY, RESPONSE_S, Shop, status

pytestmark = pytest.mark.usefixtures("lateness")

POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\n\r\n"
OK_HEAD = b"HTTP/1.1 200 OK\r\n"


# By then a site that answers no OPEN is silent: its round trips are short here, or not known.
SILENT_S = CONNECT_S + limits.UNANSWERED_BEYOND_S_MIN + 2 * limits.UNANSWERED_LOOK_S
SILENT_FIRST_S = CONNECT_S + limits.UNANSWERED_FIRST_S + 2 * limits.UNANSWERED_LOOK_S


class Rogue(DeadEnd):
    """The egress of a stream, which does what ``act`` says and reads nothing."""

    def __init__(self, stream: OfferedStream, act: Callable[[OfferedStream], None]) -> None:
        self.losses: list[ResetCode | None] = []
        act(stream)

    def lost(self, cause: ResetCode | None) -> None:
        self.losses.append(cause)


def silent(stream: OfferedStream) -> None:
    pass


def stalls(stream: OfferedStream) -> None:
    stream.accept(0)


def resets(stream: OfferedStream) -> None:
    stream.reset("target-reset")


def garbage(stream: OfferedStream) -> None:
    stream.accept(0)
    stream.send_head(b"what?\r\n", 0)


def torn(stream: OfferedStream) -> None:
    stream.accept(0)
    stream.send_head(OK_HEAD, 5)
    stream.reset("target-reset")


def unconnected(stream: OfferedStream) -> None:
    stream.refuse("connect-failed", 0)


def full(stream: OfferedStream) -> None:
    stream.refuse("busy", 10)


def serves(stream: OfferedStream) -> None:
    stream.accept(0)
    stream.send_head(OK_HEAD, 2)
    stream.send(b"ok")
    stream.finish(ToldCount(0))


class Scene(Shop):
    """`Shop`, where ``b`` treats streams as the test says."""

    def __init__(self, act: Callable[[OfferedStream], None]) -> None:
        super().__init__(capacity=50, farther=50)
        self.rogues: list[Rogue] = []
        self.act: Callable[[OfferedStream], None] = serves
        self.news: list[SiteNews] = []
        self.mesh.offered[router_of("b")] = self._offered_to_b
        self.a.news.follow_sites(self._hear)
        self.mesh.delay_s = 0.01
        self.ask(1)  # The round trip is known from here on.
        self.act = act
        self.rogues.clear()

    def _offered_to_b(self, stream: OfferedStream, request: OpenRequest) -> None:
        rogue = Rogue(stream, self.act)
        self.rogues.append(rogue)
        stream.lead_to(rogue)

    def _hear(self, key: ServiceKey, news: SiteNews) -> None:
        assert key == KEY
        self.news.append(news)

    def ask(self, times: int, request: bytes = b"", every_s: float = 0.1) -> list[Party]:
        """Ask so often."""
        parties = []
        for _ in range(times):
            parties.append(self.client(*([request] if request else [])))
            self.network.advance(every_s)
        return parties

    def answer(self, name: str) -> None:
        """And let the answer arrive."""
        super().answer(name)
        self.network.advance(2 * self.mesh.delay_s)

    @property
    def ejected(self) -> list[str]:
        return [one.reason for one in self.news if isinstance(one, SiteEjected)]


@pytest.mark.parametrize(
    ("act", "cause", "after_s"),
    [
        (silent, "were not accepted", 10.0),
        (stalls, "got no answer in time", 10.0),
        (resets, "were reset", 0.0),
        (garbage, "got malformed or torn answers", 0.0),
        (torn, "were reset", 0.0),
        (unconnected, "were refused", 0.0),
    ],
)
def test_a_site_that_fails_is_ejected_and_the_next_one_serves(
    act: Callable[[OfferedStream], None], cause: str, after_s: float
) -> None:
    scene = Scene(act)
    scene.ask(limits.EJECT_AFTER, every_s=0.3)
    scene.network.advance(after_s)
    assert len(scene.ejected) == 1
    assert cause in scene.ejected[0]
    before = len(scene.rogues)
    (client,) = scene.ask(1)
    scene.answer("c")
    scene.network.advance(0.1)
    if after_s == 0.0:  # Else its first probe is due.
        assert status(client) == 200
        assert len(scene.rogues) == before


@pytest.mark.parametrize("request_bytes", [b"", POST + b"o"], ids=["asked", "sends its body"])
def test_a_full_site_is_not_ejected_nor_one_whose_clients_leave(request_bytes: bytes) -> None:
    scene = Scene(full)
    scene.ask(30)
    assert scene.news == []
    scene = Scene(stalls)
    for client in scene.ask(30, request_bytes, every_s=0.05):
        assert client.connection is not None
        client.connection.abort()
        scene.network.advance(0.05)
    assert scene.news == []


@pytest.mark.parametrize("act", [serves, full])
def test_a_probe_that_is_answered_brings_it_back(act: Callable[[OfferedStream], None]) -> None:
    """Also by the answer that it is full; another site serves the request then."""
    scene = Scene(resets)
    scene.ask(limits.EJECT_AFTER)
    scene.act = act
    scene.network.advance(limits.EJECT_BASE_S)
    (client,) = scene.ask(1)
    if act is full:
        scene.answer("c")
    assert status(client) == 200
    assert isinstance(scene.news[-1], SiteReturned)


def test_a_probe_whose_client_leaves_is_followed_by_another_one_a_period_later() -> None:
    scene = Scene(resets)
    scene.ask(limits.EJECT_AFTER)
    scene.act = stalls
    scene.network.advance(limits.EJECT_BASE_S)
    (probe,) = scene.ask(1)
    begun = len(scene.rogues)
    assert probe.connection is not None
    probe.connection.abort()
    scene.network.advance(0.1)
    scene.ask(5)
    assert len(scene.rogues) == begun
    scene.network.advance(limits.EJECT_BASE_S)
    scene.ask(1)
    assert len(scene.rogues) == begun + 1
    assert len(scene.ejected) == 1


@pytest.mark.parametrize(
    ("request_bytes", "moves"),
    [
        (b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n", True),
        (POST, False),  # Its body was not sent, and its head may be enough for a target to run it.
        (POST + b"ab", False),
        (b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
def test_what_a_silent_site_may_not_have_run_moves_on(request_bytes: bytes, moves: bool) -> None:
    scene = Scene(silent)
    client = scene.client(request_bytes)
    scene.network.advance(SILENT_S)
    if not moves:
        assert scene.targets["c"].requests == 0
        return
    scene.network.advance(0.1)
    assert scene.targets["c"].requests == 1
    assert scene.rogues[0].losses == ["cancelled"]
    scene.answer("c")
    scene.network.advance(0.1)
    assert status(client) == 200


@pytest.mark.parametrize(
    ("said", "ends", "moves"), [(b"", False, True), (b"hello", False, False), (b"", True, False)]
)
def test_a_tcp_client_that_said_nothing_moves_on_from_a_silent_site(
    said: bytes, ends: bool, moves: bool
) -> None:
    shop = Shop(protocol="tcp")
    shop.mesh.offered[router_of("b")] = lambda stream, request: None
    client = shop.sites["a"].connect("127.0.0.1", 8080)
    if said:
        client.send(said)
    if ends:
        client.finish()
    shop.network.advance(SILENT_FIRST_S)
    assert [one.path[-1] for one in shop.mesh.opens[1:]] == ([router_of("c")] if moves else [])


def test_a_site_that_may_let_a_request_wait_and_says_nothing_has_failed_it() -> None:
    scene = Scene(serves)
    scene.mesh.delay_s = way_s = limits.FAR_RTT_S
    scene.set_remotes("b")
    for _ in range(9):
        scene.ask(1, every_s=1.0)
    scene.act = silent
    client = scene.client()
    assert scene.mesh.opens[-1].wait_ms > 0
    scene.network.advance(1.0 + CONNECT_S + limits.STAND_S + 2 * way_s - 0.05)
    assert not list(scene.a.readings.site_ejections())
    scene.network.advance(0.1)
    assert list(scene.a.readings.site_ejections())
    assert not client.got, "it may have been let in: nobody else could serve it"
    scene.network.advance(2 * RESPONSE_S)
    assert status(client) == 504


def test_a_request_that_can_go_nowhere_else_waits_for_a_silent_site() -> None:
    scene = Scene(silent)
    scene.set_remotes("b")
    client = scene.client()
    scene.network.advance(SILENT_S)
    assert scene.rogues[0].losses == []
    scene.network.advance(2 * RESPONSE_S + 1.0)
    assert status(client) == 504


def offer_newly(world: World, capacity: int) -> None:
    """The far site offers the service from now on, without a grant."""
    offer, ports = candidate("far", capacity=capacity), world.near.forwarder.ports
    ports.introduce("shop", offer.site)
    ports.set_remotes(ServiceKey("shop", 80), [offer])


def test_connections_that_wait_go_to_a_site_that_starts_small_as_its_places_come() -> None:
    """Connections of TCP stay: no end of another one says that there is a place more."""
    world = World(wake_s=inf, spec=ServiceSpec(ports=(80,), protocol="tcp", queue_wait_s=10.0))
    network, near = world.network, world.near
    for _ in range(4 + 16):
        near.connect("127.0.0.1", 80).send(b"hello")
    network.advance(0.1)
    offer_newly(world, capacity=60)
    there = []
    for _ in range(5):
        network.advance(2 * limits.EJECT_LOOK_S)
        there.append(len(world.far_target.serving))
        network.advance(1.0 - 2 * limits.EJECT_LOOK_S)
    assert there == [1, 2, 4, 8, 16]


def test_nothing_is_refused_while_a_site_that_starts_small_has_room() -> None:
    world = World(wake_s=inf, spec=ServiceSpec(ports=(80,), protocol="tcp", queue_wait_s=1.0))
    network, near = world.network, world.near
    clients = [near.connect("127.0.0.1", 80) for _ in range(4 + 16)]
    for client in clients:
        client.send(b"hello")
    network.advance(0.1)
    offer_newly(world, capacity=60)
    network.advance(1.0)
    assert len(world.far_target.serving) == 16
    (snapshot,) = near.forwarder.readings.services_snapshot()
    assert snapshot.counters.failed_for == {}


def test_a_site_that_starts_small_gets_no_more_than_it_takes() -> None:
    world = World(wake_s=inf, spec=ServiceSpec(ports=(80,), protocol="tcp", queue_wait_s=1.0))
    network, near = world.network, world.near
    for _ in range(4 + 16):
        near.connect("127.0.0.1", 80).send(b"hello")
    network.advance(0.1)
    offer_newly(world, capacity=6)
    network.advance(1.5)
    assert len(world.far_target.serving) == 6

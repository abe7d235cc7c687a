"""http2 clients and targets that break off at any point: nothing torn passes, nothing leaks."""

import gc
import random
from collections import Counter

import h2.events
import h2.exceptions
import pytest
from hyperframe.frame import GoAwayFrame

from router.exchange.clients.client_connection import ClientConnection
from router.exchange.clients.http2.caller import Http2Caller
from router.exchange.clients.http2.session import Http2Session
from router.http.http2.connection import Http2Connection
from router.http.http2.streams import Http2Stream
from router.http.http2.wire import Wire
from router.model.ids import ServiceKey
from router.model.specs import ConnectorSpec, ServiceSpec, TargetSpec
from router.net.ports import Connection, ConnectionHandler, Loss, Network
from router.net.simulated.dial import SimulatedDial
from router.service.targets.http2.session import TargetSession
from tests.examples import seeds
from tests.simulation.world import SERVICE, World
from tests.unit.exchange.http2_peers import REQUEST, H2Peer

CLIENTS = 12
STREAMS = 12
BODY_BYTES_MAX = 150_000
INTERNAL, REFUSED, CANCEL = 2, 7, 8
PARTS = (
    ClientConnection,
    Http2Caller,
    Http2Connection,
    Http2Session,
    Http2Stream,
    SimulatedDial,
    TargetSession,
    Wire,
)


class End:
    """One end of a connection: h2, and bytes that wait for its windows."""

    def __init__(self, network: Network, rng: random.Random, *, client: bool) -> None:
        self.network = network
        self.rng = rng
        self.peer = H2Peer(client=client)
        self.connection: Connection | None = None
        self.is_lost = False
        self.gone: set[int] = set()  # Streams that this end reset.
        self._waiting: dict[int, bytearray] = {}
        self._ends: dict[int, list[tuple[bytes, bytes]]] = {}

    def received(self, data: memoryview) -> None:
        for event in self.peer.hear(bytes(data)):
            self.told(event)
        self.push()

    def told(self, event: h2.events.Event) -> None:
        raise NotImplementedError

    def ended(self) -> None:
        if self.connection is not None:
            self.connection.finish()

    def writable(self) -> None:
        self.push()

    def lost(self, cause: Loss | None) -> None:
        self.is_lost = True

    def abort(self) -> None:
        if self.connection is not None:
            self.connection.abort()

    def send(self, stream: int, data: bytes) -> None:
        self._waiting.setdefault(stream, bytearray()).extend(data)

    def finish(self, stream: int, trailers: list[tuple[bytes, bytes]]) -> None:
        self._waiting.setdefault(stream, bytearray())
        self._ends[stream] = trailers

    def reset(self, stream: int, code: int) -> None:
        self._waiting.pop(stream, None)
        self.gone.add(stream)
        try:
            self.peer.h2.reset_stream(stream, code)
        except h2.exceptions.ProtocolError:
            return  # It has just ended.
        self.push()

    def push(self) -> None:
        if self.is_lost or self.connection is None:
            return
        for stream in list(self._waiting):
            try:
                self._pump(stream)
            except h2.exceptions.ProtocolError:
                self._waiting.pop(stream, None)  # The other end has reset it.
        sent = self.peer.take()
        if sent:
            self.connection.send(sent)

    def _pump(self, stream: int) -> None:
        queue = self._waiting[stream]
        state = self.peer.h2
        while queue:
            room = min(state.local_flow_control_window(stream), 16_384, len(queue))
            if room <= 0:
                return
            state.send_data(stream, bytes(queue[:room]))
            del queue[:room]
        if stream in self._ends:
            trailers = self._ends.pop(stream)
            if trailers:
                state.send_headers(stream, trailers, end_stream=True)
            else:
                state.end_stream(stream)
            del self._waiting[stream]


class Backend(End):
    """Sends back the bytes that it gets, or does something worse."""

    def __init__(
        self, network: Network, rng: random.Random, runs: Counter[bytes], refused: float
    ) -> None:
        super().__init__(network, rng, client=False)
        self._refused = refused
        self._runs = runs
        self._sizes: Counter[int] = Counter()
        self._last = 2**31 - 1
        self._late: set[int] = set()  # Answered when the request is whole.
        self._held: dict[int, bytearray] = {}

    def told(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._begin(event.stream_id or 0, dict(event.headers)[b"x-id"])
        elif isinstance(event, h2.events.DataReceived):
            stream = event.stream_id or 0
            if stream in self.gone:
                return
            self._sizes[stream] += len(event.data or b"")
            if stream in self._late:
                self._held.setdefault(stream, bytearray()).extend(event.data or b"")
            else:
                self.send(stream, bytes(event.data or b""))
            if self.rng.random() < 0.01:
                self.reset(stream, INTERNAL)
            elif self.rng.random() < 0.002:
                self.abort()
        elif isinstance(event, h2.events.StreamEnded):
            stream = event.stream_id or 0
            if stream in self.gone:
                return
            if stream in self._late:
                self._answer(stream)
                self.send(stream, bytes(self._held.pop(stream, b"")))
            self.finish(stream, [(b"size", b"%d" % self._sizes[stream])])

    def _begin(self, stream: int, number: bytes) -> None:
        chance = self.rng.random()
        if stream > self._last:
            self.gone.add(stream)  # As its GOAWAY has promised.
            return
        if chance < self._refused:
            self.reset(stream, REFUSED)
            return
        if chance < self._refused + 0.02 and self.connection is not None:
            # Streams from this one on are not processed; earlier ones go on.
            self._last = max(stream - 2, 0)
            self.push()
            self.connection.send(bytes(GoAwayFrame(0, last_stream_id=self._last).serialize()))
            self.reset(stream, REFUSED)
            return
        self._runs[number] += 1
        if chance < self._refused + 0.05:
            self.peer.h2.send_headers(stream, [(b":status", b"413")], end_stream=True)
        elif chance < 0.5:
            self._late.add(stream)
        else:
            self._answer(stream)

    def _answer(self, stream: int) -> None:
        self.peer.h2.send_headers(stream, [(b":status", b"200")])


class Visitor(End):
    """A client of many streams; what became of each is judged at the end."""

    def __init__(self, network: Network, rng: random.Random, name: int) -> None:
        super().__init__(network, rng, client=True)
        self._name = name
        self.sent: dict[int, bytes] = {}
        self.got: dict[int, bytearray] = {}
        self.status: dict[int, int] = {}
        self.sizes: dict[int, int] = {}
        self.whole: set[int] = set()
        self.broken: set[int] = set()

    def begin(self) -> None:
        for number in range(STREAMS):
            at = self.network.now() + self.rng.random() * 2
            self.network.call_at(at, lambda number=number: self._ask(number))  # type: ignore[misc]
        if self.rng.random() < 0.25:
            self.network.call_at(self.network.now() + self.rng.random() * 3, self.abort)

    def _ask(self, number: int) -> None:
        if self.is_lost or self.peer.goaways:
            return
        head = [*REQUEST, (b"x-id", b"%d-%d" % (self._name, number))]
        stream = self.peer.ask(head, end=False)
        body = self.rng.randbytes(self.rng.randrange(self.rng.choice((2, 5_000, BODY_BYTES_MAX))))
        self.sent[stream], self.got[stream] = body, bytearray()
        half = self.rng.randrange(len(body) + 1)
        self.send(stream, body[:half])
        self.push()

        def rest() -> None:
            if stream not in self.broken and stream not in self.whole and not self.is_lost:
                self.send(stream, body[half:])
                self.finish(stream, [])
                self.push()

        self.network.call_at(self.network.now() + self.rng.random() * 0.5, rest)
        if self.rng.random() < 0.15:
            at = self.network.now() + self.rng.random()
            self.network.call_at(at, lambda: self._cancel(stream))

    def _cancel(self, stream: int) -> None:
        if stream not in self.whole and not self.is_lost:
            self.broken.add(stream)
            self.reset(stream, CANCEL)

    def told(self, event: h2.events.Event) -> None:
        stream = getattr(event, "stream_id", 0) or 0
        if isinstance(event, h2.events.ResponseReceived):
            self.status[stream] = int(dict(event.headers)[b":status"])
        elif isinstance(event, h2.events.DataReceived):
            self.got[stream] += event.data or b""
        elif isinstance(event, h2.events.TrailersReceived):
            self.sizes[stream] = int(dict(event.headers)[b"size"])
        elif isinstance(event, h2.events.StreamEnded):
            self.whole.add(stream)
        elif isinstance(event, h2.events.StreamReset) and int(event.error_code or 0):
            assert stream not in self.whole
            self.broken.add(stream)


class Storm:
    def __init__(self, seed: int, *, remote: bool, refused: float = 0.04) -> None:
        """``refused``: this share of streams, by targets that otherwise take them."""
        self._refused = refused
        self.world = World(seed, "a", "b")
        a, b = self.world.sites.values()
        a.link(b, 1)
        self.rng = random.Random(seed)
        self.runs: Counter[bytes] = Counter()
        self.visitors: list[Visitor] = []
        home = b if remote else a
        a.services["shop"] = ServiceSpec(protocol="http2", ports=(SERVICE.port,), queue_wait_s=5.0)
        a.apply()
        for port in (9001, 9002):
            home.network.listen("127.0.0.1", port, self._accept)
        home.connectors["here"] = ConnectorSpec(
            service="shop",
            targets=(TargetSpec("127.0.0.1", 9001), TargetSpec("127.0.0.1", 9002)),
            capacity=20,
        )
        self._home = home.network
        home.apply()
        self.world.run(5)

    def _accept(self, connection: Connection) -> ConnectionHandler:
        backend = Backend(self._home, self.rng, self.runs, self._refused)
        backend.connection = connection
        self._home.call_at(self._home.now(), backend.push)
        return backend

    def visit(self, number: int) -> None:
        network = self.world["a"].network
        visitor = Visitor(network, self.rng, number)
        self.visitors.append(visitor)

        def connected(connection: Connection) -> ConnectionHandler:
            visitor.connection = connection
            visitor.begin()
            return visitor

        network.dial("127.0.0.1", SERVICE.port, connected, lambda failure: None, timeout_s=5.0)


@pytest.mark.parametrize(
    ("seed", "remote", "refused"),
    [
        *((seed, False, 0.3) for seed in seeds(3)),
        # test_states.py plays two others, with every state watched.
        *((2, remote, 0.04) for remote in (False, True)),
    ],
)
def test_a_storm_of_broken_streams_leaves_nothing_behind(
    seed: int, remote: bool, refused: float
) -> None:
    storm = Storm(seed, remote=remote, refused=refused)
    for number in range(CLIENTS):
        storm.visit(number)
    storm.world.run(20)
    served = 0
    for visitor in storm.visitors:
        for stream in visitor.whole:
            status = visitor.status[stream]
            if status == 200:
                served += 1
                assert bytes(visitor.got[stream]) == visitor.sent[stream]
                assert visitor.sizes[stream] == len(visitor.sent[stream])
            else:
                assert status in (413, 502, 503), status
        unfinished = visitor.sent.keys() - visitor.whole - visitor.broken
        assert not unfinished or visitor.is_lost, "every stream comes to an end"
    assert served > CLIENTS * STREAMS / 3
    assert max(storm.runs.values()) == 1, "no request ran twice"
    for site in storm.world.sites.values():
        assert site.router.readings.load_of(ServiceKey("shop", SERVICE.port)).in_flight == 0
    storm.world.run(100)
    assert storm.world["a"].router.forwarder.client_connections == 0, "idle connections were closed"


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_a_connection_that_is_over_leaves_nothing_to_the_garbage_collector(remote: bool) -> None:
    storm = Storm(1, remote=remote)
    gc.collect()
    before = alive()  # Of other tests of this process.
    gc.disable()
    try:
        for number in range(CLIENTS):
            storm.visit(number)
        storm.world.run(20)
        assert alive() != before
        for visitor in storm.visitors:
            visitor.abort()
        storm.visitors.clear()
        del visitor
        storm.world.run(110)
        assert alive() == before
    finally:
        gc.enable()


def alive() -> Counter[str]:
    """Parts of connections and requests that are still there, by the names of their types."""
    return Counter(type(part).__name__ for part in gc.get_objects() if isinstance(part, PARTS))

"""A network, links and targets in memory and in virtual time, for tests of `exchange`."""

import itertools
import random
from collections import deque
from collections.abc import Callable
from math import inf

from router.exchange.forwarder import Forwarder
from router.link import control
from router.link.ports import (
    NOT_TOLD,
    Counting,
    DeadEnd,
    OfferedStream,
    OpenedStream,
    OpenRequest,
    Refusal,
    ResetCode,
    StreamHandler,
    StreamLeg,
)
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import LoadReport, RemoteCandidate
from router.net.ports import (
    Address,
    Buffer,
    Connection,
    ConnectionHandler,
    Dial,
    DialFailure,
    Listener,
    Loss,
    Tls,
)
from tests.unit.virtual_time import VirtualTime

Step = Callable[[], None]


class FakeConnection:
    """One end of a pair. Sent bytes reach the other end in a later step."""

    def __init__(self, network: "FakeNetwork", local: Address, peer: Address) -> None:
        self._network = network
        self.local = local
        self.peer = peer
        self.peer_certificate = b""
        self.alpn = ""
        self.buffered_bytes = self.unsent_bytes = 0
        self.other: FakeConnection | None = None
        self.handler: ConnectionHandler | None = None
        self.paused = False
        self._left: Callable[[], None] | None = None
        self.full = False
        self.over = False
        self._inbox: deque[bytes | None] = deque()
        self._sent_end = False
        self._got_end = False

    @property
    def undelivered_bytes(self) -> int:
        return self.buffered_bytes  # The kernel holds none.

    def send(self, *parts: Buffer) -> bool:
        if self.over or self._sent_end:
            return True
        for part in parts:
            self._post(bytes(part))
        return not self.full

    def splice_to(self, sink: Connection, moved: Callable[[int], None]) -> bool:
        return False

    def set_high_mark(self, mark_bytes: int) -> None: ...

    def bound_unsent(self, size_bytes: int) -> None: ...

    def pause(self, left: Callable[[], None] | None = None, *, reads_last: bool = False) -> None:
        self.paused = True
        self._left = left
        self._network.soon(self._deliver)

    def resume(self) -> None:
        self.paused = False
        self._left = None
        self._network.soon(self._deliver)

    def finish(self) -> None:
        if not self.over and not self._sent_end:
            self._sent_end = True
            self._post(None)
            self._network.soon(self._judge)

    def abort(self) -> None:
        if self.over:
            return
        self._lose(Loss("aborted"))
        if self.other is not None:
            self.other._lose(Loss("reset", "connection reset by peer"))

    def room(self) -> None:
        """The kernel took everything: `writable` after a send that said no."""
        self.full = False
        if self.handler is not None and not self.over:
            self.handler.writable()

    def _post(self, item: bytes | None) -> None:
        other = self.other
        if other is not None:
            other._inbox.append(item)
            self._network.soon(other._deliver)

    def _deliver(self) -> None:
        while self._inbox and not self.paused and not self.over and self.handler is not None:
            item = self._inbox.popleft()
            if item is None:
                self._got_end = True
                self.handler.ended()
                self._judge()
            else:
                spoilt = bytearray(item)
                self.handler.received(memoryview(spoilt))
                spoilt[:] = bytes(len(spoilt))
        left = self._left
        if left is not None and None in self._inbox and not self.over:
            self._left = None
            left()

    def _judge(self) -> None:
        if self._sent_end and self._got_end:
            self._lose(None)

    def _lose(self, cause: Loss | None) -> None:
        if self.over:
            return
        self.over = True

        def tell() -> None:
            if self.handler is not None:
                self.handler.lost(cause)

        self._network.soon(tell)


class FakeListener:
    def __init__(self, network: "FakeNetwork", address: Address) -> None:
        self._network = network
        self.address = address

    def pause(self) -> None:
        self._network.paused.add(self.address)

    def resume(self) -> None:
        self._network.paused.discard(self.address)

    def set_tls(
        self, tls: Tls, accept: Callable[[Connection], ConnectionHandler | None] | None = None
    ) -> None:
        self._network.listening_tls[self.address] = tls

    def close(self) -> None:
        self._network.listening.pop(self.address, None)


class FakeDial:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeNetwork(VirtualTime):
    """Steps run in order in `run`; `advance` moves the clock and fires due timers."""

    def __init__(self) -> None:
        super().__init__(100.0)
        self.listening: dict[Address, Callable[[Connection], ConnectionHandler | None]] = {}
        self.listening_tls: dict[Address, Tls | None] = {}  # Of each, the last, also once closed.
        self.taken: set[Address] = set()  # Bound by another process.
        self.paused: set[Address] = set()  # Listeners that leave connections in the backlog.
        self.silent: set[Address] = set()  # Dials there time out.
        self.connects_in_s: dict[Address, float] = {}  # Where that takes any time.
        self.is_exhausted = False  # This process has no descriptor for another dial.
        self.dialed: list[Address] = []
        self.dialed_tls: list[Tls | None] = []
        self.client_host = "127.0.0.1"
        """Whence dials come from now on."""
        self.renamed: set[str] = set()  # Addresses that no name resolves to any more.
        self._steps: deque[Step] = deque()
        self._ports = itertools.count(40_000)

    def at_turn_end(self, callback: Step) -> None:
        self._steps.append(callback)

    def soon(self, step: Step) -> None:
        self._steps.append(step)

    def is_paused(self, address: Address) -> bool:
        return address in self.paused

    def run(self, steps: int = 100_000) -> None:
        """Do all that is pending now."""
        while self._steps and steps:
            steps -= 1
            self._steps.popleft()()
        assert steps, "it never comes to rest"

    def run_some(self, steps: int) -> None:
        """Do at most so many pending steps."""
        while self._steps and steps:
            steps -= 1
            self._steps.popleft()()

    def advance(self, seconds: float) -> None:
        end = self.time + seconds
        self.run()
        while self.next_at <= end:
            self.fire_first()
            self.run()
        self.time = max(self.time, end)

    def listen(
        self,
        host: str,
        port: int,
        accept: Callable[[Connection], ConnectionHandler | None],
        *,
        tls: Tls | None = None,
        essential: bool = False,
    ) -> Listener:
        address = Address(host, port)
        if address in self.listening or address in self.taken:
            raise OSError(98, "Address already in use")
        self.listening[address] = accept
        self.listening_tls[address] = tls
        return FakeListener(self, address)

    woke_late_at: float = -inf

    def spent_s(self) -> float:
        return 0.0

    def is_current(self, host: str, address: str) -> bool:
        return address not in self.renamed

    def unresolved_s(self, host: str) -> float | None:
        return None

    def allow_link_local(self, hosts: frozenset[str]) -> None:
        """Addresses mean nothing here."""

    def dial(
        self,
        host: str,
        port: int,
        connected: Callable[[Connection], ConnectionHandler],
        failed: Callable[[DialFailure], None],
        *,
        timeout_s: float,
        tls: Tls | None = None,
        essential: bool = False,
    ) -> Dial:
        address = Address(host, port)
        self.dialed.append(address)
        self.dialed_tls.append(tls)
        dial = FakeDial()

        def outcome() -> None:
            if dial.cancelled:
                return
            if self.is_exhausted:
                failed(DialFailure("exhausted", f"connect to {address}: no descriptor left"))
                return
            accept = self.listening.get(address)
            if accept is None:
                failed(DialFailure("refused", f"connect to {address}: refused"))
                return
            here = Address(self.client_host, next(self._ports))
            near, far = FakeConnection(self, here, address), FakeConnection(self, address, here)
            near.other, far.other = far, near
            far.handler = accept(far)
            if far.handler is None:
                far.abort()
            near.handler = connected(near)
            self.soon(near._deliver)
            self.soon(far._deliver)

        def time_out() -> None:
            if not dial.cancelled:
                failed(DialFailure("timeout", f"connect to {address}: timed out"))

        takes_s = self.connects_in_s.get(address, 0.0)
        if address in self.silent or takes_s > timeout_s:
            self.call_at(self.time + timeout_s, time_out)
        elif takes_s:
            self.call_at(self.time + takes_s, outcome)
        else:
            self.soon(outcome)
        return dial


class Party:
    """A `ConnectionHandler` that remembers: a client, or a target's end of one connection."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.got = bytearray()
        self.got_end = False
        self.losses: list[Loss | None] = []
        self.answer: Callable[[Party], None] | None = None

    def received(self, data: memoryview) -> None:
        self.got += data
        if self.answer is not None:
            self.answer(self)

    def ended(self) -> None:
        self.got_end = True

    def writable(self) -> None: ...

    def lost(self, cause: Loss | None) -> None:
        self.losses.append(cause)

    @property
    def is_open(self) -> bool:
        return self.connection is not None and not self.losses

    @property
    def was_reset(self) -> bool:
        return bool(self.losses) and self.losses[0] is not None

    def send(self, data: bytes) -> None:
        assert self.connection is not None
        self.connection.send(data)

    def finish(self) -> None:
        assert self.connection is not None
        self.connection.finish()

    def abort(self) -> None:
        assert self.connection is not None
        self.connection.abort()


class Served(Party):
    """At a target: who leaves without a word, as health checks do, is left too; so is a client of
    HTTP/1 that leaves, as most servers do, unless it ``keeps_open``."""

    keeps_open = False

    def ended(self) -> None:
        super().ended()
        if not self.keeps_open and (not self.got or b" HTTP/1.1\r\n" in self.got):
            self.finish()


class FakeTarget:
    """A backend that keeps each connection on which bytes came, so not the health checks."""

    def __init__(
        self,
        network: FakeNetwork,
        host: str,
        port: int,
        answer: Callable[[Party], None] | None = None,
        *,
        keeps_open: bool = False,
    ) -> None:
        self.keeps_open = keeps_open
        self.network = network
        self.address = Address(host, port)
        self.parties: list[Party] = []
        self.answer = answer
        self.start()

    def start(self) -> None:
        self._listener = self.network.listen(self.address.host, self.address.port, self._accept)

    def stop(self) -> None:
        self._listener.close()

    def __str__(self) -> str:
        return str(self.address)

    def _accept(self, connection: Connection) -> ConnectionHandler:
        party = Served()
        party.connection = connection
        party.answer = self.answer
        party.keeps_open = self.keeps_open
        self.parties.append(party)
        return party

    @property
    def serving(self) -> list[Party]:
        """Connections that are open now."""
        return [party for party in self.parties if party.is_open]

    @property
    def requests(self) -> int:
        """How many HTTP requests arrived, by their heads."""
        return sum(party.got.count(b" HTTP/1.1\r\n") for party in self.parties)


def answer_ok(party: Party) -> None:
    """Answer each complete bodiless or short-bodied HTTP request with 200."""
    head, blank, _ = bytes(party.got).rpartition(b"\r\n\r\n")
    if blank and head:
        party.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


AHEAD = SiteId("ahead")
"""The neighbor of streams that are opened."""


class FakeStream:
    """One end of a stream pair; the far end may be a forwarder's egress or a test."""

    def __init__(self, mesh: "FakeMesh", neighbour: RouterId, site: SiteId = AHEAD) -> None:
        self._mesh = mesh
        self.neighbour = neighbour
        self.neighbour_site = self.neighbour_holder = site
        self.other: FakeStream | None = None
        self.handler: StreamHandler | None = None  # At the end that opened it.
        self.leg: StreamLeg | None = None  # At the other end.
        self.over = False
        self._drops = False  # What it has sent and has not arrived: it was reset.
        self.finished = False
        self.got_end = False
        self.is_complete = False
        self.paused = False
        self.full = False
        self.queued_bytes = 0
        self.accepted_with: int | None = None
        self.held_s = 0.0
        self.reader: Callable[[memoryview], None] | None = None

    def lead_to(self, leg: StreamLeg) -> None:
        self.leg = leg

    def accept(self, in_flight: int, held_s: float = 0.0) -> None:
        self.accepted_with = in_flight
        self._tell(lambda handler: handler.accepted(in_flight))

    def accept_soon(self, in_flight: Callable[[], int]) -> None:
        self.accept(in_flight())

    def answer(
        self, head: bytes, body_bytes: int, body: Buffer, in_flight: Counting, held_s: float = 0.0
    ) -> bool:
        if self.over:
            return False
        told = in_flight.load
        copy, other = bytes(body), self.other
        self.finished = True

        def whole(handler: StreamHandler) -> None:
            assert other is not None
            other.got_end = True
            handler.answered(head, body_bytes, memoryview(copy), told)
            other.over = other.over or other.finished

        self._tell(whole)
        self._mesh.network.soon(self.judge)
        if not self.got_end:
            return False
        self.leg = DeadEnd()
        return True

    def refuse(self, reason: Refusal, in_flight: int) -> None:
        if self.over:
            return
        other = self.other
        self._tell(lambda handler: handler.refused(reason, in_flight))
        self.lose(None)
        if other is not None:
            self._mesh.travel(lambda: other.lose(None))

    def send_head(self, head: bytes, body_bytes: int, end: bool = False) -> None:
        self._tell(lambda handler: handler.head(head, body_bytes, end))

    def send(self, data: Buffer) -> bool:
        assert not self.finished, "send after finish"
        copy = bytes(data)
        other = self.other

        def deliver() -> None:
            assert other is not None
            view = memoryview(copy)
            if other.reader is not None:
                other.reader(view)
                return
            takes_more = other.handler.received(view) if other.handler else other.heard.send(view)
            if not takes_more:
                other.pause()

        self._tell_either(deliver)
        return not self.full

    def send_trailers(self, block: bytes) -> None:
        other = self.other

        def deliver() -> None:
            assert other is not None
            if other.handler is not None:
                other.handler.trailers(block)
            else:
                other.heard.send_trailers(block)

        self._tell_either(deliver)

    def finish(self, in_flight: Counting = NOT_TOLD) -> None:
        told = in_flight.load
        if self.over:
            return
        assert not self.finished, "finish twice"
        self.finished = True
        other = self.other

        def end() -> None:
            assert other is not None
            other.got_end = True
            if other.handler is not None:
                other.handler.ended(told)
            else:
                other.heard.finish()
            other.judge()

        self._tell_either(end)
        self._mesh.network.soon(self.judge)

    def reset(self, code: ResetCode) -> None:
        if self.over:
            return
        self._drops = True
        self.break_off(code)

    def break_off(self, code: ResetCode) -> None:
        if self.over:
            return
        other = self.other
        self.lose(code)
        if other is not None:
            self._mesh.travel(lambda: other.lose(code))

    def hand_to(self, reader: Callable[[memoryview], None]) -> None:
        self.reader = reader

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    @property
    def heard(self) -> StreamLeg:
        assert self.leg is not None, "it was offered"
        return self.leg

    def judge(self) -> None:
        if self.finished and self.got_end:
            self.lose(None)

    def lose(self, cause: ResetCode | None) -> None:
        if self.over:
            return
        self.over = True

        def tell() -> None:
            if self.handler is not None:
                self.handler.lost(cause)
            elif self.leg is not None:
                self.leg.lost(cause)

        self._mesh.network.soon(tell)

    def _tell(self, call: Callable[[StreamHandler], None]) -> None:
        other = self.other

        def deliver() -> None:
            assert other is not None
            if other.handler is not None:
                call(other.handler)

        self._tell_either(deliver)

    def _tell_either(self, call: Callable[[], None]) -> None:
        other = self.other
        if self.over or other is None:
            return

        def deliver() -> None:
            if not other.over and not self._drops and (other.handler or other.leg) is not None:
                call()

        self._mesh.travel(deliver)


class Ignored:
    """Takes any call."""

    held_s = 0.0

    def __getattr__(self, name: str) -> Callable[..., bool]:
        return lambda *_: True


class FakeMesh:
    """Links between forwarders: an OPEN reaches the last router of its path at once."""

    def __init__(self, network: FakeNetwork) -> None:
        self.network = network
        self.offered: dict[RouterId, Callable[[OfferedStream, OpenRequest], None]] = {}
        self.down: set[RouterId] = set()
        self.delay_s = 0.0  # Of all that travels, each way.
        self.last_hop: SiteId | None = None  # Who sends to each egress; None: the ingress itself.
        self.opens: list[OpenRequest] = []
        self.streams: list[FakeStream] = []

    def open_stream(
        self, request: OpenRequest, handler: StreamHandler, *, ends: bool = False
    ) -> OpenedStream | None:
        egress = request.path[-1]
        if egress in self.down or egress not in self.offered:
            return None
        self.opens.append(request)
        near = FakeStream(self, egress)
        far = FakeStream(self, RouterId("ingress"), self.last_hop or request.ingress)
        near.other, far.other = far, near
        near.handler = handler
        self.streams.append(near)

        def offer() -> None:
            if not far.over:
                self.offered[egress](far, request)

        near.finished = far.got_end = far.is_complete = ends
        self.travel(offer)
        return near

    def travel(self, arrives: Callable[[], None]) -> None:
        """Call ``arrives`` when a message that is sent now arrives."""
        if self.delay_s:
            self.network.call_at(self.network.now() + self.delay_s, arrives)
        else:
            self.network.soon(arrives)

    def cut(self, router: RouterId) -> None:
        """The link to ``router`` goes: its streams are lost at both ends."""
        self.down.add(router)
        for stream in self.streams:
            if stream.neighbour == router and stream.other is not None:
                stream.other.lose("link-lost")
                stream.lose("link-lost")


def router_of(name: str) -> RouterId:
    return RouterId(f"router-{name}")


def site_of(name: str) -> SiteId:
    """The id of ``a``, where clients come as a rule, sorts between those of ``b`` and of others."""
    return SiteId(f"site-{'0' if name == 'b' else ''}{name}")


def name_of(site: SiteId) -> str:
    return site.removeprefix("site-").lstrip("0")


def candidate(
    name: str,
    *,
    cost: int = 1,
    targets_ready: int = 1,
    capacity: int | None = 1,
) -> RemoteCandidate:
    return RemoteCandidate(
        site=site_of(name),
        site_name=name,
        router=router_of(name),
        path_cost=cost,
        paths=((router_of("b" if name == "c" else "c"), router_of(name)),),  # Over another one.
        targets_ready=targets_ready,
        capacity=capacity,
        draining=False,
    )


class Site:
    """A forwarder with its name, joined to the mesh."""

    def __init__(
        self, network: FakeNetwork, mesh: FakeMesh, name: str, settles_s: float = 0.0
    ) -> None:
        self.network = network
        self.name = name
        self.forwarder = Forwarder(
            network,
            mesh,
            site=site_of(name),
            site_name=name,
            rng=random.Random(7),
            settles_s=settles_s,
            branch_to=lambda link, site: site,
            name_of=name_of,
        )
        mesh.offered[router_of(name)] = self._offered

    def _offered(self, stream: OfferedStream, request: OpenRequest) -> None:
        body = control.encode_open(request)
        known = self.forwarder.known_offers.get(body)
        if known is None or not known.take(stream):
            self.forwarder.stream_offered(stream, request, body)

    def connect(self, host: str, port: int) -> Party:
        """A client of a listener."""
        party = Party()

        def connected(connection: Connection) -> ConnectionHandler:
            party.connection = connection
            return party

        def failed(failure: DialFailure) -> None:
            party.losses.append(Loss("error", failure.reason))

        self.network.dial(host, port, connected, failed, timeout_s=1.0)
        self.network.run()
        return party

    def in_flight(self, key: ServiceKey) -> int:
        return self.forwarder.readings.load_of(key).in_flight

    def load_report(self, key: ServiceKey, seq: int) -> LoadReport:
        load = self.forwarder.readings.load_of(key)
        return LoadReport(
            router_of(self.name),
            seq,
            key.name,
            key.port,
            load.used,
            load.targets_ready,
            load.capacity,
            load.rate,
            load.beyond,
            load.waiting,
        )

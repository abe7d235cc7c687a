"""Bursts in virtual time: whole routers, targets that work on so many at once, open-loop clients.

Judged by the rules of `tests.bench.burst_figures`, as the bursts on real processes are.
"""

from collections import deque
from functools import partial

import msgspec

from router.model.specs import ConnectorSpec, TargetSpec
from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss, Network
from tests.bench.burst_figures import Figures, Order, Outcome, SlotLog, judge
from tests.simulation.world import SERVICE, SimSite, World

SLOTS = 10
RTT_S = 0.020
SETTLE_S = 5.0


class Counter:
    """The slots of one site's targets, and what waits at them beyond their slots."""

    def __init__(self, slots: int) -> None:
        self.log = SlotLog(slots, [])
        self.in_use = self.waiting = self.most_waiting = 0

    def moved(self, by: int, now: float) -> None:
        """A slot was taken or given back."""
        self.in_use += by
        self.log.changes.append((now, self.in_use))


class WorkTarget:
    """An HTTP server with ``slots``: who comes beyond them waits in it. ``GET /MS`` takes that."""

    def __init__(self, network: Network, port: int, name: str, counter: Counter) -> None:
        self.network = network
        self.name = name
        self.counter = counter
        self.in_use = 0
        self.line: deque[_Work] = deque()
        self.connections: set[_Work] = set()
        self.listener = network.listen("127.0.0.1", port, partial(_Work, self))

    def stop(self) -> None:
        """Kill the process: it does not listen any more, and connections are reset."""
        self.listener.close()
        for one in list(self.connections):
            one.connection.abort()
            one.lost(None)

    def begin(self, work: "_Work") -> None:
        """A slot for it, or a place in the line."""
        if self.in_use >= SLOTS:
            self.line.append(work)
            self.counter.waiting += 1
            self.counter.most_waiting = max(self.counter.most_waiting, self.counter.waiting)
            return
        self.in_use += 1
        now = self.network.now()
        self.counter.moved(1, now)
        self.network.call_at(now + work.service_s, work.done)

    def give_back(self) -> None:
        """A slot is free; the next in the line has it."""
        self.in_use -= 1
        self.counter.moved(-1, self.network.now())
        if self.line:
            self.counter.waiting -= 1
            self.begin(self.line.popleft())


class _Work:
    """One connection to a target, one request at a time."""

    def __init__(self, target: WorkTarget, connection: Connection) -> None:
        self.target = target
        self.connection = connection
        self.service_s = 0.0
        self._head = b""
        self._is_lost = False
        target.connections.add(self)

    def received(self, data: memoryview) -> None:
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            path, self._head = self._head.split(b" ", 2)[1], b""
            self.service_s = float(path[1:]) / 1000
            self.target.begin(self)

    def done(self) -> None:
        """Its time is over, whether its client still waits or not."""
        self.target.give_back()
        if not self._is_lost:
            name = self.target.name.encode()
            self.connection.send(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name)
            )

    def ended(self) -> None:
        self.connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self._is_lost = True
        self.target.connections.discard(self)


class _Asking(msgspec.Struct):
    order: Order
    began: float


class BurstClient:
    """Asks at set times whatever became of earlier requests; its connections are kept or not."""

    def __init__(self, site: SimSite, *, keep_alive: bool) -> None:
        self.site = site
        self.network = site.network
        self.keep_alive = keep_alive
        self.idle: list[_Conversation] = []
        self.outcomes: list[Outcome] = []

    def offer(self, orders: list[Order]) -> None:
        """From now on."""
        begin = self.network.now()
        for order in orders:
            self.network.call_at(begin + order.at_s, partial(self._ask, order))

    def _ask(self, order: Order) -> None:
        asking = _Asking(order, self.network.now())
        if self.idle:
            self.idle.pop().ask(asking)
            return
        self.network.dial(
            "127.0.0.1",
            SERVICE.port,
            partial(self._connected, asking),
            partial(self._failed, asking),
            timeout_s=5.0,
        )

    def _connected(self, asking: _Asking, connection: Connection) -> ConnectionHandler:
        conversation = _Conversation(self, connection)
        conversation.ask(asking)
        return conversation

    def _failed(self, asking: _Asking, failure: DialFailure) -> None:
        self.over(asking, error=failure.code)

    def over(
        self,
        asking: _Asking,
        status: int = 0,
        site: str = "",
        *,
        retry_after: bool = False,
        error: str = "",
    ) -> None:
        """Write it down."""
        self.outcomes.append(
            Outcome(
                began=asking.began,
                ended=self.network.now(),
                service_s=asking.order.service_s,
                status=status,
                site=site,
                retry_after=retry_after,
                error=error,
            )
        )


class _Conversation:
    """One connection of a client."""

    def __init__(self, client: BurstClient, connection: Connection) -> None:
        self._client = client
        self._connection = connection
        self._asking: _Asking | None = None
        self._bytes = b""

    def ask(self, asking: _Asking) -> None:
        self._asking = asking
        close = b"" if self._client.keep_alive else b"Connection: close\r\n"
        self._connection.send(
            b"GET /%g HTTP/1.1\r\nHost: shop\r\n%s\r\n" % (1000 * asking.order.service_s, close)
        )

    def received(self, data: memoryview) -> None:
        self._bytes += data
        head, separator, body = self._bytes.partition(b"\r\n\r\n")
        if not separator:
            return
        fields = head.lower()
        length = int(fields.split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) < length or self._asking is None:
            return
        asking, self._asking, self._bytes = self._asking, None, b""
        status = int(head.split(b" ")[1])
        self._client.over(
            asking,
            status,
            body.decode() if status == 200 else "",
            retry_after=b"retry-after: " in fields,
            error="" if status == 200 else body.decode(),
        )
        if b"connection: close" in fields:
            self._connection.finish()
        elif self._client.keep_alive:
            self._client.idle.append(self)

    def ended(self) -> None:
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        if self in self._client.idle:
            self._client.idle.remove(self)
        asking, self._asking = self._asking, None
        if asking is not None:
            self._client.over(asking, error=cause.code if cause is not None else "no answer")


class Scene:
    """Site ``a`` and others at ``cost`` from it, 20 ms there and back, with so many targets."""

    def __init__(
        self,
        seed: int,
        targets: dict[str, int],
        *,
        cost: int = 5,
        policy: str = "fill",
        keep_alive: bool = True,
    ) -> None:
        self.world = World(seed, *targets, delay_s=RTT_S / 2)
        self.keep_alive = keep_alive
        self.counters: dict[str, Counter] = {}
        self.targets: dict[str, list[WorkTarget]] = {}
        first = next(iter(targets))
        for name, count in targets.items():
            if name != first:
                self.world[first].link(self.world[name], cost)
            self._serve(self.world[name], count)
        self.world[first].declare(policy)
        self.clients = {
            name: BurstClient(self.world[name], keep_alive=keep_alive) for name in targets
        }
        self.here = first
        self.world.run(SETTLE_S)

    def _serve(self, site: SimSite, count: int) -> None:
        counter = self.counters[site.name] = Counter(count * SLOTS)
        if not count:
            return
        ports = range(9001, 9001 + count)
        self.targets[site.name] = [
            WorkTarget(site.network, port, site.name, counter) for port in ports
        ]
        site.connectors["here"] = ConnectorSpec(
            service="shop",
            targets=tuple(TargetSpec("127.0.0.1", port) for port in ports),
            capacity=SLOTS,
        )
        site.apply()

    def burst(self, orders: list[Order], at: str = "") -> float:
        """Offer them from now on; when that is."""
        self.clients[at or self.here].offer(orders)
        return self.world.internet.now

    def figures(self, begin: float, end: float, warm_s: float = 1.0, at: str = "") -> Figures:
        """Of the requests at ``at`` in that time."""
        here = at or self.here
        logs = {name: counter.log for name, counter in self.counters.items()}
        found = judge(
            self.clients[here].outcomes, logs, here, RTT_S, begin=begin, end=end, warm_s=warm_s
        )
        most = max(counter.most_waiting for counter in self.counters.values())
        return msgspec.structs.replace(found, most_waiting_at_targets=most)

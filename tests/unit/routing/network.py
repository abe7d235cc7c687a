"""Routing cores joined in memory, in virtual time, by lanes that may lose, reorder, repeat."""

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from random import Random

from router.model.ids import RouterId
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.rights.owners import NOBODY, Owner
from router.model.rights.sharing import FREE, Terms
from router.routing.core import RoutingCore
from router.routing.events import RoutingEvent, SendAck, SendDigest, SendLsa, TableChanged
from router.routing.table import RouteTable
from tests.unit.routing.fakes import FakeIdentity

Link = frozenset[str]
EARLY_S = 0.001


class Network:
    """Sites by name, each with one router. ``events`` has all that is not a message."""

    def __init__(
        self,
        names: Iterable[str],
        *,
        seed: int = 0,
        trouble: float = 0.0,
        delay_s: float = 0.001,
        older: Iterable[str] = (),
    ) -> None:
        """``older``: sites of a release that knows no digests."""
        self.now = 0.0
        self.identities = {name: FakeIdentity(name) for name in names}
        self.cores = {name: self.make_core(name) for name in self.identities}
        self.links: dict[Link, int] = {}
        self.events: list[tuple[str, RoutingEvent]] = []
        self.sent: list[tuple[float, str, str, SendLsa | SendAck | SendDigest]] = []
        self.trouble, self.delay_s = trouble, delay_s
        self.older = frozenset(older)
        self._random = Random(seed)
        self._queue: list[tuple[float, int, str, str, SendLsa | SendAck | SendDigest, int]] = []
        self._count = 0
        self._lives: dict[Link, int] = {}  # Messages of a lost link never arrive.

    def make_core(
        self,
        name: str,
        epoch: int = 1,
        nonce: bytes = b"",
        owners: Mapping[str, Owner] = NOBODY,
        *,
        common: bool = False,
    ) -> RoutingCore:
        return RoutingCore(
            self.identities[name],
            epoch=epoch,
            boot_nonce=nonce or name.encode(),
            version="1",
            now=self.now,
            owners=owners,
            unix=lambda: self.now,
            common=common,
        )

    def table(self, name: str) -> RouteTable:
        return self.cores[name].table

    def cost(self, here: str, there: str) -> int | None:
        route = self.table(here).sites.get(self.identities[there].site)
        return route.path_cost if route else None

    def facts(self, name: str, kind: type[RoutingEvent]) -> list[RoutingEvent]:
        return [event for who, event in self.events if who == name and isinstance(event, kind)]

    def connect(self, one: str, other: str, cost: int = 1, terms: Terms = FREE) -> None:
        """``terms``: those on which ``one`` lets ``other`` in."""
        link = frozenset((one, other))
        self.links[link] = cost
        self.lose(one, other)
        self.up(one, other, terms)
        self.up(other, one)

    def cut(self, one: str, other: str) -> None:
        del self.links[frozenset((one, other))]
        self.lose(one, other)
        self.down(one, other)
        self.down(other, one)

    def lose(self, one: str, other: str) -> None:
        """Messages under way between these two never arrive."""
        link = frozenset((one, other))
        self._lives[link] = self._lives.get(link, 0) + 1

    def up(self, here: str, there: str, terms: Terms = FREE) -> None:
        """``here`` alone sees the link come up."""
        link, peer = frozenset((here, there)), self.identities[there]
        events = self.cores[here].adjacency_up(
            peer.router,
            peer.site,
            self.links[link],
            self.now,
            terms=terms,
            compares=not self.older & link,
        )
        self.take(here, events)

    def down(self, here: str, there: str) -> None:
        """``here`` alone sees the link go down."""
        router = self.identities[there].router
        self.take(here, self.cores[here].adjacency_down(router, self.now))

    def serve(
        self,
        name: str,
        declarations: Iterable[Declaration] = (),
        adverts: Iterable[TargetsAdvert] = (),
    ) -> None:
        self.take(name, self.cores[name].set_services(declarations, adverts, self.now))

    def restart(
        self, name: str, epoch: int, nonce: bytes = b"second life", *, remembers: bool = False
    ) -> None:
        """A new process with the same identity, which remembers owners or does not, and serves
        what the last one did; links are up again at once."""
        before = self.cores[name]
        neighbours = [(link, cost) for link, cost in self.links.items() if name in link]
        for link, _ in neighbours:
            self.cut(*link)
        owners = before.owners if remembers else NOBODY
        self.cores[name] = self.make_core(name, epoch, nonce, owners)
        if remembers:
            self.serve(name, before.declarations, before.adverts)
        for link, cost in neighbours:
            one, other = sorted(link)
            self.connect(one, other, cost)

    def take(self, name: str, events: Iterable[RoutingEvent]) -> None:
        """Do what a core asked for."""
        for event in events:
            if isinstance(event, SendLsa | SendAck | SendDigest):
                self._post(name, self._neighbour(name, event.to), event)
            else:
                self.events.append((name, event))
                if isinstance(event, TableChanged):
                    assert event.table == self.table(name)

    def _neighbour(self, name: str, router: RouterId) -> str:
        """Whom ``name`` means by ``router``: far apart two sites may bear one router id."""
        others = (other for link in self.links if name in link for other in link - {name})
        return next(other for other in others if self.identities[other].router == router)

    def _post(self, sender: str, to: str, event: SendLsa | SendAck | SendDigest) -> None:
        link = frozenset((sender, to))
        self.sent.append((self.now, sender, to, event))
        copies = 1
        delay_s = self.delay_s
        if self.trouble:
            chance = self._random.random()
            copies = 0 if chance < self.trouble else 2 if chance < 1.5 * self.trouble else 1
        for _ in range(copies):
            if self.trouble:
                delay_s = self.delay_s * (1 + 50 * self._random.random())
            self._count += 1
            life = self._lives[link]
            heappush(self._queue, (self.now + delay_s, self._count, sender, to, event, life))

    def run(self, seconds: float) -> None:
        """Let that much virtual time pass."""
        end = self.now + seconds
        while True:
            deadlines = {name: core.next_deadline() for name, core in self.cores.items()}
            due = [(at, name) for name, at in deadlines.items() if at is not None]
            timer = min(due, default=(end + 1, ""))
            arrival = self._queue[0][0] if self._queue else end + 1
            if min(timer[0], arrival) > end:
                break
            if arrival <= timer[0]:
                at, _, sender, to, event, life = heappop(self._queue)
                self.now = max(self.now, at)
                if life == self._lives[frozenset((sender, to))]:
                    self._deliver(sender, to, event)
            else:
                core, early = self.cores[timer[1]], timer[0] - EARLY_S
                if early > self.now:
                    assert core.handle_timeout(early) == [], "nothing is due before the deadline"
                self.now = max(self.now, timer[0])
                self.take(timer[1], core.handle_timeout(self.now))
        self.now = end

    def _deliver(self, sender: str, to: str, event: SendLsa | SendAck | SendDigest) -> None:
        core, router = self.cores[to], self.identities[sender].router
        match event:
            case SendLsa():
                self.take(to, core.receive_lsa(router, event.signed, self.now, event.age_s))
            case SendDigest():
                told = event.digest, event.wants_answer
                self.take(to, core.receive_digest(router, *told, self.now))
            case SendAck():
                self.take(to, core.receive_ack(router, event.ack, self.now))

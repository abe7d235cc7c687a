"""Whole link rooms in one world, each with an owner that records its calls."""

import hashlib
from collections.abc import Callable, Mapping

from router.link.fault import Fault
from router.link.links import ALPN, Links
from router.link.neighbour import LinkPermission, Neighbour
from router.link.ports import OfferedStream, OpenRequest, Stream
from router.link.routing_messages import RoutingMessage
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model.errors import HandshakeRejected
from router.model.ids import RouterId, SiteId
from router.model.rights.sharing import FREE, Terms
from router.net.ports import Tls
from tests.unit.link.lanes import Recorder
from tests.unit.link.wire import Wire, World


class FakeIdentity:
    """Signatures that, as far as tests go, only the holder of ``name``'s identity can make."""

    def __init__(self, name: str, router: str = "") -> None:
        self.name = name
        self.public_key = b"public key of " + name.encode()
        self.site = self.site_of(self.public_key)
        self.router = RouterId(router or hashlib.sha256(name.encode()).hexdigest()[:16])

    def sign(self, data: bytes) -> bytes:
        return hashlib.sha256(self.public_key + data).digest()

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        return hashlib.sha256(public_key + data).digest() == signature

    def site_of(self, public_key: bytes) -> SiteId:
        return SiteId(hashlib.sha256(public_key).hexdigest()[:32])


class Owner:
    """Implements `LinkOwner`."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self.refusals: list[str] = []
        self.rejection: HandshakeRejected | None = None
        self.offered: list[tuple[OfferedStream, OpenRequest]] = []
        self.recorders: list[Recorder] = []
        self.accept = True
        self.lets_pass = True
        self.brings_ours = False
        self.terms: dict[bytes, Terms] = {}  # By certificate.
        self.tokens: dict[bytes, str] = {}  # Likewise.
        self.offer: Callable[[Stream], Recorder] | None = None
        self.works: Callable[[], None] = lambda: None  # For each stream.
        self.known: dict[bytes, Remembered] = {}
        self.elsewhere: frozenset[SiteId] = frozenset()
        self.paths: dict[RouterId, tuple[RouterId, ...]] = {}  # For edges, by destination.

    def named(self, *names: str) -> list[tuple[object, ...]]:
        return [event for event in self.events if event[0] in names]

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        self.events.append(("admit", peer_certificate, neighbour.name))
        return self.rejection

    def permission_of(self, peer_certificate: bytes) -> LinkPermission:
        token = self.tokens.get(peer_certificate, "")
        return LinkPermission(self.terms.get(peer_certificate, FREE), token)

    def original_of(self, neighbour: Neighbour, restored: int) -> str:
        return ""

    def adjacency_up(self, neighbour: Neighbour, cost: int, name: str, direction: str) -> None:
        self.events.append(("up", neighbour.name, cost))

    def adjacency_cost(self, router: RouterId, cost: int) -> None:
        self.events.append(("cost", router, cost))

    def adjacency_terms(self, router: RouterId, terms: Terms) -> None:
        self.events.append(("terms", router, terms))

    def adjacency_drain_begun(self, router: RouterId) -> None:
        self.events.append(("drain begun", router))

    def adjacency_draining(self, router: RouterId) -> None:
        self.events.append(("draining", router))

    def adjacency_down(self, router: RouterId, cause: str, *, is_planned: bool) -> None:
        self.events.append(("down", router, cause))

    def further_link_up(self, router: RouterId, name: str, direction: str) -> None:
        self.events.append(("further up", name, direction))

    def further_link_down(
        self, router: RouterId, name: str, direction: str, cause: str, *, is_planned: bool
    ) -> None:
        self.events.append(("further down", name, direction, cause, is_planned))

    def routing_message(self, router: RouterId, message: RoutingMessage) -> None:
        self.events.append(("message", router, message))

    def path_for_edge(self, request: OpenRequest) -> tuple[RouterId, ...] | None:
        return self.paths.get(request.path[-1])

    def may_pass(self, came_from: Neighbour, to: Neighbour | None, request: OpenRequest) -> bool:
        self.events.append(("may pass", came_from.name, to and to.name, request.service))
        return self.lets_pass

    def may_bring_ours(self, came_from: Neighbour, request: OpenRequest) -> bool:
        self.events.append(("may bring ours", came_from.name))
        return self.brings_ours

    def linked_elsewhere(self) -> frozenset[SiteId]:
        return self.elsewhere

    @property
    def known_offers(self) -> "Mapping[bytes, Remembered]":
        return self.known

    def stream_offered(
        self, stream: OfferedStream, request: OpenRequest, body: bytes = b""
    ) -> None:
        if body:
            self.known[body] = Remembered(self, request)
        self.take(stream, request)

    def take(self, stream: OfferedStream, request: OpenRequest) -> None:
        self.works()
        recorder = Recorder()
        recorder.stream = stream
        stream.lead_to(recorder)
        self.offered.append((stream, request))
        self.recorders.append(recorder)
        if self.accept:
            stream.accept(1)

    def link_changed(self, name: str) -> None:
        self.events.append(("changed", name))

    def incoming_refused(self, peer: str, fault: Fault) -> None:
        self.refusals.append(fault.reason)

    def heard_again(self, router: RouterId, silent_s: float) -> None: ...


class Remembered:
    """Implements `KnownOffer`: of an owner that remembers all it may. ``taken``: how often."""

    def __init__(self, owner: Owner, request: OpenRequest) -> None:
        self._owner = owner
        self._request = request
        self.taken = 0
        self.is_stale = False

    def take(self, stream: OfferedStream) -> bool:
        if self.is_stale:
            return False
        self.taken += 1
        self._owner.take(stream, self._request)
        return True


class Router:
    """A site with its links; it listens at (name, 1)."""

    def __init__(
        self,
        world: World,
        name: str,
        router: str = "",
        *,
        is_edge: bool = False,
        site: str = "",
        worker: int = 0,
    ) -> None:
        """``site``: whose identity it has, if that is not called as the host. ``worker``: its
        number among the workers of one router."""
        self.world = world
        self.name = name
        self.tls = Tls(None, b"leaf of " + name.encode(), (ALPN,))
        self.identity = FakeIdentity(site or name, router or FakeIdentity(name).router)
        self.owner = Owner()
        self.links = Links(
            world, self.identity, self.owner, rng=world.rng, is_edge=is_edge, worker=worker
        )
        self.specs: dict[str, OutgoingSpec] = {}
        world.listen(name, 1, self.links.acceptor(lambda: self.tls.certificate), tls=self.tls)

    @property
    def id(self) -> RouterId:
        return self.identity.router

    def link(self, to: str, *, name: str = "", cost: int = 1, **more: object) -> None:
        spec = OutgoingSpec(endpoints=((to, 1),), tls=self.tls, cost=cost, **more)  # type: ignore[arg-type]
        self.specs[name or f"to-{to}"] = spec
        self.links.set_links(self.specs)

    def request(self, *path: "Router", head: bytes = b"") -> OpenRequest:
        routers = tuple(router.id for router in path)
        return OpenRequest(routers, "web", 80, "http", self.identity.site, head=head)

    def open(self, *path: "Router") -> Recorder:
        """A stream along ``path``, its handler."""
        handler = Recorder()
        stream = self.links.open_stream(self.request(*path), handler)
        assert stream is not None
        handler.stream = stream
        return handler


def linked(world: World, **more: object) -> tuple[Router, Router]:
    """West, which dials east; both up with a data lane."""
    west, east = Router(world, "west"), Router(world, "east")
    west.link("east", **more)  # type: ignore[arg-type]
    world.settle()
    return west, east


def let_in_by_one_token(world: World, east: Router, count: int) -> list[Router]:
    """So many sites that dial ``east``, which one of its tokens lets in."""
    fleet = [Router(world, f"fleet-{number}") for number in range(count)]
    for member in fleet:
        east.owner.tokens[member.tls.certificate] = "fleet"
        member.link("east")
    return fleet


def live_wires(world: World) -> list[Wire]:
    return [wire for wire in world.wires if not wire.left.is_gone]

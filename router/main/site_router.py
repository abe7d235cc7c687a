"""One router of one site: builds the rooms, joins them, follows wanted state, drains and stops.

Runs on any `Network`, the real one or its simulated twin. Everything is synchronous callbacks in
the network's turn; there is no task here.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

from router.documents import Wanted
from router.forward.forwarder import Forwarder
from router.link.claims import ClaimDesk
from router.link.links import Links
from router.link.outgoing import OutgoingSpec
from router.link.ports import (
    ASKS_TARGETS,
    Identity,
    LoadMessage,
    LsaAck,
    LsaMessage,
    Neighbour,
    OpenRequest,
    RoutingMessage,
    Stream,
    StreamHandler,
)
from router.main import problems
from router.main.inquiry import Inquiries, Told, answer
from router.main.link_door import LinkDoor, place_of
from router.main.link_news import LinkNews
from router.main.load_exchange import LoadExchange
from router.main.plan import PlannedService, wishes
from router.main.ports import Credentials, Keeper, PendingLink, Routing, Tell
from router.main.routing_run import RoutingRun
from router.main.services import Services
from router.main.twin import Twin
from router.model import limits
from router.model.addresses import split
from router.model.edges import HaveMessage, TableMessage, WishMessage
from router.model.errors import ConfigError, HandshakeRejected
from router.model.events import Note, Problem
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.specs import ServiceSpec
from router.net.ports import Address, DialCode, Network
from router.routing.attached import AttachedEdges
from router.routing.core import RoutingCore
from router.routing.edge import EdgeRouting
from router.routing.events import (
    EdgeCaughtUp,
    IdentityConflict,
    LsaRejected,
)
from router.routing.table import RouteTable


class SiteRouter:
    """The composition of all rooms for one site. Implements `LinkOwner` and `RoutingOwner`."""

    def __init__(
        self,
        network: Network,
        identity: Identity,
        credentials: Credentials,
        keeper: Keeper,
        claims: ClaimDesk,
        *,
        epoch: int,
        boot_nonce: bytes,
        version: str,
        rng: random.Random,
        tell: Tell,
        is_edge: bool = False,
        service_ttl_s: float = limits.SERVICE_SYNC_TTL_S,
        connections_max: int = limits.CLIENT_CONNECTIONS_MAX,
        place: str = "",
        restored: int = 0,
    ) -> None:
        """``is_edge``: it attaches to one site, accepts no links and takes no part in routing.

        ``connections_max``: of clients of services, over all listeners. ``place``: where this
        process runs, told to neighbours for people. ``restored``: Unix seconds at which its state
        came out of a backup, 0: never.
        """
        self._network = network
        self.identity = identity
        self._credentials = credentials
        self._keeper = keeper
        self._tell = tell
        self.version = version
        self.links = Links(
            network,
            identity,
            self,
            rng=rng,
            is_edge=is_edge,
            born=epoch,
            place=place,
            restored=restored,
        )
        self._news = LinkNews(tell, self.links, self.router_name)
        self.links.incoming_refused = self._news.refused
        self.forwarder = Forwarder(
            network,
            self.links,
            site=identity.site,
            site_name=identity.name,
            rng=rng,
            settles_s=limits.START_SETTLES_S,
            connections_max=connections_max,
        )
        self.is_edge = is_edge
        self.routing: Routing = (EdgeRouting if is_edge else RoutingCore)(
            identity,
            epoch=epoch,
            boot_nonce=boot_nonce,
            version=version,
            now=network.now(),
            service_ttl_s=service_ttl_s,
            restored=restored,
        )
        self.edges = AttachedEdges()
        self._run = RoutingRun(
            network, self.links, identity, version, self.routing, self.edges, keeper, self
        )
        self._take = self._run.take
        self._inquiries = Inquiries(network, self.links, identity.site)
        self._load = LoadExchange(network, identity.router, self.links, self.forwarder, self.edges)
        self.forwarder.load_changed = self._load.changed
        self._services = Services(
            network,
            identity.site,
            self.forwarder,
            self.routing,
            self._load,
            keeper,
            tell,
            self._take,
            credentials,
            service_ttl_s=service_ttl_s,
        )
        self.forwarder.targets_changed = self._services.targets_changed
        self._wanted: Wanted | None = None
        self._config_problems: tuple[Problem, ...] = ()
        self.notes: tuple[Note, ...] = ()
        """What is wrong with the wanted state and degrades nothing."""
        self._pending_links: dict[str, PendingLink] = {}
        self._door = LinkDoor(network, self.links, credentials, claims, self._link_port_taken)
        self._twin = Twin(network, identity.name, place)
        self._router_sites: dict[RouterId, SiteId] = {}
        self._draining = False
        self.started_at = network.now()

    # Wanted state ---------------------------------------------------------------------------

    def apply(self, wanted: Wanted, errors: list[ConfigError]) -> None:
        """Make ``wanted`` true; ``errors`` are shown as problems or notes until the next call."""
        self._config_problems = problems.of_config(errors)
        self.notes = problems.notes_of_config(errors)
        before, self._wanted = self._wanted, wanted
        if before is None or place_of(before.site) != place_of(wanted.site):
            self.open_link_door()
        self.links.drain_grace_s = wanted.site.drain_grace_s
        if (
            before is None
            or (before.links, before.siblings) != (wanted.links, wanted.siblings)
            or self._pending_links
        ):
            self.refresh_links()  # Some 3 ms a link; targets come and go all the time.
        ttl_s = wanted.site.service_sync_site_ttl_s
        if before is not None and before.site.service_sync_site_ttl_s != ttl_s:
            self._take(self.routing.set_service_ttl(ttl_s, self._network.now()))
        if isinstance(self.routing, EdgeRouting):
            self._take(self.routing.set_wishes(wishes(wanted), self._network.now()))
        self._services.apply(wanted)

    def follow_declarations(self, hear: Callable[[Mapping[str, ServiceSpec]], None]) -> None:
        """Tell ``hear`` which services the network has, whenever that changes."""
        self._services.declared_changed = hear

    def listens_at(self, places: Iterable[tuple[ServiceKey, int]]) -> bool:
        """Whether clients are accepted at all of these: service ports and where they listen."""
        return all(self.forwarder.listens_at(key, port) for key, port in places)

    @property
    def listens_where_promised(self) -> bool:
        """Clients are accepted wherever a platform leads them; for a moment after the start not.

        Services of other sites are known again once the links are up: they may be away, so this
        is waited for only so long.
        """
        wanted = self._wanted
        if wanted is None or self._network.now() - self.started_at >= limits.START_LISTENS_S:
            return True
        if wanted.siblings and not self.is_edge and not self._goes_where_siblings_go():
            return False
        return self.listens_at((wanted.inner_ports or {}).items())

    def _goes_where_siblings_go(self) -> bool:
        """One was heard of, and there is a way to all sites that any of them is linked to."""
        table = self.routing.table
        own = table.sites.get(self.identity.site)
        return (
            own is not None
            and not self.links.siblings.isdisjoint(table.next_hops)
            and all(table.sites[site].reachable for site, _ in own.neighbours)
        )

    def refresh_links(self) -> None:
        """Dial what is wanted and has its credential; called again when a claim was redeemed."""
        if self._wanted is None or self._draining or self._twin.has_left:
            return
        ready: dict[str, OutgoingSpec] = {}
        self._pending_links = {}
        for name, spec in self._wanted.links.items():
            if spec.disabled:
                continue
            outgoing = self._credentials.outgoing(name, spec)
            if isinstance(outgoing, PendingLink):
                self._pending_links[name] = outgoing
            else:
                ready[name] = outgoing
        self._credentials.forget_links(frozenset(self._pending_links) | ready.keys())
        if not self.is_edge:
            for address in self._wanted.siblings:
                ready[f"router {address}"] = self._to_sibling(address)  # No link has such a name.
        self.links.set_links(ready)

    def _to_sibling(self, address: str) -> OutgoingSpec:
        return OutgoingSpec(
            endpoints=(split(address),),
            tls=self._credentials.sibling_tls,
            expected_site=self.identity.site,
            is_sibling=True,
        )

    def open_link_door(self) -> None:
        """Listen for links and claims, anew where the address or our certificate changed.

        An edge never does.
        """
        is_closed = self.is_edge or self._draining or self._twin.has_left
        if self._wanted is not None and not is_closed:
            self._door.open(self._wanted.site)

    @property
    def link_listener_error(self) -> str:
        """Why links cannot be accepted here; empty: they can, or are not wanted."""
        return self._door.error

    # RoutingOwner ---------------------------------------------------------------------------

    def routes_settled(self) -> None:
        """Services follow the new table; who turns out to be a copy leaves it."""
        self._services.resolve()
        self.links.end_copies()

    def edge_caught_up(self, event: EdgeCaughtUp) -> None:
        """It hears of the loads of what it was told."""
        self._load.tell_edge(event.router, event.services, self.routing.table)

    def lsa_rejected(self, event: LsaRejected) -> None:
        """A glitch of that neighbour."""
        self._news.lsa_rejected(event)
        self.links.misbehaved(event.sender)

    def table_changed(self, table: RouteTable) -> None:
        """Loads and learnt services follow it at once."""
        self._router_sites = {
            **{route.router: site for site, route in table.sites.items()},
            **table.routers,
        }
        self._load.table_changed(table)
        self._services.table_changed(table)

    def identity_conflict(self, event: IdentityConflict) -> None:
        """Tell of our twin, and leave if it is the older one."""
        linked_to = [self.site_name(site) for site in event.neighbours]
        text = self._twin.found(event.site, linked_to, withdrawn=event.withdrawn)
        if event.withdrawn:
            self._door.close()
            self.links.set_links({})
            self.links.drop(lambda neighbour: True, text)
        self._tell(
            "error",
            "identity-conflict",
            self.identity.name,
            text,
            problems.COPY_HINT,
        )

    # LinkOwner ------------------------------------------------------------------------------

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """Judge a proven peer: not revoked, and not refused for being ourselves."""
        return self._credentials.admit(peer_certificate, neighbour)

    def original_of(self, neighbour: Neighbour, restored: int) -> str:
        """See `LinkOwner`. As far as LSAs tell: an edge sees none."""
        if not isinstance(self.routing, RoutingCore) or neighbour.site == self.identity.site:
            return ""
        found = self.routing.original_of(neighbour.router, neighbour.site, restored)
        return f"linked to {' and '.join(map(self.site_name, found))}" if found else ""

    def adjacency_up(self, neighbour: Neighbour, cost: int) -> None:
        """Tell routing, and give the neighbour all loads at once."""
        self._news.up(neighbour, cost)
        now = self._network.now()
        if neighbour.is_edge:
            self.edges.up(neighbour.router, now)
        self._take(
            self.routing.adjacency_up(
                neighbour.router, neighbour.site, cost, now, is_edge=neighbour.is_edge
            )
        )
        self._load.tell_all(neighbour.router)

    def adjacency_cost(self, router: RouterId, cost: int) -> None:
        """Tell routing."""
        self._take(self.routing.adjacency_cost(router, cost, self._network.now()))

    def adjacency_draining(self, router: RouterId) -> None:
        """Tell routing, as of one that is down: nothing new goes that way."""
        self._news.draining(router)
        self.edges.down(router)
        self._take(self.routing.adjacency_down(router, self._network.now()))

    def adjacency_down(self, router: RouterId, cause: str) -> None:
        """Tell routing: the LSA goes out and routes change in this very call."""
        self._news.down(router, cause)
        self.edges.down(router)
        self._take(self.routing.adjacency_down(router, self._network.now()))

    def routing_message(self, router: RouterId, message: RoutingMessage) -> None:
        """An LSA, an acknowledgement or load reports from a neighbour."""
        now = self._network.now()
        match message:
            case LsaMessage():
                self._take(self.routing.receive_lsa(router, message.signed, now))
            case LsaAck():
                self._take(
                    self.routing.receive_ack(
                        router, message.router, message.part, message.epoch, message.sequence, now
                    )
                )
            case LoadMessage():
                self._load.received(router, message.reports, self.routing.table)
            case WishMessage() | HaveMessage() | TableMessage():
                told = self.routing if isinstance(self.routing, EdgeRouting) else self.edges
                self._take(told.receive_edge(router, message, now))

    def path_for_edge(self, request: OpenRequest) -> tuple[RouterId, ...] | None:
        """As the route table has it, for a candidate of the service that is asked for."""
        return self.edges.path_to(ServiceKey(request.service, request.port), request.path[-1])

    def stream_offered(self, stream: Stream, request: OpenRequest) -> StreamHandler:
        """A stream that ends here: for a target, or a question about targets."""
        if request.flags & ASKS_TARGETS:
            key = ServiceKey(request.service, request.port)
            return answer(stream, self.forwarder.targets_of(key), self._network.now())
        return self.forwarder.stream_offered(stream, request)

    def tls_rejected(self, listener: Address, code: DialCode, reason: str) -> None:
        """A TLS handshake failed; only those of the link port are an operator's business."""
        if listener == self._door.address:
            self._news.tls_rejected(code, reason)

    def link_changed(self, name: str) -> None:
        """A link that we dial got another state."""
        self._news.changed(name)

    # Seeing it ------------------------------------------------------------------------------

    @property
    def wanted(self) -> Wanted | None:
        """What was applied last."""
        return self._wanted

    @property
    def spf_seconds(self) -> float:
        """How long the last route computation took."""
        return self._run.spf_seconds

    @property
    def mode(self) -> str:
        """As it was started: a change of wanted state takes another start."""
        return "edge" if self.is_edge else "interior"

    @property
    def services(self) -> Mapping[ServiceKey, PlannedService]:
        """All service ports at this site."""
        return self._services.planned

    @property
    def pending_links(self) -> Mapping[str, PendingLink]:
        """Links that cannot be dialled yet, and why."""
        return self._pending_links

    @property
    def draining(self) -> bool:
        """Stopping: nothing new is taken."""
        return self._draining

    def ask_targets(self, service: str, done: Callable[[list[Told]], None]) -> None:
        """Ask the other sites of ``service`` for their targets; ``done`` comes once, soon."""
        candidates = self.routing.table.candidates
        asked = [
            (key, candidate)
            for key in self.services
            if key.name == service
            for candidate in candidates.get(key, ())
            if candidate.site != self.identity.site
        ]
        self._inquiries.ask(asked, done)

    def router_name(self, router: RouterId) -> str:
        """The name of the site that ``router`` serves, or its id when it is not known."""
        site = self._router_sites.get(router)
        return str(router) if site is None else self.site_name(site)

    def site_names(self, path: Iterable[RouterId]) -> tuple[str, ...]:
        """The other sites on ``path``, each once: not which of its routers, nor those of ours."""
        own = self.identity.site
        names = [self.router_name(hop) for hop in path if self._router_sites.get(hop) != own]
        return tuple(name for name, _ in groupby(names))

    def site_name(self, site: SiteId) -> str:
        """The name of ``site``, or its id when it is not known."""
        route = self.routing.table.sites.get(site)
        return str(site) if route is None else route.name

    def problems(self, utc: Callable[[float], str] = lambda _: "") -> tuple[Problem, ...]:
        """All that is wrong now and needs a person; ``utc`` is ISO 8601 of monotonic seconds."""
        return (
            *self._config_problems,
            *self._services.problems(utc),
            *problems.of_router(
                self._door.error,
                self._twin.problem or self.links.refused_as_copy,
                self._services.untold,
            ),
            *problems.of_copies(self.links.copies_kept_out),
            *problems.of_listeners(self.forwarder.listener_states()),
            *self._credentials.service_tls_problems(),
            *problems.of_table(self.routing.table),
            *problems.of_weights(self._wanted.services if self._wanted else {}, self.routing.table),
            *problems.of_edge(
                self.routing.left_out if isinstance(self.routing, EdgeRouting) else 0
            ),
            *problems.of_mode(self.mode, self._wanted.site.router_mode if self._wanted else ""),
        )

    def _link_port_taken(self, error: str) -> None:
        self._tell("error", "link-port-taken", "links", error)

    # Short of memory (`Relief`) -------------------------------------------------------------

    def shed_idle(self) -> int:
        """Close idle connections of clients and to targets."""
        return self.forwarder.shed_idle()

    def refuse_new(self, refuse: bool) -> None:
        """Begin nothing new; what passes through to other sites goes on."""
        self.forwarder.refuse_new(refuse)

    def drop_slowest(self, size_bytes: int) -> int:
        """Of links by how long they have stalled, of clients by how much they hold."""
        held_bytes = self.links.buffered_bytes
        dropped = self.links.drop_slowest(size_bytes)
        left_bytes = size_bytes - (held_bytes - self.links.buffered_bytes)
        return dropped + (self.forwarder.drop_slowest(left_bytes) if left_bytes > 0 else 0)

    # The end --------------------------------------------------------------------------------

    def drain(self, done: Callable[[], None]) -> None:
        """Withdraw targets, take nothing new, let what is under way finish, then call ``done``.

        Clients of this site and streams that end here come first; until they are gone this site
        opens streams at others. Then each link goes with its last stream, those in transit too.
        """
        self._draining = True
        self._door.close()
        now = self._network.now()
        self._take(self.routing.set_draining(True, now))
        self._services.drain()
        self.links.drain()
        self.forwarder.drain(lambda: self.links.finish(done))

    def close(self) -> None:
        """Abort whatever is left."""
        self._services.close()  # While it knows what others declare.
        self.forwarder.abort()
        self.links.close()
        self._load.close()
        self._door.close()
        self._run.close()

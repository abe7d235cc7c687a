"""The forwarding of one router, as `node` sees it: takes configuration, gives figures."""

import random
from collections.abc import Callable, Iterator, Mapping, Set
from itertools import islice

from router.balance.sites.egresses import OWN_ROUTER
from router.exchange.active_exchanges import ActiveExchanges
from router.exchange.clients.client_entry import ClientEntry
from router.exchange.clients.connection_moves import ConnectionMoves
from router.exchange.clients.listeners import Where
from router.exchange.forwarder_news import ForwarderNews
from router.exchange.held_memory import HeldMemory
from router.exchange.readings import Readings
from router.exchange.sampling import Sampling
from router.exchange.service_ports import ServicePorts
from router.exchange.sites.offers import Offers
from router.exchange.trials import Trial, Trials
from router.link.ports import StreamOpener
from router.model import limits
from router.model.capacity import LendingTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.specs import ServiceSpec
from router.net.ports import Network, Tls
from router.service.observers import Flow, Observing
from router.service.ports import NoTls, TargetConfig
from router.service.pressure import Pressure
from router.service.router_context import RouterContext
from router.service.sites.refused_messages import RefusedMessages


class Forwarder:
    """Owns the services; `ClientEntry` owns the listeners, `ActiveExchanges` all exchanges.

    All configuration is level-triggered: setting the same values again changes nothing.
    """

    __slots__ = (
        "_context",
        "_declared",
        "_exchanges",
        "_offers",
        "_pressure",
        "_services",
        "_trials",
        "entry",
        "known_offers",
        "listeners",
        "memory",
        "moves",
        "news",
        "observing",
        "ports",
        "readings",
        "refused_messages",
        "sampling",
        "stream_offered",
    )

    def __init__(
        self,
        network: Network,
        streams: StreamOpener,
        *,
        site: SiteId,
        site_name: str,
        rng: random.Random,
        branch_to: Callable[[SiteId, SiteId], SiteId | None],
        settles_s: float = 0.0,
        connections_max: int = limits.CLIENT_CONNECTIONS_MAX,
        router: RouterId = OWN_ROUTER,
        name_of: Callable[[SiteId], str] = str,
    ) -> None:
        """``router`` is this one, among those of the site.

        ``settles_s``: for this long from now on requests without a route wait for one.

        ``connections_max``: of clients, over all listeners.

        ``branch_to``: the site beyond a neighbor through which the way to a site leads; it decides
        which requests wait in which line.

        ``name_of``: the current, human-readable name of a site. Figures are by site.
        """
        self.news = news = ForwarderNews(network)
        """Changes of service ports, for followers."""
        self.observing = Observing()
        """The observers of single requests of this site's clients."""
        self._pressure = Pressure()
        self.refused_messages = RefusedMessages(network.now)
        """Messages that one end of a link refused to take from the other."""
        self._context = RouterContext(
            network=network,
            streams=streams,
            site=site,
            site_name=site_name,
            router=router,
            rng=rng,
            pressure=self._pressure,
            refused_messages=self.refused_messages,
            load_changed=news.load_changed,
            targets_changed=news.targets_changed,
            site_news=news.site_changed,
            name_of=name_of,
            branch_to=branch_to,
            settles_until=network.now() + settles_s,
            observing=self.observing,
        )
        self.ports = ServicePorts(self._context)
        """The state of each service port, and reports of other sites about it."""
        self._services, self._declared = self.ports.by_key, self.ports.declared
        self._exchanges = ActiveExchanges(network, self._pressure)
        self.moves = ConnectionMoves(network, rng, self._exchanges.clients, self._services)
        """Ends connections by their age, or because the policy would place them elsewhere now."""
        self.entry = ClientEntry(
            network,
            self.ports,
            self._exchanges,
            self.moves,
            rng=rng,
            observing=self.observing,
            pressure=self._pressure,
            connections_max=connections_max,
        )
        self.listeners = self.entry.listeners
        self.readings = Readings(self._services, self._declared, self.listeners, network.now)
        self.memory = HeldMemory(
            self._services.values(), self.listeners, self._exchanges, self._pressure
        )
        self._offers = Offers(
            self._services, self._declared, self._exchanges, self._pressure, site_name
        )
        self.stream_offered = self._offers.take
        """An OPEN that ends here (`LinkOwner.stream_offered`)."""
        self.known_offers = self._offers.known
        """See `LinkOwner.known_offers`. Call `forget_offers` when rules have changed."""
        self.sampling = Sampling(
            self._services.values(), self._exchanges, network.now, self._forget_heads
        )
        self._trials = Trials()

    # Configuration

    def set_service(self, key: ServiceKey, config: ServiceSpec) -> None:
        """The service port is declared somewhere, like this."""
        self._declared.add(key)
        service = self.ports.known(key)
        if service.config == config:
            return
        protocol, max_age_s = service.protocol, service.config.max_age_s
        service.set_config(config)
        self.moves.configured(service, max_age_s)
        self.listeners.reconsider_one(key)
        if service.protocol != protocol:
            self._exchanges.drain_clients(service)
            self.entry.protocol_changed(key)

    def set_lending(self, key: ServiceKey, terms: LendingTerms | None) -> None:
        """Set which of its slots this site lends to clients of other sites; None: all of them."""
        service = self._services.get(key)
        if service is not None and service.set_lending(terms):
            self._exchanges.count_borrowed(service)

    def remove_service(self, key: ServiceKey) -> None:
        """Remove the service port and its targets here: sessions drain, waiting requests are
        refused.

        Exchanges under way go on; a service port of the same name that comes meanwhile counts them.
        """
        service = self.ports.remove(key)
        if service is None:
            return
        self.refused_messages.forget_service(key)
        self.listeners.forget(key)
        self.moves.removed(key)
        self._exchanges.drain_clients(service)
        self._exchanges.dismiss_egress(service)
        service.stop()

    def set_targets(self, key: ServiceKey, targets: Mapping[str, TargetConfig]) -> None:
        """Targets of this site by ``host:port``.

        A service port that no site declares can have targets too: then it is served for other sites
        only, whatever protocol they ask for.
        """
        if targets or key in self._services:
            self.ports.known(key).set_targets(targets)
        self.listeners.set_targets(key, frozenset(targets))
        if not targets and key not in self._declared:
            self.remove_service(key)

    def follow_listeners(self, may_listen: Callable[[ServiceKey, Where], bool]) -> None:
        """As in `Listeners.follow`."""
        self.listeners.follow(may_listen)

    def set_listeners(
        self,
        wanted: Mapping[ServiceKey, tuple[str, int]],
        tls: Mapping[ServiceKey, Tls | NoTls] | None = None,
    ) -> None:
        """Where clients are accepted, and which of them by TLS (or not at all without it).

        Connections of closed listeners go on.
        """
        if not self._exchanges.is_draining:
            self.listeners.set_listeners(wanted, tls)

    # Called by links

    def put_out(self, sites: Set[SiteId]) -> None:
        """Reset everything under way for clients of ``sites`` here, and for ours at
        their targets.
        """
        if sites:
            self._exchanges.put_out(sites)

    def withdraw(self, offers: Set[tuple[str, SiteId]], calls: Set[tuple[str, SiteId]]) -> None:
        """By service and site: reset our exchanges at these ``offers``, and theirs here for
        ``calls``.
        """
        if offers or calls:
            self._exchanges.withdraw(offers, calls)

    def forget_offers(self) -> None:
        """Forget remembered OPENs, which were judged by rules of the past."""
        self._offers.forget()

    # Read by others, besides `readings`

    @property
    def is_idle(self) -> bool:
        """No client is connected, no stream ends here: until `on_next_activity` nothing changes."""
        return self._exchanges.is_empty

    def on_next_activity(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once, when the next client or stream comes."""
        self._exchanges.on_next_activity(callback)

    @property
    def heads_remembered(self) -> int:
        """How many heads of requests and responses are stored, in any form."""
        return len(self._context.heads) + len(self._offers)

    def sample_demand(self) -> None:
        """Call once a second: samples the demand for every service port, and frees
        finished ones.
        """
        self.sampling.sample_demand()
        self.ports.collect()

    def _forget_heads(self) -> None:
        self._context.heads.forget()
        self._offers.forget()

    def try_sites(
        self, key: ServiceKey, sites: list[SiteId], done: Callable[[list[Trial]], None]
    ) -> bool:
        """Send one request of the service port to each of ``sites``, whatever the policy says.

        ``done`` gets all outcomes, later. False: too many are under way, or there is no such port.
        """
        service = self._services.get(key)
        return service is not None and self._trials.begin(service, sites, self.ports.known_as, done)

    def flows(self, most: int | None = None) -> Iterator[Flow]:
        """Requests and connections under way for clients of this site: of ``most`` clients at most,
        or of all. O(clients).
        """
        for client in list(islice(self._exchanges.clients, most)):
            yield from client.flows()

    def awaited_elsewhere(self) -> Mapping[tuple[ServiceKey, SiteId], int]:
        """Requests of clients that another site has in full and owes an answer. O(clients)."""
        return self._exchanges.awaited_elsewhere()

    @property
    def client_connections(self) -> int:
        """How many are open at this site."""
        return len(self._exchanges.clients)

    def under_way(self, beside: SiteId | None = None) -> int:
        """Requests and connections of clients of this router, and of others that end here, without
        those of site ``beside``. O(n)."""
        ending = sum(one.ingress != beside for one in self._exchanges.egress)
        return sum(1 for _ in self.flows()) + ending

    # Stopping

    def drain(self, done: Callable[[], None]) -> None:
        """Accept nothing more, let everything under way end; ``done`` once, when all has. Targets
        are checked until `finish`.

        The caller ensures that `abort` follows. ``done`` is never called from within this call.
        """
        if self._exchanges.is_draining:
            return
        self.listeners.close()
        self._exchanges.drain(done)

    def finish(self) -> None:
        """After `drain`: stop checking targets."""
        self.ports.stop()

    def abort(self) -> None:
        """Reset everything now."""
        self.listeners.close()
        self._exchanges.abort()
        self.ports.stop()

"""Client connections that end before their clients end them, of all services: by age, or moved."""

import random
from collections.abc import Mapping, Set

from router.exchange.clients.client_connection import ClientConnection
from router.exchange.clients.departures import Ages, Departures
from router.exchange.clients.rebalancing import RebalancePlan, RebalanceTerms, Rebalancing
from router.model.ids import ServiceKey
from router.net.ports import Timers
from router.service.service import Service


class ConnectionMoves:
    """Joins `Ages` and `Rebalancing` with the existing connections."""

    __slots__ = ("_ages", "_clients", "_departures", "_services", "rebalancing")

    def __init__(
        self,
        timers: Timers,
        rng: random.Random,
        clients: Set[ClientConnection],
        services: Mapping[ServiceKey, Service],
    ) -> None:
        self._clients, self._services = clients, services
        self._departures = Departures(timers)
        self._ages = Ages(timers, rng, self._departures)
        self.rebalancing = Rebalancing(timers, clients, self._departures)

    def configured(self, service: Service, max_age_s: float) -> None:
        """The settings of ``service`` changed; ``max_age_s`` was the age before."""
        config = service.config
        if config.max_age_s != max_age_s:
            self._ages.changed(service, self._clients)
        self.rebalancing.set_auto(service, config.rebalance == "auto")

    def removed(self, key: ServiceKey) -> None:
        """The service port was removed."""
        self.rebalancing.forget(key)

    def accepted(self, client: ClientConnection) -> None:
        """``client`` arrived, of a service with an age."""
        self._ages.begin(client)

    @property
    def involved(self) -> Set[ClientConnection]:
        """Clients for which `gone` must be called."""
        return self._departures.involved

    def gone(self, client: ClientConnection) -> None:
        """``client`` is lost."""
        for owner in (self._ages, self.rebalancing, self._departures):
            owner.gone(client)

    def plan(self, key: ServiceKey) -> RebalancePlan | None:
        """Which connections the policy would place elsewhere now; None: no such service port."""
        service = self._services.get(key)
        return self.rebalancing.plan(service) if service is not None else None

    def begin(self, key: ServiceKey, terms: RebalanceTerms) -> RebalancePlan | None:
        """Move these now, and others that are misplaced meanwhile."""
        service = self._services.get(key)
        return self.rebalancing.begin(service, terms) if service is not None else None

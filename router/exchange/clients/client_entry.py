"""Accepts clients: their listeners, and the service port of each connection."""

import random
from collections import Counter
from collections.abc import Callable, Mapping

from router.exchange.active_exchanges import ActiveExchanges
from router.exchange.clients.client_connection import ClientConnection
from router.exchange.clients.connection_moves import ConnectionMoves
from router.exchange.clients.listeners import Listeners
from router.exchange.service_ports import ServicePorts
from router.model.ids import ServiceKey
from router.model.service_choice import ServiceChoice
from router.net.ports import Connection, ConnectionHandler, Network
from router.service.observers import Observing
from router.service.pressure import Pressure


class ClientEntry:
    """Owns the listeners. Accepted connections are in `ActiveExchanges` until they are gone."""

    __slots__ = (
        "_choices",
        "_exchanges",
        "_former",
        "_gone",
        "_hear_chosen",
        "_involved",
        "_moves",
        "_observing",
        "_ports",
        "_pressure",
        "_rng",
        "_services",
        "listeners",
    )

    def __init__(
        self,
        network: Network,
        ports: ServicePorts,
        exchanges: ActiveExchanges,
        moves: ConnectionMoves,
        *,
        rng: random.Random,
        observing: Observing,
        pressure: Pressure,
        connections_max: int,
    ) -> None:
        """``connections_max``: of clients, over all listeners."""
        self._ports = ports
        self._services = ports.by_key
        self._exchanges = exchanges
        self._moves = moves
        self._involved = moves.involved
        self._rng = rng
        self._observing = observing
        self._pressure = pressure
        self._choices: Mapping[ServiceKey, ServiceChoice] = {}  # By the owner of the listener.
        self._hear_chosen: Callable[[ServiceKey, ServiceKey], None] = lambda *_: None
        self._former: set[ServiceKey] = set()  # Their protocol changed; clients may be left.
        self._gone = self._client_gone  # One for all clients.
        self.listeners = Listeners(
            network, self._accept, ports.limits_of, connections_max, is_held=self._is_held
        )

    def set_choices(self, choices: Mapping[ServiceKey, ServiceChoice]) -> None:
        """The service ports whose listeners others share; all of them are tcp."""
        self._choices = choices

    def follow_choices(self, chosen: Callable[[ServiceKey, ServiceKey], None]) -> None:
        """Call ``chosen`` with the owner of a shared listener and the service port that a new
        connection goes to; not where weights draw it.
        """
        self._hear_chosen = chosen

    def protocol_changed(self, key: ServiceKey) -> None:
        """Clients that came before may go on with the former protocol."""
        self._former.add(key)

    def of_former_protocol(self) -> dict[ServiceKey, Counter[str]]:
        """Clients that came before their service port changed its protocol and go on, by their
        former protocol. O(clients) while there are some.
        """
        found = {key: Counter[str]() for key in self._former}
        for client in self._exchanges.clients if found else ():
            service = client.service
            if service.key in found and client.protocol != service.protocol:
                found[service.key][client.protocol] += 1
        self._former = {key for key, count in found.items() if count}
        return {key: found[key] for key in self._former}

    def _accept(self, key: ServiceKey, connection: Connection) -> ConnectionHandler | None:
        service = self._services.get(key)
        if self._choices and (choice := self._choices.get(key)) is not None:
            chosen = choice.choose(self._ports.is_served, self._rng.random)
            service = self._services.get(chosen, service)
            if not choice.weights:
                self._hear_chosen(key, chosen)
        exchanges = self._exchanges
        if service is None or exchanges.is_draining:
            return None
        client = ClientConnection(
            connection,
            service,
            listener=key,
            observing=self._observing,
            gone=self._gone,
        )
        exchanges.clients.add(client)
        if exchanges.on_activity is not None:
            exchanges.on_activity()
        if service.protocol == "http2":
            exchanges.many_at_once.add(client)
        if service.config.max_age_s:
            self._moves.accepted(client)
        return client

    def _client_gone(self, client: ClientConnection) -> None:
        exchanges = self._exchanges
        exchanges.clients.discard(client)
        if client in self._involved:
            self._moves.gone(client)
        if client in exchanges.many_at_once:
            exchanges.many_at_once.discard(client)
        self.listeners.gone(client.listener, client.connection)
        if exchanges.is_draining:
            exchanges.check_drained()

    def _is_held(self, key: ServiceKey) -> bool:
        """The clients of ``key`` could only be reset now."""
        service = self._services.get(key)
        return self._pressure.is_refusing and service is not None and service.protocol == "tcp"

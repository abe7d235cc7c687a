"""Memory held by requests and their clients, and how it is freed when memory is short."""

from collections.abc import Collection

from router.exchange.active_exchanges import ActiveExchanges
from router.exchange.clients.listeners import Listeners
from router.model import limits
from router.service.pressure import Pressure
from router.service.service import Service


class HeldMemory:
    """The memory of one `Forwarder`."""

    __slots__ = ("_exchanges", "_listeners", "_pressure", "_services")

    def __init__(
        self,
        services: Collection[Service],
        listeners: Listeners,
        exchanges: ActiveExchanges,
        pressure: Pressure,
    ) -> None:
        self._services, self._listeners = services, listeners
        self._exchanges, self._pressure = exchanges, pressure

    @property
    def held_bytes(self) -> int:
        """Of requests, stored to be sent again or for a slot; of responses that wait for credit."""
        return self._exchanges.held_bytes

    @property
    def refused_total(self) -> int:
        """Requests and streams refused because of `refuse_new`."""
        return self._pressure.refused_total

    @property
    def is_refusing(self) -> bool:
        """The value last passed to `refuse_new`."""
        return self._pressure.is_refusing

    def refuse_new(self, refuse: bool) -> None:
        """Begin nothing new until the next call: clients get 503, other sites ``busy`` until they
        have the news.

        Listeners of services that are not http leave new connections in their backlog.
        """
        self._pressure.is_refusing = refuse
        for service in self._services:
            service.pressure_changed()
        self._listeners.reconsider()

    def cap_clients(self, cap: bool) -> None:
        """Accept only `limits.CLIENTS_WHEN_SHORT` clients, until the next call."""
        self._listeners.cap(limits.CLIENTS_WHEN_SHORT if cap else None)

    def shed_idle(self) -> int:
        """Close idle connections: some of clients each time, and all to targets;
        returns how many.
        """
        shed = sum(service.shed_idle() for service in self._services)
        return shed + self._exchanges.shed_idle()

    def drop_slowest(self, size_bytes: int) -> int:
        """Drop the largest holders first, until ``size_bytes`` are free or none holds much; returns
        how many gave way.

        Data that is only stored to be sent again goes first, then clients that do not read are
        reset.
        """
        return self._exchanges.drop_slowest(size_bytes)

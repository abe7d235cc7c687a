"""Exchanges under way at one router: its clients' connections and the streams that end here."""

from collections import Counter
from collections.abc import Callable, Set
from itertools import islice
from operator import itemgetter
from typing import Protocol

from router.balance.site.lending import Lending
from router.exchange.clients.client_connection import ClientConnection
from router.exchange.clients.source_shares import reset_largest
from router.model import limits
from router.model.addresses import source_of
from router.model.ids import ServiceKey, SiteId
from router.net.ports import Timers
from router.service.pressure import Pressure
from router.service.service import Service


class IncomingExchange(Protocol):
    """The exchange of a stream that ends at this site."""

    ingress: SiteId

    @property
    def service(self) -> Service: ...

    def dismiss(self) -> None:
        """Send it elsewhere if it only waits."""

    def stop(self) -> None:
        """Reset it."""

    def borrows(self, lending: Lending) -> None:
        """Count the slot that it holds, for its neighbor."""


class ActiveExchanges:
    """Owns the connections of clients and the exchanges of streams that end here, and ends them:
    after a grace period, or at once.
    """

    __slots__ = (
        "_awaiting_activity",
        "_drained",
        "_pressure",
        "_timers",
        "clients",
        "egress",
        "is_draining",
        "many_at_once",
        "on_activity",
    )

    def __init__(self, timers: Timers, pressure: Pressure) -> None:
        self._timers = timers
        self._pressure = pressure
        self._drained: Callable[[], None] | None = None
        self.clients: set[ClientConnection] = set()
        self.many_at_once: set[ClientConnection] = set()
        """Clients with many requests under way: only they hold responses without credit."""
        self.egress: dict[IncomingExchange, None] = {}
        self.is_draining = False
        """Nothing is added any more."""
        self.on_activity: Callable[[], None] | None = None
        """Called when something is added, if there are followers."""
        self._awaiting_activity: set[Callable[[], None]] = set()

    @property
    def is_empty(self) -> bool:
        """No client is connected, and no stream ends here."""
        return not self.clients and not self.egress

    def on_next_activity(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once, when something is added next."""
        self._awaiting_activity.add(callback)
        self.on_activity = self._activity_began

    def _activity_began(self) -> None:
        callbacks, self._awaiting_activity = self._awaiting_activity, set()
        self.on_activity = None
        for callback in callbacks:
            callback()

    def egress_finished(self, egress: IncomingExchange) -> None:
        """A stream is over, and nothing more has to be done for it: once."""
        del self.egress[egress]
        if self.is_draining:
            self.check_drained()

    # Of one service port.

    def drain_clients(self, service: Service) -> None:
        """Clients of ``service`` end with their last answer."""
        for client in list(self.clients):
            if client.service is service:
                client.session.drain()

    def dismiss_egress(self, service: Service) -> None:
        """Streams that wait for a slot of it are sent elsewhere."""
        for egress in list(self.egress):
            if egress.service is service:
                egress.dismiss()

    def count_borrowed(self, service: Service) -> None:
        """``service`` lends its slots by neighbor from now on: count those that neighbors hold
        already.
        """
        lending = service.ledger.lending
        if lending is None:
            return
        for egress in self.egress:
            if egress.service is service:
                egress.borrows(lending)

    # Of one site.

    def put_out(self, sites: Set[SiteId]) -> None:
        """Reset streams of ``sites`` that end here, and attempts there, as if links were lost."""
        for egress in list(self.egress):
            if egress.ingress in sites:
                egress.stop()
        for client in list(self.clients):
            for leg in client.session.legs:
                leg.break_off(sites)

    def withdraw(self, offers: Set[tuple[str, SiteId]], calls: Set[tuple[str, SiteId]]) -> None:
        """As `put_out`, for one service: attempts at ``offers``, and streams of ``calls``."""
        for egress in list(self.egress):
            if (egress.service.key.name, egress.ingress) in calls:
                egress.stop()
        for client in list(self.clients) if offers else ():
            name = client.service.key.name
            sites = {site for service, site in offers if service == name}
            for leg in client.session.legs if sites else ():
                leg.break_off(sites)

    def awaited_elsewhere(self) -> Counter[tuple[ServiceKey, SiteId]]:
        """Requests of clients by http service port and other site, see `ClientLeg.awaited_at`.

        None for HTTP/2, see `TargetReadings.busy`. It visits each client, some 0.2 µs.
        """
        awaited: Counter[tuple[ServiceKey, SiteId]] = Counter()
        for client in self.clients:
            for leg in client.session.legs if client.service.protocol == "http" else ():
                site = leg.awaited_at
                if site is not None:
                    awaited[client.service.key, site] += 1
        return awaited

    # Short of memory.

    @property
    def held_bytes(self) -> int:
        """Of requests, stored to be sent again or for a slot; of responses that wait for credit.

        Read several times a second, even with thousands of idle connections.
        """
        return self._pressure.held_bytes + sum([client.held_bytes for client in self.many_at_once])

    def shed_idle(self) -> int:
        """Close the connections of some idle clients; returns how many."""
        clients = islice(
            (client for client in list(self.clients) if client.session.shed_idle()),
            limits.SHED_AT_ONCE_MAX,
        )
        return sum(1 for _ in clients)

    def drop_slowest(self, size_bytes: int) -> int:
        """Drop the largest holders first, until ``size_bytes`` are free or none holds much; returns
        how many gave way.

        Data that is only stored to be sent again goes first, then clients that do not read are
        reset, those of the address that holds most.
        """
        kept = [(one.size_bytes, one.relieve) for one in self._pressure.holders]
        freed = dropped = 0
        for held_bytes, give_way in sorted(kept, key=itemgetter(0), reverse=True):
            if freed >= size_bytes or held_bytes < limits.DROP_BYTES_MIN:
                break
            give_way()
            freed += held_bytes
            dropped += 1
        unread = [
            (
                source_of(one.connection.peer.host),
                one.connection.unsent_bytes + one.held_bytes,
                one.session.abort,
            )
            for one in self.clients
        ]
        return dropped + reset_largest(unread, size_bytes - freed)[1]

    # Stopping.

    def drain(self, done: Callable[[], None]) -> None:
        """Let everything end; ``done`` once, never from within this call, when it has."""
        self.is_draining = True
        self._drained = done
        for egress in list(self.egress):
            egress.dismiss()
        for client in list(self.clients):
            client.session.drain()
        self._timers.at_turn_end(self.check_drained)

    def abort(self) -> None:
        """Reset everything now."""
        self.is_draining = True
        for client in list(self.clients):
            client.session.abort()
        for egress in list(self.egress):
            egress.stop()

    def check_drained(self) -> None:
        """Something ended, and may have been the last."""
        if self._drained is None or self.clients or self.egress:
            return
        done, self._drained = self._drained, None
        done()

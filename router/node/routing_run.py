"""Runs routing: carries out its events, wakes it in time, and sends its news to edges."""

import time
from collections.abc import Callable

from router.link.links import Links
from router.link.routing_messages import DigestMessage, LsaMessage, RoutingMessage
from router.model.own_identity import OwnIdentity
from router.net.ports import Network, Timer
from router.node.services.ports import Keeper
from router.routing.edges.attached import AttachedEdges
from router.routing.edges.edge import Routing
from router.routing.edges.offers import EdgeTableSource
from router.routing.events import (
    EpochRaised,
    RoutingChange,
    RoutingEvent,
    SendAck,
    SendDigest,
    SendEdge,
    SendLsa,
    TableChanged,
)


class RoutingRun:
    """Owns the timer of ``routing`` and of the edges that are attached here."""

    def __init__(
        self,
        network: Network,
        links: Links,
        identity: OwnIdentity,
        version: str,
        routing: Routing,
        edges: AttachedEdges,
        keeper: Keeper,
    ) -> None:
        self._network = network
        self._links = links
        self._identity = identity
        self._version = version
        self._routing = routing
        self._edges = edges
        self._keeper = keeper
        self._hear: Callable[[RoutingChange], None]
        self._settled: Callable[[], None]
        self._timer: Timer | None = None
        self.spf_seconds = 0.0

    def follow(self, hear: Callable[[RoutingChange], None], settled: Callable[[], None]) -> None:
        """Call before the first event. ``hear`` is called with each change, ``settled`` after all
        else that came with a new table was carried out. The follower knows rooms built after this
        one."""
        self._hear, self._settled = hear, settled

    def take(self, events: list[RoutingEvent]) -> None:
        """Carry out ``events``, and their consequences for edges."""
        self._carry_out(events)
        self._carry_out(self._news_for_edges())
        self._arm()

    def close(self) -> None:
        """Wake routing no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _carry_out(self, events: list[RoutingEvent]) -> None:
        for event in events:
            if isinstance(event, SendLsa | SendAck | SendDigest | SendEdge):
                self._links.send(event.to, _message(event))
                continue
            if isinstance(event, EpochRaised):
                self._keeper.keep_epoch(event.epoch)
            self._hear(event)
        if any(isinstance(event, TableChanged) for event in events):
            self._settled()

    def _news_for_edges(self) -> list[RoutingEvent]:
        """Rows that attached edges have not received yet."""
        if not len(self._edges):
            return []
        source = EdgeTableSource(
            router=self._identity.router,
            site=self._identity.site,
            version=self._version,
            epoch=self._routing.epoch,
            adverts=self._routing.adverts,
        )
        return self._edges.update(source, self._routing.table, self._network.now())

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadlines = (self._routing.next_deadline(), self._edges.next_deadline())
        known = [deadline for deadline in deadlines if deadline is not None]
        if known:
            self._timer = self._network.call_at(min(known), self._due)

    def _due(self) -> None:
        self._timer = None
        began, spent_s = time.perf_counter(), self._network.spent_s()
        tables = self._routing.tables_built
        now = self._network.now()
        events = self._routing.handle_timeout(now)
        if any(isinstance(event, TableChanged) for event in events):
            self.spf_seconds = time.perf_counter() - began
        self.take([*events, *self._edges.handle_timeout(now)])
        if self._routing.tables_built > tables:
            self._routing.took(self._network.spent_s() - spent_s, now)
            self._arm()


def _message(event: SendLsa | SendAck | SendDigest | SendEdge) -> RoutingMessage:
    match event:
        case SendLsa():
            return LsaMessage(event.signed, event.age_s)
        case SendAck():
            return event.ack
        case SendDigest():
            return DigestMessage(event.digest, event.wants_answer)
        case SendEdge():
            return event.message

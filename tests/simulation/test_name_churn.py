"""Names of sites, routers, services, links and targets that come and go fill no memory.

A router runs for months, and every name that it meets is new. Each table either forgets what is
gone, or has a limit.
"""

from collections import Counter
from itertools import pairwise
from typing import Final

import pytest

from router.model import limits
from router.model.ids import ServiceKey
from router.model.settings import Affinity, ServiceLimits
from router.model.specs import (
    ConnectorSpec,
    ListenerSpec,
    ServiceSpec,
    SitePolicySpec,
    TargetSpec,
)
from router.net.ports import Connection, ConnectionHandler, Loss
from tests.simulation.hours.eye import Eye
from tests.simulation.tables import sizes
from tests.simulation.world import SimSite, Target, World

ROUNDS = 4
MANY = 60
QUIET_S = 2 * limits.LSA_MAX_AGE_S
BOUNDED: Final = {
    "AbsentSites._gone": limits.ABSENT_SITES_MAX,
    "DeletedSites._known": limits.SITE_NAMES_MAX,
    "DeletedSites._left": limits.SITE_NAMES_MAX,
    "HeardLives.newest": limits.SHARE_MEMBERS_KEPT_MAX,
    "HeardLives.over": limits.SHARE_MEMBERS_KEPT_MAX,
    "LearntServices._kept_owners": limits.OWNED_NAMES_MAX,
    "LearntServices._owners": limits.OWNED_NAMES_MAX,
    "LinkNews._lost": limits.REFUSALS_KEPT_MAX,
    "ListenerOffice._held": limits.LISTENERS_REMEMBERED_MAX,
    "ListenerOffice._kept": limits.LISTENERS_REMEMBERED_MAX,
    "ListenerOffice._owners": limits.OWNED_NAMES_MAX,
    "ListenerOffice._present": limits.LISTENERS_REMEMBERED_MAX,
    "NewOffers._counts": limits.KNOWN_OFFERS_MAX,
    "NewOffers._known": limits.KNOWN_OFFERS_MAX,
    "NewOffers._new": limits.KNOWN_OFFERS_MAX,
    "Names._last": limits.SITE_NAMES_MAX,
    "NeighbourFlood.budgets": limits.LSA_BUDGETS_MAX,
    "Owner.sites": limits.OWNED_NAMES_MAX,
    "Owner.versions": limits.OWNED_NAMES_MAX,
    "Owners._declared": limits.OWNED_NAMES_MAX,
    "Owners.records": limits.OWNED_NAMES_MAX,
    "Outline.figures": limits.DECISIONS_KEPT,
    "Remotes._round_trips_s": limits.ROUND_TRIPS_KEPT_MAX,
    "RouteTable.owners": limits.OWNED_NAMES_MAX,
    "ServiceSpec.ports": limits.OWNED_NAMES_MAX,
    "Shares._heard": limits.SHARE_MEMBERS_KEPT_MAX,
    "TokenBuckets._buckets": limits.EVENT_BUDGETS_MAX,
    "WithdrawnServices._gone": limits.GONE_SERVICES_MAX,
    "_OwnersOffers._owners": limits.OWNED_NAMES_MAX,
}
"""Tables that remember names on purpose, and how many."""

COUNTERS: Final = frozenset(
    (
        "Reading.overflow",
        "Reading.served",
        "Reading.spilled_to",
        "ServiceCounters._requests",
        "ServiceCounters.spilled",
    )
)
"""Counters of a service by the site that served, which metrics show: they last as long as the
service, and so grow with each other site that ever served it."""


class Caller:
    """A client that asks once and leaves."""

    def __init__(self, site: SimSite, port: int, host: str = "127.0.0.1") -> None:
        self._site = site
        site.network.dial(host, port, self._connected, lambda failure: None, timeout_s=5.0)

    def _connected(self, connection: Connection) -> ConnectionHandler:
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self._site.network.call_at(self._site.network.now() + 5.0, connection.abort)
        return self

    def received(self, data: memoryview) -> None:
        """Any answer will do."""

    def ended(self) -> None:
        """Nor does it matter when it is complete."""

    def writable(self) -> None:
        """It sends once."""

    def lost(self, cause: Loss | None) -> None:
        """It leaves anyhow."""


class Churn:
    """Two sites that stay, and others that come and go."""

    def __init__(self) -> None:
        self.world = World(7, "left", "middle")
        self.left, self.middle = self.world.sites.values()
        self.left.link(self.middle, 1)
        self.middle.declare()
        self.middle.serve(2, 5)
        self.world.run(3)
        self.eyes = [Eye(site, lambda event: None) for site in (self.left, self.middle)]
        self.round = 0

    def tables(self) -> Counter[str]:
        """All tables of the sites that stay."""
        return sizes(*self.eyes, self.left.router, self.middle.router)

    def after_rounds(self) -> Counter[str]:
        """The tables after some rounds, once all that went is forgotten."""
        for _ in range(ROUNDS):
            self.turn()
        self.world.run(QUIET_S)
        return self.tables()

    def turn(self) -> None:
        """Sites, routers, services, links, listeners, policies and targets come, and go again."""
        self.round += 1
        number, world = self.round, self.world
        port, theirs, ours = 10_000 + number, 20_000 + number, 30_000 + number
        guest = self._come("guest", 10 + number)
        guest.link(self.middle, 1)
        self._serve(guest, f"theirs{number}", theirs, port)
        self.left.link(guest, 2)
        self._serve(self.left, f"ours{number}", ours, port)
        twin = self._come("twin", 110 + number)
        twin.join(guest)
        twin.link(self.middle, 1)
        world.edges = frozenset({f"edge{number}"})
        edge = self._come("edge", 210 + number)
        edge.link(self.left, 1)
        self._serve(edge, f"ours{number}", 40_000 + number, port)  # A rival of the other one.
        self._serve(self.middle, "shop", 8080, port)
        self._serve(guest, "shop", 8080, 50_000 + number)
        sibling = self._come("sibling", 310 + number)
        sibling.join(self.left)
        world.run(8)
        for one in (guest, twin, edge):
            for _ in range(3):
                Caller(one, ours, self.left.ip)
            Caller(self.left, theirs)
            Caller(one, 8080)
        if number % 2:
            guest.targets[port].status = 500
        world.run(8)
        self._look(f"theirs{number}", f"ours{number}", "shop")
        for _ in range(MANY):  # More than all sites together take at once.
            self.left.request()
        self._go(guest, twin, edge, sibling)
        for site, name in ((self.left, f"ours{number}"), (self.middle, "shop")):
            site.targets.pop(port).listener.close()
            del site.connectors[f"of-{name}"], site.listeners[f"of-{name}"]
        del self.left.services[f"ours{number}"], self.left.policies[f"ours{number}"]
        self.left.unlink(guest)
        self.middle.apply()
        world.run(60)

    def _come(self, kind: str, address: int) -> SimSite:
        name = f"{kind}{self.round}"
        site = self.world.sites[name] = SimSite(self.world, address, name)
        return site

    def _serve(self, site: SimSite, service: str, own_port: int, port: int) -> None:
        if service != "shop":
            site.services[service] = ServiceSpec(
                ports=(own_port,),
                affinity=Affinity(by="client" if self.round % 2 else "cookie"),
                limits=ServiceLimits(connections_per_source=2),
            )
            site.policies[service] = SitePolicySpec(service=service, site_capacity=3)
        site.targets[port] = Target(site.network, port, site.name, 0.05, self.world.seen)
        site.connectors[f"of-{service}"] = ConnectorSpec(
            service=service,
            targets=(TargetSpec("127.0.0.1", port),),
            capacity=("auto", 2)[self.round % 2],
        )
        site.listeners[f"of-{service}"] = ListenerSpec(
            service=service, listen=f"0.0.0.0:{own_port}"
        )
        site.apply()

    def _look(self, *services: str) -> None:
        for eye in self.eyes:
            seen = eye.seen()
            list(seen.sentences())
            for _, row in seen.rows:
                key = ServiceKey(row.service, row.port)
                list(eye.sentences_of(seen.said(key), key))
            eye.figures()
        for service in services:
            self.left.router.ask_targets(service, lambda told: None)
        self.world.run(1)

    def _go(self, guest: SimSite, twin: SimSite, edge: SimSite, sibling: SimSite) -> None:
        """Every other guest is deleted in order; the others are gone without a word."""
        if self.round % 2:
            guest.router.leave()
            for site in (guest, twin):
                site.stop(lambda: None)
        edge.router.leave()
        edge.stop(lambda: None)
        self.world.run(5)
        for site in (guest, twin, edge, sibling):
            site.kill()
            self.world.sites.pop(site.name, None)


@pytest.fixture(scope="module")
def grown() -> dict[str, int]:
    """By how much each table grows in some rounds, at least: figures of the last ones vary."""
    churn = Churn()
    seen = [churn.after_rounds() for _ in range(3)]
    more = {table: min(b[table] - a[table] for a, b in pairwise(seen)) for table in seen[-1]}
    return {table: count for table, count in more.items() if count >= ROUNDS // 2}


def test_tables_that_have_no_limit_do_not_grow_with_names(grown: dict[str, int]) -> None:
    known = BOUNDED.keys() | COUNTERS
    assert {table: more for table, more in grown.items() if table not in known} == {}


def test_names_that_are_remembered_on_purpose_are_seen_to_grow(grown: dict[str, int]) -> None:
    assert grown.keys() >= {"Names._last", "WithdrawnServices._gone", "AbsentSites._gone"}

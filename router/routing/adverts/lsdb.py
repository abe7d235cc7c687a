"""The link-state database: the newest version of each part, with ages and caps (RFC 2328, 12 to
14)."""

import math
from collections.abc import Collection, Iterable
from enum import Enum
from itertools import takewhile

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.limits import (
    LSA_MAX_AGE_S,
    LSA_NEIGHBOUR_ROUTERS_MAX,
    ORIGINS_MAX,
    ROUTERS_PER_SITE_MAX,
)
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.routing.adverts.budgets import (
    Budget,
    BudgetKey,
    LsaSource,
    NeighbourBudget,
    SiteBudget,
    Stored,
)
from router.routing.adverts.lsa import Lsa, LsaKey, Node, Services, Topology, Version


class PartStanding(Enum):
    """How a part compares with the stored one."""

    NEWER = "newer"
    SAME = "same"
    OLDER = "older"  # We hold a newer version of this part.
    OBSOLETE = "obsolete"  # Its origin no longer has it, or was gone for too long.


class StoreChange(Enum):
    """The effect of storing a part on others."""

    NOTHING = "nothing"  # A refresh, or services that are not complete yet.
    SERVICES = "services"
    TOPOLOGY = "topology"


class BudgetExcess(msgspec.Struct, frozen=True):
    """``site`` reports more than is stored for one site. ``limit``: the limit in words.

    ``budget``: set if the limit is not a site's, but that of a neighbor or a token.
    """

    site: SiteId
    limit: str
    budget: BudgetKey | None = None


FULL = BudgetExcess(SiteId(""), f"more than {ORIGINS_MAX:,} routers in all")
"""There is no room for a router though its site and its neighbor keep within their limits."""


class Origin:
    """All known parts of one router. ``declarations`` and ``adverts`` change together.

    ``is_whole``: they are all that its newest parts declare. ``refused`` has the newest version of
    each part that found no room: the part stays as it was before. ``brought``: by part, the budget
    of its neighbor that counts it, if there is one. ``sent_at``: when the router sent part 0, as
    neighbors said.
    """

    __slots__ = (
        "adverts",
        "brought",
        "declarations",
        "is_whole",
        "node",
        "parts",
        "refused",
        "sent_at",
    )

    def __init__(self, node: Node) -> None:
        self.node = node
        self.parts: dict[int, Stored] = {}
        self.refused: dict[int, Version] = {}
        self.brought: dict[int, BudgetKey] = {}
        self.declarations: tuple[Declaration, ...] = ()
        self.adverts: tuple[TargetsAdvert, ...] = ()
        self.is_whole = False
        self.sent_at = -math.inf

    @property
    def outdated_at(self) -> float:
        """A router that still runs has sent another part 0 by then."""
        return self.sent_at + LSA_MAX_AGE_S

    @property
    def head(self) -> Lsa | None:
        """Part 0."""
        stored = self.parts.get(0)
        return stored[0] if stored else None

    @property
    def topology(self) -> Topology | None:
        head = self.head
        return head.body if head and isinstance(head.body, Topology) else None

    def adopt_services(self) -> bool:
        """Take the services of exactly the parts that part 0 lists; True: they changed.

        While some parts are missing the last complete set stays, so that a service that moves from
        one part to another is never seen missing or twice.
        """
        head, topology = self.head, self.topology
        self.is_whole = False
        if head is None or topology is None:
            return False
        bodies: list[Services] = []
        is_whole = True
        for ref in topology.parts:
            lsa, _ = self.parts.get(ref.part, (None, b""))
            listed = (head.epoch, ref.sequence)
            if lsa is None or lsa.newness != listed:
                if self.refused.get(ref.part) != listed:
                    return False
                is_whole = False
            if lsa is not None and isinstance(lsa.body, Services):
                bodies.append(lsa.body)
        self.is_whole = is_whole
        declarations = tuple(told for body in bodies for told in body.declarations)
        adverts = tuple(told for body in bodies for told in body.adverts)
        if (declarations, adverts) == (self.declarations, self.adverts):
            return False
        self.declarations, self.adverts = declarations, adverts
        return True


class Lsdb:
    """All verified parts, our own included. Only `RoutingCore` changes it."""

    __slots__ = ("_gone", "_neighbours", "_origins", "_own", "_received_at", "_routers", "_sites")

    def __init__(self, own: Node) -> None:
        self._own = own
        self._origins: dict[Node, Origin] = {}
        self._routers: dict[RouterId, list[Node]] = {}
        self._sites: dict[SiteId, SiteBudget] = {}
        self._neighbours: dict[BudgetKey, NeighbourBudget] = {}
        self._received_at: dict[LsaKey, float] = {}  # Oldest first. Ours do not age.
        # Aged out, with their version: a neighbor that got them later must not revive them.
        self._gone: dict[Node, tuple[Version, float]] = {}

    def __len__(self) -> int:
        return len(self._origins)

    @property
    def own(self) -> Node:
        """This router."""
        return self._own

    def origins(self) -> Iterable[Origin]:
        return self._origins.values()

    def origin(self, node: Node) -> Origin | None:
        return self._origins.get(node)

    def nodes_of(self, router: RouterId) -> tuple[Node, ...]:
        """The nodes with this router id. Usually one: two sites may claim the same id."""
        return tuple(self._routers.get(router, ()))

    def knows_site(self, site: SiteId) -> bool:
        """Whether any part of ``site`` is held."""
        return site in self._sites

    def keys(self) -> list[LsaKey]:
        """The keys of all stored parts, first the parts that make the graph."""
        return sorted(
            LsaKey(part, origin.node) for origin in self._origins.values() for part in origin.parts
        )

    def get(self, key: LsaKey) -> Stored | None:
        """The part and its signed bytes."""
        origin = self._origins.get(key.node)
        return origin.parts.get(key.part) if origin else None

    def standing(self, lsa: Lsa, signed: bytes) -> PartStanding:
        """How ``lsa``, verified or not, compares with the stored part.

        Two processes of a router that lost its epoch may use one number twice. Then the greater
        bytes count as newer everywhere, until the router learns of it and takes another epoch.
        """
        stored = self.get(lsa.key)
        if stored:
            ours, theirs = (stored[0].newness, stored[1]), (lsa.newness, signed)
            if ours == theirs:
                return PartStanding.SAME
            return PartStanding.OLDER if theirs < ours else PartStanding.NEWER
        gone = self._gone.get(lsa.node)
        if gone and lsa.newness <= gone[0]:
            return PartStanding.OBSOLETE
        origin = self._origins.get(lsa.node)
        if origin and lsa.part and _is_dropped(lsa, origin.head):
            return PartStanding.OBSOLETE
        return PartStanding.NEWER

    def make_room(
        self,
        lsa: Lsa,
        signed: bytes,
        reachable: Collection[Node],
        computed_at: float,
        by: LsaSource | None = None,
    ) -> BudgetExcess | None:
        """Why there is no room for ``lsa``, not even after dropping unreachable routers.

        None: there is room. ``by``: the neighbor that brings it; None: this site itself. If a site
        is beyond its budget, its own routers are dropped, and if that does not help the part that
        asks for more is refused: sites do not compete, nor do neighbors. A router heard after
        ``computed_at`` may be unreachable only because paths are older than it: it is not dropped
        for other routers of its site, or of its neighbor.
        """
        node = lsa.node
        site = self._sites.get(node.site)
        if node not in self._origins:
            if site and len(site.nodes) >= ROUTERS_PER_SITE_MAX:
                if not self._drop_lost(site, reachable, node):
                    return BudgetExcess(node.site, f"more than {ROUTERS_PER_SITE_MAX} routers")
            elif len(self._origins) >= ORIGINS_MAX and not self._evict(reachable):
                return FULL
        excess = self._room_of_site(lsa, signed, reachable, computed_at)
        key = by.budget(node.site) if by is not None else None
        if excess or by is None or key is None:
            return excess
        limit = self._neighbours_limit(lsa, signed, reachable, computed_at, key)
        return BudgetExcess(by.site, limit, key) if limit else None

    def _room_of_site(
        self, lsa: Lsa, signed: bytes, reachable: Collection[Node], computed_at: float
    ) -> BudgetExcess | None:
        site, before = lsa.node.site, self.get(lsa.key)
        while True:
            budget = self._sites.get(site) or SiteBudget()
            limit = budget.excess(before, (lsa, signed))
            if not limit:
                return None
            if not self._drop_lost(budget, reachable, lsa.node, computed_at):
                return BudgetExcess(site, limit)

    def _neighbours_limit(
        self,
        lsa: Lsa,
        signed: bytes,
        reachable: Collection[Node],
        computed_at: float,
        key: BudgetKey,
    ) -> str:
        """The limit of budget ``key`` that ``lsa`` would exceed; empty: none, or there is room
        now."""
        node = lsa.node
        while True:
            budget = self._neighbours.get(key) or NeighbourBudget()
            origin = self._origins.get(node)
            is_theirs = origin is not None and origin.brought.get(lsa.part) == key
            limit = budget.excess(self.get(lsa.key) if is_theirs else None, (lsa, signed))
            if node not in budget.nodes and len(budget.nodes) >= LSA_NEIGHBOUR_ROUTERS_MAX:
                limit = f"more than {LSA_NEIGHBOUR_ROUTERS_MAX:,} routers"
            if not limit or not self._drop_lost(budget, reachable, node, computed_at):
                return limit

    def _drop_lost(
        self, budget: Budget, reachable: Collection[Node], but: Node, heard_before: float = math.inf
    ) -> bool:
        """Drop the router in ``budget`` that was silent for longest, if one is out of reach."""
        lost = [
            (heard_at, node)
            for node in budget.nodes
            if node not in reachable
            and node not in (but, self._own)
            and (heard_at := self._heard_at(node)) < heard_before
        ]
        if lost:
            self._drop_origin(min(lost)[1])
        return bool(lost)

    def _heard_at(self, node: Node) -> float:
        parts = self._origins[node].parts
        return max(self._received_at[LsaKey(part, node)] for part in parts)

    def _evict(self, reachable: Collection[Node]) -> bool:
        """Drop the unreachable router that was silent for longest."""
        for key in self._received_at:
            if key.node not in reachable:
                self._drop_origin(key.node)
                return True
        return False

    def refuse(self, lsa: Lsa) -> StoreChange:
        """There was no room for ``lsa``, which is verified and newer: the part stays as it was."""
        origin = self._origins.get(lsa.node)
        if origin is None:
            return StoreChange.NOTHING
        origin.refused[lsa.part] = lsa.newness
        return StoreChange.SERVICES if origin.adopt_services() else StoreChange.NOTHING

    def store(
        self, lsa: Lsa, signed: bytes, now: float, by: LsaSource | None = None, age_s: int = 0
    ) -> StoreChange:
        """Store a verified, newer part. ``by`` as for `make_room`. ``age_s``: as `age_s`, where it
        comes from."""
        node = lsa.node
        origin = self._origins.get(node)
        if origin is None:
            origin = self._origins[node] = Origin(node)
            self._routers.setdefault(node.router, []).append(node)
            self._routers[node.router].sort()
            self._sites.setdefault(node.site, SiteBudget()).nodes.add(node)
        before, was_outdated = origin.topology, now >= origin.outdated_at
        self._replace(origin, lsa.part, (lsa, signed), by.budget(node.site) if by else None)
        origin.refused.pop(lsa.part, None)
        if lsa.part == 0:
            origin.sent_at = now - age_s
        key = lsa.key
        self._received_at.pop(key, None)
        if node != self._own:
            self._received_at[key] = now
        for part in [part for part, (held, _) in origin.parts.items() if _is_dropped(held, lsa)]:
            self._replace(origin, part, None)
            self._received_at.pop(LsaKey(part, node), None)
        has_new_services = origin.adopt_services()
        if lsa.part == 0 and not _same_graph(before, origin.topology):
            return StoreChange.TOPOLOGY
        if lsa.part == 0 and (was_outdated or not _same_label(before, origin.topology)):
            return StoreChange.SERVICES
        return StoreChange.SERVICES if has_new_services else StoreChange.NOTHING

    def age_s(self, key: LsaKey, now: float) -> int:
        """How long ago its router sent a part. 0 for ours, and for parts that only part 0 makes
        count."""
        origin = self._origins.get(key.node)
        if origin is None or key.part or key.node == self._own:
            return 0
        return max(0, int(now - origin.sent_at))

    def next_expiry(self) -> float | None:
        for received_at in self._received_at.values():
            return received_at + LSA_MAX_AGE_S
        return None

    def expire(self, now: float) -> bool:
        """Remove parts that were not refreshed for `LSA_MAX_AGE_S`; True: an origin is gone.

        Purging is local: the copy at each router ages by itself.
        """
        for node in [n for n, (_, at) in self._gone.items() if now >= at + LSA_MAX_AGE_S]:
            del self._gone[node]
        has_lost = False
        for key in self._aged(now):
            origin = self._origins.get(key.node)
            if origin is None:
                continue  # It went with its part 0 a moment ago.
            if key.part == 0 or len(origin.parts) == 1:
                versions = [lsa.newness for lsa, _ in origin.parts.values()]
                self._drop_origin(key.node)
                self._remember_gone(key.node, max(versions), now)
                has_lost = True
            else:
                self._replace(origin, key.part, None)
                del self._received_at[key]
        return has_lost

    def _aged(self, now: float) -> list[LsaKey]:
        oldest_first = self._received_at.items()
        aged = takewhile(lambda item: now >= item[1] + LSA_MAX_AGE_S, oldest_first)
        return [key for key, _ in aged]

    def _remember_gone(self, node: Node, version: Version, now: float) -> None:
        if len(self._gone) >= ORIGINS_MAX:
            del self._gone[next(iter(self._gone))]
        self._gone[node] = (version, now)

    def _drop_origin(self, node: Node) -> None:
        origin = self._origins.pop(node)
        site = self._sites[node.site]
        for part in list(origin.parts):
            self._received_at.pop(LsaKey(part, node), None)
            self._replace(origin, part, None)
        same_router = self._routers[node.router]
        same_router.remove(node)
        if not same_router:
            del self._routers[node.router]
        site.nodes.remove(node)
        if not site.nodes:
            del self._sites[node.site]

    def _replace(
        self, origin: Origin, part: int, after: Stored | None, key: BudgetKey | None = None
    ) -> None:
        """Replace part ``part`` of ``origin`` with ``after``, which also counts in the budget
        ``key``."""
        node, before = origin.node, origin.parts.pop(part, None)
        self._sites[node.site].replace(before, after)
        former = origin.brought.pop(part, None)
        if former is not None:
            budget = self._neighbours[former]
            budget.replace(before, None)
            if former not in origin.brought.values():
                budget.nodes.discard(node)
                if not budget.nodes:
                    del self._neighbours[former]
        if after is not None:
            origin.parts[part] = after
            if key is not None:
                origin.brought[part] = key
                budget = self._neighbours.setdefault(key, NeighbourBudget())
                budget.replace(None, after)
                budget.nodes.add(node)


def _is_dropped(held: Lsa, head: Lsa | None) -> bool:
    """Whether part 0 ``head`` was made later than ``held`` and no longer lists it."""
    if head is None or held.part == 0 or not isinstance(head.body, Topology):
        return False
    listed = any(ref.part == held.part for ref in head.body.parts)
    return held.newness < head.newness and not (listed and held.epoch == head.epoch)


def _same_graph(before: Topology | None, after: Topology | None) -> bool:
    return (
        before is not None
        and after is not None
        and (before.adjacencies, before.draining, before.stub, before.terms, before.bars)
        == (after.adjacencies, after.draining, after.stub, after.terms, after.bars)
    )


def _same_label(before: Topology | None, after: Topology | None) -> bool:
    return (
        before is not None
        and after is not None
        and (before.name, before.version, before.deleted)
        == (after.name, after.version, after.deleted)
    )

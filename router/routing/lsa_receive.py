"""LSAs from neighbors: which ones are believed, stored, acknowledged and passed on."""

from router.model.ids import RouterId
from router.model.own_identity import OwnIdentity
from router.routing.adjacent import AdjacencySet
from router.routing.adverts.equivocation import Equivocators, says_otherwise
from router.routing.adverts.flood import Flooding
from router.routing.adverts.lsa import (
    LsaFault,
    LsaKey,
    Node,
    ReceivedLsa,
    decode_lsa,
    edge_fault,
    name_fault,
    signature_fault,
)
from router.routing.adverts.lsdb import FULL, BudgetExcess, Lsdb, PartStanding, StoreChange
from router.routing.events import (
    ForeignLsa,
    LsaRejected,
    OriginEquivocated,
    RoutingEvent,
    SiteOverBudget,
    ack_of,
)
from router.routing.own_lsa import OwnLsa
from router.routing.routes import Routes


class LsaReceiver:
    """Takes parts in. ``over_budget`` and ``rejected`` count the parts that it did not take."""

    __slots__ = (
        "_equivocators",
        "_flooding",
        "_identity",
        "_lsdb",
        "_neighbours",
        "_node",
        "_own",
        "_routes",
        "over_budget",
        "received",
        "rejected",
    )

    def __init__(
        self,
        identity: OwnIdentity,
        lsdb: Lsdb,
        flooding: Flooding,
        neighbours: AdjacencySet,
        own: OwnLsa,
        routes: Routes,
    ) -> None:
        self._identity = identity
        self._node = Node(identity.router, identity.site)
        self._lsdb, self._flooding = lsdb, flooding
        self._neighbours, self._own, self._routes = neighbours, own, routes
        self._equivocators = Equivocators()
        self.received = self.rejected = self.over_budget = 0

    def receive_lsa(
        self, from_router: RouterId, signed: bytes, now: float, age_s: int
    ) -> list[RoutingEvent]:
        """See `RoutingCore.receive_lsa`."""
        if from_router not in self._neighbours:
            return []
        self.received += 1
        received = decode_lsa(signed)
        if isinstance(received, LsaFault):
            return self._rejected(from_router, received)
        lsa = received.lsa
        edge = self._neighbours.edge(from_router)
        neighbour = self._neighbours.node(from_router)
        wrong = (edge_fault(lsa, edge) if edge else None) or name_fault(
            lsa, neighbour, self._neighbours.name(from_router)
        )
        if wrong:
            return self._rejected(from_router, wrong)
        if lsa.node == self._node:
            return self._receive_own(from_router, received, now)
        if from_router in self._neighbours.terms and lsa.site != neighbour.site:
            # A site on terms is never crossed, so its LSAs of others do not count.
            return [ack_of(received, from_router), ForeignLsa(from_router, lsa.site)]
        standing = self._lsdb.standing(lsa, signed)
        if standing in (PartStanding.SAME, PartStanding.OBSOLETE):
            return self._ack(from_router, received, now)
        if not self._may_judge(from_router, lsa.key, now):
            return []
        fault = signature_fault(received, self._identity)
        if fault:
            return self._rejected(from_router, fault)
        lies = self._equivocation(received, now)
        if standing is PartStanding.OLDER:
            return [*lies, *self._flooding.answer(from_router, lsa.key, now)]
        routes = self._routes
        is_ours = neighbour.site == self._node.site
        by = None if is_ours else self._neighbours.bringer(from_router)
        excess = self._lsdb.make_room(lsa, signed, routes.paths.keys(), routes.pace.paths_at, by)
        if excess is not None:
            return [*lies, *self._refused(from_router, received, excess, now)]
        change = self._lsdb.store(lsa, signed, now, by, age_s)
        if change is StoreChange.NOTHING and routes.table.has_outdated(lsa.site):
            change = StoreChange.SERVICES  # By its later version they may count.
        self._changed(change, now)
        return [
            *lies,
            *(self._own.heard_sibling(lsa.newness) if lsa.site == self._node.site else ()),
            *self._ack(from_router, received, now),
            *self._flooding.flood([lsa.key], now, but=from_router),
        ]

    def _receive_own(
        self, from_router: RouterId, received: ReceivedLsa, now: float
    ) -> list[RoutingEvent]:
        """A part with our ids: from us, from before our restart, or from a live twin."""
        lsa = received.lsa
        mine = self._lsdb.get(lsa.key)
        if mine and lsa.newness < mine[0].newness and not self._own.is_withdrawn:
            if not self._may_judge(from_router, lsa.key, now):
                return []
            return [*self._flooding.answer(from_router, lsa.key, now)]
        is_old = self._own.is_ours(lsa) or (mine is None and self._own.is_past(lsa))
        needs_no_word = is_old or self._own.is_withdrawn
        if needs_no_word:
            return self._ack(from_router, received, now)
        if not self._may_judge(from_router, lsa.key, now):
            return []
        fault = signature_fault(received, self._identity)
        if fault:
            return self._rejected(from_router, fault)
        events: list[RoutingEvent] = [*self._own.overtake(lsa, now)]
        if self._own.is_withdrawn:
            return [*events, *self._routes.compute(now)]
        events += self._flooding.send_now(self._own.originate(now, whole=True), now)
        return events

    def _may_judge(self, from_router: RouterId, key: LsaKey, now: float) -> bool:
        if self._flooding.may_judge(from_router, key, now):
            return True
        self.over_budget += 1
        return False

    def _refused(
        self, from_router: RouterId, received: ReceivedLsa, excess: BudgetExcess, now: float
    ) -> list[RoutingEvent]:
        """There is no room for a part, as its site or a neighbor is over its limit: ack it, so that
        no neighbor sends it again and again in place of parts of others, but do not pass it on."""
        self.over_budget += 1
        if excess is FULL:
            return []
        self._changed(self._lsdb.refuse(received.lsa), now)
        budget = excess.budget
        over = SiteOverBudget(
            site=excess.site,
            excess=excess.limit,
            is_relayed=budget is not None and not budget.of_itself,
            token=budget.holder if budget and self._neighbours.shares(budget.holder) else "",
        )
        return [*self._ack(from_router, received, now), over]

    def _changed(self, change: StoreChange, now: float) -> None:
        match change:
            case StoreChange.TOPOLOGY:
                self._routes.pace.paths_changed(now)
            case StoreChange.SERVICES:
                self._routes.pace.services_changed(len(self._lsdb), now)
            case StoreChange.NOTHING:
                pass

    def _equivocation(self, received: ReceivedLsa, now: float) -> list[RoutingEvent]:
        """Equivocation report if a verified part differs from the stored part of its number."""
        lsa = received.lsa
        stored = self._lsdb.get(lsa.key)
        if stored is None or stored[0].newness != lsa.newness:
            return []
        if not says_otherwise(received, stored[1]) or not self._equivocators.is_news(lsa.node, now):
            return []
        return [OriginEquivocated(site=lsa.site, router=lsa.router)]

    def _ack(self, from_router: RouterId, received: ReceivedLsa, now: float) -> list[RoutingEvent]:
        lsa = received.lsa
        return [
            ack_of(received, from_router),
            *self._flooding.has_heard(from_router, lsa.key, lsa.newness, now),
        ]

    def _rejected(self, from_router: RouterId, fault: LsaFault) -> list[RoutingEvent]:
        self.rejected += 1
        return [LsaRejected(sender=from_router, code=fault.code, reason=fault.reason)]

"""The services that other sites hear of: declarations, adverts of targets, protocols."""

from collections.abc import Callable, Mapping, Sequence

from router.documents import Wanted
from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import Declaration
from router.model.rights.sharing import SharingRules
from router.node.services.own_adverts import NO_CONFLICTS, OwnAdverts
from router.node.services.ports import Keeper
from router.routing.edges.edge import EdgeRouting, Routing
from router.routing.events import RoutingEvent
from router.service.service_figures import AdvertisedTargets


class ReportedServices:
    """``untold``: why others do not see all services; empty: they do."""

    __slots__ = ("_declarations", "_own", "_protocols", "_routing", "_site", "untold")

    def __init__(self, site: SiteId, routing: Routing, keeper: Keeper) -> None:
        self._site = site
        self._routing = routing
        self._own = OwnAdverts(keeper)
        self._declarations: Mapping[str, Declaration] = {}
        self._protocols = NO_CONFLICTS
        self.untold = ""

    def declarations(self, wanted: Wanted, rules: SharingRules) -> Sequence[Declaration]:
        """As `OwnAdverts.declarations`; they are not reported yet."""
        return self._own.declarations(wanted, rules)

    def report(
        self,
        wanted: Wanted,
        rules: SharingRules,
        connected: Sequence[ServiceKey],
        targets: Mapping[ServiceKey, AdvertisedTargets],
        takes_none: Callable[[ServiceKey], bool],
        now: float,
    ) -> list[RoutingEvent]:
        """Report the services of ``wanted``, and the ``targets`` of ports that are ``connected``
        here. If they are too many, the last report stays."""
        own = self.declarations(wanted, rules)
        self._protocols = self._conflicting(connected)
        adverts = self._own.adverts(
            [(key, targets[key]) for key in connected if key in targets],
            rules,
            draining=takes_none,
            is_divided=wanted.is_divided,
            serves=self._protocols,
        )
        try:
            events = self._routing.set_services(own, adverts, now)
        except ValueError as error:  # More than one site may report.
            self.untold = f"not all services of this site are reported to others: {error}"
            return []
        self.untold = ""
        self._declarations = {one.name: one for one in own}
        return events

    def is_outdated(self, connected: Sequence[ServiceKey]) -> bool:
        """Whether others know an earlier protocol of a name that sites declare differently: who
        declares it otherwise cannot know whom this site follows."""
        return self._conflicting(connected) != self._protocols

    def is_about_to_count(self, own: Declaration, counts: Declaration) -> bool:
        """Whether the table is about to have ``own`` in place of ``counts``, this router's previous
        one of that name."""
        told = self._declarations.get(own.name)
        return (
            told is not None
            and told is not own
            and told is counts
            and own.declared_at_s == told.declared_at_s
        )

    def _conflicting(self, connected: Sequence[ServiceKey]) -> Mapping[str, str]:
        """The protocol of each service with targets here whose name sites declare differently. An
        edge knows only what counts at its neighbor, so for it that is each name of another site."""
        table, is_edge = self._routing.table, isinstance(self._routing, EdgeRouting)
        declared = [table.declarations.get(key.name) for key in connected]
        return {
            one.declaration.name: one.declaration.spec.protocol
            for one in declared
            if one is not None
            and (
                one.conflicts
                or (is_edge and one.site != self._site)
                or table.has_other_protocol(one)
            )
        }

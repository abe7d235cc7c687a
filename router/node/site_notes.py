"""Notes that degrade nothing at this site, gathered from its rooms for `status`."""

from collections.abc import Callable, Iterable, Sequence

from router.documents import Wanted
from router.exchange.readings import Readings
from router.link.links import Links
from router.model import limits
from router.model.events import Note
from router.net.ports import Network
from router.node.news.bar_news import notes_of_bars
from router.node.news.ejection_news import EjectionNews
from router.node.news.new_offers import NewOffers
from router.node.problems import absent_routers
from router.node.problems.capacity_hints import capacity_hints
from router.node.problems.strict_notes import strict_notes
from router.node.problems.weight_hints import weight_hints
from router.node.services.services import SiteServices
from router.node.services.share_run import ShareRun
from router.routing.edges.edge import Routing


class SiteNotes:
    """Reads the rooms at the moment of asking. ``unix``: the wall clock's seconds; ``utc``: the
    time of monotonic seconds; ``name``: of this site."""

    __slots__ = (
        "_ejections",
        "_links",
        "_name",
        "_network",
        "_offers",
        "_readings",
        "_routing",
        "_services",
        "_shares",
        "_unix",
        "_utc",
    )

    def __init__(
        self,
        network: Network,
        unix: Callable[[], float],
        utc: Callable[[float], str],
        name: str,
        links: Links,
        routing: Routing,
        readings: Readings,
        services: SiteServices,
        shares: ShareRun,
        offers: NewOffers,
        ejections: EjectionNews,
    ) -> None:
        self._network, self._unix, self._utc = network, unix, utc
        self._name, self._links, self._routing = name, links, routing
        self._readings, self._services, self._shares = readings, services, shares
        self._offers, self._ejections = offers, ejections

    def notes(self, config: Sequence[Note], wanted: Wanted) -> tuple[Note, ...]:
        """A bounded number of notes; ``config``: those of the documents."""
        table, rules = self._routing.table, wanted.rules
        ports = self._services.planned
        ready = {key.name for key in ports if self._readings.targets.local(key).ready}
        connected = {key.name for key, one in ports.items() if one.has_connector}
        found = (
            *self._ejections.notes(table, self._network.now()),
            *self._services.notes(),
            *config,
            *absent_routers.notes_of_pods(wanted.unready, self._unix()),
            *absent_routers.notes_of_refusal(wanted.refused, self._unix()),
            *absent_routers.notes_of_lost_links(
                self._shares.unlinked, self._network.now(), self._utc
            ),
            *self._of_peers(wanted),
            *notes_of_bars(table),
            *self._offers.notes(table, self._readings.used_services(), rules),
            *self._services.pins.notes(table, rules),
            *strict_notes(
                rules,
                self._services.rules,
                connected | {*wanted.services},
                table,
                self._unix(),
            ),
            *weight_hints(
                wanted,
                table,
                self._name,
                ready.__contains__,
                self._is_drained_of,
                self._services.rules,
            ),
            *capacity_hints(wanted, table, ready),
        )
        return found[: limits.STATUS_NOTES_MAX]

    def _of_peers(self, wanted: Wanted) -> Iterable[Note]:
        if not wanted.site.peers:
            return ()
        now, linked = self._network.now(), self._links.adjacencies.siblings
        return absent_routers.notes_of_peers(self._links.to_siblings(), linked, now, self._utc)

    def _is_drained_of(self, service: str) -> bool:
        return any(
            key.name == service and not one.takes for key, one in self._services.planned.items()
        )

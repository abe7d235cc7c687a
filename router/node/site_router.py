"""One router of one site: builds the rooms, joins them, follows wanted state, drains and stops.

Runs on any `Network`, the real one or its simulated twin. Everything is synchronous callbacks in
the network's turn; there is no task here.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from router.asking.desk import QuestionDesk
from router.asking.exchange import QuestionSender
from router.asking.targets import RouterTargets, routers_to_ask
from router.balance.deciding.decisions import Explanation
from router.documents import Wanted
from router.exchange.forwarder import Forwarder
from router.link.links import Links
from router.link.sessions.claims import ClaimJudge
from router.model import limits
from router.model.errors import ConfigError
from router.model.events import Note, Problem, TellOfService
from router.model.ids import ServiceKey, SiteId
from router.model.own_identity import OwnIdentity
from router.model.rights.sharing import SharingRules, names_of_patterns
from router.model.wording.network_words import link_removal
from router.net.ports import Address, DialCode, FarNetwork
from router.node.down_links import DownLinks
from router.node.link_door import LinkDoors
from router.node.name_ownership import NameAdoption
from router.node.neighbours import Neighbours
from router.node.news.ejection_news import EjectionNews
from router.node.news.link_news import LinkNews
from router.node.news.message_news import MessageNews
from router.node.news.rebalance_news import tell_of_rebalance
from router.node.news.site_news import SiteNews
from router.node.problems import problems
from router.node.problems.left_out import Lack, LeftOut, left_out
from router.node.problems.left_out import LeftOutFacts as LeftOutFacts
from router.node.relief import SiteRelief
from router.node.routing_news import RoutingNews
from router.node.routing_run import RoutingRun
from router.node.services.load_exchange import LoadExchange
from router.node.services.plan import wishes
from router.node.services.planned import PlannedService
from router.node.services.ports import Keeper
from router.node.services.services import SiteServices
from router.node.services.share_run import ShareRun
from router.node.site_notes import SiteNotes
from router.node.site_problems import SiteProblems
from router.node.start import RouterStart
from router.node.stream_access import StreamAccess
from router.node.wall_clock import WallClock
from router.node.wanted_links import WantedLinks
from router.routing.core import RoutingCore
from router.routing.edges.attached import AttachedEdges
from router.routing.edges.edge import EdgeRouting, Routing
from router.routing.names import Names
from router.routing.sites_behind import SitesBehind
from router.trust.ports import Credentials


class SiteRouter:
    """The composition of all rooms for one site."""

    def __init__(
        self,
        network: FarNetwork,
        identity: OwnIdentity,
        credentials: Credentials,
        keeper: Keeper,
        claims: ClaimJudge,
        start: RouterStart,
        *,
        rng: random.Random,
        tell: TellOfService,
        unix: Callable[[], float] = time.time,
    ) -> None:
        """``unix``: the wall clock's seconds."""
        self._network, self.identity, self._start = network, identity, start
        self.unix = unix
        self._credentials, self._keeper, self._tell = credentials, keeper, tell
        self.version, self.is_edge = start.version, start.is_edge
        self.wall_clock = WallClock(network.now, unix)
        self.wall_clock.watch(network)
        # Knowledge of other sites, and who may report on them.
        self.routing = self._new_routing()
        self.edges = AttachedEdges()
        self.names = Names(self.routing, identity.site)
        self._sites_behind = SitesBehind()
        self._stream_access = StreamAccess(identity.site, tell, network.now)
        self.news = SiteNews(
            network, identity, self.names, keeper, tell, start.place, credentials.site_deleted
        )
        # Links and their events.
        self._neighbours = self._new_neighbours()
        self.links = self._new_links(rng)
        self._link_news = LinkNews(
            tell,
            self.links,
            self.names,
            self.news.deleted,
            network.now,
            is_renewal_due=credentials.is_renewal_due,
            removal=self._link_removal,
            has_workers=start.has_inner_door,
        )
        self.wanted_links = WantedLinks(
            self.links, credentials, identity.site, is_edge=start.is_edge
        )
        self.doors = self._new_doors(claims)
        self.routing_run = RoutingRun(
            network, self.links, identity, start.version, self.routing, self.edges, keeper
        )
        self._take = self.routing_run.take
        self.name_adoption = NameAdoption(network, self.routing, self.names, self._take, tell)
        # Requests, services and their load.
        self.forwarder = self._new_forwarder(rng)
        self.readings = self.forwarder.readings
        self.relief = SiteRelief(self.forwarder, self.links)
        self.questions = self._new_questions()
        self._load = LoadExchange(
            network,
            identity.router,
            self.links,
            self.readings,
            self.forwarder.ports,
            self.edges,
            start.epoch,
        )
        self.shares = ShareRun(
            network,
            self.links,
            self.readings.targets,
            start.life,
            lambda: self.site_services.follow_shares(),
        )
        self.site_services = self._new_services()
        # Reports to operators.
        self.site_problems = self._new_site_problems()
        self._notes = self._new_notes()
        # The initial state.
        self._wanted: Wanted | None = None
        self._config_problems: tuple[Problem, ...] = ()
        self._config_notes: tuple[Note, ...] = ()
        """Findings in the wanted state that degrade nothing."""
        self._draining = self._is_deleted = False
        self.started_at = network.now()
        self._join()
        self.follow_bars()

    # Its parts ------------------------------------------------------------------------------

    def _new_routing(self) -> Routing:
        start = self._start
        return (EdgeRouting if start.is_edge else RoutingCore)(
            self.identity,
            epoch=start.epoch,
            boot_nonce=start.boot_nonce,
            version=start.version,
            now=self._network.now(),
            service_ttl_s=start.service_ttl_s,
            restored=start.restored,
            common=start.common,
            owners=self._keeper.owners(),
            unix=self.unix,
        )

    def _new_neighbours(self) -> Neighbours:
        return Neighbours(
            self._network,
            self.identity,
            self._credentials,
            self.routing,
            self.edges,
            self.names,
            self._stream_access,
            self._leads_to,
        )

    def _new_links(self, rng: random.Random) -> Links:
        start = self._start
        return Links(
            self._network,
            self.identity,
            self._neighbours,
            rng=rng,
            is_edge=start.is_edge,
            born=start.epoch,
            place=start.place,
            restored=start.restored,
            worker=start.worker,
        )

    def _new_doors(self, claims: ClaimJudge) -> LinkDoors:
        return LinkDoors(
            self._network,
            self.links,
            self._credentials,
            claims,
            self._tell,
            is_edge=self._start.is_edge,
            has_inner=self._start.has_inner_door,
        )

    def _new_forwarder(self, rng: random.Random) -> Forwarder:
        return Forwarder(
            self._network,
            self.links,
            site=self.identity.site,
            site_name=self.identity.name,
            rng=rng,
            settles_s=limits.START_SETTLES_S,
            connections_max=self._start.connections_max,
            router=self.identity.router,
            branch_to=lambda link, site: self._sites_behind.branch_to(
                self.routing.table, link, site
            ),
            name_of=self.names.site,
        )

    def _new_questions(self) -> QuestionDesk:
        return QuestionDesk(
            self._network,
            QuestionSender(self._network, self.links, self.identity.site),
            self.identity.router,
            self._start.version,
            self.readings.targets.of,
        )

    def _new_services(self) -> SiteServices:
        return SiteServices(
            self._network,
            self.identity.site,
            self.forwarder,
            self.routing,
            self._load,
            self._keeper,
            self._tell,
            self._take,
            self._credentials,
            self.shares,
            service_ttl_s=self._start.service_ttl_s,
            listeners_max=self._start.listeners_max,
            unix=self.unix,
        )

    def _new_routing_news(self) -> RoutingNews:
        return RoutingNews(
            self._network,
            self.identity,
            self.routing,
            self.links,
            self.wanted_links,
            self.site_services,
            self._load,
            self.names,
            self._stream_access,
            self.doors,
            self._link_news,
            self.news,
            self._tell,
        )

    def _new_site_problems(self) -> SiteProblems:
        network, refused, name = self._network, self.forwarder.refused_messages, self.names.site
        return SiteProblems(
            network,
            self.routing,
            self.links,
            self.forwarder,
            self.site_services,
            self._credentials,
            self.names,
            self.doors,
            self.news,
            MessageNews(refused, name, self._tell, network.now),
            partial(self.left_out, shows_room=False),
        )

    def _new_notes(self) -> SiteNotes:
        utc = self.wall_clock.utc
        return SiteNotes(
            self._network,
            self.unix,
            utc,
            self.identity.name,
            self.links,
            self.routing,
            self.readings,
            self.site_services,
            self.shares,
            self.news.offers,
            EjectionNews(self.forwarder, self.names.site, self._tell, utc),
        )

    def _join(self) -> None:
        """Connect each part to those that were built after it."""
        news = self._new_routing_news()
        self.routing_run.follow(news.hear, news.settled)
        has_workers = self._start.has_inner_door
        self.forwarder.moves.rebalancing.follow(
            partial(tell_of_rebalance, self._tell, self.names.site, has_workers=has_workers)
        )
        self.forwarder.news.follow_load(self._load.changed)
        self.forwarder.news.follow_targets(self.site_services.targets_changed)
        self._neighbours.join(
            self.links,
            self.forwarder,
            self._link_news,
            DownLinks(self._keeper, self._network, self.links),
            self.routing_run,
            self._load,
            self.shares,
            self.site_services,
            self.questions,
        )

    # Wanted state ---------------------------------------------------------------------------

    def apply(self, wanted: Wanted, errors: list[ConfigError]) -> None:
        """Make ``wanted`` true; ``errors`` are shown as problems or notes until the next call."""
        self._config_problems = problems.of_config(errors)
        self._config_notes = problems.notes_of_config(errors)
        before, self._wanted = self._wanted, wanted
        self.doors.apply(wanted.site)
        self.links.set_drain_grace(wanted.site.drain_grace_s)
        self.questions.set_silent(wanted.site.tells == "nothing")
        if before is None or self.wanted_links.differ(before, wanted):
            self.refresh_links()  # Only then: targets come and go all the time.
        ttl_s = wanted.site.service_sync_site_ttl_s
        if before is not None and before.site.service_sync_site_ttl_s != ttl_s:
            self._take(self.routing.set_service_ttl(ttl_s, self._network.now()))
        if isinstance(self.routing, EdgeRouting):
            self._take(self.routing.set_wishes(wishes(wanted), self._network.now()))
        self.site_services.apply(wanted)
        self.shares.tell()

    def listens_at(self, places: Iterable[tuple[ServiceKey, int]]) -> bool:
        """Whether clients are accepted at all these service ports and their listening ports."""
        return all(self.forwarder.listeners.is_bound(key, port) for key, port in places)

    @property
    def listens_where_promised(self) -> bool:
        """Clients are accepted wherever a platform leads them; not yet for a moment after the
        start.

        Services of other sites are known again once the links are up. Those sites may be away, so
        the wait for them is limited.
        """
        wanted = self._wanted
        if wanted is None or self._network.now() - self.started_at >= limits.START_LISTENS_S:
            return True
        places = wanted.inner_ports or {}
        if wanted.siblings and not self.is_edge:  # Siblings serve clients there meanwhile.
            if not self._goes_where_siblings_go():
                return False
            places = wanted.promised | places
        return self.listens_at(places.items())

    def _goes_where_siblings_go(self) -> bool:
        """True if a sibling is known and every site that siblings link to is reachable."""
        table = self.routing.table
        own = table.sites.get(self.identity.site)
        return (
            own is not None
            and not self.links.adjacencies.siblings.isdisjoint(table.next_hops)
            and all(table.sites[site].reachable for site, _ in own.neighbours)
        )

    def refresh_links(self) -> None:
        """Dial the wanted links that have a credential; called again when a claim was redeemed."""
        if (
            self._wanted is not None
            and not self._draining
            and not self.news.duplicate_identity.has_left
        ):
            self.wanted_links.refresh(self._wanted)

    def follow_bars(self) -> None:
        """Report to others which sites this one put out, and end streams of refused sites here.
        Dial links to sites that are let in again at once."""
        bars, now = self._credentials.bars(), self._network.now()
        is_milder = not self._neighbours.refused <= bars.refused
        self._neighbours.refuse(bars.refused)
        self.forwarder.forget_offers()
        self._take(self.routing.set_bars(bars.told, bars.refused, now))
        self.forwarder.put_out(bars.refused)
        if is_milder:
            self.links.retry_all()

    @property
    def refused_sites(self) -> frozenset[SiteId]:
        """Sites that this one revoked and has not let in again."""
        return self._neighbours.refused

    @property
    def is_one_of_several(self) -> bool:
        """This site has other routers, or workers: this router has only a part of it."""
        return self._start.has_inner_door or bool(self.links.adjacencies.siblings)

    def tls_rejected(self, listener: Address, code: DialCode, reason: str) -> None:
        """A TLS handshake failed, at the link port or at a service's listener."""
        if listener == self.doors.address:
            self._link_news.tls_rejected(code, reason)
        else:
            self.forwarder.listeners.tls_failed(listener)

    # Seeing it ------------------------------------------------------------------------------

    @property
    def services(self) -> Mapping[ServiceKey, PlannedService]:
        """All service ports at this site."""
        return self.site_services.planned

    @property
    def wanted(self) -> Wanted | None:
        """The wanted state that was applied last."""
        return self._wanted

    @property
    def mode(self) -> str:
        """The mode it was started in: a change takes a restart."""
        return "edge" if self.is_edge else "interior"

    @property
    def draining(self) -> bool:
        """Stopping: nothing new is accepted."""
        return self._draining

    def ask_targets(self, service: str, done: Callable[[list[RouterTargets]], None]) -> None:
        """Ask the other routers that have targets of ``service``; ``done`` is called once, soon."""
        keys = [key for key in self.services if key.name == service]
        self.questions.target_questions.ask(routers_to_ask(keys, self.routing.table), done)

    def left_out(
        self,
        key: ServiceKey,
        explanation: Explanation,
        *,
        shows_room: bool = True,
        lacks: Lack = "room",
    ) -> LeftOut:
        """Sites that may not serve a service port, by the balancer's present explanation."""
        return left_out(
            LeftOutFacts(
                key=key,
                table=self.routing.table,
                explanation=explanation,
                rules=self.site_services.rules,
                imports=names_of_patterns(self.given_rules.of(key.name).import_from) or (),
                heard=lambda there: self._load.last(there, key),
                shows_room=shows_room,
                lacks=lacks,
                removal=self._wanted.service_removals.get(key.name, "") if self._wanted else "",
            )
        )

    def _link_removal(self, link: str) -> str:
        return link_removal(link, self._wanted.link_removals if self._wanted else {})

    def why_unknown(self, service: str) -> Problem | None:
        """Why ``service`` is not known here; None: it is, or no reason is known."""
        return self.site_problems.why_unknown(service, self._wanted, self.wall_clock.utc)

    @property
    def given_rules(self) -> SharingRules:
        """The rules of this site as configured."""
        return self._wanted.rules if self._wanted is not None else SharingRules()

    def offer_note(self, service: str, site: SiteId) -> str:
        """The note on targets that ``site`` newly offers; empty: none."""
        return self.news.offers.note_of(service, site, self.routing.table, self.given_rules)

    def _leads_to(self, neighbour: SiteId, site: SiteId) -> bool:
        return self._sites_behind.has(self.routing.table, neighbour, site)

    def site_name(self, site: SiteId) -> str:
        """The name of ``site``, or its id when it is not known."""
        return self.names.site(site)

    def problems(self, utc: Callable[[float], str] = lambda _: "") -> tuple[Problem, ...]:
        """All present problems that need a person; ``utc`` is ISO 8601 of monotonic seconds."""
        found = self.site_problems.problems(self._config_problems, self._wanted, utc)
        return (*found, *self.shares.problems(utc))

    @property
    def notes(self) -> tuple[Note, ...]:
        """Notes that degrade nothing, a bounded number."""
        if self._wanted is None:
            return self._config_notes
        return self._notes.notes(self._config_notes, self._wanted)

    # The end --------------------------------------------------------------------------------

    def leave(self) -> None:
        """This site will be deleted: others learn it when it drains, and need not miss it."""
        self._is_deleted = True
        self.links.departure.because_deleted()

    def drain(self, done: Callable[[], None]) -> None:
        """Both steps of stopping: `drain_traffic`, then `finish`."""
        self.drain_traffic(lambda: self.finish(done))

    def drain_traffic(self, done: Callable[[], None]) -> None:
        """Withdraw targets, take nothing new, and call ``done`` once clients of this site and
        streams that end here are gone. Until `finish` this site opens streams at others.
        """
        self._draining = True
        self.doors.close()
        now = self._network.now()
        self._take(self.routing.set_draining(True, now, deleted=self._is_deleted))
        self.site_services.drain()
        self.links.drain()
        self.forwarder.drain(partial(self._traffic_ended, done))

    def _traffic_ended(self, done: Callable[[], None]) -> None:
        self.shares.end()
        done()

    def finish(self, done: Callable[[], None]) -> None:
        """After `drain_traffic`: each link goes with its last stream, those in transit too; then
        call ``done``."""
        self.site_services.finish()
        self.forwarder.finish()
        self.links.finish(done)

    def close(self) -> None:
        """Abort everything that is left."""
        self.shares.close()
        self.site_services.close()  # While it knows the declarations of others.
        self.forwarder.abort()
        self.links.close()
        self._load.close()
        self.doors.close()
        self.routing_run.close()
        self.wall_clock.close()

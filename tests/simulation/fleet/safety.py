"""Rules that must hold at every moment, whatever happens. Each rule is a sentence.

Processes report to `Watch` as they act; `check` looks at all that lives after a step.
"""

from collections import defaultdict
from typing import TYPE_CHECKING

from router.link import control
from router.link.routing_messages import (
    DigestMessage,
    LoadMessage,
    LsaMessage,
    RoutingMessage,
)
from router.model.ids import RouterId, SiteId
from router.model.limits import (
    COST_MAX,
    DIGEST_TRIES,
    LOADS_PER_MESSAGE_MAX,
    LSA_BURST,
    LSA_MAX_AGE_S,
    LSA_PART_BYTES_MAX,
    LSA_PER_S,
    LSA_RETRANSMIT_S,
    ORIGINS_MAX,
    PATH_ROUTERS_MAX,
    ROUTERS_PER_SITE_MAX,
)
from router.model.messages import packed
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import LoadReport
from router.routing.adverts.lsa import Lsa, LsaKey, Node, ReceivedLsa, Topology, Version, decode_lsa
from router.routing.core import RoutingCore
from router.routing.edges.edge import EdgeRouting
from router.routing.events import LsaRejected
from router.routing.table import RouteTable
from tests.simulation.fleet import oracle
from tests.unit.routing.fakes import declare

if TYPE_CHECKING:
    from tests.simulation.fleet.fleet import Fleet
    from tests.simulation.fleet.places import Place
    from tests.simulation.fleet.process import Process

CONTROL_BYTES_MAX = 65_528
SLACK_S = 1e-6


BULK = [declare(f"bulk-{number}", ports=tuple(range(60_000, 61_000))) for number in range(14)]
"""Declarations that fill more than one part; one place has them all or, lost for long, none."""


class Broken(Exception):
    """A rule does not hold."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule


class Seen:
    """What one process was seen to say and to hold."""

    def __init__(self) -> None:
        self.held: dict[LsaKey, tuple[Version, bytes, float]] = {}
        self.told: dict[int, Version] = {}
        self.acked: dict[tuple[RouterId, LsaKey], Version] = {}  # By that neighbor.
        self.sent_at: dict[tuple[RouterId, bytes], float] = {}
        self.taken: dict[tuple[RouterId, LsaKey], tuple[float, int]] = {}
        self.loads: dict[tuple[RouterId, str], tuple[int, int]] = {}
        self.linked_at: dict[RouterId, float] = {}
        self.asked: dict[RouterId, int] = {}  # Requests for a digest that were not answered yet.


class Watch:
    """Owner of all that was seen so far."""

    def __init__(self, fleet: "Fleet") -> None:
        self._fleet = fleet
        self._known: dict[bytes, Lsa] = {}
        self._words: dict[tuple[LsaKey, Version], bytes] = {}
        self.rejected: int = 0

    def read(self, signed: bytes) -> Lsa:
        lsa = self._known.get(signed)
        if lsa is None:
            received = decode_lsa(signed)
            if not isinstance(received, ReceivedLsa):
                raise Broken("words_can_be_read", str(received))
            lsa = self._known[signed] = received.lsa
        return lsa

    # As it happens.

    def linked(self, process: "Process", other: "Place") -> None:
        """A new adjacency: words on the former one do not count any more."""
        seen, router = process.seen, other.identity.router
        seen.linked_at[router] = self._fleet.time.now
        self._may_be_sent_again(process, router)
        seen.taken = {key: taken for key, taken in seen.taken.items() if key[0] != router}

    def _may_be_sent_again(self, process: "Process", router: RouterId) -> None:
        """A digest names buckets: LSAs that ``router`` has acked may be in one bucket with those it
        lacks.
        """
        seen = process.seen
        seen.acked = {key: told for key, told in seen.acked.items() if key[0] != router}
        seen.sent_at = {key: at for key, at in seen.sent_at.items() if key[0] != router}
        seen.asked[router] = 0

    def hears(self, process: "Process", router: RouterId, message: RoutingMessage) -> None:
        """Words are about to be handled."""
        if isinstance(message, DigestMessage):
            self._may_be_sent_again(process, router)

    def sent(self, process: "Process", to: "Place", message: RoutingMessage) -> None:
        """Words leave."""
        match message:
            case LsaMessage():
                messages_fit(len(message.signed), LSA_PART_BYTES_MAX)
                self._lsa_sent(process, to, message.signed)
            case LsaAck():
                pass
            case DigestMessage():
                asked = process.seen.asked.get(to.identity.router, 0)
                process.seen.asked[to.identity.router] = asked + message.wants_answer
            case LoadMessage():
                if len(message.reports) > LOADS_PER_MESSAGE_MAX:
                    return  # The link splits it.
            case _:
                messages_fit(len(control.encode(message)), CONTROL_BYTES_MAX)

    def _lsa_sent(self, process: "Process", to: "Place", signed: bytes) -> None:
        lsa, seen, router = self.read(signed), process.seen, to.identity.router
        now, answering = self._fleet.time.now, process.answering
        if lsa.node == process.place.identity.node and lsa.boot_nonce.decode().startswith(
            process.place.name
        ):
            own_words_only_grow(process, seen, lsa)
            epochs_are_written_before_use(process, lsa)
        if to.is_edge and lsa.node != to.identity.node:
            raise Broken(
                "edges_are_told_no_lsas", f"{process.place.name} tells {to.name} {lsa.key}"
            )
        is_answer = False
        if answering is not None and isinstance(answering[1], LsaMessage):
            received = decode_lsa(answering[1].signed)
            is_answer = isinstance(received, ReceivedLsa) and received.lsa.key == lsa.key
        if is_answer and answering is not None and answering[0] == router:
            if isinstance(answering[1], LsaMessage) and answering[1].signed == signed:
                raise Broken("words_do_not_go_back", f"{process.place.name}: {lsa.key}")
            process.has_answered = True
            return
        if seen.asked.get(router, 0) >= DIGEST_TRIES:
            return  # It never answers: it is sent everything in the end.
        acked = seen.acked.get((router, lsa.key))
        if acked is not None and lsa.newness <= acked:
            raise Broken("what_was_acked_is_not_sent_again", f"{process.place.name}: {lsa.key}")
        last = seen.sent_at.get((router, signed))
        if last is not None and now < last + LSA_RETRANSMIT_S - SLACK_S:
            raise Broken("resending_is_paced", f"{process.place.name} sends {lsa.key} twice")
        seen.sent_at[router, signed] = now

    def heard(self, process: "Process", router: RouterId, message: RoutingMessage) -> None:
        """Words were handled."""
        seen, core = process.seen, process.routing
        if isinstance(message, LsaAck):
            for place in self._fleet.places.values():
                if place.identity.router == message.router:
                    key = LsaKey(message.part, place.identity.node)
                    version = (message.epoch, message.sequence)
                    seen.acked[router, key] = max(version, seen.acked.get((router, key), (0, 0)))
        elif isinstance(message, LsaMessage) and isinstance(core, RoutingCore):
            received = decode_lsa(message.signed)
            if isinstance(received, ReceivedLsa):
                self._lsa_heard(seen, core, router, received)
                if not process.is_withdrawn:
                    self._older_words_are_answered(process, seen, core, received)

    def _lsa_heard(
        self, seen: Seen, core: RoutingCore, router: RouterId, received: ReceivedLsa
    ) -> None:
        before, key = seen.held.get(received.lsa.key), received.lsa.key
        if before is not None and before[1] == received.payload:
            return
        held = next((lsa for lsa in core.database() if lsa.key == key), None)
        if held == received.lsa:
            self._taken(seen, router, held)
            seen.held[key] = (held.newness, received.payload, self._fleet.time.now)

    def _older_words_are_answered(
        self, process: "Process", seen: Seen, core: RoutingCore, received: ReceivedLsa
    ) -> None:
        """A sender of an older word than ours hears ours, unless it is refused."""
        lsa, held = received.lsa, seen.held.get(received.lsa.key)
        if held is None or lsa.newness >= held[0] or process.has_answered:
            return
        if process.place.identity.site_of(lsa.public_key) != lsa.site:
            return
        if not self._fleet.notary.has_signed(lsa.public_key, received.payload):
            return
        if core.lsas_over_budget + core.lsas_rejected == process.refused_before:
            is_held = any(mine.key == lsa.key for mine in core.database())
            if is_held:
                raise Broken("older_words_are_answered", f"{process.place.name}: {lsa.key}")

    def _taken(self, seen: Seen, router: RouterId, lsa: Lsa) -> None:
        now = self._fleet.time.now
        began, count = seen.taken.get((router, lsa.key), (now, 0))
        seen.taken[router, lsa.key] = (began, count + 1)
        if count + 1 > LSA_BURST + LSA_PER_S * (now - began) + 1:
            raise Broken(
                "origins_are_held_to_their_budget", f"{count + 1} words of {lsa.key} were taken"
            )

    def lsa_rejected(self, process: "Process", event: LsaRejected) -> None:
        """Honest routers are never disbelieved."""
        self.rejected += 1
        name = process.neighbours.get(event.sender)
        if name is not None and not self._fleet.places[name].is_rogue:
            raise Broken(
                "honest_routers_are_believed",
                f"{process.place.name} rejects {name}: {event.code} {event.reason}",
            )

    def table_changed(self, process: "Process", table: RouteTable) -> None:
        """A new table is in force."""
        paths_name_no_router_twice(process, table)
        costs_are_in_range(process, table)
        candidates_are_in_order(process, table)
        services_come_whole(process, table)
        core = process.routing
        if isinstance(core, RoutingCore) and core.spf_runs != process.spf_runs_before:
            routes_are_those_of_the_database(process, core, table)
        elif isinstance(core, EdgeRouting):
            edges_send_everything_to_whom_they_are_attached(process, table)

    def twin_found(self, process: "Process") -> None:
        """A twin is reported only if there is or was one beside this process."""
        name = process.place.name
        if f"{name}-copy" not in self._fleet.places and not name.endswith("-copy"):
            raise Broken("twins_that_are_told_of_exist", name)

    def load_reported(self, process: "Process", report: LoadReport, site: SiteId) -> None:
        """A load report is used: it is newer, of a candidate, and says no more than was signed."""
        table, seen = process.routing.table, process.seen
        candidate = table.candidate(report.router, report.key)
        rule = "load_reports_stay_within_what_is_signed"
        if candidate is None or candidate.site != site:
            raise Broken(rule, f"{process.place.name} uses {report} of {site}")
        if candidate.capacity is not None and (report.capacity or 0) > candidate.capacity:
            raise Broken(rule, f"{process.place.name}: {report.capacity} > {candidate.capacity}")
        known = (report.router, f"{report.key}")
        now_is = (table.epochs.get(report.router, 0), report.seq)
        # Numbers of a router that is no candidate for a moment are forgotten, so equal ones may
        # come again.
        if now_is < seen.loads.get(known, now_is) and process.heard.get(
            (report.router, report.key)
        ):
            raise Broken("load_reports_only_go_forward", f"{process.place.name}: {report}")
        seen.loads[known] = now_is

    # After a step.

    def check(self) -> None:
        """All that can be seen from outside."""
        for process in list(self._fleet.living()):
            core = process.routing
            if isinstance(core, RoutingCore):
                held = core.database()
                words_were_signed_by_their_origin(self._fleet, process, held)
                databases_are_bounded(process, held)
                self._compare_held(process, core, held)
                own_words_are_the_newest_here(process, held)
                computing_is_paced(process)
            else:
                edges_hold_what_they_use(process)

    def _compare_held(
        self, process: "Process", core: RoutingCore, database: tuple[Lsa, ...]
    ) -> None:
        """Databases only go forward, nothing vanishes early, nothing outlives its age."""
        seen, now = process.seen, self._fleet.time.now
        held: dict[LsaKey, tuple[Version, bytes, float]] = {}
        heads = {lsa.node: lsa for lsa in database if lsa.part == 0}
        own = process.place.identity.node
        for lsa in database:
            payload = packed.pack(lsa)
            before = seen.held.get(lsa.key)
            at = before[2] if before and before[1] == payload else now
            held[lsa.key] = (lsa.newness, payload, at)
            if before and lsa.newness < before[0]:
                raise Broken("databases_only_go_forward", f"{process.place.name}: {lsa.key}")
            if lsa.node != own and not process.is_frozen and now > at + LSA_MAX_AGE_S + 60:
                raise Broken("nothing_outlives_its_age", f"{process.place.name}: {lsa.key}")
        for key, (version, _, at) in seen.held.items():
            if key in held or key.node == own or now >= at + LSA_MAX_AGE_S - SLACK_S:
                continue
            head = heads.get(key.node)
            body = head.body if head else None
            if head is None or key.part == 0 or not isinstance(body, Topology):
                raise Broken("nothing_vanishes_early", f"{process.place.name} dropped {key}")
            if (head.epoch, 0) <= version and any(ref.part == key.part for ref in body.parts):
                raise Broken("nothing_vanishes_early", f"{process.place.name} dropped {key}")
        seen.held = held


# Rules.


def messages_fit(size: int, most: int) -> None:
    """No message is larger than its receiver takes."""
    if size > most:
        raise Broken("messages_fit", f"{size} bytes, at most {most}")


def own_words_only_grow(process: "Process", seen: Seen, lsa: Lsa) -> None:
    """A process's words on itself are never older than its words before."""
    if lsa.newness < seen.told.get(lsa.part, (0, 0)):
        raise Broken("own_words_only_grow", f"{process.place.name}: {lsa.newness}")
    seen.told[lsa.part] = lsa.newness


def epochs_are_written_before_use(process: "Process", lsa: Lsa) -> None:
    """No epoch is sent that a crash could make the router forget."""
    if lsa.epoch > process.place.kept_epoch:
        raise Broken("epochs_are_written_before_use", f"{process.place.name}: {lsa.epoch}")


def words_were_signed_by_their_origin(
    fleet: "Fleet", process: "Process", held: tuple[Lsa, ...]
) -> None:
    """No process speaks for another (N8): each held word was signed with its origin's key."""
    for lsa in held:
        payload = packed.pack(lsa)
        own = process.place.identity.site_of(lsa.public_key) == lsa.site
        if not own or not fleet.notary.has_signed(lsa.public_key, payload):
            raise Broken("words_were_signed_by_their_origin", f"{process.place.name}: {lsa.key}")


def databases_are_bounded(process: "Process", held: tuple[Lsa, ...]) -> None:
    """No database holds more origins than its caps, in all and of one site."""
    nodes = {lsa.node for lsa in held}
    of_one: dict[SiteId, int] = defaultdict(int)
    for node in nodes:
        of_one[node.site] += 1
    if len(nodes) > ORIGINS_MAX or max(of_one.values(), default=0) > ROUTERS_PER_SITE_MAX:
        raise Broken("databases_are_bounded", f"{process.place.name}: {len(nodes)} origins")


def own_words_are_the_newest_here(process: "Process", held: tuple[Lsa, ...]) -> None:
    """A process that speaks holds no LSA of its node that another life of it has signed."""
    for lsa in held:
        if lsa.node == process.place.identity.node and not process.is_withdrawn:
            nonce = f"{process.place.name} {process.place.lives}".encode()
            if lsa.boot_nonce != nonce:
                raise Broken("own_words_are_the_newest_here", f"{process.place.name}: {lsa.key}")


def computing_is_paced(process: "Process") -> None:
    """Within a second paths are computed at most so often, deaths apart, which wait for nothing."""
    times = process.computed_at
    if len(times) == times.maxlen and times[-1] - times[0] < 1.0:
        raise Broken("computing_is_paced", f"{process.place.name}: {times}")


def paths_name_no_router_twice(process: "Process", table: RouteTable) -> None:
    """No path leads to a router twice, or through the router itself."""
    own = process.place.identity.router
    for route in table.sites.values():
        for path in route.paths:
            if len({own, *path}) != len(path) + 1:
                raise Broken("paths_name_no_router_twice", f"{process.place.name}: {path}")


def costs_are_in_range(process: "Process", table: RouteTable) -> None:
    """Between sites no hop costs less than 1 or more than 65,535, whatever others report."""
    for route in table.sites.values():
        if route.site == table.site or route.path_cost is None:
            continue
        # An edge gets costs of sites, and paths of candidates only.
        is_edge = process.place.is_edge
        hops = PATH_ROUTERS_MAX if is_edge else max(map(len, route.paths), default=0)
        if not 1 <= route.path_cost <= COST_MAX * hops:
            raise Broken("costs_are_in_range", f"{process.place.name}: {route.path_cost}")
        for _, cost in route.neighbours:
            if not 1 <= cost <= COST_MAX:
                raise Broken("costs_are_in_range", f"{process.place.name}: {cost}")


def candidates_are_in_order(process: "Process", table: RouteTable) -> None:
    """Candidates come by path cost, then site, then router; equal for equal routers."""
    for key, candidates in table.candidates.items():
        order = [(c.path_cost, c.site, c.router) for c in candidates]
        if order != sorted(set(order)):
            raise Broken("candidates_are_in_order", f"{process.place.name}: {key}")


def services_come_whole(process: "Process", table: RouteTable) -> None:
    """Services that need several parts are there with all of them or not at all."""
    there = sum(name.startswith("bulk-") for name in table.declarations)
    if there not in (0, len(BULK)) and not process.place.is_edge:
        raise Broken("services_come_whole", f"{process.place.name} knows {there} of {len(BULK)}")


def edges_send_everything_to_whom_they_are_attached(process: "Process", table: RouteTable) -> None:
    """Every path of an edge begins with the one router that it is attached to."""
    first = {path[0] for told in table.candidates.values() for c in told for path in c.paths}
    if len(first) > 1 or not first <= process.neighbours.keys():
        raise Broken("edges_send_everything_to_whom_they_are_attached", process.place.name)


def edges_hold_what_they_use(process: "Process") -> None:
    """An edge knows no candidates of services that it did not wish for."""
    unasked = {key.name for key in process.routing.table.candidates} - process.place.wishes
    if unasked:
        raise Broken("edges_hold_what_they_use", f"{process.place.name}: {unasked}")


def routes_are_those_of_the_database(
    process: "Process", core: RoutingCore, table: RouteTable
) -> None:
    """Right after computing, paths are the cheapest over costs that both ends report, and cross no
    router that drains or is a stub.
    """
    own = process.place.identity.node
    reports: dict[Node, dict[Node, int]] = {}
    uncrossable: set[Node] = set()
    names = {lsa.node for lsa in core.database()}
    for lsa in core.database():
        if not isinstance(lsa.body, Topology):
            continue
        if lsa.node == own:
            continue  # Our adjacencies of this moment may be newer.
        told = reports.setdefault(lsa.node, {})
        for adjacency in lsa.body.adjacencies:
            there = Node(adjacency.router, adjacency.site)
            told[there] = max(adjacency.cost, told.get(there, adjacency.cost))
        if lsa.body.stub or lsa.body.draining:
            uncrossable.add(lsa.node)
    counts = {node: cost for node, cost in process.costs.items() if node.router not in core.held}
    reports[own] = {} if process.is_withdrawn else counts
    expected = oracle.paths(reports, own, uncrossable)
    best = oracle.distances(reports, own, uncrossable)
    for route in table.sites.values():
        if route.site == own.site:
            continue
        nodes = [node for node in names if node.site == route.site and node in expected]
        cost = min((best[node][0] for node in nodes), default=None)
        if cost != route.path_cost:
            raise Broken(
                "routes_are_those_of_the_database",
                f"{process.place.name} reaches {route.name} at {route.path_cost}, not {cost}",
            )
        if nodes:
            node = min(nodes, key=lambda node: (best[node][0], node))
            if list(route.paths) != expected[node]:
                raise Broken(
                    "routes_are_those_of_the_database",
                    f"{process.place.name} to {route.name}: {route.paths}, not {expected[node]}",
                )

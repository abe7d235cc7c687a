"""What must be true some time after the last fault. Each rule is a sentence."""

from router.model.ids import ServiceKey, SiteId
from router.model.limits import (
    COST_MAX,
    LOAD_GATHER_S,
    LOAD_REFRESH_S,
    LSA_BURST,
    LSA_PER_S,
    LSA_RETRANSMIT_S,
    RECONNECT_MAX_S,
    SPF_DELAY_MAX_S,
)
from router.model.messages.adverts import Declaration
from router.routing.adverts.lsa import Lsa, LsaKey, Node, Version
from router.routing.core import RoutingCore
from router.routing.declared import content_of
from tests.simulation.fleet import oracle
from tests.simulation.fleet.fleet import Fleet
from tests.simulation.fleet.lines import NOTICED_S
from tests.simulation.fleet.places import Place
from tests.simulation.fleet.process import Process
from tests.simulation.fleet.safety import Broken


def bound_s(fleet: Fleet) -> float:
    """Virtual seconds from the last fault until all of `check` holds. All delays are known:

    - a silence is noticed, and the line is dialed after its longest pause;
    - an origin has paid its debt of one burst and may speak, twice: a former life may have to be
      overtaken once;
    - at each hop a part may wait for one retransmission and, if a flood drained the budget of its
      key there, until that is full again;
    - paths are computed after the longest delay, at the edge's host and then told to the edge.
    """
    hops = len(fleet.places)
    speak_s = 2 * LSA_BURST / LSA_PER_S
    hop_s = LSA_RETRANSMIT_S + 0.2
    return (
        NOTICED_S[1]
        + RECONNECT_MAX_S
        + 2 * speak_s
        + hops * hop_s
        + 2 * SPF_DELAY_MAX_S
        + LOAD_REFRESH_S
        + hops * LOAD_GATHER_S
    )


class Truth:
    """The fleet as it really is: who lives, who is joined, who carries transit."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.alive = {
            name: place.process
            for name, place in fleet.places.items()
            if place.process is not None and not place.process.is_dead and not place.is_rogue
        }
        self.reports: dict[Node, dict[Node, int]] = {
            process.place.identity.node: {}
            for process in self.alive.values()
            if not process.is_withdrawn
        }
        for line in fleet.lines.values():
            one, other = line.ends
            if line.is_up and one in self.alive and other in self.alive:
                here, there = (fleet.places[name].identity.node for name in line.ends)
                self.reports[here][there] = self.reports[there][here] = line.cost
        self.uncrossable = {
            process.place.identity.node
            for process in self.alive.values()
            if process.place.is_draining or process.place.is_edge
        }

    def component(self, node: Node) -> set[Node]:
        """All whom words reach: those who drain pass them on; edges do not speak of others."""
        reached, frontier = {node}, [node]
        edges = {p.place.identity.node for p in self.alive.values() if p.place.is_edge}
        while frontier:
            here = frontier.pop()
            if here in edges and here != node:
                continue
            more = self.reports.get(here, {}).keys() - reached
            reached |= more
            frontier += more
        return reached

    def routers(self) -> list[tuple[Process, RoutingCore]]:
        """Those that compute."""
        return [
            (process, process.routing)
            for process in self.alive.values()
            if isinstance(process.routing, RoutingCore) and not process.is_withdrawn
        ]

    def place_of(self, node: Node) -> Place:
        return next(
            process.place
            for process in self.alive.values()
            if process.place.identity.node == node and not process.is_withdrawn
        )


def check(fleet: Fleet) -> None:
    """All rules."""
    truth = Truth(fleet)
    lines_are_up(truth)
    databases_agree(truth)
    routes_are_the_cheapest(truth)
    candidates_are_those_that_serve(truth)
    declarations_are_the_owners(truth)
    edges_see_what_their_host_sees(truth)
    loads_are_known(truth)


def lines_are_up(truth: Truth) -> None:
    """Every line that is wanted is up at both ends, unless one is dead, a copy, or an edge that
    has another."""
    for line in truth.fleet.lines.values():
        if line.is_wanted and not line.is_up and truth.fleet.can_meet(line):
            raise Broken("lines_are_up", f"{line.ends}: {line.up}")


def of_two_twins_one_is_left(fleet: Fleet) -> None:
    """Of two processes with one identity whose words meet, the later started has withdrawn."""
    for place in fleet.places.values():
        original = fleet.places.get(place.name.removesuffix("-copy"))
        if original is None or original is place:
            continue
        one, other = place.process, original.process
        if one is None or other is None or one.is_dead or other.is_dead:
            continue
        if one.is_withdrawn or other.is_withdrawn:
            continue
        if original.name in _joined(fleet, place.name):
            raise Broken("of_two_twins_one_is_left", f"{place.name} and {original.name} speak")


def nothing_is_sent_again(fleet: Fleet) -> None:
    """When idle, over sound lines, all is acked: nothing is sent a second time."""

    def sent_again() -> int:
        cores = [process.routing for process in fleet.living()]
        return sum(core.retransmissions for core in cores if isinstance(core, RoutingCore))

    before = sent_again()
    fleet.time.run(3 * LSA_RETRANSMIT_S)
    if sent_again() != before:
        raise Broken("nothing_is_sent_again", f"{sent_again() - before} times in 3 s")


def _joined(fleet: Fleet, name: str) -> set[str]:
    """The places that words of ``name`` reach; edges pass nothing on."""
    reached, frontier = {name}, [name]
    while frontier:
        for line in fleet.lines_of(frontier.pop()):
            more = set(line.ends) - reached
            if line.is_up and more:
                reached |= more
                frontier += [there for there in more if not fleet.places[there].is_edge]
    return reached


def databases_agree(truth: Truth) -> None:
    """All that words reach hold the same of each other, and each holds the last of each."""
    last: dict[Node, dict[LsaKey, Version]] = {}
    held: dict[Node, dict[LsaKey, Lsa]] = {}
    for process, core in truth.routers():
        node = process.place.identity.node
        held[node] = {lsa.key: lsa for lsa in core.database()}
        last[node] = {key: lsa.newness for key, lsa in held[node].items() if key.node == node}
    for node, mine in held.items():
        joined = truth.component(node) & held.keys()
        if len(joined) < 2:
            continue
        for other in joined:
            theirs = {key: lsa.newness for key, lsa in mine.items() if key.node == other}
            if theirs != last[other]:
                who, whose = truth.place_of(node).name, truth.place_of(other).name
                raise Broken(
                    "databases_agree", f"{who} holds {theirs.values()} of {whose}, {last[other]}"
                )
        alike = {key: lsa for key, lsa in mine.items() if key.node in joined}
        first = held[min(joined)]
        if alike != {key: lsa for key, lsa in first.items() if key.node in joined}:
            raise Broken("databases_agree", f"at {truth.place_of(node).name}")


def routes_are_the_cheapest(truth: Truth) -> None:
    """Each table has exactly the sites that can be reached, at the least cost there is."""
    for process, core in truth.routers():
        own = process.place.identity.node
        best = oracle.distances(truth.reports, own, truth.uncrossable)
        costs: dict[SiteId, int] = {}
        for node, (cost, _) in best.items():
            costs[node.site] = min(cost, costs.get(node.site, COST_MAX**2))
        told = {
            site: route.path_cost for site, route in core.table.sites.items() if route.reachable
        }
        if told != costs:
            names: dict[str, str] = {p.place.identity.site: n for n, p in truth.alive.items()}
            wrong = {
                names.get(site, site): (told.get(site), costs.get(site))
                for site in told.keys() | costs.keys()
                if told.get(site) != costs.get(site)
            }
            raise Broken("routes_are_the_cheapest", f"at {process.place.name}: {wrong}")


def candidates_are_those_that_serve(truth: Truth) -> None:
    """Each table has the targets of all that can be reached, as they are wanted there."""
    for process, core in truth.routers():
        own = process.place.identity.node
        best = oracle.distances(truth.reports, own, truth.uncrossable)
        wanted = {
            (key, node.router, advert.targets_ready, advert.capacity, place.is_draining)
            for node in best
            if node != own
            for place in [truth.place_of(node)]
            for key, advert in place.adverts.items()
        }
        told = {
            (key, c.router, c.targets_ready, c.capacity, c.draining)
            for key, candidates in core.table.candidates.items()
            for c in candidates
        }
        if told != wanted:
            raise Broken(
                "candidates_are_those_that_serve", f"{process.place.name}: {told ^ wanted}"
            )


def declarations_are_the_owners(truth: Truth) -> None:
    """Each service that a site within reach declares is there: a site's own at that site, elsewhere
    that of the nearest owner, at equal cost of the lowest id, or of a site that declares the same
    as a silent owner did, with the sites that disagree; and no other.
    """
    for process, core in truth.routers():
        own = process.place.identity.node
        best = oracle.distances(truth.reports, own, truth.uncrossable)
        declared: dict[str, list[tuple[int, Node, Declaration]]] = {}
        for node, (cost, _) in best.items():
            for name, told in truth.place_of(node).declarations.items():
                declared.setdefault(name, []).append((cost, node, told))
        wanted = {}
        for name, all_told in declared.items():
            owner = core.owners[name]
            count = [told for told in all_told if told[1].site == own.site]
            count = count or [told for told in all_told if told[1].site in owner.sites]
            count = count or [told for told in all_told if content_of(told[2]) == owner.content]
            if count:
                _, node, first = min(count, key=lambda one: (one[0], one[1].site, one[1].router))
                differ = {node.site for _, node, told in all_told if told.spec != first.spec}
                wanted[name] = (node.site, first.spec, tuple(sorted(differ - {node.site})))
        shown = {
            name: (d.site, d.declaration.spec, d.conflicts)
            for name, d in core.table.declarations.items()
        }
        if shown != wanted:
            known = sorted(shown.keys() | wanted.keys())
            names = [name for name in known if shown.get(name) != wanted.get(name)]
            each = [f"{name}: {shown.get(name)} and not {wanted.get(name)}" for name in names]
            raise Broken("declarations_are_the_owners", f"{process.place.name}: {'; '.join(each)}")


def edges_see_what_their_host_sees(truth: Truth) -> None:
    """An edge has its host's candidates for the services it wishes, at a cost higher by the line's.

    Over a host that drains, paths lead to the host's own targets only.
    """
    for process in truth.alive.values():
        if not process.place.is_edge:
            continue
        table = process.routing.table
        if not process.neighbours:
            if table.candidates:
                raise Broken("edges_see_what_their_host_sees", f"{process.place.name} is alone")
            continue
        ((_, name),) = process.neighbours.items()
        host = truth.alive[name]
        line = truth.fleet.lines[frozenset((name, process.place.name))]
        expected: dict[ServiceKey, set[tuple[str, int]]] = {}
        beyond = {} if host.place.is_draining else host.routing.table.candidates
        for key, candidates in beyond.items():
            expected[key] = {(c.router, c.path_cost + line.cost) for c in candidates}
        for key in host.place.adverts:
            expected.setdefault(key, set()).add((host.place.identity.router, line.cost))
        own = process.place.identity.router
        wanted = {
            key: rows - {row for row in rows if row[0] == own}
            for key, rows in expected.items()
            if key.name in process.place.wishes
        }
        shown = {
            key: {(c.router, c.path_cost) for c in candidates}
            for key, candidates in table.candidates.items()
        }
        if shown != {key: rows for key, rows in wanted.items() if rows}:
            raise Broken(
                "edges_see_what_their_host_sees", f"{process.place.name}: {shown} {wanted}"
            )


def loads_are_known(truth: Truth) -> None:
    """Who has a candidate knows its load as it is."""
    for process, core in truth.routers():
        for key, candidates in core.table.candidates.items():
            for candidate in candidates:
                there = next(
                    p
                    for p in truth.alive.values()
                    if p.place.identity.router == candidate.router and not p.is_withdrawn
                )
                load, known = there.load_of(key), process.heard.get((candidate.router, key))
                if known is None or (known.in_flight, known.targets_ready) != (
                    load.in_flight,
                    load.targets_ready,
                ):
                    raise Broken(
                        "loads_are_known",
                        f"{process.place.name} of {there.place.name}: {known}, is {load}",
                    )

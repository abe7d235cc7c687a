"""Whether the sentences of a mesh file hold: by the routers' own code, in virtual time.

Each sentence gets a separate network of the sites that can matter for it. A verdict reports what
happened there.
"""

from collections.abc import Iterator
from itertools import groupby
from random import Random
from typing import Final, assert_never

import msgspec
from msgspec import structs

from router.documents import resolve
from router.model.rights.sharing import Terms
from router.model.specs import ConnectorSpec, TargetSpec
from router.model.wording.plural import counted
from simulator.runs.measure import SimulatedRequest
from simulator.runs.rehearsal import AssumedTargets, Rehearsal, RehearsedSite
from sitectl.mesh.expanding import documents_beside, links_of, site_document
from sitectl.mesh.sentences import MayUse, NothingRefused, Sentence, ServedBy, SpillsTo
from sitectl.mesh.touched import touched
from sitectl.mesh.values import AssumedWork, Mesh

_ANSWER_S: Final = 5.0
"""The time to wait for a single request; a queue of its service may hold it for longer."""
_MISSED_S: Final = 20.0
"""Until all sites know that one is dead."""
_HELD_S: Final = 900.0
"""A request that keeps its slot until the verdict."""
_FILL_S: Final = 20.0
"""In which a site is filled; a client gives up after 30."""
_STEP_S: Final = 0.01
_MORE: Final = 40
"""Requests beyond all slots of the network: by then whatever is full is."""
_LOAD_S: Final = 20.0
_REQUESTS_MAX: Final = 5_000


class SentenceVerdict(msgspec.Struct, frozen=True):
    """Whether ``sentence`` holds, and a human-readable account."""

    sentence: Sentence
    holds: bool
    told: str


def verdicts(mesh: Mesh) -> Iterator[SentenceVerdict]:
    """Of every sentence, in the order of the file."""
    stage = _Stage(mesh)
    for sentence in mesh.tests:
        yield stage.verdict(sentence)


class _Stage:
    """Networks of one mesh, made when a sentence needs one."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._quiet: tuple[Mesh, Rehearsal] | None = None
        """Keeps the network of the last sentence that changed nothing there, for the next one."""

    def verdict(self, sentence: Sentence) -> SentenceVerdict:
        match sentence.claim:
            case MayUse(verb="call") as claim:
                return self._may_call(sentence, claim)
            case MayUse() as claim:
                return self._may_offer(sentence, claim)
            case SpillsTo() as claim:
                return self._spills(sentence, claim)
            case ServedBy() as claim:
                return self._served(sentence, claim)
            case NothingRefused() as claim:
                return self._refused(sentence, claim)
        assert_never(sentence.claim)

    def _network(self, sentence: Sentence, service: str, *named: str) -> Rehearsal:
        """A new network in which dead sites are dead, and known to be."""
        dead = {site: True for site, state in sentence.given.items() if state == "dead"}
        named = (*sentence.sites, *named)
        made = rehearsal(touched(self._mesh, service, named, dead.keys()))
        for site in dead:
            made.kill(site)
        if dead:
            made.run(_MISSED_S)
        return made

    def _may_call(self, sentence: Sentence, claim: MayUse) -> SentenceVerdict:
        mesh = touched(self._mesh, claim.service, (claim.site,), frozenset())
        if self._quiet is None or self._quiet[0] != mesh:
            self._quiet = (mesh, rehearsal(mesh))
        network = self._quiet[1]
        told = _answer(network, claim.site, claim.service)
        return _verdict(sentence, told.served_by != "", claim.is_allowed, _told(network, told))

    def _may_offer(self, sentence: Sentence, claim: MayUse) -> SentenceVerdict:
        """With targets at that site alone, does another site's client reach them?"""
        mesh = _offered_only_at(self._mesh, claim.site, claim.service)
        caller = next((name for name in mesh.sites if name != claim.site), "")
        service = mesh.services.get(claim.service)
        if service is not None and service.owner != claim.site:
            caller = service.owner
        if not caller:
            return SentenceVerdict(sentence, False, "there is no other site that could use it")
        network = rehearsal(touched(mesh, claim.service, (claim.site, caller), frozenset()))
        told = _answer(network, caller, claim.service)
        words = f"a client at {caller}: {_told(network, told)}"
        return _verdict(sentence, told.served_by == claim.site, claim.is_allowed, words)

    def _served(self, sentence: Sentence, claim: ServedBy) -> SentenceVerdict:
        network = self._network(sentence, claim.service)
        if lack := _fill(network, sentence, claim.service, but=""):
            return SentenceVerdict(sentence, False, lack)
        found = [_answer(network, claim.at, claim.service) for _ in range(3)]
        by = sorted({one.served_by or _told(network, one) for one in found})
        return SentenceVerdict(sentence, set(by) <= set(claim.sites), f"served by {', '.join(by)}")

    def _spills(self, sentence: Sentence, claim: SpillsTo) -> SentenceVerdict:
        network = self._network(sentence, claim.service)
        if lack := _fill(network, sentence, claim.service, but=claim.at):
            return SentenceVerdict(sentence, False, lack)
        order = _order(network, claim.at, claim.service)
        told = _order_text(order)
        sites = [site for site, _ in order]
        spilled = [site for site in dict.fromkeys(sites) if sentence.given.get(site) != "full"]
        spilled = [site for site in spilled if site != claim.at]
        if claim.to not in spilled:
            return SentenceVerdict(sentence, False, told)
        first = claim.before in spilled and spilled.index(claim.before) < spilled.index(claim.to)
        is_second = not claim.before and spilled[0] != claim.to
        return SentenceVerdict(sentence, not first and not is_second, told)

    def _refused(self, sentence: Sentence, claim: NothingRefused) -> SentenceVerdict:
        services = [claim.service] if claim.service else list(self._served_services())
        said: list[str] = []
        holds = True
        for service in services:
            at = claim.at or self._usual_caller(sentence, service)
            if not at:
                return SentenceVerdict(
                    sentence, False, f"from which site? {service}'s owner is dead"
                )
            network = self._network(sentence, service, at)
            if lack := _fill(network, sentence, service, but=""):
                return SentenceVerdict(sentence, False, lack)
            assumed = self._mesh.assume.get(service, AssumedWork())
            asked = _load(network, at, service, claim.per_s, assumed.service_time_s)
            lost = [one for one in asked if not one.served_by]
            holds = holds and not lost
            by = _shares(asked)
            said.append(f"{service} from {at}: {len(lost)} of {len(asked)} refused, {by}")
        return SentenceVerdict(sentence, holds, "; ".join(said))

    def _served_services(self) -> Iterator[str]:
        served = {
            spec.service for site in self._mesh.sites.values() for spec in site.connectors.values()
        }
        return (name for name in self._mesh.services if name in served)

    def _usual_caller(self, sentence: Sentence, service: str) -> str:
        """The owner of the service, while it lives; else any site."""
        known = self._mesh.services.get(service)
        owner = known.owner if known is not None else ""
        return "" if sentence.given.get(owner) == "dead" else owner


def rehearsal(mesh: Mesh) -> Rehearsal:
    """The routers of the whole mesh, settled."""
    sites: dict[str, RehearsedSite] = {}
    for name, site in mesh.sites.items():
        wanted, _ = resolve([site_document(mesh, name), *documents_beside(mesh, name)])
        assert wanted is not None, "there is a Site document"
        sites[name] = RehearsedSite(
            wanted=wanted,
            site_id=site.id,
            links={link.title: link.to for link in links_of(mesh, name)},
            terms={
                link.from_: Terms(link.allow.declare, link.allow.export, link.allow.import_)
                for link in mesh.links
                if link.to == name
            },
        )
    assumed = {
        name: AssumedTargets(slots=one.slots, targets=one.targets)
        for name, one in mesh.assume.items()
    }
    return Rehearsal(sites, assumed)


def _offered_only_at(mesh: Mesh, site: str, service: str) -> Mesh:
    """The mesh with one target of the service, at ``site``."""
    sites = {
        name: structs.replace(
            one,
            connectors={
                title: spec for title, spec in one.connectors.items() if spec.service != service
            },
        )
        for name, one in mesh.sites.items()
    }
    target = ConnectorSpec(service=service, targets=(TargetSpec("127.0.0.1", 1),))
    offering = sites[site]
    free = next(
        f"{service}-{i}"[-63:] for i in range(99) if f"{service}-{i}" not in offering.connectors
    )
    sites[site] = structs.replace(offering, connectors=offering.connectors | {free: target})
    return structs.replace(mesh, sites=sites)


def _answer(network: Rehearsal, site: str, service: str) -> SimulatedRequest:
    """One request, and what became of it."""
    request = network.ask(site, service, 0.01)
    network.run(_ANSWER_S)
    return request


def _told(network: Rehearsal, request: SimulatedRequest) -> str:
    """The outcome of a request, and the rule that refused it."""
    if request.served_by:
        return f"served by {request.served_by}"
    if request.status > 0:
        words = f"answered {request.status}"
    elif request.told == "refused":
        words = f"{request.site} has no listener for {request.service}"
    else:
        words = f"no answer ({request.told or 'none yet'})"
    why = network.why_not(request.site, request.service)
    return f"{words}: {why}" if why else words


def _verdict(sentence: Sentence, happened: bool, expected: bool, told: str) -> SentenceVerdict:
    return SentenceVerdict(sentence, happened == expected, told)


def _fill(network: Rehearsal, sentence: Sentence, service: str, but: str) -> str:
    """Fill every site that is to be full but ``but``, by local clients. Empty: done, else why not.

    ``but`` is where the requests come from that the sentence is about: these fill it themselves.
    """
    for site in (name for name, state in sentence.given.items() if state == "full"):
        slots = network.slots(site, service)
        if slots is None:
            return (
                f"{site} is never full: it states no capacity for {service}, or has no target of it"
            )
        if site == but:
            continue
        for _ in range(slots):
            network.ask(site, service, _HELD_S)
            network.run(_STEP_S)
        network.run(_STEP_S)
        if network.at_work(service).get(site, 0) < slots:
            return f"{site} could not be filled with {counted(slots, 'request')} of {service}"
    return ""


def _order(network: Rehearsal, at: str, service: str) -> list[tuple[str, int]]:
    """Which sites take requests that stay, one after the other: runs of site and number."""
    room = [network.slots(site, service) for site in network.at_work(service)]
    wanted = min(sum(slots or 0 for slots in room) + _MORE, _REQUESTS_MAX)
    step_s = min(_STEP_S, _FILL_S / wanted)
    taken: list[str] = []
    before = network.at_work(service)
    for _ in range(wanted):
        network.ask(at, service, _HELD_S)
        network.run(step_s)
        now = network.at_work(service)
        taken += [site for site in now for _ in range(now[site] - before[site])]
        before = now
    return [(site, len(list(run))) for site, run in groupby(taken)]


def _order_text(order: list[tuple[str, int]]) -> str:
    if not order:
        return "no site took a request"
    first = order[:6]
    words = [f"{site} took {number}" for site, number in first]
    return ", then ".join(words) + (", …" if len(order) > len(first) else "")


def _load(
    network: Rehearsal, at: str, service: str, per_s: float, service_time_s: float
) -> list[SimulatedRequest]:
    """Poisson arrivals of exponential work for `_LOAD_S`, and then until all are answered."""
    chance = Random(f"{at} {service} {per_s}")
    asked: list[SimulatedRequest] = []
    begun = network.internet.now
    due = begun + chance.expovariate(per_s)
    while due < begun + _LOAD_S and len(asked) < _REQUESTS_MAX:
        network.run(due - network.internet.now)
        work_s = min(chance.expovariate(1.0 / service_time_s), _LOAD_S)
        asked.append(network.ask(at, service, work_s))
        due += chance.expovariate(per_s)
    network.run(_LOAD_S + _ANSWER_S)
    return asked


def _shares(asked: list[SimulatedRequest]) -> str:
    """The share of each serving site, human-readable."""
    by: dict[str, int] = {}
    for one in asked:
        if one.served_by:
            by[one.served_by] = by.get(one.served_by, 0) + 1
    shares = [f"{site} {number * 100 / len(asked):.0f} %" for site, number in sorted(by.items())]
    return f"served by {', '.join(shares)}" if shares else "none served"

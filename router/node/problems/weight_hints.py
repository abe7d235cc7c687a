"""Notes on weights of `split` without effect: their sites have no target, are not reached, or may
not serve this one. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain

from router.documents import Wanted
from router.model.events import Note, Severity
from router.model.ids import ServiceKey
from router.model.messages.adverts import RemoteCandidate
from router.model.rights.sharing import OPEN_TO_ALL, SharingRules
from router.routing.table import RouteTable

SITES_SHOWN = 3
_NoteMaker = Callable[[str, Sequence[str]], Note]


def weight_hints(
    wanted: Wanted,
    table: RouteTable,
    own: str,
    is_ready_here: Callable[[str], bool],
    is_drained_here: Callable[[str], bool],
    rules: SharingRules = OPEN_TO_ALL,
) -> list[Note]:
    """Notes on services declared here with weights for sites that get no requests of them.

    ``own``: the name of this site; ``is_ready_here``: whether it has a ready target of a service;
    ``is_drained_here``: whether an operator drained the service here. A site that stops is not
    named: it comes back, or it is gone. At an edge, an unknown name counts as a site without
    targets: an edge knows only sites that it uses, and of targets that are withheld from it
    not whether they are ready. ``rules``: of this site; a site from which they hide the service
    cannot offer it.
    """
    is_edge = wanted.site.router_mode == "edge"
    away = {site.name for site in table.sites.values() if not site.reachable}
    stopping = {site.name for site in table.sites.values() if site.draining}
    names = ({site.name for site in table.sites.values()} | {own}) - stopping
    notes = []
    for service, spec in sorted(wanted.services.items()):
        given = {name for name, weight in spec.policy.weights.items() if weight}
        weighted = given - stopping if is_edge else given & names
        if spec.policy.name != "split" or not weighted:
            continue
        known = _of(service, table.candidates)
        ready = {one.site_name for one in known if one.targets_ready and not one.unused}
        if is_ready_here(service):
            ready.add(own)
        drained = {one.site_name for one in known if one.draining and not one.unused}
        if is_drained_here(service):
            drained.add(own)
        drained -= ready
        withheld = _of(service, table.withheld)
        left_out = {
            one.site_name
            for one in chain(known, withheld)
            if one.targets_ready and not one.draining
        }
        if is_edge:
            left_out.update(one.site_name for one in withheld)
        left_out -= ready | drained
        hidden = _unaware(service, table, rules) - left_out - ready - drained - away
        empty = weighted - away - ready - drained - left_out - hidden
        bound = {one.site_name for one in known}
        if any(connector.service == service for connector in wanted.connectors.values()):
            bound.add(own)
        kinds: list[tuple[_NoteMaker, set[str]]] = [
            (_away, weighted & away),
            (partial(_unready, own=own), empty & bound),
            (_unbound, empty - bound),
            (_barred, weighted & left_out),
            (partial(_hidden, own=own), weighted & hidden),
            (_drained, weighted & drained),
        ]
        if ready:
            notes += [note_of(service, sorted(sites)) for note_of, sites in kinds if sites]
    return notes


def _unaware(service: str, table: RouteTable, rules: SharingRules) -> set[str]:
    """Names of the sites from which ``rules`` of this site hide ``service``."""
    sites = table.sites.items()
    return {one.name for site, one in sites if table.is_withheld(site, service, rules)}


def _of(
    service: str, candidates: Mapping[ServiceKey, Iterable[RemoteCandidate]]
) -> list[RemoteCandidate]:
    """Candidates for all ports of ``service``."""
    return [one for key, found in candidates.items() if key.name == service for one in found]


def _shown(sites: Sequence[str]) -> str:
    more = f" and {len(sites) - SITES_SHOWN} more" if len(sites) > SITES_SHOWN else ""
    return ", ".join(sites[:SITES_SHOWN]) + more


def _drained(service: str, sites: Sequence[str]) -> Note:
    """Not a fault: an operator wants it."""
    drain = "drains" if len(sites) == 1 else "drain"
    hint = f"At {_shown(sites)}, see the command that ends the drain: sitectl status"
    return _note("info", service, sites, drain, hint)


def _unready(service: str, sites: Sequence[str], *, own: str) -> Note:
    """Their targets are bound."""
    place = "See why" if list(sites) == [own] else f"At {_shown(sites)}, see why"
    hint = f"{place} under ERROR: sitectl service status {service}"
    return _note("warning", service, sites, _no_ready_target(sites), hint)


def _unbound(service: str, sites: Sequence[str]) -> Note:
    hint = (
        f"Bind targets there, or give all weights again: sitectl service set {service} "
        "--weight SITE=N --weight SITE=N"
    )
    return _note("warning", service, sites, _no_ready_target(sites), hint)


def _no_ready_target(sites: Sequence[str]) -> str:
    return f"{'has' if len(sites) == 1 else 'have'} no ready target"


def _away(service: str, sites: Sequence[str]) -> Note:
    is_or_are = "is" if len(sites) == 1 else "are"
    hint = "See which links are down: sitectl network status"
    return _note("warning", service, sites, f"{is_or_are} not reached", hint)


def _barred(service: str, sites: Sequence[str]) -> Note:
    hint = f"See which rule leaves out {_shown(sites)}: sitectl why {service}"
    return _note("warning", service, sites, "may not serve this site", hint)


def _hidden(service: str, sites: Sequence[str], *, own: str) -> Note:
    """They cannot offer a service that they do not know."""
    first = sites[0]
    hint = f"Let {first} see and serve it: sitectl service grant {service} --site {first} --offer"
    return _note("warning", service, sites, f"exportTo of {own} does not name", hint)


def _note(severity: Severity, service: str, sites: Sequence[str], why: str, hint: str) -> Note:
    share = "its share" if len(sites) == 1 else "their shares"
    return Note(
        severity=severity,
        code="SW0314",
        message=f"Service {service} gives weight to {_shown(sites)}, which {why}: the other sites "
        f"get {share}.",
        hint=hint,
    )

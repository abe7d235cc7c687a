"""The candidates for each service, as this site may see them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import RemoteCandidate, TargetsAdvert
from router.model.rights.sharing import Party
from router.model.specs import ServiceProtocol
from router.routing.adverts.lsa import Node
from router.routing.adverts.lsdb import Origin
from router.routing.declared import Declared
from router.routing.sharing import SharingView
from router.routing.spf import Route

Candidates = dict[ServiceKey, tuple[RemoteCandidate, ...]]


Protocols = Mapping[SiteId, ServiceProtocol]
"""The protocol with which each site declares a name."""


def candidates_of(
    others: Sequence[Origin],
    routes: Mapping[Node, Route],
    names: Mapping[SiteId, str],
    view: SharingView,
) -> tuple[Candidates, Candidates]:
    """Candidates that are offered to this site, and those that are offered only to others."""
    protocols = _protocols(others, view)
    found: dict[ServiceKey, dict[Node, RemoteCandidate]] = {}
    withheld: dict[ServiceKey, dict[Node, RemoteCandidate]] = {}
    for origin in others:
        route, topology = routes.get(origin.node), origin.topology
        if route is None or not route.paths or topology is None:
            continue
        party = Party(origin.node.site, names[origin.node.site])
        # The last advert of a port counts.
        adverts = {ServiceKey(told.name, told.port): told for told in origin.adverts}
        declares: Mapping[str, ServiceProtocol] | None = None
        for key, advert in adverts.items():
            if not view.may_export(party.site, key.name):
                continue
            is_ours = view.is_offered(party.site, key.name, advert.export_to)
            declared = view.declared.get(key.name)
            serves = differs = ""
            if (
                declared is not None
                and (declared.conflicts or advert.serves)
                and party.site != view.party.site
            ):
                if declares is None:  # Once for a router: it may have very many services.
                    declares = _declared_by(origin)
                own, told = declares.get(key.name), protocols.get(key.name, {})
                serves, differs = _served(advert, origin, party, declared, own, told, view, names)
            candidate = RemoteCandidate(
                site=party.site,
                site_name=party.shown,
                router=origin.node.router,
                path_cost=route.cost,
                paths=route.paths,
                targets_ready=advert.targets_ready,
                capacity=advert.capacity,
                draining=advert.draining or topology.draining,
                drained=advert.draining and not topology.draining,
                rate_per_s=advert.rate_per_s,
                shares_targets=advert.shares_targets,
                export_to=advert.export_to,
                reserved=advert.reserved,
                most_for_one=advert.most_for_one,
                barred=view.why_barred(party, key.name) if is_ours else "",
                differs=differs,
                serves=serves,
            )
            (found if is_ours else withheld).setdefault(key, {})[origin.node] = candidate
    return _in_order(found, view), _in_order(withheld, view)


def _protocols(others: Iterable[Origin], view: SharingView) -> Mapping[str, Protocols]:
    """For names that sites declare differently."""
    found: dict[str, dict[SiteId, ServiceProtocol]] = {
        name: {} for name, declared in view.declared.items() if declared.conflicts
    }
    for origin in others if found else ():
        for told in origin.declarations:
            if told.name in found:
                found[told.name].setdefault(origin.node.site, told.spec.protocol)
    return found


def _declared_by(origin: Origin) -> Mapping[str, ServiceProtocol]:
    """The protocol of each name that this router declares, the first one of a name."""
    return {told.name: told.spec.protocol for told in reversed(origin.declarations)}


def _served(
    advert: TargetsAdvert,
    origin: Origin,
    party: Party,
    declared: Declared,
    own: ServiceProtocol | None,
    protocols: Protocols,
    view: SharingView,
    names: Mapping[SiteId, str],
) -> tuple[str, str]:
    """The protocol with which the router serves it, and a sentence if another one is in force here.
    Empty: not known; none. ``own``: the protocol with which the router itself declares it.

    There its own declaration counts, or else that of another router of its site, or else at an
    edge that of its neighbor, or else the owner's: it refuses requests by another protocol. It says
    itself which one; who owns the name may not be the same there as here.
    """
    name, counts = declared.declaration.name, declared.declaration.spec.protocol
    host, owner = _host_of(origin), _other_owner(name, declared, view)
    theirs, said = None, ""
    if theirs := own or protocols.get(party.site):
        said = f"{party.shown} declares it as {theirs}"
    elif host == view.party.site:
        theirs = counts  # It follows the declaration of this site.
    elif host is not None and (theirs := protocols.get(host)):
        said = f"{party.shown} serves it as {theirs}, as its neighbor does"
    elif owner is not None and (theirs := protocols.get(owner)):
        said = f"{party.shown} serves it as {theirs}, since {names[owner]} owns the name"
    for protocol in get_args(ServiceProtocol):  # Another one is of a later version.
        if advert.serves == protocol != theirs:
            theirs, said = protocol, f"{party.shown} serves it as {protocol}"
    return theirs or "", differing(said, theirs or "", counts)


def differing(said: str, theirs: str, counts: str) -> str:
    """``said``, that a candidate serves ``theirs``, and what counts here; empty: it is the same, or
    not known."""
    return f"{said}, and {counts} counts here" if theirs not in ("", counts) else ""


def _host_of(origin: Origin) -> SiteId | None:
    """The site that the edge ``origin`` is attached to; None: it is no edge."""
    topology = origin.topology
    if topology is None or not topology.stub or not topology.adjacencies:
        return None
    return topology.adjacencies[0].site


def _other_owner(name: str, declared: Declared, view: SharingView) -> SiteId | None:
    """The only other site that owns a name that this site declares differently."""
    owner = view.owners.get(name)
    if owner is None or declared.site != view.party.site or len(owner.sites) != 1:
        return None
    return owner.sites[0] if owner.sites[0] in declared.conflicts else None


def _in_order(
    found: Mapping[ServiceKey, Mapping[Node, RemoteCandidate]], view: SharingView
) -> Candidates:
    return {
        key: view.believed(
            key.name,
            tuple(sorted(found[key].values(), key=lambda c: (c.path_cost, c.site, c.router))),
        )
        for key in sorted(found)
    }

"""Who has targets of each service, as this site may see it. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import RemoteCandidate
from router.model.rights.sharing import Party
from router.model.specs import ServiceProtocol
from router.routing.adverts.lsa import Node
from router.routing.adverts.lsdb import Origin
from router.routing.declared import Declared
from router.routing.sharing import SharingView
from router.routing.spf import Route

Candidates = dict[ServiceKey, tuple[RemoteCandidate, ...]]


class DeclaredByOwner(msgspec.Struct, frozen=True):
    """The owner of a name, and the protocol that it declares."""

    site: SiteId
    protocol: ServiceProtocol


def candidates_of(
    others: Sequence[Origin],
    routes: Mapping[Node, Route],
    names: Mapping[SiteId, str],
    view: SharingView,
) -> tuple[Candidates, Candidates]:
    """Candidates that are offered to this site, and those that are offered only to others."""
    owners = _other_owners(others, view)
    found: dict[ServiceKey, dict[Node, RemoteCandidate]] = {}
    withheld: dict[ServiceKey, dict[Node, RemoteCandidate]] = {}
    for origin in others:
        route, topology = routes.get(origin.node), origin.topology
        if route is None or not route.paths or topology is None:
            continue
        party = Party(origin.node.site, names[origin.node.site])
        # Of a port that is told twice the last counts.
        adverts = {ServiceKey(told.name, told.port): told for told in origin.adverts}
        for key, advert in adverts.items():
            if not view.may_export(party.site, key.name):
                continue
            is_ours = view.is_offered(party.site, key.name, advert.export_to)
            declared = view.declared.get(key.name)
            candidate = RemoteCandidate(
                site=party.site,
                site_name=party.shown,
                router=origin.node.router,
                path_cost=route.cost,
                paths=route.paths,
                targets_ready=advert.targets_ready,
                capacity=advert.capacity,
                draining=advert.draining or topology.draining,
                rate_per_s=advert.rate_per_s,
                shares_targets=advert.shares_targets,
                export_to=advert.export_to,
                reserved=advert.reserved,
                most_for_one=advert.most_for_one,
                barred=view.why_barred(party, key.name) if is_ours else "",
                differs=(
                    _other_protocol(origin, party, declared, owners.get(key.name), names)
                    if declared is not None and declared.conflicts and party.site != view.party.site
                    else ""
                ),
            )
            (found if is_ours else withheld).setdefault(key, {})[origin.node] = candidate
    return _in_order(found, view), _in_order(withheld, view)


def _other_owners(others: Iterable[Origin], view: SharingView) -> Mapping[str, DeclaredByOwner]:
    """Of names that this site declares differently from the one other site that owns them."""
    wanted = {
        name: view.owners[name].sites
        for name, declared in view.declared.items()
        if declared.conflicts
        and declared.site == view.party.site
        and name in view.owners
        and {*view.owners[name].sites} <= {*declared.conflicts}
    }
    return {
        told.name: DeclaredByOwner(origin.node.site, told.spec.protocol)
        for origin in (others if wanted else ())
        for told in origin.declarations
        if wanted.get(told.name) == (origin.node.site,)
    }


def _other_protocol(
    origin: Origin,
    party: Party,
    declared: Declared,
    owner: DeclaredByOwner | None,
    names: Mapping[SiteId, str],
) -> str:
    """That the site serves it as another protocol than is in force here; empty: it does not.

    A site's own declaration counts at that site, or else its owner's: the site refuses what is
    asked for by another protocol.
    """
    here = declared.declaration
    counts = here.spec.protocol
    for own in origin.declarations:
        if own.name == here.name:
            if own.spec.protocol == counts:
                return ""
            return f"{party.shown} declares it as {own.spec.protocol}, and {counts} counts here"
    if owner is None or owner.protocol == counts:
        return ""
    why = f"since {names[owner.site]} owns the name"
    return f"{party.shown} serves it as {owner.protocol}, {why}, and {counts} counts here"


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

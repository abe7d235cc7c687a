"""Network facts for the statuses of Skupper v2's objects, from the views of a router."""

from collections.abc import Collection, Mapping

import msgspec

from router.admin.views.links import LinkView
from router.admin.views.services import ServiceView
from router.kubernetes.skupper2.network_facts import KeyFacts, LinkFacts, NetworkFacts
from router.model.ids import SiteId
from router.model.wording.routing_key_names import with_keys
from router.node.problems import listener_problems
from router.node.site_router import SiteRouter
from router.operate.views import OperatorView
from router.routing.core import RoutingCore


def network_facts(
    view: OperatorView, router: SiteRouter, services: Collection[str]
) -> NetworkFacts:
    """The present facts, including which of ``services`` other sites use."""
    return NetworkFacts(
        version=router.version,
        is_ready=view.ready(),
        links=_links(view.links()),
        keys=_with_unlistened(_keys(view.services(), _users(router, services)), router),
        sites={site.id: site.name for site in view.network() if site.reachable},
    )


def _links(views: Collection[LinkView]) -> Mapping[str, LinkFacts]:
    return {
        one.name: LinkFacts(one.state == "up", one.neighbour.name, one.neighbour.id, one.error)
        for one in views
        if one.direction == "outgoing" and not one.succeeded
    }


def _keys(views: Collection[ServiceView], used: Collection[str]) -> Mapping[str, KeyFacts]:
    found: dict[str, KeyFacts] = {}
    for one in views:
        ready = sum(site.targets_ready for site in one.sites if not site.left_out)
        before = found.get(one.name, KeyFacts()).ready
        found[one.name] = KeyFacts(max(before, ready), one.name in used)
    return found


def _with_unlistened(keys: Mapping[str, KeyFacts], router: SiteRouter) -> Mapping[str, KeyFacts]:
    """``keys`` with the errors of this site's listeners, in the words of `status`."""
    states, found = router.forwarder.listeners.states(), dict(keys)
    for key in states:
        problem = listener_problems.of_listener(key, states)
        if problem is not None and key.name in found:
            message = with_keys(problem.message, router.readings.routing_key_of)
            text = f"{message}. {problem.hint}"
            found[key.name] = msgspec.structs.replace(found[key.name], unlistened=text)
    return found


def _users(router: SiteRouter, services: Collection[str]) -> frozenset[str]:
    """Services among ``services`` that another reachable site declares without a target."""
    routing = router.routing
    if not isinstance(routing, RoutingCore):
        return frozenset()  # An edge knows its neighbor's services, but not their users.
    table, offering = routing.table, dict[str, set[SiteId]]()
    for key, candidates in table.candidates.items():
        offering.setdefault(key.name, set()).update(one.site for one in candidates)
    reached = {site for site, route in table.sites.items() if route.reachable}
    others = reached - {router.identity.site}
    return frozenset(
        name
        for name in services
        if (table.all_declarers(name) & others) - offering.get(name, set())
    )

"""Services without a listener here, and the reason, in the words of `status`. Pure."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from router.exchange.clients.listeners import EVERYWHERE
from router.model.addresses import join
from router.model.events import Problem
from router.model.ids import ServiceKey, SiteId
from router.node.services.listeners.budget import ListenerRefusal
from router.node.services.listeners.grants import FORMER, MissingListeners, PortHolder
from router.node.services.listeners.places import NO_SERVICE, NONE_IS_MADE
from router.node.services.planned import PlannedService
from router.service.figures import ListenerState

_IN_USE = "already in use"  # EADDRINUSE, in the words of the system.


def closed(
    key: ServiceKey, states: Mapping[ServiceKey, ListenerState], planned: PlannedService | None
) -> tuple[str, str]:
    """Why no client can connect here, and the next step; empty: clients can, or none should."""
    if (found := of_listener(key, states)) is not None:
        return found.message, found.hint
    if planned is None or not planned.lacks_listener:
        return "", ""
    listen = f"sitectl service set {key} --listen PORT"
    hint = f"To give it one: {listen}"
    if planned.why_not == NO_SERVICE:
        hint = f"sitectl status says whether one was refused, and why. If none was: {listen}"
    elif planned.why_not == NONE_IS_MADE:
        hint = 'To give it one, set service-controller: "true" in ConfigMap/skupper-site'
    return f"Service {key} has no listener here: {planned.why_not}.", hint


def of_listeners(states: Mapping[ServiceKey, ListenerState]) -> list[Problem]:
    """Listeners that are not bound."""
    return [one for key in states if (one := of_listener(key, states)) is not None]


def of_listener(key: ServiceKey, states: Mapping[ServiceKey, ListenerState]) -> Problem | None:
    """The problem of the listener of ``key``; None: it is bound, or this site has none."""
    state = states.get(key)
    if state is None or not state.error:
        return None
    holder = _holder(state, states)
    return Problem(
        code="SW0202",
        message=f"Service {key} has no listener here: {state.error}"
        + (f", by service {holder} of this site" if holder is not None else ""),
        hint=state.hint or _free_port(key, holder),
    )


def _holder(state: ListenerState, states: Mapping[ServiceKey, ListenerState]) -> ServiceKey | None:
    """Another service whose listener has the address of ``state``."""
    if _IN_USE not in state.error:
        return None
    for key, other in states.items():
        hosts = {other.host, state.host}
        is_same_host = len(hosts) == 1 or not hosts.isdisjoint(EVERYWHERE)
        if other.listening and other.port == state.port and is_same_host:
            return key
    return None


def _free_port(key: ServiceKey, holder: ServiceKey | None) -> str:
    elsewhere = f"sitectl service set {key} --listen [IP:]PORT"
    return f"Free the port, or: {elsewhere}" if holder is None else f"Give one another: {elsewhere}"


def of_listener_budgets(
    unlistened: Iterable[MissingListeners], name_of: Callable[[SiteId], str]
) -> list[Problem]:
    """Service ports without a listener because their site, or all sites, declare too many."""
    return [_over_budget(one, name_of) for one in unlistened]


def _over_budget(one: MissingListeners, name_of: Callable[[SiteId], str]) -> Problem:
    name = None if one.origin in (None, FORMER) else name_of(SiteId(str(one.origin)))
    if name is not None:
        whose = f"Site {name} declares"
    elif one.origin is None:
        # Also services that another site declares, and an operator wants here.
        whose = "This site has"
    else:
        whose = "Sites that were known before the restart declare"
    shown = [
        f"{key}{f' at {join(*place)}' if place else ''}{_held_by(holder, name_of)}"
        for key, holder, place in itertools.zip_longest(one.first, one.holders, one.places)
    ]
    more = f" and {one.count - len(one.first)} more" if one.count > len(one.first) else ""
    named = f" ({', '.join(shown)}{more})" if shown else ""
    ports = "1 service port" if one.count == 1 else f"{one.count} service ports"
    first = one.first[0] if one.first else None
    listen = f"sitectl service set {first or 'NAME'} --listen"
    place = next(iter(one.places), None)
    wanted = join(*place) if place else str(first.port if first else "PORT")
    put_out = (
        "If that site should not be here at all, end its access. At the site that let it in: "
        f"sitectl revoke-access --link {name or 'NAME'}"
    )
    for_one = f"For one of them: {listen} PORT. "
    hints = {
        ListenerRefusal.LOW_PORT: f"If clients here should reach it: {listen} PORT",
        ListenerRefusal.TAKEN: f"Give it another port here: {listen} PORT",
        ListenerRefusal.PLACE: f"Give {first or 'it'} another port here: {listen} PORT. "
        + (
            _without_its_port(one.holders[:1])
            if one.origin is None
            else f"To give it this port: {_giving(one.holders[:1], f'{listen} {wanted}')}. "
            f"{put_out}"
        ),
        ListenerRefusal.SITE: f"{for_one}For all: raise listenersPerSite here. {put_out}",
        ListenerRefusal.TOTAL: "Raise the limit of open files: ulimit -n, or LimitNOFILE= of the "
        "unit",
        ListenerRefusal.UNPLANNED: f"{for_one}{put_out}",
    }
    return Problem(
        code="SW0321" if one.refusal is ListenerRefusal.PLACE else "SW0320",
        message=f"{whose} {ports} without a listener here{named}: {one.refusal.value}.",
        hint=hints[one.refusal],
    )


def _giving(holders: Sequence[PortHolder | None], listen: str) -> str:
    """The command that gets a port here for another site's service: only this site's own come
    first."""
    own = [one.service for one in holders if one is not None and one.site is None]
    return f"sitectl service set {own[0]} --listen none" if own else listen


def _without_its_port(holders: Sequence[PortHolder | None]) -> str:
    """The command that frees a port that a service of this site took from another one."""
    named = next((one.service for one in holders if one is not None), "NAME")
    return f"To free this one: sitectl service set {named} --listen none"


def _held_by(holder: PortHolder | None, name_of: Callable[[SiteId], str]) -> str:
    if holder is None:
        return ""
    if holder.is_given:
        return f", the port that this site gives {holder.service}"
    if holder.site is None:
        return f", the port of {holder.service} of this site"
    site = "a site of before the restart" if holder.site == FORMER else name_of(holder.site)
    away = ", which is away" if holder.is_away else ""
    return f", the port of {holder.service} of {site}{away}"

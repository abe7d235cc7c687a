"""Which service ports get a listener here, whatever other sites declare. Pure.

This site's own declarations come first. Every other site has a budget, and all listeners together
have one: no member of a network can use up the descriptors of another.
"""

from collections.abc import Container, Mapping, Sequence
from enum import Enum

import msgspec

from router.forward.listeners import EVERYWHERE
from router.model import limits
from router.model.ids import ServiceKey, SiteId


class Refusal(Enum):
    """Why a service port has no listener here."""

    LOW_PORT = "ports below 1024 need a Listener of this site"
    TAKEN = "that address is one of this site's own"
    SITE = "its site has as many listeners here as listenersPerSite allows"
    TOTAL = "this router has as many listeners as its limit of open files allows"


class ListenerRequest(msgspec.Struct, frozen=True):
    """A service port that would listen here. ``origin`` None: this site's operator asks for it.

    ``place`` None: behind a Kubernetes Service, at a port that this site chooses.
    ``may_be_low``: the operator allowed a port below 1024.
    """

    key: ServiceKey
    origin: SiteId | None = None
    place: tuple[str, int] | None = None
    may_be_low: bool = False


class ListenerBudget(msgspec.Struct, frozen=True):
    """``per_site``: of each other site. ``total``: of all listeners, the own ones included.

    ``doors``: where this site listens for links and its operator. While it starts, these are free.
    """

    per_site: int = limits.LISTENERS_PER_SITE
    total: int = limits.LISTENERS_MAX
    doors: tuple[tuple[str, int], ...] = ()


def refusals(
    requests: Sequence[ListenerRequest], held: Container[ServiceKey], budget: ListenerBudget
) -> dict[ServiceKey, Refusal]:
    """The requests that get no listener. ``held``: the service ports that have one now.

    A listener stays while its own site and this one ask for no more: a site that joins takes no
    listener from another. New ones share the room, one port of each site in turn.
    """
    own = [request for request in requests if request.origin is None]
    refused = {request.key: Refusal.TOTAL for request in own[budget.total :]}
    places = [request.place for request in own[: budget.total] if request.place is not None]
    own_hosts: dict[int, set[str]] = {}
    for host, port in (*budget.doors, *places):
        own_hosts.setdefault(port, set()).add(host)
    by_site: dict[SiteId, list[tuple[bool, ServiceKey]]] = {}
    for request in requests:
        if request.origin is None:
            continue
        why = _barred(request, own_hosts)
        if why is not None:
            refused[request.key] = why
        else:
            is_new = request.key not in held
            by_site.setdefault(request.origin, []).append((is_new, request.key))
    ranked: list[tuple[bool, int, SiteId, ServiceKey]] = []
    for site, theirs in by_site.items():
        theirs.sort()
        refused |= {key: Refusal.SITE for _, key in theirs[budget.per_site :]}
        granted = enumerate(theirs[: budget.per_site])
        ranked += [(is_new, rank, site, key) for rank, (is_new, key) in granted]
    ranked.sort()
    room = max(0, budget.total - len(own))
    return refused | {key: Refusal.TOTAL for *_, key in ranked[room:]}


def _barred(request: ListenerRequest, own_hosts: Mapping[int, set[str]]) -> Refusal | None:
    if request.place is None:
        return None
    host, port = request.place
    if port < limits.UNPRIVILEGED_PORT_MIN and not request.may_be_low:
        return Refusal.LOW_PORT
    own = own_hosts.get(port)
    is_taken = own and (host in EVERYWHERE or host in own or not own.isdisjoint(EVERYWHERE))
    return Refusal.TAKEN if is_taken else None

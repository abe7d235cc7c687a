"""Several routers of one site: the part of each configured capacity that each may give out.

Every router computes the same from the Pods of the namespace, and the shares of a target add up to
its capacity exactly. They see the Pods at different times, so a router that gains by a change uses
the gain only after the others agreed (`balance.sites.shares`). A share of 0 is served by the other
routers of the site.
"""

import hashlib
from collections.abc import Collection, Container, Mapping, Sequence

import msgspec

from router.documents import CapacityDivision, UnreadyPod
from router.documents.division import WHOLE, Division
from router.kubernetes.objects.objects import Object, created_at, metadata, name_of, seconds_of
from router.kubernetes.objects.starting_pods import is_starting, not_ready_since
from router.kubernetes.services.endpoint_slices import Family
from router.kubernetes.targets.pods import (
    address_of,
    ended_at,
    has_ended,
    has_stopped,
    is_leaving,
    is_router,
    may_run,
    takes_requests,
    why_not_ready,
)
from router.model import limits
from router.model.addresses import join


class HeardRouters(msgspec.Struct, frozen=True):
    """Other routers of the site that were heard, by ``pods``; ``is_linked``: a link is up.

    ``over``: lives of those that said that they hold nothing and admit nothing more. The Pod may
    still be shown as running.
    """

    pods: frozenset[str]
    is_linked: bool
    over: Mapping[str, int] = {}


def partners(pods: Mapping[str, Object], own: str, heard: HeardRouters) -> frozenset[str]:
    """The routers with which the one of Pod ``own`` divides: those that it has heard.

    If no router reaches another, as behind a NetworkPolicy, the one that has everything keeps it:
    shares without agreement would stay unused, also those of each new target. A router that was
    told to end and has lost its links could not announce that it gives up its share.
    """
    can_tell = heard.is_linked or own not in pods or not is_leaving(pods[own])
    return heard.pods if can_tell else frozenset()


def division(
    pods: Mapping[str, Object],
    own: str,
    now: float,
    *,
    agrees: bool = True,
    heard: frozenset[str] | None = None,
    over: Collection[str] = (),
) -> tuple[Division, float | None]:
    """The routers that share at ``now`` (Unix seconds), and when to check again without a change.

    Ready routers share. While none is ready, terminating routers share until they are
    gone or their time is over; else those that are starting. If ``own`` is no Pod of the namespace,
    nothing is divided. Routers of an edge never link, so none ``agrees``: there a
    terminating router keeps its share, since its requests may still run.
    ``heard``: `partners`, None: all. ``over``: as in `HeardRouters`; these have no share.
    """
    if own not in pods:
        return WHOLE, None
    pods_in_order, until = _in_order(pods, own, now, agrees=agrees, heard=heard, over=over)
    order = [name_of(pod) for pod in pods_in_order]
    if not order or order == [own]:
        return WHOLE, until
    index = order.index(own) if own in order else None
    return Division(count=len(order), index=index), until


def shares(
    pods: Mapping[str, Object],
    own: str,
    now: float,
    *,
    heard: frozenset[str] | None = None,
    over: Mapping[str, int] = {},
) -> tuple[CapacityDivision | None, float | None]:
    """The routers that Pod ``own`` must hear before it uses a gain, and until when.

    The second value is valid while no Pod changes. None: ``own`` is no Pod of the namespace.

    These are the routers whose containers may run, ready or not, told to end or not. Also included,
    for a while, is an older one that has not been seen to run yet: it may be faster than its news.
    All others are down, also those that are ``over`` (see `HeardRouters`), unless they are heard in
    a life that is newer than the news.
    """
    if own not in pods:
        return None, None
    order, _ = _in_order(pods, own, now, agrees=True, heard=heard, over=over)
    others: list[str] = []
    down: dict[str, float] = {name: life + 1 for name, life in over.items()}
    ends: list[float] = []
    for name, pod in pods.items():
        if name == own or not is_router(pod) or has_ended(pod) or name in over:
            continue
        until = None
        if is_leaving(pod):
            until = _gone_at(pod)
        elif not may_run(pod):
            down[name] = ended_at(pod)
            if _age(pod) > _age(pods[own]) or has_stopped(pod):
                continue
            until = (seconds_of(created_at(pod)) or 0.0) + limits.POD_START_SEEN_S
        if until is None or now < until:
            others.append(name)
            if until is not None:
                ends.append(until)
    names = "\n".join(name_of(pod) for pod in order)
    digest = hashlib.blake2b(names.encode(), digest_size=16).hexdigest()
    known = (one for one in (*others, *over) if one in pods)
    ready = frozenset(one for one in known if takes_requests(pods[one]))
    agreement = CapacityDivision(
        own, digest, frozenset(others), down, ready, is_by_all=heard is None
    )
    return agreement, min(ends, default=None)


def _in_order(
    pods: Mapping[str, Object],
    own: str,
    now: float,
    *,
    agrees: bool,
    heard: frozenset[str] | None,
    over: Collection[str],
) -> tuple[list[Object], float | None]:
    """The Pods that share, the oldest first, and when the first of them must end.

    A terminating pod has no share beside a ready one: it owes its requests in flight to
    the others, who hear of it (`shares`), and its clients are served through them.
    """
    ready: list[Object] = []
    leaving: list[Object] = []
    starting: list[Object] = []
    ends: list[float] = []
    for name, pod in pods.items():
        if not is_router(pod) or name in over:
            continue
        if not is_leaving(pod):
            if takes_requests(pod):
                if heard is None or name == own or name in heard:
                    ready.append(pod)
            elif name == own or (may_run(pod) and not has_ended(pod)):
                starting.append(pod)
        elif now < (gone_at := _gone_at(pod)) and not has_ended(pod):
            leaving.append(pod)
            ends.append(gone_at)
    if ready and agrees:
        return sorted(ready, key=_age), None
    return sorted([*ready, *leaving] or starting, key=_age), min(ends, default=None)


def to_dial(
    pods: Mapping[str, Object],
    own: str,
    families: Sequence[Family],
    port: int,
    over: Container[str] = (),
) -> tuple[str, ...]:
    """``HOST:PORT`` of the routers that the one of Pod ``own`` dials: the older ones.

    So each pair has one link, and a new router finds the others listening. A router that was told
    to end leads to other sites until it ends. One that is ``over`` (see `HeardRouters`) starts
    again, unless its Pod terminates.
    """
    if own not in pods:
        return ()
    mine = _age(pods[own])
    hosts = (
        address_of(pod, families)
        for pod in pods.values()
        if is_router(pod)
        and not (has_ended(pod) or (is_leaving(pod) and name_of(pod) in over))
        and _age(pod) < mine
    )
    return tuple(sorted(join(host, port) for host in hosts if host))


def unready(pods: Mapping[str, Object], own: str) -> dict[str, UnreadyPod]:
    """Pods of other routers that should serve beside Pod ``own`` and are not ready."""
    return {
        name: UnreadyPod(not_ready_since(pod), why_not_ready(pod), is_starting(pod))
        for name, pod in pods.items()
        if name != own
        and own in pods
        and is_router(pod)
        and not (is_leaving(pod) or has_ended(pod) or takes_requests(pod))
    }


def _age(pod: Object) -> tuple[str, str]:
    return created_at(pod), name_of(pod)


def _gone_at(pod: Object) -> float:
    """When the pod is gone at the latest, unless its node is out of reach."""
    at = seconds_of(str(metadata(pod).get("deletionTimestamp", "")))
    return 0.0 if at is None else at + limits.POD_END_LATE_S

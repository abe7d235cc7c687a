"""Notes on the other routers of this site that should serve with this one, but do not. Pure."""

from collections.abc import Callable, Collection, Iterator, Mapping

from router.documents import RefusedPods, UnreadyPod
from router.link.sessions.link_status import LinkStatus
from router.model import limits
from router.model.events import Note
from router.model.ids import RouterId
from router.node.time_text import short_time, utc_of


def notes_of_pods(unready: Mapping[str, UnreadyPod], now: float) -> Iterator[Note]:
    """One note for each pod in ``unready``, by name. ``now``: Unix seconds."""
    for name, pod in sorted(unready.items()):
        patience_s = limits.ROUTER_STARTS_S if pod.starts else limits.ROUTER_ABSENT_S
        if now - pod.since >= patience_s:
            since = _since(pod.since, now)
            yield _note(
                f"The router of pod {name} does not serve since {since}: {pod.why}.",
                f"kubectl describe pod {name}",
            )


def notes_of_refusal(refused: RefusedPods | None, now: float) -> Iterator[Note]:
    """``now``: Unix seconds."""
    if refused is not None and now - refused.since >= limits.ROUTER_ABSENT_S:
        since = _since(refused.since, now)
        yield _note(
            f"The cluster makes no further router of this site since {since}: {refused.why}",
            refused.step,
        )


def notes_of_lost_links(
    unlinked: Mapping[str, float], now: float, utc: Callable[[float], str]
) -> Iterator[Note]:
    """``unlinked``: since when routers that serve are not linked to this one, by their pods.
    ``now``: monotonic seconds, as those; ``utc``: of them."""
    for name, began in sorted(unlinked.items()):
        if now - began >= limits.ROUTER_ABSENT_S:
            yield _note(
                f"The router of pod {name} is not linked to this one since "
                f"{short_time(utc(began), utc(now))}: requests go from one to the other over "
                "other sites, if at all.",
                "Let the routers reach each other's link port: kubectl get networkpolicies",
            )


def notes_of_peers(
    links: Collection[LinkStatus],
    linked: Collection[RouterId],
    now: float,
    utc: Callable[[float], str],
) -> Iterator[Note]:
    """``links``: the links that this router dials to peers. ``linked``: other routers of the site
    with a link that either end dialed. ``now``: monotonic seconds; ``utc``: ISO 8601 of them.

    A peer may have an IPv4 and an IPv6 address of one router, and one family may lead
    nowhere from here: the family that leads to more routers counts.
    """
    families = [[one for one in links if ("[" in one.name) is is_v6] for is_v6 in (False, True)]
    counting = max(families, key=lambda some: (sum(one.state == "up" for one in some), len(some)))
    if len(linked) >= len(counting):
        return
    for link in counting:
        is_down = link.state != "up" and link.neighbour_router not in linked
        if is_down and now - link.since >= limits.ROUTER_ABSENT_S:
            since = short_time(utc(link.since), utc(now))
            cause = f": {link.error}" if link.error else ""
            end = "" if cause.endswith((".", "?")) else "."
            yield _note(
                f"The {link.name} of this site is not linked since {since}{cause}{end}",
                "On its host: sitectl status. If it has another address: sitectl update --peer "
                "HOST:PORT",
            )


def _since(began: float, now: float) -> str:
    """Unix seconds in words."""
    return short_time(utc_of(began) or "", utc_of(now) or "")


def _note(message: str, hint: str) -> Note:
    return Note(severity="warning", code="SW0684", message=message, hint=hint)

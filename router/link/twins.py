"""Two live places with one identity that meet at a neighbour: a copy beside its original. Pure.

A site was restored from a backup, or its state copied, and the original goes on. The neighbour
knows both, so it decides before anything of the copy counts: the original keeps its link.
"""

from collections.abc import Iterable

from router.link.outgoing import COPY
from router.link.session import LinkSession
from router.model import limits
from router.model.errors import HandshakeRejected


def living_twins(
    session: LinkSession, others: Iterable[LinkSession], now: float
) -> list[LinkSession]:
    """Links that another place of the site behind ``session`` has, and that surely lives.

    Either the same router in another process, or a router whose state was restored at another
    time: routers of one place share it. One that was not heard of for a moment may be what a crash
    left: its successor is let in.
    """
    return [other for other in others if _is_twin(session, other) and _lives(other, now)]


def _is_twin(session: LinkSession, other: LinkSession) -> bool:
    one, two = session.neighbour, other.neighbour
    if other is session or one is None or two is None or one.site != two.site:
        return False
    if one.router == two.router:
        return session.peer_boot != other.peer_boot
    return session.peer_born[0] != other.peer_born[0]


def _lives(other: LinkSession, now: float) -> bool:
    lane = other.control_lane
    if lane is None or not other.is_up or other.is_draining:
        return False
    return now - lane.heard_at < limits.TWIN_HEARD_S


def is_original(session: LinkSession, twin: LinkSession) -> bool:
    """Whether ``session`` is of the one that was there first, and ``twin`` of its copy."""
    return session.peer_born[1] > 0 and session.peer_born < twin.peer_born


def refusal_of_copy(session: LinkSession, twin: LinkSession) -> HandshakeRejected:
    """What the copy is told: where both are, as far as it is seen from here."""
    name = session.neighbour.name if session.neighbour is not None else "the site"
    return HandshakeRejected(
        COPY,
        f"another router with the identity of {name} is linked here from {twin.peer_place}; this "
        f"one, from {session.peer_place}, is its copy and is kept out",
        "Stop one of the two: when the other is gone, this one is let in by itself",
    )

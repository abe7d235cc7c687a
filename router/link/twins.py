"""Two live processes with one identity that meet at a neighbour: a copy beside its original. Pure.

A site was restored from a backup, or its state copied, and the original goes on. The neighbour
knows both, so it decides before anything of the copy counts: the original keeps its link.
"""

from collections.abc import Iterable

from router.link.outgoing import COPY
from router.link.session import LinkSession
from router.model import limits
from router.model.errors import HandshakeRejected


def living_twin(
    session: LinkSession, others: Iterable[LinkSession], now: float
) -> LinkSession | None:
    """A link that another process of the router behind ``session`` has, and that surely lives.

    One that was not heard of for a moment may be what a crash left: its successor is let in.
    """
    for other in others:
        lane = other.control_lane
        if other is session or lane is None or not other.is_up or other.is_draining:
            continue
        if other.peer_boot != session.peer_boot and now - lane.heard_at < limits.TWIN_HEARD_S:
            return other
    return None


def is_original(session: LinkSession, twin: LinkSession) -> bool:
    """Whether ``session`` is of the one that was born first, and ``twin`` of its copy."""
    return 0 < session.peer_born < twin.peer_born


def refusal_of_copy(session: LinkSession, twin: LinkSession) -> HandshakeRejected:
    """What the copy is told: where both are, as far as it is seen from here."""
    name = session.neighbour.name if session.neighbour is not None else "the site"
    return HandshakeRejected(
        COPY,
        f"another router with the identity of {name} is linked here from {twin.peer_place}; this "
        f"one, from {session.peer_place}, is its copy and is kept out",
        "Stop one of the two: when the other is gone, this one is let in by itself",
    )

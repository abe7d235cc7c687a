"""Two live processes with one identity that meet at a neighbor: a copy beside its original. Pure.

A site was restored from a backup, or its state copied, while the original runs on. The neighbor
knows both, so it decides before anything from the copy counts: the original keeps its link.
"""

from collections.abc import Iterable

from router.link.sessions.lost_races import COPY
from router.link.sessions.session import LinkSession
from router.link.sessions.session_faults import printable
from router.model import limits
from router.model.errors import HandshakeRejected
from router.model.ids import SiteId


def living_twins(
    session: LinkSession, others: Iterable[LinkSession], now: float
) -> list[LinkSession]:
    """Links from another place of the site behind ``session`` that is certainly alive.

    It is either the same router in another process, or a router whose state was restored at another
    time: routers of one place share that time. A place that was just silent may be the remains of a
    crash: its successor is let in.
    """
    return [other for other in others if _is_twin(session, other) and _lives(other, now)]


def _is_twin(session: LinkSession, other: LinkSession) -> bool:
    one, two = session.neighbour, other.neighbour
    if other is session or one is None or two is None or one.site != two.site:
        return False
    if one.router == two.router:
        return session.greeting.peer_boot != other.greeting.peer_boot
    return session.greeting.peer_born[0] != other.greeting.peer_born[0]


def _lives(other: LinkSession, now: float) -> bool:
    lane = other.lanes.control
    if lane is None or not other.is_up or other.link_drain.is_draining:
        return False
    return now - lane.heard_at < limits.DUPLICATE_SEEN_S


def is_original(session: LinkSession, twin: LinkSession) -> bool:
    """Whether ``session`` belongs to the original, which was there first, and ``twin`` to its
    copy."""
    return (
        session.greeting.peer_born[1] > 0 and session.greeting.peer_born < twin.greeting.peer_born
    )


def place_of(session: LinkSession) -> str:
    """Where the process at the other end runs, as far as it is known."""
    lane, peer = session.lanes.control, session.greeting.peer
    if lane is None:
        return "an address that is gone"
    told = peer.place if peer is not None else ""
    # Without the port, so that a repeated refusal has the same text.
    host = lane.connection.peer.host
    return f"{host} ({printable(told)})" if told else host


class RefusedCopies:
    """The copies kept out here, for the operator of this site, and the refusal each gets."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[SiteId, tuple[str, float]] = {}

    def refusal(self, session: LinkSession, there: str, now: float) -> HandshakeRejected:
        """The refusal for the copy behind ``session``: where both are, as far as this site sees.

        ``there``: where its original is, as a phrase after "is".
        """
        neighbour = session.neighbour
        assert neighbour is not None
        place = place_of(session)
        self._seen[neighbour.site] = (
            f"Two routers run with the identity of {neighbour.name} ({neighbour.site}): one is "
            f"{there}; the other, at {place}, is its copy and is kept out.",
            now + limits.COPY_SHOWN_S,
        )
        return HandshakeRejected(
            COPY,
            f"another router with the identity of {neighbour.name} is {there}; this "
            f"one, from {place}, is its copy and is kept out",
            "Stop one of the two: when the other is gone, this one is let in by itself",
        )

    def let_in(self, session: LinkSession) -> None:
        """``session`` has no twin: forget the report about its site. A copy that is still there
        dials again, and is shown again."""
        if self._seen and session.neighbour is not None:
            self._seen.pop(session.neighbour.site, None)

    def seen(self, now: float) -> list[str]:
        """A sentence for each site whose copy dialed again lately, by site."""
        self._seen = {site: one for site, one in self._seen.items() if now < one[1]}
        return [text for _, (text, _) in sorted(self._seen.items())]

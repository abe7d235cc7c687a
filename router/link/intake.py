"""Byte budgets for decoding messages from a neighbor: one for LSAs, one for other messages.

A site has one rate over all its links, and so do all sites that one token let in.
"""

from collections.abc import Callable
from math import inf

from router.link.neighbour import Neighbour
from router.link.sessions.session import LinkSession
from router.link.streams.mux import LaneMux
from router.model import limits


class HolderIntake:
    """A byte budget for each holder (`Neighbour.holder`), however many links it has here.

    ``message_bytes``: charged for each message in addition to its size.
    """

    __slots__ = ("_burst_s", "_message_bytes", "_paid_at", "_per_s")

    def __init__(self, per_s: int, burst_bytes: int, message_bytes: int) -> None:
        self._per_s, self._message_bytes = per_s, message_bytes
        self._burst_s = burst_bytes / per_s
        self._paid_at: dict[str | bytes, float] = {}
        """When everything read from a holder will be paid for."""

    def late_s(self, holder: str | bytes, size_bytes: int, now: float) -> float:
        """Seconds by which ``holder`` exceeds its budget, after ``size_bytes`` from it; 0: it does
        not.

        Infinite: it exceeds it by far. Such a message is not charged and must not be read.
        ``holder`` may be the session of a link whose neighbor has not proved its identity.
        """
        paid_at = self._paid_at.get(holder)
        if paid_at is None or paid_at < now:
            if paid_at is None:
                self._forget_paid(now)
            paid_at = now
        late_s = paid_at - now - self._burst_s
        if late_s > limits.INTAKE_LATE_S_MAX:
            return inf
        cost_s = (size_bytes + self._message_bytes) / self._per_s
        self._paid_at[holder] = paid_at + cost_s
        return max(0.0, late_s + cost_s)

    def _forget_paid(self, now: float) -> None:
        self._paid_at = {holder: at for holder, at in self._paid_at.items() if at > now}


def lsa_intake() -> HolderIntake:
    """The budget for LSAs, before they are decoded."""
    return HolderIntake(
        limits.LSA_INTAKE_BYTES_PER_S,
        limits.LSA_INTAKE_BURST_BYTES,
        limits.LSA_INTAKE_MESSAGE_BYTES,
    )


def control_intake() -> HolderIntake:
    """The budget for control messages, without the LSA in one."""
    return HolderIntake(
        limits.CONTROL_INTAKE_BYTES_PER_S,
        limits.CONTROL_INTAKE_BURST_BYTES,
        limits.CONTROL_INTAKE_MESSAGE_BYTES,
    )


class LinkIntake:
    """The intake of all links of a router: a lane that brings too much pauses."""

    __slots__ = ("_control", "_lsas", "_now")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lsas, self._control = lsa_intake(), control_intake()

    def session_read(self, session: LinkSession, lane: LaneMux, size_bytes: int) -> None:
        """A control message was decoded (`SessionOwner`)."""
        if session.is_up and session.is_of_sibling:
            return
        neighbour, session_id = session.neighbour, session.greeting.session_id
        holder = neighbour.holder if session.is_up and neighbour else session_id
        late_s = self._control.late_s(holder, size_bytes, self._now())
        if late_s:
            lane.rest(min(late_s, limits.INTAKE_REST_S_MAX))
        if late_s == inf:
            lane.misbehaved()

    def takes_lsa(self, session: LinkSession, neighbour: Neighbour, size_bytes: int) -> bool:
        """Charge an LSA from ``neighbour``; False: it must not be read."""
        late_s = self._lsas.late_s(neighbour.holder, size_bytes, self._now())
        if late_s:
            session.lanes.rest(min(late_s, limits.INTAKE_REST_S_MAX))
        return late_s != inf

"""How many bytes a neighbor may have this router decode: of LSAs, of other messages.

A site has one rate over all its links, and so have all sites that one token let in.
"""

from collections.abc import Callable
from math import inf

from router.link.neighbour import Neighbour
from router.link.sessions.session import LinkSession
from router.link.streams.mux import LaneMux
from router.model import limits


class HolderIntake:
    """A budget of bytes for each holder (`Neighbour.holder`), however many links it has here.

    ``message_bytes``: what a message counts beside its own.
    """

    __slots__ = ("_burst_s", "_message_bytes", "_paid_at", "_per_s")

    def __init__(self, per_s: int, burst_bytes: int, message_bytes: int) -> None:
        self._per_s, self._message_bytes = per_s, message_bytes
        self._burst_s = burst_bytes / per_s
        self._paid_at: dict[str | bytes, float] = {}
        """When all that was read of a holder is paid for."""

    def late_s(self, holder: str | bytes, size_bytes: int, now: float) -> float:
        """How long ``holder`` is above its budget, now that ``size_bytes`` came of it; 0: not.

        Infinite: it is far above. Then this message costs it nothing: it is not to be read.
        ``holder`` may be a link's session, of a neighbour that has not proved which it is.
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
    """Of LSAs, before they are decoded."""
    return HolderIntake(
        limits.LSA_INTAKE_BYTES_PER_S,
        limits.LSA_INTAKE_BURST_BYTES,
        limits.LSA_INTAKE_MESSAGE_BYTES,
    )


def control_intake() -> HolderIntake:
    """Of control messages, an LSA in one apart."""
    return HolderIntake(
        limits.CONTROL_INTAKE_BYTES_PER_S,
        limits.CONTROL_INTAKE_BURST_BYTES,
        limits.CONTROL_INTAKE_MESSAGE_BYTES,
    )


class LinkIntake:
    """Of all links of a router: a lane that brings too much rests."""

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
        """An LSA came from ``neighbour``; False: it is not to be read."""
        late_s = self._lsas.late_s(neighbour.holder, size_bytes, self._now())
        if late_s:
            session.lanes.rest(min(late_s, limits.INTAKE_REST_S_MAX))
        return late_s != inf

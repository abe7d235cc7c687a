"""How many bytes a neighbouring site may have this router decode: of LSAs, of other messages."""

from collections.abc import Callable
from math import inf

from router.link.sessions.session import LinkSession
from router.link.streams.mux import LaneMux
from router.model import limits
from router.model.ids import SiteId


class SiteIntake:
    """A budget of bytes for each site, whatever number of links it has here.

    ``message_bytes``: what a message counts beside its own.
    """

    __slots__ = ("_burst_s", "_message_bytes", "_paid_at", "_per_s")

    def __init__(self, per_s: int, burst_bytes: int, message_bytes: int) -> None:
        self._per_s, self._message_bytes = per_s, message_bytes
        self._burst_s = burst_bytes / per_s
        self._paid_at: dict[SiteId | bytes, float] = {}
        """When all that was read of a site is paid for."""

    def late_s(self, site: SiteId | bytes, size_bytes: int, now: float) -> float:
        """A message of ``size_bytes`` came from ``site``: how long it is above its budget; 0: not.

        Infinite: it is far above. Then this message costs the site nothing: it is not to be read.
        ``site`` may be a link's session, of a neighbour that has not proved which it is.
        """
        paid_at = self._paid_at.get(site)
        if paid_at is None or paid_at < now:
            if paid_at is None:
                self._forget_paid(now)
            paid_at = now
        late_s = paid_at - now - self._burst_s
        if late_s > limits.INTAKE_LATE_S_MAX:
            return inf
        cost_s = (size_bytes + self._message_bytes) / self._per_s
        self._paid_at[site] = paid_at + cost_s
        return max(0.0, late_s + cost_s)

    def _forget_paid(self, now: float) -> None:
        self._paid_at = {site: at for site, at in self._paid_at.items() if at > now}


def lsa_intake() -> SiteIntake:
    """Of LSAs, before they are decoded."""
    return SiteIntake(
        limits.LSA_INTAKE_BYTES_PER_S,
        limits.LSA_INTAKE_BURST_BYTES,
        limits.LSA_INTAKE_MESSAGE_BYTES,
    )


def control_intake() -> SiteIntake:
    """Of control messages, an LSA in one apart."""
    return SiteIntake(
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
        site = session.neighbour.site if session.is_up and session.neighbour else None
        late_s = self._control.late_s(site or session.greeting.session_id, size_bytes, self._now())
        if late_s:
            lane.rest(min(late_s, limits.INTAKE_REST_S_MAX))
        if late_s == inf:
            lane.misbehaved()

    def takes_lsa(self, session: LinkSession, site: SiteId, size_bytes: int) -> bool:
        """An LSA of ``site`` came; False: it is not to be read."""
        late_s = self._lsas.late_s(site, size_bytes, self._now())
        if late_s:
            session.lanes.rest(min(late_s, limits.INTAKE_REST_S_MAX))
        return late_s != inf

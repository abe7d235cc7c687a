"""How much a neighbouring site may have this router read of LSAs, before anything is decoded."""

from math import inf

from router.model import limits
from router.model.ids import SiteId


class LsaIntake:
    """A budget of bytes for each site, whatever number of links it has here."""

    __slots__ = ("_paid_at",)

    def __init__(self) -> None:
        self._paid_at: dict[SiteId, float] = {}
        """When all that was read of a site is paid for."""

    def late_s(self, site: SiteId, size_bytes: int, now: float) -> float:
        """An LSA of ``size_bytes`` came from ``site``: how long it is above its budget; 0: not.

        Infinite: it is far above. Then this LSA is not to be decoded, and costs the site nothing.
        """
        per_s, burst_bytes = limits.LSA_INTAKE_BYTES_PER_S, limits.LSA_INTAKE_BURST_BYTES
        paid_at = self._paid_at.get(site)
        if paid_at is None or paid_at < now:
            if paid_at is None:
                self._forget_paid(now)
            paid_at = now
        late_s = paid_at - now - burst_bytes / per_s
        if late_s > limits.LSA_INTAKE_LATE_S_MAX:
            return inf
        cost_s = (size_bytes + limits.LSA_INTAKE_MESSAGE_BYTES) / per_s
        self._paid_at[site] = paid_at + cost_s
        return max(0.0, late_s + cost_s)

    def _forget_paid(self, now: float) -> None:
        self._paid_at = {site: at for site, at in self._paid_at.items() if at > now}

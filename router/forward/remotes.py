"""What one service port remembers of other sites, beside its balancer's estimates of their load."""

from collections.abc import Sequence

from router.model.adverts import RemoteCandidate
from router.model.ids import SiteId

SMOOTHING = 0.2
"""Weight of the newest sample in moving means."""


class Remotes:
    """Names and round trips, also of sites without a route now; how long requests take."""

    __slots__ = ("_round_trips_s", "_site", "names", "service_time_s")

    def __init__(self, site: SiteId, site_name: str) -> None:
        """``site`` is this one."""
        self._site = site
        self.names: dict[SiteId, str] = {site: site_name}
        """As labels, of this site too; one whose name was not heard goes by its id."""
        self._round_trips_s: dict[SiteId, float] = {}
        self.service_time_s = 0.0
        """The mean that a target has a request for, over all sites; 0.0: not known yet. Kept in
        place at the end of each request (hot), with `SMOOTHING`."""

    def learn(self, remotes: Sequence[RemoteCandidate]) -> None:
        """The remote candidates of the present route table."""
        for one in remotes:
            if one.site != self._site:  # It may be another router of this one.
                self.names[one.site] = one.site_name
            self._round_trips_s.setdefault(one.site, 0.0)

    def note_round_trip(self, site: SiteId, seconds: float) -> None:
        """A first answer of ``site`` took that long."""
        known = self._round_trips_s
        if site in known:
            known[site] += SMOOTHING * (seconds - known[site])

    def round_trip_s(self, site: SiteId) -> float:
        """The mean of those; 0.0: none was measured."""
        return self._round_trips_s.get(site, 0.0)

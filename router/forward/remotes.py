"""What one service port remembers of other sites, beside its balancer's estimates of their load."""

from collections.abc import Sequence

from router.model.adverts import RemoteCandidate
from router.model.ids import SiteId

SMOOTHING = 0.2
"""Weight of the newest sample in moving means."""


class _Remote:
    """One of them."""

    __slots__ = ("name", "round_trip_s")

    def __init__(self, name: str) -> None:
        self.name = name
        self.round_trip_s = 0.0


class Remotes:
    """Names and round trips, also of sites without a route now; how long requests take."""

    __slots__ = ("_remotes", "_site", "_site_name", "service_time_s")

    def __init__(self, site: SiteId, site_name: str) -> None:
        """``site`` is this one."""
        self._site = site
        self._site_name = site_name
        self._remotes: dict[SiteId, _Remote] = {}
        self.service_time_s = 0.0
        """The mean that a target has a request for, over all sites; 0.0: not known yet."""

    def learn(self, remotes: Sequence[RemoteCandidate]) -> None:
        """The remote candidates of the present route table."""
        for one in remotes:
            remote = self._remotes.get(one.site)
            if remote is None:
                remote = self._remotes[one.site] = _Remote(one.site_name)
            remote.name = one.site_name

    def name_of(self, site: SiteId) -> str:
        """A site's name as a label; its id when no name was heard."""
        if site == self._site:
            return self._site_name
        remote = self._remotes.get(site)
        return remote.name if remote is not None else site

    def note_service_time(self, seconds: float) -> None:
        """A target had a request for that long."""
        known = self.service_time_s
        self.service_time_s = known + SMOOTHING * (seconds - known) if known else seconds

    def note_round_trip(self, site: SiteId, seconds: float) -> None:
        """A first answer of ``site`` took that long."""
        remote = self._remotes.get(site)
        if remote is not None:
            remote.round_trip_s += SMOOTHING * (seconds - remote.round_trip_s)

    def round_trip_s(self, site: SiteId) -> float:
        """The mean of those; 0.0: none was measured."""
        remote = self._remotes.get(site)
        return remote.round_trip_s if remote is not None else 0.0

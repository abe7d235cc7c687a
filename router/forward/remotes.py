"""What one service port remembers of other sites, beside its balancer's estimates of their load."""

from collections.abc import Sequence

from router.balance.reports import standing_target
from router.model.adverts import RemoteCandidate
from router.model.ids import SiteId

SMOOTHING = 0.2
"""Weight of the newest sample in moving means."""


class _Remote:
    """One of them."""

    __slots__ = ("name", "round_trip_s", "slots")

    def __init__(self, name: str) -> None:
        self.name = name
        self.slots = 1
        self.round_trip_s = 0.0


class Remotes:
    """Names, sizes and round trips, also of sites without a route now; how long requests take."""

    __slots__ = ("_remotes", "_service_time_s", "_site", "_site_name")

    def __init__(self, site: SiteId, site_name: str) -> None:
        """``site`` is this one."""
        self._site = site
        self._site_name = site_name
        self._remotes: dict[SiteId, _Remote] = {}
        self._service_time_s = 0.0

    def learn(self, remotes: Sequence[RemoteCandidate]) -> None:
        """The remote candidates of the present route table."""
        for one in remotes:
            remote = self._remotes.get(one.site)
            if remote is None:
                remote = self._remotes[one.site] = _Remote(one.site_name)
            remote.name = one.site_name
            remote.slots = one.capacity if one.capacity is not None else one.targets_ready

    def name_of(self, site: SiteId) -> str:
        """A site's name as a label; its id when no name was heard."""
        if site == self._site:
            return self._site_name
        remote = self._remotes.get(site)
        return remote.name if remote is not None else site

    def note_service_time(self, seconds: float) -> None:
        """A request took that long, over all sites."""
        self._service_time_s += SMOOTHING * (seconds - self._service_time_s)

    def note_round_trip(self, site: SiteId, seconds: float) -> None:
        """A first answer of ``site`` took that long."""
        remote = self._remotes.get(site)
        if remote is not None:
            remote.round_trip_s += SMOOTHING * (seconds - remote.round_trip_s)

    def round_trip_s(self, site: SiteId) -> float:
        """The mean of those; 0.0: none was measured."""
        remote = self._remotes.get(site)
        return remote.round_trip_s if remote is not None else 0.0

    def standing_target(self, site: SiteId) -> int:
        """How many requests to keep standing at ``site`` while it is full."""
        remote = self._remotes.get(site)
        if remote is None:
            return 1
        return standing_target(remote.slots, remote.round_trip_s, self._service_time_s)

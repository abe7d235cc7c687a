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
        """A target had a request for that long, over all sites."""
        known = self._service_time_s
        self._service_time_s = known + SMOOTHING * (seconds - known) if known else seconds

    @property
    def service_time_s(self) -> float:
        """The moving mean of those; 0.0: none was measured."""
        return self._service_time_s

    def freed_per_s(self, slots: int) -> float:
        """How many of ``slots`` full ones come free a second; 0.0: not known."""
        return slots / self._service_time_s if self._service_time_s > 0.0 else 0.0

    def slots_of(self, site: SiteId) -> int:
        """What was last advertised of it; a target without a capacity counts as one."""
        remote = self._remotes.get(site)
        return remote.slots if remote is not None else 0

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

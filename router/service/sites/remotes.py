"""Round trips and durations that one service port knows of other sites, besides load estimates."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from math import inf

from router.model import limits
from router.model.ids import SiteId
from router.model.messages.adverts import RemoteCandidate

SMOOTHING = 0.2
"""Weight of the newest sample in moving means."""
USUAL_TURNS = 100
"""The usual time is the mean of about so many turns: a pause of all targets does not count."""


class Remotes:
    """Round trips, also of sites without a route now; how long requests take."""

    __slots__ = ("_round_trips_s", "_shortest", "_turns", "_usual_time_s", "far", "service_time_s")

    def __init__(self) -> None:
        self.far: set[SiteId] = set()
        """Sites whose round trip is beyond `limits.FAR_RTT_S`."""
        self._round_trips_s: dict[SiteId, float] = {}
        self._shortest: dict[SiteId, tuple[float, int]] = {}  # Of so many waits, by far site.
        self.service_time_s = 0.0
        """The mean time that a target has a request, over all sites; 0.0: not known yet."""
        self._usual_time_s = 0.0
        self._turns = 0

    def learn(self, remotes: Sequence[RemoteCandidate]) -> None:
        """The remote candidates of the present route table."""
        known = self._round_trips_s
        for one in remotes:
            known.setdefault(one.site, 0.0)
        if len(known) > limits.ROUND_TRIPS_KEPT_MAX:
            self._forget({one.site for one in remotes})

    def _forget(self, present: AbstractSet[SiteId]) -> None:
        """Of the sites without a route, those that were learned first."""
        known = self._round_trips_s
        gone = [site for site in known if site not in present]
        for site in gone[: len(known) - limits.ROUND_TRIPS_KEPT_MAX]:
            del known[site]
            self.far.discard(site)
            self._shortest.pop(site, None)

    def note_service(self, times_s: Sequence[float]) -> None:
        """In this turn requests ended at targets, which had them for these times."""
        if not times_s:
            return
        mean_s = self.service_time_s
        for seconds in times_s:
            mean_s = mean_s + SMOOTHING * (seconds - mean_s) if mean_s else seconds
        self.service_time_s = mean_s
        turns = self._turns
        if turns < USUAL_TURNS:
            self._turns = turns = turns + 1
        self._usual_time_s += (seconds - self._usual_time_s) / turns

    @property
    def least_time_s(self) -> float:
        """`service_time_s`, or the usual time, if that is less: after a pause of all targets the
        last requests took long, and the next ones need not.
        """
        return min(self.service_time_s, self._usual_time_s)

    def note_round_trip(self, site: SiteId, seconds: float) -> None:
        """A first answer of ``site`` took that long."""
        known = self._round_trips_s
        if site in known:
            mean_s = known[site]
            mean_s = mean_s + SMOOTHING * (seconds - mean_s) if mean_s else seconds
            known[site] = mean_s
            if (mean_s > limits.FAR_RTT_S) != (site in self.far):
                self._note_distance(site)

    def note_stand(self, site: SiteId, seconds: float) -> None:
        """A request that could wait at ``site``, which is far, had a slot after this time.

        That is a round trip and the wait. So the shortest of several counts, and any shorter than
        the known one counts at once.
        """
        shortest_s, count = self._shortest.get(site, (inf, 0))
        shortest_s, count = min(shortest_s, seconds), count + 1
        if count >= limits.ROUND_TRIP_SAMPLES:
            self._shortest.pop(site, None)
        else:
            self._shortest[site] = shortest_s, count
        if count >= limits.ROUND_TRIP_SAMPLES or seconds < self.round_trip_s(site):
            self._round_trips_s[site] = shortest_s
            self._note_distance(site)

    def round_trip_s(self, site: SiteId) -> float:
        """About the usual round trip; 0.0: none was measured."""
        return self._round_trips_s.get(site, 0.0)

    def _note_distance(self, site: SiteId) -> None:
        if self.round_trip_s(site) > limits.FAR_RTT_S:
            self.far.add(site)
        else:
            self.far.discard(site)
            self._shortest.pop(site, None)

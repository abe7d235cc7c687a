"""Google's waterfall by region: the nearest region to its target, then the next, planned centrally.

Each backend has a target of in-flight requests, 0.8 of the number it works on at once; a region's
usable capacity is their sum. Once a second a planner takes the mean requests in flight of each
region's clients, fills their own region first, then the nearest with room. The excess over all
targets goes everywhere in proportion. Until the next plan requests follow these shares. A region
with less than a quarter of its backends up is drained. Inside a region: least request. Left out:
zones, preferred backends, isolation; the period is a guess, since none is published. Source: Google
Cloud's documentation, "Advanced load balancing optimizations".
"""

from typing import Final

from simulator.rivals.pods import Pod
from simulator.rivals.rule import Balancer, RivalPlace, Rule

TARGET: Final = 0.8
PERIOD_S: Final = 1.0
DRAINED_BELOW: Final = 0.25

Plan = dict[str, dict[str, float]]
"""Load of each region's clients, by the region that takes it."""


def plan(wanted: dict[str, float], usable: dict[str, float], nearest: dict[str, list[str]]) -> Plan:
    """Fill the own region, then others by nearness; the rest in proportion to ``usable``.

    ``nearest``: the regions in reach of each, itself first. All in requests at once.
    """
    free, left = dict(usable), dict(wanted)
    found: Plan = {region: {} for region in wanted}
    for rank in range(max(map(len, nearest.values()), default=0)):
        for region in wanted:
            if rank >= len(nearest[region]):
                continue
            there = nearest[region][rank]
            taken = min(left[region], free.get(there, 0.0))
            if taken > 0:
                found[region][there] = taken
                free[there] -= taken
                left[region] -= taken
    for region, more in left.items():
        reach = {there: usable.get(there, 0.0) for there in nearest[region]}
        total = sum(reach.values())
        for there, capacity in reach.items():
            if more > 0 and capacity > 0:
                found[region][there] = found[region].get(there, 0.0) + more * capacity / total
    return found


def rule() -> Rule:
    """The rule for one run: all balancers of a service share one planner."""
    planners: dict[str, _Planner] = {}

    def balancer(place: RivalPlace) -> Balancer:
        planner = planners.setdefault(place.service, _Planner())
        made = planner.places[place.site] = _GoogleWaterfall(place, planner)
        return made

    return balancer


class _Planner:
    """The planner of one service: the demand of each site, and the sites that it reaches."""

    def __init__(self) -> None:
        self.places: dict[str, _GoogleWaterfall] = {}
        self.found: Plan = {}
        self._planned = 0.0

    def renew(self, now: float) -> None:
        """Plan again, if it is time."""
        if now - self._planned < PERIOD_S:
            return
        self._planned = now
        wanted = {site: one.mean_in_flight(now) for site, one in self.places.items()}
        nearest = {site: one.place.sites for site, one in self.places.items()}
        usable = {
            there: one.usable(there) for one in self.places.values() for there in one.place.sites
        }
        self.found = plan(wanted, usable, nearest)


class _GoogleWaterfall(Balancer):
    def __init__(self, place: RivalPlace, planner: _Planner) -> None:
        super().__init__(place)
        self._planner = planner
        self._in_flight = 0
        self._since = self._counted = place.now()
        self._seconds = 0.0

    def usable(self, site: str) -> float:
        """The capacity of ``site`` up to its target."""
        pods = [pod for pod in self.place.pods if pod.site == site]
        up = [pod for pod in pods if pod.known_up]
        return (
            TARGET * sum(pod.slots for pod in up) if len(up) >= DRAINED_BELOW * len(pods) else 0.0
        )

    def mean_in_flight(self, now: float) -> float:
        """The mean since the last call."""
        self._count(0, now)
        passed_s = max(now - self._since, 1e-9)
        mean, self._since, self._seconds = self._seconds / passed_s, now, 0.0
        return mean

    def _count(self, more: int, now: float) -> None:
        self._seconds += self._in_flight * (now - self._counted)
        self._counted = now
        self._in_flight += more

    def begun(self, pod: Pod) -> None:
        super().begun(pod)
        self._count(1, self.place.now())

    def answered(self, pod: Pod) -> None:
        super().answered(pod)
        self._count(-1, self.place.now())

    def choose(self) -> Pod | None:
        self._planner.renew(self.place.now())
        planned = self._planner.found.get(self.place.site, {})
        shares = {site: share for site, share in planned.items() if self.up(site)}
        if not shares:
            near = next((site for site in self.place.sites if self.up(site)), None)
            return None if near is None else self.less_loaded(self.up(near))
        (site,) = self.place.random.choices(list(shares), list(shares.values()))
        return self.less_loaded(self.up(site))

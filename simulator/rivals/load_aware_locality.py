"""Envoy's `load_aware_locality`: localities by headroom, the local one while it is not busier.

Every answer reports the utilization of its pod (ORCA). Once a second the mean of each locality is
computed, smoothed over 5 s. All requests stay local while the local mean is at most 0.1 above the
mean of the others; above that, localities get weights of pods x (1 - utilization). Of the local
requests 3 % still go to others, for reports from them; reports older than 3 min do not count.
Inside: least request. Left out: reports without requests. Source: Envoy's documentation of the
policy (work in progress).
"""

from math import exp
from typing import Final

from simulator.rivals.pods import Pod
from simulator.rivals.rule import Balancer, RivalPlace

UPDATE_S: Final = 1.0
SMOOTHED_S: Final = 5.0
THRESHOLD: Final = 0.1
PROBES: Final = 0.03
EXPIRES_S: Final = 180.0


class LoadAwareLocality(Balancer):
    """See the module."""

    def __init__(self, place: RivalPlace) -> None:
        super().__init__(place)
        self._told: dict[Pod, tuple[float, float]] = {}
        self._smoothed: dict[str, float] = {}
        self._weights: dict[str, float] = {}
        self._updated = -UPDATE_S

    def answered(self, pod: Pod) -> None:
        super().answered(pod)
        self._told[pod] = self.place.now(), pod.utilization

    def choose(self) -> Pod | None:
        if self.place.now() - self._updated >= UPDATE_S:
            self._update(self.place.now())
        sites = {pod.site for pod in self.up()}
        weights = {site: self._weights.get(site, 0.0) for site in self.place.sites if site in sites}
        if not any(weights.values()):
            weights = dict.fromkeys(weights, 1.0)
        if not weights:
            return None
        (site,) = self.place.random.choices(list(weights), list(weights.values()))
        return self.less_loaded(self.up(site))

    def _update(self, now: float) -> None:
        kept = exp(-min(now - self._updated, UPDATE_S) / SMOOTHED_S)
        self._updated = now
        pods_of: dict[str, int] = {}
        for site in self.place.sites:
            pods = self.up(site)
            pods_of[site] = len(pods)
            fresh = [self._told[pod] for pod in pods if pod in self._told]
            fresh = [told for told in fresh if now - told[0] <= EXPIRES_S]
            if not fresh:
                self._smoothed.pop(site, None)
                continue
            mean = sum(utilization for _, utilization in fresh) / len(fresh)
            before = self._smoothed.get(site, mean)
            self._smoothed[site] = kept * before + (1.0 - kept) * mean
        self._weights = self._weigh(pods_of)

    def _weigh(self, pods_of: dict[str, int]) -> dict[str, float]:
        local = self.place.site
        others = [site for site in pods_of if site != local]
        if pods_of.get(local):
            heard = [self._smoothed[site] for site in others if site in self._smoothed]
            mean = sum(heard) / len(heard) if heard else 0.0
            if self._smoothed.get(local, 0.0) <= mean + THRESHOLD:
                count = sum(pods_of[site] for site in others)
                probes = {site: PROBES * pods_of[site] / count for site in others if count}
                return {local: 1.0 - PROBES if probes else 1.0, **probes}
        return {
            site: count * max(0.0, 1.0 - self._smoothed.get(site, 0.0))
            for site, count in pods_of.items()
        }

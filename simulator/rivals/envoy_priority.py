"""Envoy's priorities with locality: the nearest site's pods first, farther ones as these fail.

There is a priority for each path cost. Its health is 1.4 (the overprovisioning factor) times the
share of its pods that are up, at most 1; each priority takes the remaining load up to its health.
If all together do not reach 1, the load is shared in proportion. Inside: least request. The load of
pods decides nothing: excess requests wait in the local pods. Left out: panic inside a priority,
outlier detection. Source: Envoy's documentation, "Priority levels".
"""

from typing import Final

from simulator.rivals.pods import Pod
from simulator.rivals.rule import Balancer

OVERPROVISIONED: Final = 1.4


def shares(healths: list[float]) -> list[float]:
    """Shares of the load, by priority; all 0 if no pod is healthy, else their sum is 1."""
    left, found = 1.0, []
    for health in healths:
        share = min(left, min(1.0, OVERPROVISIONED * health))
        left -= share
        found.append(share)
    total = sum(found)
    return [share / total for share in found] if total else found


class EnvoyPriority(Balancer):
    """See the module."""

    def choose(self) -> Pod | None:
        costs = sorted({self.place.cost_of[pod.site] for pod in self.place.pods})
        levels = [
            [pod for pod in self.place.pods if self.place.cost_of[pod.site] == cost]
            for cost in costs
        ]
        found = shares([sum(pod.known_up for pod in level) / len(level) for level in levels])
        if not any(found):
            return None
        (level,) = self.place.random.choices(levels, found)
        return self.less_loaded([pod for pod in level if pod.known_up])

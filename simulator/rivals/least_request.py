"""Envoy's weighted least request over the pods of all sites, at any distance.

Equal weights: of two random pods the one with fewer requests in flight. Else each pod is picked in
proportion to weight / (in flight + 1), the default bias of 1. Weights are the slots of the pods, as
a user would configure them. Counts are a proxy's own: it does not know the requests of others. Left
out: slow start, panic, circuit breakers. Source: Envoy's documentation, "Weighted least request".
"""

from simulator.rivals.pods import Pod
from simulator.rivals.rule import Balancer


class LeastRequest(Balancer):
    """See the module."""

    def choose(self) -> Pod | None:
        pods = self.up()
        if len({pod.slots for pod in pods}) <= 1:
            return self.less_loaded(pods)
        weights = [pod.slots / (self.sent.get(pod, 0) + 1) for pod in pods]
        return self.place.random.choices(pods, weights)[0]

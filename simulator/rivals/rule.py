"""The interface of a rule: its inputs and its answer."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from random import Random

from simulator.rivals.pods import Pod


class RivalPlace:
    """One service as clients at one site see it. ``pods``: of all sites in reach, nearest first.

    ``cost_of`` and ``rtt_of`` by site. ``now`` is seconds of the scenario; ``at`` plans an action.
    ``random`` is a separate generator for this place.
    """

    __slots__ = ("at", "cost_of", "now", "pods", "random", "rtt_of", "service", "site")

    def __init__(
        self,
        site: str,
        service: str,
        pods: Sequence[Pod],
        cost_of: dict[str, int],
        rtt_of: dict[str, float],
        now: Callable[[], float],
        at: Callable[[float, Callable[[], None]], None],
        random: Random,
    ) -> None:
        self.site, self.service, self.pods = site, service, pods
        self.cost_of, self.rtt_of = cost_of, rtt_of
        self.now, self.at, self.random = now, at, random

    @property
    def sites(self) -> list[str]:
        """Sites that have pods, nearest first."""
        return list(dict.fromkeys(pod.site for pod in self.pods))


class Balancer(ABC):
    """The balancer of one place. It may read `Pod.known_up` of pods, and count its own requests."""

    def __init__(self, place: RivalPlace) -> None:
        self.place = place
        self.sent: dict[Pod, int] = {}
        """Requests in flight that this balancer sent."""

    @abstractmethod
    def choose(self) -> Pod | None:
        """The pod for the next request; None: no pod is up."""

    def begun(self, pod: Pod) -> None:
        """A request was sent to ``pod``."""
        self.sent[pod] = self.sent.get(pod, 0) + 1

    def answered(self, pod: Pod) -> None:
        """``pod`` answered one, or its connection broke. Its load may be read: answers carry it."""
        self.sent[pod] -= 1

    def up(self, site: str | None = None) -> list[Pod]:
        """Pods that are known to be up, of one site or all."""
        return [
            pod for pod in self.place.pods if pod.known_up and (site is None or pod.site == site)
        ]

    def less_loaded(self, pods: Sequence[Pod]) -> Pod | None:
        """Of two random ``pods`` the one with fewer of our requests (Mitzenmacher, 2001)."""
        if not pods:
            return None
        first, second = (self.place.random.choice(pods) for _ in range(2))
        return min(first, second, key=lambda pod: self.sent.get(pod, 0))


Rule = Callable[[RivalPlace], Balancer]
"""Creates the balancer of one place."""

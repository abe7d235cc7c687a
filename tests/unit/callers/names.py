"""A `CallerNames` that tests answer for, and a clock that they move."""

from bisect import bisect_left
from math import inf

from router.callers.names import CallerName
from router.model.ids import ServiceKey, SiteId
from router.model.latency import FINE_BOUNDS_S
from router.net.ports import Address

SHOP, STOCK = ServiceKey("shop", 80), ServiceKey("stock", 81)
HERE, FAR = SiteId("a" * 32), SiteId("b" * 32)
LOCAL = Address("10.0.0.1", 80)
WEB = CallerName("workload", "deployment/web")
CRON = CallerName("workload", "job/cron")


class Clock:
    """Seconds of a clock that is never set."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Names:
    """Of ``owners`` by address; who is in ``known`` is so at once."""

    def __init__(self) -> None:
        self.known: dict[str, CallerName] = {}
        self.owners: dict[str, CallerName] = {}
        self.settled = inf
        self.asked: list[tuple[str, float, float]] = []

    def at_once(self, peer: Address, local: Address) -> CallerName | None:
        return self.known.get(peer.host)

    def settled_until(self) -> float:
        return self.settled

    def owner(self, host: str, since: float, until: float) -> CallerName:
        self.asked.append((host, since, until))
        return self.owners.get(host, CallerName("address", host))


def bucket_of(seconds: float) -> int:
    """Where a request of so many is counted."""
    return bisect_left(FINE_BOUNDS_S, seconds)

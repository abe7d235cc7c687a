"""Requests that wait for a slot, in lines."""

from collections import OrderedDict
from collections.abc import Set
from typing import Protocol

from router.balance.deciding.decisions import Asked, Decision, RemoteWait
from router.balance.site.queue_speed import QueueSpeed
from router.service.admission import Waiter


class Waiting(Waiter, Protocol):
    """A request in the line: gets one of the commands when it has left the line.

    Its ``line`` is `RequestQueue.own_line`.
    """

    @property
    def asked(self) -> Asked:
        """The properties that decide where it goes."""

    @property
    def out(self) -> frozenset[str]:
        """Places (`Decision.place`) that failed this request for good: waiting does not help."""

    @property
    def patient_until(self) -> float:
        """The deadline of the request without a site being woken."""

    def forget_lost_ways(self) -> None:
        """Routes changed: sites that were unreachable may be reachable."""

    def proceed(self, decision: Decision) -> None:
        """A site has room: go."""

    def dismiss(self) -> None:
        """The service goes away."""

    def stand(self, to: Decision | RemoteWait, wait_s: float, travel_s: float) -> bool:
        """Open a stream that waits there for ``wait_s``; False: no adjacency, and nothing is done.

        ``travel_s``: the way there and back, which does not count as its time; 0.0: it is near.
        """


class WaitingLine:
    """Requests of one class: those that wait here, in order, and how many wait elsewhere."""

    __slots__ = ("far", "speed", "standing", "waiting")

    def __init__(self) -> None:
        self.waiting: OrderedDict[Waiting, float] = OrderedDict()
        """With their deadlines, in order of arrival."""
        self.standing: dict[str, int] = {}
        """By `RemoteWait.place`."""
        self.far: dict[Waiting, tuple[str, float]] = {}
        """Of these, those at far places: the place, and when one is answered if a slot is free
        there.
        """
        self.speed = QueueSpeed()

    def travelling(self, now: float, but_to: Set[str] = frozenset()) -> int:
        """How many are on the way to a far place and back, without those to ``but_to``, and are not
        known to wait there yet. O(requests at far places).
        """
        if not self.far:
            return 0
        return sum([at > now and to not in but_to for to, at in self.far.values()])

    def count(self, now: float) -> int:
        """All, wherever they wait."""
        return len(self.waiting) + sum(self.standing.values()) - self.travelling(now)

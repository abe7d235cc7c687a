"""Pods of the models: each works on a number of requests at once, more wait in it."""

from collections import deque
from collections.abc import Callable

from simulator.scenarios.scenario import ScenarioTargets

Done = Callable[[bool], None]


class Pod:
    """One backend. ``known_up``: its state by health checks, which lags behind ``is_up``."""

    __slots__ = (
        "busy",
        "factor",
        "failing",
        "in_flight",
        "is_up",
        "known_up",
        "open",
        "site",
        "slots",
        "spec",
        "waiting",
    )

    def __init__(self, spec: ScenarioTargets) -> None:
        assert spec.slots is not None, "the reader fills it in"
        self.spec, self.site, self.slots = spec, spec.site, spec.slots
        self.busy = self.in_flight = 0
        self.factor, self.failing = 1.0, 0.0
        self.is_up = self.known_up = True
        self.waiting: deque[Callable[[], None]] = deque()
        self.open: list[Done] = []
        """Called when it stops."""

    @property
    def utilization(self) -> float:
        """Share of its slots that work."""
        return self.busy / self.slots

    def take(self, begin: Callable[[], None], done: Done) -> None:
        """Begin a request, or let it wait for a slot."""
        self.in_flight += 1
        self.open.append(done)
        if self.busy < self.slots:
            self.busy += 1
            begin()
        else:
            self.waiting.append(begin)

    def release(self, done: Done) -> bool:
        """The work on a request is done. False: the pod stopped meanwhile, and its client was
        notified.
        """
        if done not in self.open:
            return False
        self.open.remove(done)
        self.in_flight -= 1
        if self.waiting:
            self.waiting.popleft()()
        else:
            self.busy -= 1
        return True

    def stop(self) -> None:
        """As a killed process: its connections break."""
        self.is_up = False
        self.busy = self.in_flight = 0
        self.waiting.clear()
        broken, self.open = self.open, []
        for done in broken:
            done(False)

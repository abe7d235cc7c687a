"""Burst hooks of one simulated site: the production detector and rules, in a world that wakes."""

from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

import msgspec

from router.balance.learning.saturation import together
from router.control.bursts import HookOutcome
from router.exchange.forwarder import Forwarder
from router.model.bursts import BurstSpec, BurstState
from router.operate.bursts.burst_hook import Hook, wakes_by_service
from simulator.scenarios.scenario import ScenarioBurst


class BurstMoment(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a burst hook of ``site`` at ``at_s`` (seconds of the network's clock).

    saturated, calm: the hook ran. failed: it ran in vain. awake: the targets at ``wakes`` are up.
    """

    at_s: float
    site: str
    service: str
    wakes: str
    what: BurstState | Literal["failed", "awake"]


class BurstWorld(Protocol):
    """The world as hooks change it, and its clock."""

    moments: list[BurstMoment]

    @property
    def now(self) -> float:
        """The network's clock, in seconds."""

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Run ``action`` at ``when`` of the network's clock, even if sites are dead."""

    def wake(self, burst: ScenarioBurst) -> None:
        """Start the sleeping targets of a burst."""

    def sleep(self, burst: ScenarioBurst) -> None:
        """Take the targets away again."""


class SiteBursts:
    """The hooks of one router. The site calls `look` every `limits.BURST_SAMPLE_S`."""

    __slots__ = ("_calls", "_forwarder", "_hooks", "_runs", "_world")

    def __init__(
        self, world: BurstWorld, forwarder: Forwarder, bursts: list[ScenarioBurst]
    ) -> None:
        self._world, self._forwarder = world, forwarder
        self._hooks = [(burst, Hook(f"wake-{burst.wakes}", _spec(burst))) for burst in bursts]
        self._runs = [0 for _ in bursts]
        self._calls = 0

    def look(self, now: float) -> None:
        """Measure, run due hooks, and report the wakes for which requests may be held."""
        for index, (burst, hook) in enumerate(self._hooks):
            totals = together(list(self._forwarder.readings.totals_of(burst.service).values()))
            self._calls += 1
            hook.feed(now, now, totals, f"change-{self._calls}")
            firing = hook.due(now, "", {})
            if firing is None:
                continue
            self._runs[index] += 1
            ok = self._runs[index] > burst.fails
            hook.ended(firing, HookOutcome(ok=ok, text="simulated"), now, now)
            self._note(burst, now, firing.event if ok else "failed")
            if ok and firing.event == "saturated":
                self._world.at(now + burst.wake_s, partial(self._wake, burst, hook, firing.id))
            elif ok:
                self._world.sleep(burst)
        said = wakes_by_service((hook for _, hook in self._hooks), now)
        for service, wake in said.items():
            self._forwarder.ports.wakes.set(service, wake, True)

    def _wake(self, burst: ScenarioBurst, hook: Hook, id: str) -> None:
        if hook.memory.id == id:  # Else it has become calm meanwhile.
            self._world.wake(burst)
            self._note(burst, self._world.now, "awake")

    def _note(
        self, burst: ScenarioBurst, now: float, what: BurstState | Literal["failed", "awake"]
    ) -> None:
        self._world.moments.append(
            BurstMoment(
                at_s=now, site=burst.site, service=burst.service, wakes=burst.wakes, what=what
            )
        )


def _spec(burst: ScenarioBurst) -> BurstSpec:
    return BurstSpec(
        service=burst.service,
        window_s=burst.window_s,
        saturated=burst.saturated,
        calm=burst.calm,
        cool_down_s=burst.cool_down_s,
        command=("wake", burst.wakes),
    )

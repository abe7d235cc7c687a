"""The scenarios that `tests.bench.simulate_live` runs in virtual time and with real processes.

Sites are here, near and far, 20 ms apart; a target works on 10 requests at once. At 250 ms each a
target does 40 a second.
"""

from typing import Final

import msgspec

from simulator.scenarios.reading import read
from simulator.scenarios.scenario import Scenario

SECONDS: Final = 8
_TIME: Final = "250ms"


class LiveScenario(msgspec.Struct, frozen=True, kw_only=True):
    """Its parts as YAML; ``arrivals`` may name several sites."""

    name: str
    service: str = "policy: fill"
    targets: tuple[str, ...] = ("site: here", "site: near")
    arrivals: tuple[str, ...] = ("kind: poisson, rate: 60/s",)
    cost: int = 5
    time: str = _TIME
    policies: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    def text(self, seed: int) -> str:
        """The document."""
        lists = {
            "targets": [_with(one, "capacity: 10", "slots: 10") for one in self.targets],
            "arrivals": [_with(one, "site: here") for one in self.arrivals],
            "policies": list(self.policies),
            "events": list(self.events),
        }
        targets = [f"{one}, serviceTime: {self.time}" for one in lists["targets"]]
        lists["targets"] = targets
        lines = [f"  {key}: [{', '.join(f'{{{one}}}' for one in of)}]" for key, of in lists.items()]
        return "\n".join(
            [
                "apiVersion: spillway/v1",
                "kind: Scenario",
                "name: live",
                "spec:",
                f"  seed: {seed}",
                f"  duration: {SECONDS}s",
                "  sites: [here, near, far]",
                "  links:",
                f"    - {{between: [here, near], cost: {self.cost}, rtt: 20ms}}",
                f"    - {{between: [here, far], cost: {self.cost + 5}, rtt: 20ms}}",
                f"  services: [{{name: shop, {self.service}}}]",
                *lines,
            ]
        )

    def scenario(self, seed: int) -> Scenario:
        """It, read."""
        found, errors, _ = read(self.text(seed), self.name, lambda name: "")
        assert found is not None, errors
        return found


def _with(one: str, *defaults: str) -> str:
    """``one`` with each of ``defaults`` whose key it does not have; capacity none: no such."""
    for default in defaults:
        if f"{default.split(':')[0]}:" not in one:
            one = f"{one}, {default}"
    return one.replace(", capacity: none", "").replace("capacity: none, ", "")


LIVE: Final = (
    LiveScenario(name="calm, half load", arrivals=("kind: poisson, rate: 20/s",)),
    LiveScenario(name="1.5x, 1 + 1"),
    LiveScenario(name="1.5x, 1 + 10", targets=("site: here", "site: near, count: 10")),
    LiveScenario(
        name="3x, 1 + 3",
        targets=("site: here", "site: near, count: 3"),
        arrivals=("kind: poisson, rate: 120/s",),
    ),
    LiveScenario(
        name="8x of 25/s, 1 + 10",
        targets=("site: here", "site: near, count: 10"),
        arrivals=("kind: poisson, rate: 200/s",),
        time="400ms",
    ),
    LiveScenario(name="1.5x, cost 1", cost=1),
    LiveScenario(
        name="1.5x, kept connections",
        arrivals=("kind: poisson, rate: 60/s, connections: keep-alive",),
    ),
    LiveScenario(name="1.5x, steady", arrivals=("kind: steady, rate: 60/s",)),
    LiveScenario(name="a ramp", arrivals=("kind: ramp, rate: 10/s, toRate: 80/s",)),
    LiveScenario(
        name="a flash crowd",
        targets=("site: here", "site: near, count: 2"),
        arrivals=("kind: flash, rate: 20/s, peak: 110/s, peakFrom: 2s, peakUntil: 5s",),
    ),
    LiveScenario(name="1.5x, lognormal", time="{kind: lognormal, mean: 250ms}"),
    LiveScenario(name="1.5x, exponential", time="{kind: exponential, mean: 250ms}"),
    LiveScenario(name="1.5x, uniform", time="{kind: uniform, mean: 250ms}"),
    LiveScenario(name="1.5x of everything", arrivals=("kind: poisson, rate: 120/s",)),
    LiveScenario(
        name="overload without a line",
        service="policy: fill, queue: 0",
        arrivals=("kind: poisson, rate: 120/s",),
    ),
    LiveScenario(
        name="overload, a long line",
        service="policy: fill, queue: 60, queueWait: 3s",
        arrivals=("kind: poisson, rate: 90/s",),
    ),
    LiveScenario(
        name="balanced, half load",
        service="policy: balanced",
        arrivals=("kind: poisson, rate: 20/s",),
    ),
    LiveScenario(name="balanced, 1.5x", service="policy: balanced", cost=1),
    LiveScenario(
        name="spread",
        service="policy: spread",
        targets=("site: here", "site: near, count: 3"),
    ),
    LiveScenario(
        name="split 3 to 1",
        service="policy: split, weights: {here: 3, near: 1}",
        arrivals=("kind: poisson, rate: 40/s",),
    ),
    LiveScenario(name="split, one is full", service="policy: split, weights: {here: 3, near: 1}"),
    LiveScenario(
        name="failover, all fits",
        service="policy: failover",
        arrivals=("kind: poisson, rate: 30/s",),
    ),
    LiveScenario(name="a reserve at each site", service="policy: fill, spillAt: 80%"),
    LiveScenario(name="strict isolation", service="policy: fill, isolation: strict"),
    LiveScenario(
        name="nearest only",
        service="policy: fill, isolation: nearest",
        targets=("site: here", "site: near", "site: far"),
        arrivals=("kind: poisson, rate: 110/s",),
    ),
    LiveScenario(
        name="three sites, one after the other",
        targets=("site: here", "site: near", "site: far, count: 2"),
        arrivals=("kind: poisson, rate: 110/s",),
    ),
    LiveScenario(
        name="two sites share one",
        targets=("site: here, count: 2", "site: near", "site: far"),
        arrivals=(
            "site: near, kind: poisson, rate: 60/s",
            "site: far, kind: poisson, rate: 60/s",
        ),
    ),
    LiveScenario(
        name="a rate at the target",
        targets=("site: here, capacity: 20/s", "site: near, count: 2"),
    ),
    LiveScenario(
        name="a rate of the site",
        policies=("site: here, siteCapacity: 25/s",),
        targets=("site: here", "site: near, count: 2"),
    ),
    LiveScenario(
        name="above the rate all leaves",
        policies=("site: here, siteCapacity: 25/s, resume: 15/s, spill: all",),
        targets=("site: here", "site: near, count: 2"),
        arrivals=("kind: poisson, rate: 45/s",),
    ),
    LiveScenario(
        name="no capacities: levels",
        targets=("site: here, capacity: none", "site: near, capacity: none"),
        arrivals=("kind: poisson, rate: 50/s",),
    ),
    LiveScenario(
        name="the policy changes",
        arrivals=("kind: poisson, rate: 40/s",),
        events=("at: 4s, do: set-policy, service: shop, policy: spread",),
    ),
    LiveScenario(
        name="the cost changes",
        service="policy: balanced",
        arrivals=("kind: poisson, rate: 30/s",),
        cost=1,
        events=("at: 4s, do: set-cost, between: [here, near], cost: 20",),
    ),
    LiveScenario(
        name="the local targets stop",
        targets=("site: here", "site: near, count: 3"),
        events=("at: 3s, do: stop-targets, site: here",),
    ),
    LiveScenario(
        name="the remote router is killed",
        targets=("site: here", "site: near", "site: far, count: 2"),
        events=("at: 3s, do: kill-router, site: near",),
    ),
)

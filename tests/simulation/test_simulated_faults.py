"""Faults of a scenario: links that are cut, sites that freeze, targets that are slow or fail."""

from collections.abc import Callable

from simulator.runs.measure import RunRecord, SimulatedRequest
from simulator.runs.run import Run
from tests.simulation.test_scenarios import BURST, scenario

OVER = BURST.replace(
    "kind: flash, rate: 15/s, peak: 75/s, peakFrom: 2s, peakUntil: 7s",
    "kind: steady, rate: 75/s",
)
"""A site for 50 requests a second gets 75; the other has room for 100."""


class Ran:
    def __init__(self, *events: str, text: str = OVER) -> None:
        lines = "".join(f"    - {{{event}}}\n" for event in events)
        self.record: RunRecord = Run(scenario(f"{text}  events:\n{lines}")).finish()

    def share(
        self, first_s: float, last_s: float, wanted: Callable[[SimulatedRequest], bool]
    ) -> float:
        """Of the requests that began then."""
        began = self.record.began_s
        asked = [one for one in self.record.requests if first_s <= one.began - began < last_s]
        return sum(map(wanted, asked)) / len(asked)

    def away(self, first_s: float, last_s: float) -> float:
        return self.share(first_s, last_s, lambda one: one.served_by == "b")

    def failed(self, first_s: float, last_s: float) -> float:
        return self.share(first_s, last_s, lambda one: not one.served_by)


def test_over_a_link_that_is_cut_nothing_spills_until_it_is_restored() -> None:
    ran = Ran("at: 2s, do: cut-link, between: [a, b]", "at: 7s, do: restore-link, between: [a, b]")
    assert ran.away(1.0, 1.8) > 0.25
    # A silent neighbor is given up within 3 s. Who waits then does so for 1 s.
    assert ran.away(5.2, 5.8) < 0.05
    assert ran.failed(5.2, 5.8) > 0.2
    assert ran.away(9.0, 10.0) > 0.25
    assert ran.failed(9.0, 10.0) < 0.05


def test_a_frozen_site_serves_nobody_and_goes_on_when_it_thaws() -> None:
    ran = Ran("at: 2s, do: freeze-site, site: b", "at: 7s, do: thaw-site, site: b")
    assert ran.away(5.2, 5.8) < 0.05
    assert ran.away(9.0, 10.0) > 0.25


def test_targets_that_are_slow_take_less_and_more_spills() -> None:
    ran = Ran("at: 4s, do: slow-targets, site: a, factor: 2")
    assert 0.25 < ran.away(2.0, 3.8) < 0.45
    assert 0.55 < ran.away(6.0, 9.0) < 0.8
    assert ran.failed(0.0, 9.9) == 0.0


def test_of_a_target_that_fails_the_share_fails_that_is_named() -> None:
    ran = Ran(
        "at: 3s, do: fail-targets, site: a, share: 20%",
        text=OVER.replace("75/s", "30/s"),
    )
    assert ran.failed(0.0, 2.7) == 0.0
    assert 0.1 < ran.failed(3.2, 9.9) < 0.3

"""Runs plans one after the other; the winner gets further changes on top."""

from collections.abc import Callable

import msgspec

from simulator.advice.bursting import BurstCost, burst_costs
from simulator.advice.plans import Plan, further
from simulator.advice.score import Score, score_of
from simulator.runs.measure import RunRecord
from simulator.runs.run import Run
from simulator.scenarios import bounds
from simulator.scenarios.scenario import Scenario


class TriedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and its score. No ``commands``: nothing is changed."""

    plan: str
    commands: tuple[str, ...]
    score: Score


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """``tried`` in the order of trying, the first is the unchanged scenario; ``best``: index of the
    best.

    ``bursts``: the cost of bursting without changes. ``whole``: no plan was left out, and no run
    was ended early.
    """

    scenario: str
    tried: list[TriedPlan]
    best: int
    bursts: list[BurstCost]
    whole: bool = True

    @property
    def times_faster(self) -> float:
        """Mean latency without changes, over that of the best plan."""
        return self.tried[0].score.mean_ms / self.tried[self.best].score.mean_ms

    @property
    def times_fewer_bytes(self) -> float:
        """Bytes between sites without changes, over those of the best plan; inf: it sends none."""
        before, after = (self.tried[i].score.bytes_away for i in (0, self.best))
        return before / after if after else float("inf") if before else 1.0


Going = Callable[[int, float], bool]
"""Gets (plans tried, share of the next that is done); returns whether to go on."""


def advise(scenario: Scenario, going: Going = lambda tried, share: True) -> Advice:
    """Try changes, then further ones on top of the best, as long as there is a better plan.

    At most `bounds.ADVICE_PLANS_MAX` plans, each a whole run. TooManyRequests: as in `Run.finish`.
    """
    search = _Search(going)
    record = search.run(Plan(scenario=scenario))
    while search.is_open and search.try_further():
        pass
    return Advice(
        scenario=scenario.name,
        tried=search.tried,
        best=search.best,
        bursts=burst_costs(record),
        whole=search.is_open,
    )


class _Search:
    """The plans that were run. ``is_open``: more may be tried."""

    def __init__(self, going: Going) -> None:
        self._going = going
        self._plans: list[Plan] = []
        self.tried: list[TriedPlan] = []
        self.best = 0
        self.is_open = True

    def run(self, plan: Plan) -> RunRecord:
        """Run ``plan``; a run that was ended early does not count as tried, except the first."""
        run = Run(plan.scenario)
        record = run.finish(lambda share, _: self._going(len(self.tried), share))
        if record.interrupted:
            self.is_open = False
        if not record.interrupted or not self.tried:
            score = score_of(plan.scenario, record)
            self._plans.append(plan)
            self.tried.append(TriedPlan(plan=plan.title, commands=plan.commands, score=score))
            if score.beats(self.tried[self.best].score):
                self.best = len(self.tried) - 1
        return record

    def try_further(self) -> bool:
        """Whether one more change on top of the best plan wins."""
        before = self.best
        known = {one.plan for one in self.tried}
        for plan in further(self._plans[before]):
            if plan.title in known:
                continue
            if len(self.tried) >= bounds.ADVICE_PLANS_MAX:
                self.is_open = False
            if not self.is_open:
                break
            self.run(plan)
        return self.best != before

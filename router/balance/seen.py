"""What a decision saw, kept so that it can be explained later by the code that made it."""

from math import inf
from operator import attrgetter
from typing import Any

import msgspec

from router.balance.candidates import Candidate, judge_alive
from router.balance.decisions import CandidateReport
from router.balance.explain import report
from router.balance.policies import POLICIES, choose
from router.model.ids import RouterId, SiteId
from router.model.specs import PolicySpec

_PASSING = ("glimpse", "shares_targets", "stale", "turn", "verdict")
_FIGURES = tuple(name for name in Candidate.__slots__ if name not in _PASSING)
_figures_of = attrgetter(*_FIGURES)  # All that a policy may read: the cheapest copy there is.


class Glimpse(msgspec.Struct, frozen=True):
    """One candidate as it was: its figures, the path there, when its load was heard of (None:
    never, or it is this site), …"""

    figures: tuple[Any, ...]
    path: tuple[RouterId, ...]
    heard_at: float | None
    stated_capacity: int | None
    is_learnt: bool


def glimpse(one: Candidate, path: tuple[RouterId, ...]) -> Glimpse:
    """``one`` as it is, on ``path``; the same object as long as it does not change.

    So what many decisions in a row saw of a site that is full, or idle, is kept once.
    """
    figures = _figures_of(one)
    new = Glimpse(figures, path, one.heard_at, one.stated_capacity, one.is_learnt)
    if one.glimpse != new:
        one.glimpse = new
    kept = one.glimpse
    assert isinstance(kept, Glimpse), "set above"
    return kept


class Seen(msgspec.Struct, frozen=True):
    """All candidates of one decision, at ``at``; ``further`` more were dearer and are not kept.

    ``chosen`` None: nobody; ``stays``: by a session, whatever the policy thinks. ``excluded`` and
    ``refused`` as the request had them then.
    """

    policy: PolicySpec
    at: float
    candidates: tuple[Glimpse, ...]
    further: int
    chosen: SiteId | None
    stays: bool
    excluded: frozenset[str]
    refused: frozenset[str]


class _Kept(Candidate):
    """A candidate as it was."""

    __slots__ = ("_glimpse",)

    def __init__(self, glimpse: Glimpse) -> None:
        for name, figure in zip(_FIGURES, glimpse.figures, strict=True):
            setattr(self, name, figure)
        self.verdict, self.stale = None, False
        self._glimpse = glimpse

    @property
    def stated_capacity(self) -> int | None:
        """As it was."""
        return self._glimpse.stated_capacity

    @property
    def is_learnt(self) -> bool:
        """As it was."""
        return self._glimpse.is_learnt

    def refresh(self, now: float) -> None:
        """It is the past: nothing changes."""

    def age_s(self, now: float) -> float:
        """As it was at ``now``."""
        if self.local:
            return 0.0
        heard_at = self._glimpse.heard_at
        return inf if heard_at is None else max(0.0, now - heard_at)

    def next_path(self) -> tuple[RouterId, ...]:
        """As it was."""
        return self._glimpse.path


class Replay:
    """The policy in force then, asked once more about what it saw."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._all = [_Kept(one) for one in seen.candidates]
        holds = seen.policy.name == "failover"
        waits_for: frozenset[str] = seen.refused if holds else frozenset()
        alive = judge_alive(self._all, seen.at, seen.excluded, waits_for)
        self._tied = choose(POLICIES[seen.policy.name], alive)

    @property
    def tied(self) -> frozenset[SiteId]:
        """One of these the policy would take; empty: nobody has room."""
        return frozenset(one.site for one in self._tied)

    def reports(self) -> tuple[CandidateReport, ...]:
        """As `explain` told of them then."""
        seen = self._seen
        taken = next((one for one in self._all if one.site == seen.chosen), None)
        return tuple(
            report(one, taken, self._tied, seen.policy, seen.at, stays=seen.stays)
            for one in self._all
        )

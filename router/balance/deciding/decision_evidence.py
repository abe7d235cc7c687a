"""Inputs of a decision, stored so that the deciding code can explain it later."""

from collections.abc import Mapping
from operator import attrgetter

import msgspec

from router.balance.deciding.candidates import Candidate, Glimpse, Outline
from router.balance.deciding.decisions import CandidateReport
from router.balance.deciding.explain import reports
from router.balance.deciding.policies import choose, rule_of
from router.model.ids import RouterId, SiteId
from router.model.paths import Path
from router.model.specs import PolicySpec

_OF_LOAD = ("hard_full", "heard_at", "in_flight")
_PASSING = ("glimpse", "outline", "shares_targets", "stale", "turn", "verdict", "waiting")
_FIGURES = tuple(name for name in Candidate.__slots__ if name not in (*_OF_LOAD, *_PASSING))
_figures_of = attrgetter(*_FIGURES)  # All that a policy may read, in the cheapest copy there is.


def glimpse(one: Candidate, path: Path) -> Glimpse:
    """``one`` as it is, refreshed, on ``path``.

    Only the load, which every request changes, is copied each time. The rest stays one object until
    something else changes (`Candidate.outline`), and the whole glimpse while the load does not
    change either.
    """
    kept = one.glimpse
    if kept is not None and (kept.path is path or kept.path == path):
        return kept
    outline = one.outline
    if outline is None:
        one.outline = outline = Outline(
            _figures_of(one), one.stated_capacity, one.is_learnt, one.known_beyond
        )
    one.glimpse = kept = Glimpse(outline, one.in_flight, one.hard_full, path, one.heard_at)
    return kept


class SeenDecision(msgspec.Struct, frozen=True):
    """All candidates of one decision, at ``at``; ``further`` more were costlier and are not stored.

    ``chosen`` None: no site; ``stays``: chosen by a session, whatever the policy says. ``excluded``
    and ``refused`` as the request had them then. ``kept``: sites that reserved their free slots,
    since the request is sheddable; ``share``: the part of their slots that such a request gets.
    ``free``: free slots within that share, for the sites whose figures do not imply the number.
    """

    policy: PolicySpec
    at: float
    candidates: tuple[Glimpse, ...]
    free: Mapping[SiteId, int | None]
    further: int
    chosen: SiteId | None
    stays: bool
    excluded: frozenset[str]
    refused: frozenset[str]
    kept: frozenset[str]
    share: float | None


class _Kept(Candidate):
    """A candidate as it was."""

    __slots__ = ("_free", "_glimpse")

    def __init__(self, glimpse: Glimpse, free: Mapping[SiteId, int | None]) -> None:
        for name, figure in zip(_FIGURES, glimpse.outline.figures, strict=True):
            setattr(self, name, figure)
        self.in_flight, self.hard_full = glimpse.in_flight, glimpse.hard_full
        self.heard_at = glimpse.heard_at
        self.verdict, self.stale = None, False
        self._glimpse, self._free = glimpse, free

    @property
    def stated_capacity(self) -> int | None:
        """As it was."""
        return self._glimpse.outline.stated_capacity

    @property
    def is_learnt(self) -> bool:
        """As it was."""
        return self._glimpse.outline.is_learnt

    @property
    def known_beyond(self) -> int:
        """As it was."""
        return self._glimpse.outline.known_beyond

    def free_within(self, share: float | None) -> int | None:
        """As it was, within the share of that decision."""
        return self._free[self.site] if self.site in self._free else super().free_within(share)

    def waiting_there(self) -> int | None:
        """Not stored."""
        return None

    def refresh(self, now: float) -> None:
        """Does nothing: the past does not change."""

    def next_path(self) -> tuple[RouterId, ...]:
        """As it was."""
        return self._glimpse.path


class DecisionReplay:
    """Asks the policy that was in force again, with the figures it saw."""

    def __init__(self, seen: SeenDecision) -> None:
        self._seen = seen
        self._all = [_Kept(one, seen.free) for one in seen.candidates]
        holds = seen.policy.name == "failover"
        waits_for: frozenset[str] = seen.refused if holds else frozenset()
        self._tied = choose(
            rule_of(seen.policy), self._all, seen.at, seen.excluded, waits_for, kept=seen.kept
        )

    @property
    def tied(self) -> frozenset[SiteId]:
        """Candidates that the policy would take; empty: no site has room."""
        return frozenset(one.site for one in self._tied)

    def reports(self) -> tuple[CandidateReport, ...]:
        """The reports that `explain` gave then."""
        seen = self._seen
        taken = next((one for one in self._all if one.site == seen.chosen), None)
        return reports(
            self._all,
            taken,
            self._tied,
            seen.policy,
            seen.at,
            stays=seen.stays,
            share=seen.share,
        )

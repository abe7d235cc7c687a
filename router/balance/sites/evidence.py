"""Figures of sites as a decision saw them, stored to explain it later."""

from collections.abc import Sequence

from router.balance.deciding.candidates import Candidate, Glimpse
from router.balance.deciding.decision_evidence import SeenDecision, glimpse
from router.balance.deciding.decisions import Decision, NoChoice
from router.balance.sites.replicas import RoutersOfSite
from router.model import limits
from router.model.ids import SiteId
from router.model.paths import Path
from router.model.specs import PolicySpec


def evidence(
    order: Sequence[Candidate],
    policy: PolicySpec,
    now: float,
    choice: Decision | NoChoice,
    excluded: frozenset[str],
    refused: frozenset[str],
    kept: frozenset[str],
    share: float | None,
) -> SeenDecision:
    """The figures of ``order``, all candidates, by which ``choice`` was just made, without a
    session.

    At most `limits.DECISION_CANDIDATES_MAX`. Places of one router in ``excluded``, ``refused`` and
    ``kept`` become sites, as the decision had them.
    """
    site: SiteId | None = None
    path: Path = ()
    if type(choice) is Decision:  # `isinstance` is slow for this kind of class.
        site, path = choice.site, choice.path
    shown, further = order, max(0, len(order) - limits.DECISION_CANDIDATES_MAX)
    if further:
        nearest = list(order[: limits.DECISION_CANDIDATES_MAX])
        chosen = next((one for one in order if one.site == site), None)
        if chosen is not None and chosen not in nearest:
            nearest[-1] = chosen
        shown = nearest
    glimpses: list[Glimpse] = []
    free: dict[SiteId, int | None] = {}
    for one in shown:
        if one.stale:
            one.refresh(now)  # `select` may have skipped it.
        if excluded and isinstance(one, RoutersOfSite) and one.is_out(excluded):
            excluded |= {one.site}
            if one.is_refused(refused):
                refused |= {one.site}
        if kept and isinstance(one, RoutersOfSite) and not one.has_room_without(excluded | kept):
            kept |= {one.site}
        glimpses.append(glimpse(one, path if one.site == site else one.next_path()))
        if share is not None or one.all_stated:
            free[one.site] = one.free_within(share)
    return SeenDecision(
        policy,
        now,
        tuple(glimpses),
        free,
        further,
        site,
        False,
        excluded,
        refused,
        kept,
        share,
    )

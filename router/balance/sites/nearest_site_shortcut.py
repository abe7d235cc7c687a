"""The site that `fill` or `failover` chooses without comparing the others."""

from collections.abc import Sequence
from math import inf

from router.balance.deciding.decisions import Decision
from router.balance.deciding.explain import NEAREST, ROOM_FARTHER
from router.balance.deciding.local_site import LocalSite
from router.balance.site.ledger import LocalLedger
from router.balance.site.spills import SpillReason
from router.balance.sites.decision_writer import DecisionWriter, path_to
from router.balance.sites.egresses import NO_ROUTER
from router.balance.sites.remote_site import RemoteSite
from router.balance.sites.replicas import RoutersOfSite
from router.model.ids import RouterId
from router.model.specs import PolicyName, PolicySpec

NEAR_FIRST: frozenset[PolicyName] = frozenset({"fill", "failover"})
"""Policies that take the nearest site while it has room, whatever room other sites have."""


class NearestSiteShortcut:
    """A shortcut for these candidates under one policy of `NEAR_FIRST`: replaced after each change.

    It gives the same answer as the policy over all candidates. It is valid for a request that
    excludes no site and may take every slot, while no rate is set here and ``recounts`` is the
    ledger's: else call `look_here` first. `ServiceBalancer.select` reads the attributes (hot).
    """

    __slots__ = (
        "_absence",
        "_here",
        "_ledger",
        "_local",
        "_policy",
        "_reason",
        "_rival_cost",
        "_sole_decisions",
        "_writer",
        "local_below",
        "local_decision",
        "recounts",
        "sole",
        "sole_decision",
        "sole_rival_cost",
    )

    def __init__(
        self,
        remotes: Sequence[RemoteSite | RoutersOfSite],
        here: LocalSite | RoutersOfSite,
        local: LocalSite,
        ledger: LocalLedger,
        policy: PolicySpec,
        writer: DecisionWriter,
    ) -> None:
        holds = policy.name == "failover"
        self._here, self._local, self._ledger = here, local, ledger
        self._policy = policy
        self._writer = writer
        self._reason = NEAREST if holds else ROOM_FARTHER
        self._absence: SpillReason = "no-target"  # Why this site takes none meanwhile.
        self.local_below: float = 0
        """With fewer in flight the local site is chosen at once. Negative: it is no candidate."""
        self.local_decision = writer.decide_local()
        """The most common decision: created once."""
        self.recounts: int | None = None
        """`recounts` of the ledger when `local_below` was computed; None: not yet."""
        costs = [one.cost for one in remotes[:2]] + [inf, inf]
        is_marked = policy.spill_at is not None  # The choice also depends on sites behind it.
        is_sole = costs[0] < costs[1] and not is_marked and here is local
        self.sole = remotes[0] if is_sole else None
        """The nearest, if no other is as near, and this site has no other routers."""
        # The lowest path cost over which a request may be sent; `failover` sends none farther
        # because a site is full.
        self._rival_cost = inf if holds else costs[0]
        self.sole_rival_cost = inf if holds else costs[1]
        """The same, beyond the nearest."""
        self.sole_decision: Decision | None = None
        """For the nearest, if there is only one path to it."""
        self._sole_decisions: dict[RouterId, Decision] = {}  # By its router, likewise.
        self._set_sole_decisions()

    def look_here(self) -> None:
        """Update after a possible change of this site's targets or capacity.

        Several routers without a configured capacity, or with a mark, yield as the one site that
        they are, by the load of all.
        """
        local, share = self._local, self._policy.spill_at
        self.recounts = self._ledger.recounts
        local.refresh(0.0)
        if not local.able:
            self.local_below = -1
            absent = self._writer.absence()
            if absent and absent != self._absence:
                self._absence = absent
                self._set_sole_decisions()
        elif self._rival_cost == inf:
            self.local_below = local.unrivalled_below(inf)
        elif self._here is not local and (local.capacity is None or share is not None):
            self.local_below = 0
        else:
            self.local_below = local.unrivalled_below(self._rival_cost)
            if share is not None:
                self.local_below = min(self.local_below, local.mark(share))

    def decide_sole(self, sole: RemoteSite | RoutersOfSite, session: int) -> Decision:
        """A decision for the nearest site, while this site takes nothing; takes its path's turn."""
        reason, absent = self._reason, self._absence
        if isinstance(sole, RemoteSite):
            return Decision(
                sole.site, False, sole.take_path(), reason, False, "", NO_ROUTER, absent
            )
        one = sole.pick(session)
        known = self._sole_decisions.get(one.router)
        if known is not None:
            return known
        path = path_to(one, takes=True)
        return Decision(sole.site, False, path, reason, False, "", one.router, absent)

    def _set_sole_decisions(self) -> None:
        sole, reason, absent = self.sole, self._reason, self._absence
        self.sole_decision = None
        self._sole_decisions = {}
        if isinstance(sole, RoutersOfSite):
            self._sole_decisions = {
                one.router: Decision(
                    sole.site, False, one.next_path(), reason, False, "", one.router, absent
                )
                for one in sole.members
                if len(one.paths) == 1
            }
        if isinstance(sole, RemoteSite) and len(sole.paths) == 1:
            self.sole_decision = self.decide_sole(sole, 0)

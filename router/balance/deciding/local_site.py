"""This site, as a candidate."""

from router.balance.deciding.candidates import SENDS_AWAY, Candidate
from router.balance.site.ledger import LocalLedger
from router.model.ids import RouterId, SiteId


class LocalSite(Candidate):
    """This site: exact figures from its ledger, which reports no changes, so it is always stale."""

    __slots__ = ("_ledger", "recounts", "router")

    def __init__(self, site: SiteId, name: str, ledger: LocalLedger, router: RouterId) -> None:
        super().__init__(site, name, local=True)
        self._ledger = ledger
        self.recounts: int | None = None
        """`recounts` of the ledger at the last `refresh`; None: there was none yet."""
        self.router = router

    def refresh(self, now: float) -> None:
        """Copy the ledger's figures."""
        ledger = self._ledger
        rated, load = ledger.rated, ledger.load
        if ledger.recounts == self.recounts and not rated:
            if load != self.in_flight:
                self.in_flight = load
                self.hard_full = ledger.is_full
                self.glimpse = None
            return
        self.recounts = ledger.recounts
        self.outline = self.glimpse = None
        self.targets_ready = ledger.targets_ready
        self.weigh()
        self.able = self.targets_ready > 0
        count = 0 if self.targets_ready else ledger.targets_ejected
        self.ejected = f"no target is ready here: {count} ejected" if count else ""
        self.is_drained = ledger.is_drained
        self.capacity = ledger.capacity
        self.in_flight = load
        self.beyond = ledger.beyond
        self.most_running = None if ledger.capacity is None else ledger.capacity + ledger.beyond
        if rated:
            self._refresh_rate(now)
            return
        self.hard_full = ledger.is_full
        self.rate = None
        self.sends_away = False

    def _refresh_rate(self, now: float) -> None:
        ledger = self._ledger
        self.hard_full = not ledger.has_room_at(now)
        self.rate = rate = ledger.rate_load(now)
        self.sends_away = rate is not None and rate.state == SENDS_AWAY
        if rate is None:
            return
        takes = self.in_flight + rate.permits
        self.capacity = takes if self.capacity is None else min(self.capacity, takes)

    @property
    def keeps_rest(self) -> bool:
        """No sheddable request gets a slot here now."""
        return self._ledger.load >= self._ledger.sheddable_below

    def free_within(self, share: float | None) -> int | None:
        """Uses the ledger's value of ``share``."""
        free = self.free
        if share is None or free is None:
            return free
        return self._within(free, self._ledger.sheddable_below)

    @property
    def stated_capacity(self) -> int | None:
        """The site's slots, whatever its rate admits now."""
        return self._ledger.capacity

    @property
    def is_learnt(self) -> bool:
        """Some of its slots are learned."""
        return self._ledger.sums.learns

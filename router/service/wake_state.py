"""The wake of a burst hook of this site for a service port, and how long requests are
held for it.
"""

from collections.abc import Callable, Iterable, Sized

from router.balance.balancer import ServiceBalancer
from router.balance.site.ledger import LocalLedger
from router.balance.site.wake_hold import Wake, WakeHold
from router.model import limits
from router.model.messages.adverts import RemoteCandidate


class WakeState:
    """Joins the rule (`WakeHold`) with signs that a site woke: other sites, and targets here.

    ``line``: the waiting requests. ``terms_changed`` is called when requests may be held from now
    on, or no more: an answer may take so much longer. ``settles_until``: until then this router
    counts as just started. A wake goes on over a restart, and to the new router all that was there
    before is new: meanwhile it is no sign of a wake that is older than the router.
    """

    __slots__ = (
        "_balancer",
        "_hold",
        "_ledger",
        "_line",
        "_now",
        "_ready_before",
        "_settles_until",
        "_terms_changed",
        "has_hook",
        "wakes",
    )

    def __init__(
        self,
        hold_s: float,
        balancer: ServiceBalancer,
        ledger: LocalLedger,
        line: Callable[[], Sized],
        now: Callable[[], float],
        terms_changed: Callable[[], None],
        settles_until: float,
    ) -> None:
        self._hold = WakeHold(hold_s)
        self._balancer, self._ledger = balancer, ledger
        self._line, self._now, self._terms_changed = line, now, terms_changed
        self._settles_until = settles_until
        self._ready_before = 0  # Targets of this site, when the wake began.
        self.has_hook = False
        """A hook may wake a site for this service."""

    def set_hold_s(self, hold_s: float) -> None:
        """The longest time that a request is held, from now on."""
        self._hold.hold_s = hold_s

    def set_wake(self, wake: Wake | None, *, has_hook: bool) -> None:
        """Set the current wake of the hook; None: it would do nothing."""
        if has_hook is not self.has_hook:
            self.has_hook = has_hook
            self._terms_changed()
        was_waking = self._hold.is_waking
        self._hold.set_wake(wake)
        if self._hold.is_waking and not was_waking:
            self._ready_before = self._ledger.targets_ready

    # Held requests

    @property
    def wake(self) -> Wake | None:
        """The wake for which requests may be held."""
        return self._hold.wake

    @property
    def is_woken(self) -> bool:
        """The woken site answers; requests that were held have their turn."""
        return self._hold.is_answered

    def held_s(self, now: float) -> float:
        """How much longer than for a slot a request may wait that begins to wait now."""
        hold = self._hold
        if hold.wake is None:
            return 0.0
        if hold.is_answered and not self._line():
            hold.drained()
        return hold.extra_s(now)

    def is_held(self) -> bool:
        """A request that begins to wait now is held."""
        return self._hold.wake is not None and self.held_s(self._now()) > 0

    def retry_s(self, now: float) -> float:
        """Seconds until a retry makes sense, for a request refused now; 0.0: not known."""
        return self._hold.retry_s(now)

    # Signs of a wake

    def expect(self, remotes: Iterable[RemoteCandidate]) -> None:
        """Remotes that offer the service now. A site that newly has targets was woken: it gets one
        request until it answers.
        """
        if not self._hold.is_waking or self._may_be_older():
            return
        serving = {one.site for one in self._balancer.routers.values() if one.targets_ready}
        for one in remotes:
            if one.targets_ready and one.site not in serving:
                self._balancer.ejections.wake(one.site, self._now())

    def targets_changed(self) -> None:
        """Targets of this site changed: more of them are a sign of a wake, too."""
        if not self._hold.is_waking or self._ledger.targets_ready <= self._ready_before:
            return
        if self._may_be_older():
            self._ready_before = self._ledger.targets_ready
        else:
            self.answered()

    def _may_be_older(self) -> bool:
        """Whether what appears now may have been there before the wake."""
        wake = self._hold.wake
        started_at = self._settles_until - limits.START_SETTLES_S
        return wake is not None and wake.due_at < started_at and self._now() < self._settles_until

    def answered(self) -> None:
        """The woken site answers requests."""
        self._hold.woken(self._now())

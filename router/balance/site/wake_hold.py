"""Requests wait for a site that a burst hook wakes, longer than they wait for a slot. Pure.

One wake is under way at a time: the hook's cool-down ensures that. The first request that would
have been refused is held and makes the hook run. During the wake each request that finds all sites
full is held. The hold ends once the woken site has answered a request and the held requests have
had their turn, or after `hold_s`.
"""

from math import inf

import msgspec


class Wake(msgspec.Struct, frozen=True):
    """The wake of a burst hook for a service. ``woke_at``: since when it wakes a site (monotonic
    seconds); None: it has not yet, and would when needed. ``again_at``: it failed, and runs again
    then. ``due_at``: since when it has had to, which may be before this router started.
    """

    hook: str
    woke_at: float | None = None
    again_at: float | None = None
    due_at: float = inf


class WakeHold:
    """One service port: which requests may be held, and the state of the wake.

    ``hold_s``: the longest hold; 0: no request is held.
    """

    __slots__ = ("_over_at", "hold_s", "is_answered", "usual_s", "wake")

    def __init__(self, hold_s: float) -> None:
        self.hold_s = hold_s
        self.wake: Wake | None = None
        """None: no hook could wake a site now."""
        self._over_at = -inf  # When the last wake that had its effect began.
        self.is_answered = False
        """The woken site answers; the held requests are on their way."""
        self.usual_s: float | None = None
        """How long the last wake took; None: there was none."""

    def set_wake(self, wake: Wake | None) -> None:
        """Set the current wake. A wake that has had its effect holds no more requests."""
        if wake is not None and wake.woke_at is not None and wake.woke_at <= self._over_at:
            wake = None
        if wake is None or wake.woke_at is None:
            self.is_answered = False
        self.wake = wake

    @property
    def is_waking(self) -> bool:
        """A site is being woken."""
        return self.wake is not None and self.wake.woke_at is not None

    def extra_s(self, now: float) -> float:
        """How much longer a request may wait that begins to wait now."""
        wake = self.wake
        if wake is None:
            return 0.0
        if wake.woke_at is None:
            return self.hold_s
        return max(0.0, wake.woke_at + self.hold_s - now)

    def woken(self, now: float) -> None:
        """The woken site answers. No effect if none was being woken."""
        wake = self.wake
        if wake is not None and wake.woke_at is not None and not self.is_answered:
            self.is_answered = True
            self.usual_s = now - wake.woke_at

    def drained(self) -> None:
        """No request waits any more, and the woken site answers: the wake has had its effect."""
        if self.is_answered and self.wake is not None and self.wake.woke_at is not None:
            self._over_at = self.wake.woke_at
            self.set_wake(None)

    def retry_s(self, now: float) -> float:
        """In how many seconds a request refused now should be tried again; 0.0: not known."""
        wake = self.wake
        if wake is None or wake.woke_at is None:
            return 0.0
        if wake.again_at is not None:
            return max(0.0, wake.again_at - now) + (self.usual_s or 0.0)
        return 0.0 if self.usual_s is None else max(0.0, wake.woke_at + self.usual_s - now)

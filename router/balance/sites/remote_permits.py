"""Permits of a rate at another site, as far as is known here."""

from math import floor

from router.model.messages.adverts import RateLoad

_ROUNDING = 1e-9


class RemotePermits:
    """The permits of the last report, less those of our streams since, plus those gained with time.

    They do not come back when a request ends.
    """

    __slots__ = ("_at", "_left", "_most", "_told")

    def __init__(self, told: RateLoad, now: float) -> None:
        self._told = told
        self._left = float(told.permits)
        self._most = max(self._left, told.per_s, 1.0)
        self._at = now

    def spend(self) -> None:
        """A stream of ours is on its way there."""
        self._left -= 1.0

    def use_up(self, now: float) -> None:
        """A refusal uses up all permits."""
        self._left, self._at = 0.0, now

    def at(self, now: float) -> RateLoad:
        """The rate, with the permits that are left at ``now``."""
        told = self._told
        self._left = min(self._left + (now - self._at) * told.per_s, self._most)
        self._at = now
        return RateLoad(told.per_s, max(0, floor(self._left + _ROUNDING)), told.state)

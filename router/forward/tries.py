"""What a request has tried so far, and whether it may try again."""

from router.forward.admission import NO_TARGETS
from router.forward.ports import LegCode, LegFailure
from router.model import limits
from router.model.ids import SiteId

NO_SITES: frozenset[SiteId] = frozenset()

REPEATABLE: frozenset[LegCode] = frozenset(("target-reset", "link-lost"))
"""Failures after which an idempotent request may run again."""

WAY_LOST: frozenset[LegCode] = frozenset(("link-lost", "no-route"))
"""Failures of the way to a site, not of the site: routes will soon say another, or none."""


class Tries:
    """The memory of one request's failed attempts.

    ``excluded`` sites are left out of selection until the request waits; ``hopeless`` ones failed
    it in a way that waiting does not mend, and stay out. A site whose way was lost is left out
    until `reroute`, a bounded number of times. ``avoid`` are targets of this site that
    broke off: its others are as good as any other site's.
    """

    __slots__ = (
        "_attempts",
        "_repeats",
        "_reroutes",
        "_way_lost",
        "avoid",
        "excluded",
        "hopeless",
        "last",
    )

    def __init__(self) -> None:
        self.excluded = NO_SITES
        self.hopeless = NO_SITES
        self.avoid = NO_TARGETS
        self.last: LegFailure | None = None
        self._attempts = 0
        self._repeats = 0
        self._reroutes = 0
        self._way_lost = False

    def begin(self) -> bool:
        """One more attempt; False: enough of them."""
        self._attempts += 1
        return self._attempts <= limits.RETRIES_MAX

    def rest(self) -> None:
        """The request waits: a site that was full may be asked again afterwards."""
        self._attempts = 0
        self.excluded = self.hopeless

    def may_repeat(self, failure: LegFailure, *, idempotent: bool) -> bool:
        """Whether a request of which all is in hand may be dispatched again after ``failure``."""
        if failure.untouched:
            return True
        return idempotent and failure.code in REPEATABLE and self._repeats < limits.REPEATS_MAX

    def note(self, failure: LegFailure, site: SiteId, local_target: str | None) -> None:
        """An attempt at ``site`` failed; ``local_target`` if that is this site."""
        self.last = failure
        if failure.code == "busy":
            self.excluded |= {site}
            return
        if failure.code in WAY_LOST:
            self._repeats += not failure.untouched
            self.lose_way(site)
            return
        if not failure.untouched:
            self._repeats += 1
            if local_target is not None:
                self.avoid |= {local_target}
                return
        self.exclude(site)

    def lose_way(self, site: SiteId) -> None:
        """The way to ``site`` is gone; there may be another once routes have followed."""
        if self._reroutes == limits.REROUTES_MAX:
            self.exclude(site)
        else:
            self._way_lost = True
            self.excluded |= {site}

    def may_reroute(self) -> bool:
        """Whether a lost way is all that is left, and new routes are worth waiting for."""
        return self._way_lost

    def reroute(self) -> None:
        """Routes had time to follow: sites whose way was lost may be tried again."""
        self._reroutes += 1
        self._way_lost = False
        self.rest()

    def exclude(self, site: SiteId) -> None:
        """Never again for this request."""
        self.excluded |= {site}
        self.hopeless |= {site}

    def verdict(self) -> LegFailure:
        """What to tell when there is nothing left to try."""
        if self.last is None:
            return LegFailure("no-route", "no site has a ready target")
        if self.last.code == "busy":
            return LegFailure("all-full", "every site refused")
        return self.last

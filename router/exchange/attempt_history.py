"""The failed attempts of a request, and whether it may try again."""

from router.model import limits
from router.service.admission import NO_TARGETS
from router.service.ports import LegCode, LegFailure

NO_SITES: frozenset[str] = frozenset()

NOT_PROCESSED: LegCode = "not-processed"
"""Promised for a request that a target had taken (RFC 9113, 8.7): any method may run again."""

REPEATABLE: frozenset[LegCode] = frozenset(("target-reset", "link-lost", "unanswered"))
"""Failures after which an idempotent request may run again."""

CHARGED: frozenset[LegCode] = REPEATABLE | {"connect-failed", NOT_PROCESSED}
"""Failures after which another attempt is charged to the budget: all but refusals."""

NEWS_FOLLOW: frozenset[LegCode] = frozenset(("no-route", "draining"))
"""A transit's link died, or a router leaves: routes to that site are about to change."""


class AttemptHistory:
    """The memory of one request's failed attempts, by `Decision.place`.

    A place is a site, or one router of several that a site has. ``excluded`` ones are left out of
    selection until the request waits, those of ``refused`` only because they were full;
    ``hopeless`` ones failed it in a way that waiting does not fix, and stay out; those of
    ``way_lost`` are out until routes change. ``avoid`` are targets of this site that broke off: its
    others are as good as any other site's. The targets of other sites are not known: a site where a
    target broke off is left out too, but is better than no site.
    """

    __slots__ = (
        "_attempts",
        "_broke_off",
        "_lost_links",
        "_repeats",
        "avoid",
        "excluded",
        "hopeless",
        "last",
        "refused",
        "way_lost",
    )

    def __init__(self, begun: int = 0) -> None:
        """``begun``: how many attempts were made before anything had to be remembered."""
        self.excluded = NO_SITES
        self.refused = NO_SITES
        self.hopeless = NO_SITES
        self.way_lost = NO_SITES
        self.avoid = NO_TARGETS
        self.last: LegFailure | None = None
        self._attempts = begun
        self._repeats = 0
        self._lost_links = NO_SITES
        self._broke_off = NO_SITES

    @property
    def out(self) -> frozenset[str]:
        """Sites for which this request does not wait."""
        return self.hopeless | self.way_lost if self.way_lost else self.hopeless

    def begin(self) -> bool:
        """One more attempt; False: there were enough."""
        self._attempts += 1
        return self._attempts <= limits.RETRIES_MAX

    def rest(self) -> None:
        """The request waits: a site that was full may be asked again afterwards."""
        self._attempts = 0
        self.excluded = self.out
        self.refused = NO_SITES
        self._broke_off = NO_SITES  # They count again already: nothing is left to forgive.

    def reroute(self) -> None:
        """Routes changed, or had time to: every way may be good again."""
        self.way_lost = NO_SITES
        self.rest()

    def may_repeat(self, failure: LegFailure, *, idempotent: bool) -> bool:
        """Whether a request that is all in hand may be dispatched again after ``failure``."""
        if failure.untouched:
            return True
        if self._repeats >= limits.REPEATS_MAX:
            return False
        return failure.code == NOT_PROCESSED or (idempotent and failure.code in REPEATABLE)

    def note(self, failure: LegFailure, place: str, local_target: str | None) -> None:
        """An attempt at ``place`` failed; ``local_target`` if that is this router."""
        self.last = failure
        if failure.code == "busy":
            self.excluded |= {place}
            self.refused |= {place}
            return
        self.refused -= {place}
        if not failure.untouched:
            self._repeats += 1
            if failure.code == "link-lost":
                if place in self._lost_links:  # Gone: its other lanes will fail one by one.
                    self.lose_way(place)
                self._lost_links |= {place}
                return
            if local_target is not None and not failure.is_of_site:
                self.avoid |= {local_target}
                return
            if failure.code == "target-reset":  # An idle connection's end, as a rule.
                self.excluded |= {place}
                self._broke_off |= {place}
                return
        if failure.code in NEWS_FOLLOW:
            self.lose_way(place)
        else:
            self.exclude(place)

    def forgive(self) -> bool:
        """No other site is left: sites where a target broke off count again; returns whether there
        are any.
        """
        forgiven, self._broke_off = self._broke_off, NO_SITES
        self.excluded -= forgiven
        return bool(forgiven)

    def lose_way(self, place: str) -> None:
        """No stream can reach ``place`` now; another may once routes have followed."""
        self.refused -= {place}
        self.excluded |= {place}
        self.way_lost |= {place}

    def exclude(self, place: str) -> None:
        """Never try ``place`` again for this request."""
        self.refused -= {place}
        self.excluded |= {place}
        self.hopeless |= {place}

    def verdict(self, *, sheddable: bool = False) -> LegFailure:
        """The failure of a request, ``sheddable`` or not, when there is nothing left to try."""
        if self.last is None:
            return LegFailure("no-route", "no site has a ready target")
        if self.last.code == "busy":
            return LegFailure("shed" if sheddable else "all-full", "every site refused")
        return self.last

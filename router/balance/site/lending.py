"""Which slots of this site clients of other sites may have, and how many one neighbor. Pure.

Clients of this site may have every slot. A client of another site gets one only while fewer are in
use than the reserve leaves, and while the neighbor whose link brought it holds less than its share.
A neighbor answers for the sites behind it: its identity is proven, and its statements about them
are not.

The routers of a site own parts of its slots. Each lends the share of all parts up to and including
its own, less the share of the parts before it. So all together lend exactly the share of the whole,
as long as they agree which targets are ready.
"""

from collections.abc import Sequence
from math import floor, inf
from typing import Final, Literal

from router.model.capacity import LendingTerms
from router.model.ids import SiteId

Denial = Literal["reserved", "max-share"]
"""Why a free slot is not lent."""

BY_OTHER_ROUTERS: Final = SiteId("other routers of this site")
"""Used as the neighbor of a stream that an older router of this site brought without naming it."""

_ROUNDING: Final = 1e-9  # 70 of 100 slots, not 69.99.


def part_of(share: float, slots: int, before: int, *, least: int = 0) -> int:
    """How many of its ``slots`` this router lends, where routers before it have ``before``.

    All together lend ``share``, rounded down, and at least ``least``.
    """

    def whole(count: int) -> int:
        return max(least, floor(count * share + _ROUNDING)) if count else 0

    return whole(before + slots) - whole(before)


def lent_of(terms: LendingTerms, slots: int) -> tuple[int, int | None]:
    """How many of ``slots`` others never get, and how many one neighbor may hold; None:
    any number.
    """
    reserved = slots - part_of(1.0 - terms.reserve_for_own, slots, 0)
    most = part_of(terms.max_share, slots, 0, least=1) if terms.max_share < 1 else None
    return reserved, most


class Borrower:
    """A neighbor, and how many slots the clients that it brought hold."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = 0


class Lending:
    """The lending of one ledger. `limit` and `most` are infinite while the slots have no number."""

    __slots__ = ("_borrowers", "_own", "denied", "limit", "most", "terms")

    def __init__(self, own: SiteId, terms: LendingTerms) -> None:
        """``own``: this site, whose other routers bring requests of its own clients."""
        self._own = own
        self.terms = terms
        self._borrowers: dict[SiteId, Borrower] = {}
        self.limit: float = inf
        """Others get a slot while fewer slots than this are in use."""
        self.most: float = inf
        """The most slots that one neighbor may hold at once."""
        self.denied: dict[Denial, int] = {"reserved": 0, "max-share": 0}
        """How often a client of another site found a free slot that it may not have."""

    def recount(self, parts: Sequence[tuple[int, int]]) -> None:
        """Recompute for these slots of this router; the second of each pair: those of routers
        before it.

        One pair for its targets, one for its site's cap: the lower result counts. Empty: they have
        no number.
        """
        lends, share = 1.0 - self.terms.reserve_for_own, self.terms.max_share
        self.limit = self.most = inf
        for slots, before in parts:
            if lends < 1:
                self.limit = min(self.limit, part_of(lends, slots, before))
            if share < 1:
                self.most = min(self.most, part_of(share, slots, before, least=1))

    def is_own(self, link: SiteId) -> bool:
        """Clients that come over ``link`` (`WaitingPlace.link`) are this site's own."""
        return not link or link == self._own

    def denial(self, load: int, link: SiteId) -> Denial | None:
        """Why a client that came over ``link`` gets none of the free slots; None: it may have one.

        ``load``: slots in use.
        """
        if self.is_own(link):
            return None
        if load >= self.limit:
            return "reserved"
        if self.most < inf and self.held_by(link) >= self.most:
            return "max-share"
        return None

    def borrow(self, link: SiteId) -> Borrower:
        """Count one more slot of neighbor ``link``; its end takes one from `Borrower.held`."""
        borrower = self._borrowers.get(link)
        if borrower is None:
            self._borrowers = {site: one for site, one in self._borrowers.items() if one.held}
            borrower = self._borrowers[link] = Borrower()
        borrower.held += 1
        return borrower

    def held_by(self, link: SiteId) -> int:
        """Slots held by clients that came over ``link``."""
        borrower = self._borrowers.get(link)
        return 0 if borrower is None else borrower.held

    def borrowers(self) -> dict[SiteId, int]:
        """By neighbor, how many slots its clients hold; without those that hold none."""
        return {site: one.held for site, one in self._borrowers.items() if one.held}

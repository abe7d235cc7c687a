"""Which slots of this site clients of other sites may have, and how many one neighbor. Pure.

Clients of this site may have every slot. A client of another site gets one only while fewer are in
use than the reserve leaves, and while the neighbor whose link brought it holds less than its share.
A neighbor answers for the sites behind it: its identity is proven, and what it says of them is not.

The routers of a site own parts of its slots. Each lends what the share makes of all parts up to and
with its own, less what it makes of those before. So all together lend exactly what the share makes
of the whole, as long as they agree which targets are ready.
"""

from collections.abc import Sequence
from math import floor, inf
from typing import Final, Literal

from router.model.capacity import LendingTerms
from router.model.ids import SiteId

Denial = Literal["reserved", "max-share"]
"""Why a slot that is free is not lent."""

BY_OTHER_ROUTERS: Final = SiteId("other routers of this site")
"""Stands for the neighbor of a stream that an older router of this site brought, unnamed."""

_ROUNDING: Final = 1e-9  # 70 of 100 slots, not 69.99.


def part_of(share: float, slots: int, before: int, *, least: int = 0) -> int:
    """What this router lends of its ``slots``, where routers before it have ``before``.

    Of all together ``share`` is lent, rounded down, and at least ``least``.
    """

    def whole(count: int) -> int:
        return max(least, floor(count * share + _ROUNDING)) if count else 0

    return whole(before + slots) - whole(before)


def lent_of(terms: LendingTerms, slots: int) -> tuple[int, int | None]:
    """Of ``slots``, those that others never get, and how many one neighbor holds; None: any."""
    reserved = slots - part_of(1.0 - terms.reserve_for_own, slots, 0)
    most = part_of(terms.max_share, slots, 0, least=1) if terms.max_share < 1 else None
    return reserved, most


class Borrower:
    """A neighbor, and how many slots the clients that it brought hold."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = 0


class Lending:
    """What one ledger lends. `limit` and `most` are infinite while the slots have no number."""

    __slots__ = ("_borrowers", "_own", "denied", "limit", "most", "terms")

    def __init__(self, own: SiteId, terms: LendingTerms) -> None:
        """``own``: this site, whose other routers bring requests of its own clients."""
        self._own = own
        self.terms = terms
        self._borrowers: dict[SiteId, Borrower] = {}
        self.limit: float = inf
        """Others get a slot while fewer than so many are in use."""
        self.most: float = inf
        """So many slots one neighbor holds at once."""
        self.denied: dict[Denial, int] = {"reserved": 0, "max-share": 0}
        """How often a client of another site found a free slot that it may not have."""

    def recount(self, parts: Sequence[tuple[int, int]]) -> None:
        """This router has these slots now, and routers before it have the second of each pair.

        Of its targets, and of its site's cap: the less counts. Empty: they have no number.
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
        """Slots that clients hold who came over ``link``."""
        borrower = self._borrowers.get(link)
        return 0 if borrower is None else borrower.held

    def borrowers(self) -> dict[SiteId, int]:
        """By neighbor, how many slots its clients hold; without those that hold none."""
        return {site: one.held for site, one in self._borrowers.items() if one.held}

"""Budgets for reports on services: by the routers of one site together, and by one neighbor on
other sites.

A site can make any number of routers, so limits per router bound nothing. And a member can make any
number of sites, each with its own key, so limits per site bound nothing either. The bound is on the
neighbor that brings them, to which an operator gave a token. Many sites may link with one token:
here they are one neighbor, and their reports on themselves are bounded too.
"""

from abc import ABC, abstractmethod
from collections import Counter
from typing import NamedTuple

from router.model.ids import SiteId
from router.model.limits import (
    LSA_NEIGHBOUR_BYTES_MAX,
    LSA_NEIGHBOUR_ITEMS_MAX,
    LSA_NEIGHBOUR_NAMES_MAX,
    LSA_SITE_BYTES_MAX,
    LSA_SITE_ITEMS_MAX,
    LSA_SITE_NAMES_MAX,
)
from router.routing.adverts.lsa import Lsa, Node, Services

Stored = tuple[Lsa, bytes]
"""A part and its signed bytes."""


class BudgetKey(NamedTuple):
    """``of_itself``: the budget for reports of ``holder``'s sites on themselves; else on other
    sites.

    ``holder``: a token, or a neighboring site that no token let in.
    """

    holder: str
    of_itself: bool


class LsaSource(NamedTuple):
    """A neighboring site, and the token that let it in here; empty: none, as where we dial it."""

    site: SiteId
    token: str = ""

    @property
    def holder(self) -> str:
        """The token, or the site itself if none let it in."""
        return self.token or self.site

    def budget(self, site: SiteId) -> BudgetKey | None:
        """The budget for parts of ``site`` that it brings; None: only the site's own budget
        applies."""
        if site != self.site:
            return BudgetKey(self.holder, of_itself=False)
        return BudgetKey(self.token, of_itself=True) if self.token else None


class Most(NamedTuple):
    """Limits of one budget."""

    names: int
    items: int
    size_bytes: int


class Budget(ABC):
    """Routers, and the sums over their parts with services.

    Part 0 is not counted: the number of routers is limited, and without part 0 no path leads to
    one.
    """

    __slots__ = ("_bytes", "_items", "_names", "nodes")

    def __init__(self) -> None:
        self.nodes: set[Node] = set()
        self._bytes = self._items = 0
        self._names: Counter[str] = Counter()  # The number of parts that name each service.

    @property
    @abstractmethod
    def most(self) -> Most:
        """The limits of this budget."""

    def excess(self, before: Stored | None, after: Stored) -> str:
        """The limit that ``after`` in place of ``before`` would exceed; empty: none.

        Parts that do not grow always have room.
        """
        most = self.most
        old, new = _names_in(before), _names_in(after)
        names = len(self._names) + sum(name not in self._names for name in new)
        names -= sum(self._names[name] == 1 for name in old - new)
        if names > max(most.names, len(self._names)):
            return f"more than {most.names:,} services"
        items = self._items - _items_in(before) + _items_in(after)
        if items > max(most.items, self._items):
            return f"more than {most.items:,} declarations and offers of targets"
        size = self._bytes - _bytes_of(before) + _bytes_of(after)
        if size > max(most.size_bytes, self._bytes):
            return f"more than {most.size_bytes:,} bytes about services"
        return ""

    def replace(self, before: Stored | None, after: Stored | None) -> None:
        """Replace ``before`` with ``after`` in the sums."""
        self._names.update(_names_in(after))
        for name in _names_in(before):
            self._names[name] -= 1
            if not self._names[name]:
                del self._names[name]
        self._items += _items_in(after) - _items_in(before)
        self._bytes += _bytes_of(after) - _bytes_of(before)


class SiteBudget(Budget):
    """The budget of the routers of one site."""

    __slots__ = ()

    @property
    def most(self) -> Most:
        return Most(LSA_SITE_NAMES_MAX, LSA_SITE_ITEMS_MAX, LSA_SITE_BYTES_MAX)


class NeighbourBudget(Budget):
    """The budget of one neighbor's reports on other sites; or of the reports on themselves by all
    sites that one token let in."""

    __slots__ = ()

    @property
    def most(self) -> Most:
        return Most(LSA_NEIGHBOUR_NAMES_MAX, LSA_NEIGHBOUR_ITEMS_MAX, LSA_NEIGHBOUR_BYTES_MAX)


def _services_in(stored: Stored | None) -> Services | None:
    return stored[0].body if stored and isinstance(stored[0].body, Services) else None


def _names_in(stored: Stored | None) -> set[str]:
    body = _services_in(stored)
    if body is None:
        return set()
    return {told.name for told in body.declarations} | {told.name for told in body.adverts}


def _items_in(stored: Stored | None) -> int:
    body = _services_in(stored)
    return 0 if body is None else len(body.declarations) + len(body.adverts)


def _bytes_of(stored: Stored | None) -> int:
    return len(stored[1]) if stored and _services_in(stored) else 0

"""How much the routers of one site may tell of services, all together, and how much one neighbor
may bring of other sites.

A site makes as many routers as it likes, so limits of one router bound nothing. And a member makes
as many sites as it likes, each with a key of its own, so limits of one site bound nothing either.
What bounds them is who brings it: a neighbor, to whom an operator gave a token. With one token many
sites may link: they are one neighbor here, and of what they tell of themselves that is bounded too.
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
    """``of_itself``: what the sites of ``holder`` tell of themselves; else of what they bring.

    ``holder``: a token, or a neighboring site that no token let in.
    """

    holder: str
    of_itself: bool


class Bringer(NamedTuple):
    """A neighboring site, and the token that let it in here; empty: none, as where we dial it."""

    site: SiteId
    token: str = ""

    @property
    def holder(self) -> str:
        """The token, or the site that none let in."""
        return self.token or self.site

    def budget(self, site: SiteId) -> BudgetKey | None:
        """Of what it brings of ``site``; None: no more than that of the site."""
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

    Part 0 is not counted: there are at most so many routers, and without it no path leads to one.
    """

    __slots__ = ("_bytes", "_items", "_names", "nodes")

    def __init__(self) -> None:
        self.nodes: set[Node] = set()
        self._bytes = self._items = 0
        self._names: Counter[str] = Counter()  # Parts in which each is told.

    @property
    @abstractmethod
    def most(self) -> Most:
        """What it may hold."""

    def excess(self, before: Stored | None, after: Stored) -> str:
        """The limit that would be passed by ``after`` in place of ``before``; empty: none.

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
        """``after`` is stored in place of ``before``."""
        self._names.update(_names_in(after))
        for name in _names_in(before):
            self._names[name] -= 1
            if not self._names[name]:
                del self._names[name]
        self._items += _items_in(after) - _items_in(before)
        self._bytes += _bytes_of(after) - _bytes_of(before)


class SiteBudget(Budget):
    """Of the routers of one site."""

    __slots__ = ()

    @property
    def most(self) -> Most:
        return Most(LSA_SITE_NAMES_MAX, LSA_SITE_ITEMS_MAX, LSA_SITE_BYTES_MAX)


class NeighbourBudget(Budget):
    """Of what one neighbor brings of other sites; or of what all that one token let in tell of
    themselves."""

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

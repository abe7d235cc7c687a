"""How much the routers of one site may tell of services, all together.

A site makes as many routers as it likes, so limits of one router bound nothing.
"""

from collections import Counter

from router.model.limits import (
    LSA_SITE_BYTES_MAX,
    LSA_SITE_ITEMS_MAX,
    LSA_SITE_NAMES_MAX,
)
from router.routing.adverts.lsa import Lsa, Node, Services

Stored = tuple[Lsa, bytes]
"""A part and its signed bytes."""


class SiteBudget:
    """The routers of one site, and the sums over their parts with services.

    Part 0 is not counted: a site has at most `ROUTERS_PER_SITE_MAX` of them, and without it no path
    leads to its router.
    """

    __slots__ = ("_bytes", "_items", "_names", "nodes")

    def __init__(self) -> None:
        self.nodes: set[Node] = set()
        self._bytes = self._items = 0
        self._names: Counter[str] = Counter()  # Parts in which each is told.

    def excess(self, before: Stored | None, after: Stored) -> str:
        """The limit that the site would pass by ``after`` in place of ``before``; empty: none.

        Parts that do not grow always have room.
        """
        old, new = _names_in(before), _names_in(after)
        names = len(self._names) + sum(name not in self._names for name in new)
        names -= sum(self._names[name] == 1 for name in old - new)
        if names > max(LSA_SITE_NAMES_MAX, len(self._names)):
            return f"more than {LSA_SITE_NAMES_MAX:,} services"
        items = self._items - _items_in(before) + _items_in(after)
        if items > max(LSA_SITE_ITEMS_MAX, self._items):
            return f"more than {LSA_SITE_ITEMS_MAX:,} declarations and offers of targets"
        size = self._bytes - _bytes_of(before) + _bytes_of(after)
        if size > max(LSA_SITE_BYTES_MAX, self._bytes):
            return f"more than {LSA_SITE_BYTES_MAX:,} bytes about services"
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

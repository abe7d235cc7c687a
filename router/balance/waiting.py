"""Who waits for a slot when all candidates are full, and how many may."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

import msgspec

from router.balance.longest import Longest
from router.model import limits
from router.model.ids import SiteId

ItemT = TypeVar("ItemT", bound=Hashable)


LOCAL_LINK = SiteId("")
"""Of this site's own clients."""


UNKNOWN_INGRESS = SiteId("")
"""Of all sites named over a link that it does not lead to."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """Where an item waits: by the link that it came over, then by its ingress site.

    ``link`` is the site next to this one, which is proven, or `LOCAL_LINK`. ``ingress`` is what
    that site says, as far as `line_of` believes it.
    """

    link: SiteId
    ingress: SiteId


def line_of(link: SiteId, ingress: SiteId, leads_to: Callable[[SiteId, SiteId], bool]) -> Line:
    """The line of a stream that came over ``link``, and says that it began at ``ingress``.

    ``leads_to``: whether a link leads to a site, which is known. All other names that come over
    one link share a line: made-up names would have a turn each.
    """
    is_believed = ingress == link or leads_to(link, ingress)
    return Line(link, ingress if is_believed else UNKNOWN_INGRESS)


_HEAP_SLACK = 64  # Stale deadlines kept before the heap is rebuilt.


def queue_limit(configured: int | None, held: int) -> int:
    """How many requests may wait: as ``configured``, else by the slots ``held`` through this site.

    Requests wait when every slot in reach is taken. So the slots that this site's clients hold are
    its share of the capacity in reach, however many others use it, and the queues of all ingresses
    together have `limits.QUEUE_PER_SLOT` places for each slot.
    """
    if configured is not None:
        return configured
    wished = limits.QUEUE_PER_SLOT * held
    return max(limits.QUEUE_DEFAULT_MIN, min(wished, limits.QUEUE_DEFAULT_MAX))


class _LinkLines(Generic[ItemT]):
    """The lines of one link, by ingress site, in order of service."""

    __slots__ = ("by_ingress", "longest", "size")

    def __init__(self) -> None:
        self.by_ingress: OrderedDict[SiteId, OrderedDict[ItemT, float]] = OrderedDict()
        self.longest: Longest[SiteId] = Longest()
        self.size = 0


class FairQueue(Generic[ItemT]):
    """A bounded queue: a line per link and in it one per ingress site, served in turn.

    Links take turns, the ingress sites of a link take turns within it, and each of their lines is
    first come first served. So whatever a site opens or claims, it takes no more than the turns of
    its link.

    One bound holds for all lines together. When the queue is full, an item of a shorter line
    displaces the last of the longest: links are compared first, then the ingress sites of a link.

    An item is in it at most once and leaves by exactly one of `pop`, `discard`, `displace` and
    `expire`; items past their deadline are never popped and hold their place until `expire` hands
    them back. All operations O(1) or O(log n), amortised.
    """

    __slots__ = ("_by_link", "_deadlines", "_limit", "_longest", "_pushes", "items")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Both levels in order of service; who has nobody left is removed.
        self._by_link: OrderedDict[SiteId, _LinkLines[ItemT]] = OrderedDict()
        self._longest: Longest[SiteId] = Longest()
        self.items: dict[ItemT, tuple[Line, int]] = {}
        """Who waits, the same object at all times: others look whether it is empty (hot)."""
        self._deadlines: list[tuple[float, int, ItemT]] = []  # A heap; may name those who left.
        self._pushes = 0

    def __len__(self) -> int:
        return len(self.items)

    def set_limit(self, limit: int) -> None:
        """How many may wait from now on. Nobody is sent away."""
        self._limit = limit

    def waiting_of(self, line: Line) -> int:
        """How many wait in ``line``."""
        lines = self._by_link.get(line.link)
        return 0 if lines is None else len(lines.by_ingress.get(line.ingress, ()))

    @property
    def longest(self) -> int:
        """How many of the link wait that has most of them."""
        return self._longest.count

    @property
    def is_full(self) -> bool:
        """An item needs one to `displace`."""
        return len(self.items) >= self._limit

    def push(self, where: Line, item: ItemT, deadline: float, *, first: bool = False) -> None:
        """Let ``item`` wait until ``deadline``; ``first`` of its line, if it waited before."""
        assert item not in self.items, "item waits already"
        link, ingress = where.link, where.ingress
        lines = self._by_link.get(link)
        if lines is None:
            lines = self._by_link[link] = _LinkLines()
        line = lines.by_ingress.get(ingress)
        if line is None:
            line = lines.by_ingress[ingress] = OrderedDict()
        line[item] = deadline
        if first:
            line.move_to_end(item, last=False)
        lines.longest.add(ingress)
        lines.size += 1
        self._longest.add(link)
        self._pushes += 1  # The number keeps the heap from comparing items.
        self.items[item] = (where, self._pushes)
        heappush(self._deadlines, (deadline, self._pushes, item))

    def displace(self, line: Line) -> ItemT | None:
        """Remove and return the item that gives way to one for ``line``; None: none does."""
        if self._limit <= 0 or not self.items:
            return None
        longest = self._by_link[self._longest.name]
        own = self._by_link.get(line.link)
        if own is not None and own.size >= longest.size:
            if len(own.by_ingress.get(line.ingress, ())) >= own.longest.count:
                return None
            longest = own
        item = next(reversed(longest.by_ingress[longest.longest.name]))
        self._forget(item)
        return item

    def pop(self, now: float) -> ItemT | None:
        """The next in turn whose deadline is ahead; None: nobody."""
        for link, lines in self._by_link.items():
            for ingress, line in lines.by_ingress.items():
                item = next((one for one, deadline in line.items() if deadline > now), None)
                if item is not None:
                    self._by_link.move_to_end(link)
                    lines.by_ingress.move_to_end(ingress)
                    self._forget(item)
                    return item
        return None

    def discard(self, item: ItemT) -> bool:
        """``item`` waits no longer. False: it did not."""
        if item not in self.items:
            return False
        self._forget(item)
        return True

    def expire(self, now: float) -> list[ItemT]:
        """Remove and return all whose deadline is ``now`` or before, the earliest first."""
        expired: list[ItemT] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            entry = heappop(self._deadlines)
            if self._is_current(entry):
                self._forget(entry[2])
                expired.append(entry[2])
        return expired

    def next_deadline(self) -> float | None:
        """The earliest deadline of those who wait; None: nobody waits."""
        while self._deadlines and not self._is_current(self._deadlines[0]):
            heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def _is_current(self, entry: tuple[float, int, ItemT]) -> bool:
        where = self.items.get(entry[2])
        return where is not None and where[1] == entry[1]

    def _forget(self, item: ItemT) -> None:
        where, _ = self.items.pop(item)
        link, ingress = where.link, where.ingress
        lines = self._by_link[link]
        line = lines.by_ingress[ingress]
        del line[item]
        lines.size -= 1
        lines.longest.remove(ingress)
        self._longest.remove(link)
        if not lines.size:
            del self._by_link[link]
        elif not line:
            del lines.by_ingress[ingress]
        if len(self._deadlines) > 2 * len(self.items) + _HEAP_SLACK:
            self._deadlines = [one for one in self._deadlines if self._is_current(one)]
            heapify(self._deadlines)

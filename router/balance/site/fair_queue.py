"""The queue for slots when all candidates are full, with its order and its bound."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

import msgspec

from router.balance.site.lending import BY_OTHER_ROUTERS
from router.balance.site.max_counter import MaxCounter
from router.model import limits
from router.model.ids import SiteId

ItemT = TypeVar("ItemT", bound=Hashable)


LOCAL_LINK = SiteId("")
"""The link of this site's own clients."""


UNKNOWN_INGRESS = SiteId("")
"""The ingress of all sites that are named over a link that does not lead to them."""


class WaitingPlace(msgspec.Struct, frozen=True, gc=False):
    """Where an item waits: the holder of its link, that link, the branch behind it, its ingress
    site.

    ``holder`` answers for ``link`` and maybe for others: all sites that one token admitted have the
    same holder; empty: the link answers for itself. ``link`` is the site next to this one, which is
    proven, or `LOCAL_LINK`. ``ingress`` is the claim of that site, as far as `line_of` believes it.
    ``branch`` is the site behind ``link`` through which the way to the ingress leads, or ``link``
    itself for its own clients.
    """

    link: SiteId
    ingress: SiteId
    branch: SiteId = UNKNOWN_INGRESS
    holder: str = ""


def line_of(
    link: SiteId,
    ingress: SiteId,
    branch_to: Callable[[SiteId, SiteId], SiteId | None],
    holder: str = "",
) -> WaitingPlace:
    """The line of a stream that came over ``link``, and claims to begin at ``ingress``. ``holder``
    answers for the link.

    ``branch_to``: the site behind a link through which the way to another site leads; None: there
    is none. All names that come over a link which does not lead there share a line; otherwise
    made-up names would have a turn each. Sites of one branch share its turns: a member can announce
    any number of sites, but only behind itself.
    """
    if ingress == link:
        return WaitingPlace(link, link, link, holder)
    branch = branch_to(link, ingress)
    if not branch:
        return WaitingPlace(link, UNKNOWN_INGRESS, holder=holder)
    return WaitingPlace(link, ingress, branch, holder)


def line_within(link: SiteId, ingress: SiteId, next_site: SiteId | None) -> WaitingPlace:
    """The line of a stream that another router of this site brought here from ``link``.

    ``next_site``: the first site beyond this one on a cheapest way to ``ingress``; None: no way is
    known. The ingress is believed if that site is ``link``, or if the link it came over is not
    named.
    """
    if next_site is not None and link in (next_site, BY_OTHER_ROUTERS):
        return WaitingPlace(link, ingress, next_site)
    return WaitingPlace(link, UNKNOWN_INGRESS)


_HEAP_SLACK = 64  # Stale deadlines allowed before the heap is rebuilt.


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


class _Lines(Generic[ItemT]):
    """Items that wait at one place, in one line or in lines that take turns: ``places``, in order
    of service.
    """

    __slots__ = ("line", "longest", "places", "size")

    def __init__(self) -> None:
        self.line: OrderedDict[ItemT, float] = OrderedDict()  # With deadlines.
        self.places: OrderedDict[SiteId, _Lines[ItemT]] = OrderedDict()
        self.longest: MaxCounter[SiteId] = MaxCounter()
        self.size = 0

    def next(self, now: float, may: Callable[[SiteId], bool] | None, above: int) -> ItemT | None:
        """The next item in turn whose deadline is ahead; the turn is taken. None: there is none.

        ``may``: as in `FairQueue.pop`, for the places ``above`` levels below.
        """
        for place, lines in self.places.items():
            if may is not None and not above and not may(place):
                continue
            item = lines.next(now, may if above else None, above - 1)
            if item is not None:
                self.places.move_to_end(place)
                return item
        return next((one for one, deadline in self.line.items() if deadline > now), None)

    def last_of_longest(self) -> ItemT:
        """The last item of the longest line; there must be items."""
        lines = self
        while lines.places:
            lines = lines.places[lines.longest.name]
        return next(reversed(lines.line))


class FairQueue(Generic[ItemT]):
    """A bounded queue: lines per holder of links, in it per link, per branch, per ingress site.

    Holders take turns, their links take turns within that, the branches of a link within it, and
    the ingress sites of a branch within that; each of their lines is first come first served. So
    whatever a site opens, claims or announces, it takes no more than the turns of its link and
    branch; and all sites that one token admitted take no more than the turns of one neighbor.

    Items that wait ``behind`` have separate lines, which are served when no other item waits.

    One bound holds for all lines together. When the queue is full, an item of a shorter line
    displaces the last of the longest: holders are compared first, then links, then branches, then
    ingress sites. Any item displaces one that waits behind, and one behind displaces no other.

    An item is in it at most once and leaves by exactly one of `pop`, `discard`, `displace` and
    `expire`; items past their deadline are never popped and hold their place until `expire` returns
    them. All operations O(1) or O(log n), amortized.
    """

    __slots__ = ("_behind", "_deadlines", "_limit", "_lines", "_pushes", "items")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: _Lines[ItemT] = _Lines()  # Empty places are removed.
        self._behind: _Lines[ItemT] = _Lines()
        self.items: dict[ItemT, tuple[WaitingPlace, int, _Lines[ItemT]]] = {}
        """All waiting items, the same object at all times: others check whether it is
        empty (hot).
        """
        self._deadlines: list[tuple[float, int, ItemT]] = []  # A heap; may name items that left.
        self._pushes = 0

    def __len__(self) -> int:
        return len(self.items)

    def set_limit(self, limit: int) -> None:
        """Set how many may wait from now on. No waiting item is removed."""
        self._limit = limit

    def waiting_of(self, line: WaitingPlace) -> int:
        """How many wait in ``line``, including those behind."""
        found = 0
        for root in (self._lines, self._behind):
            lines: _Lines[ItemT] | None = root
            for place in _places(line):
                lines = lines.places.get(place) if lines is not None else None
            found += 0 if lines is None else lines.size
        return found

    @property
    def longest(self) -> int:
        """How many items of the holder with the most wait, without those behind."""
        return self._lines.longest.count

    @property
    def longest_behind(self) -> int:
        """As `longest`, for items that wait behind."""
        return self._behind.longest.count

    @property
    def waiting_behind(self) -> int:
        """How many wait behind the others."""
        return self._behind.size

    @property
    def is_full(self) -> bool:
        """A new item must `displace` one."""
        return len(self.items) >= self._limit

    def push(
        self,
        where: WaitingPlace,
        item: ItemT,
        deadline: float,
        *,
        first: bool = False,
        behind: bool = False,
    ) -> None:
        """Let ``item`` wait until ``deadline``; ``first`` of its line, if it waited before."""
        assert item not in self.items, "item waits already"
        lines = root = self._behind if behind else self._lines
        for place in _places(where):
            lines.size += 1
            lines.longest.add(place)
            found = lines.places.get(place)
            if found is None:
                found = lines.places[place] = _Lines()
            lines = found
        lines.size += 1
        lines.line[item] = deadline
        if first:
            lines.line.move_to_end(item, last=False)
        self._pushes += 1  # The number keeps the heap from comparing items.
        self.items[item] = (where, self._pushes, root)
        heappush(self._deadlines, (deadline, self._pushes, item))

    def displace(self, line: WaitingPlace, *, behind: bool = False) -> ItemT | None:
        """Remove and return the item that makes room for one of ``line``; None: none does."""
        if self._limit <= 0 or not self.items:
            return None
        if not behind and self._behind.size:
            item = self._behind.last_of_longest()
            self._forget(item)
            return item
        lines = self._behind if behind else self._lines
        if not lines.size:
            return None  # Items that wait behind displace no others.
        for place in _places(line):
            own = lines.places.get(place)
            if own is None or own.size < lines.longest.count:
                item = lines.last_of_longest()
                self._forget(item)
                return item
            lines = own
        return None

    def pop(
        self,
        now: float,
        may: Callable[[SiteId], bool] | None = None,
        *,
        takes_behind: bool = True,
    ) -> ItemT | None:
        """The next item in turn whose deadline is ahead; None: there is none.

        ``may``: whether an item that waits at a link is admitted now; None: all are.
        ``takes_behind``: so are those that wait behind.
        """
        item = self._lines.next(now, may, _HOLDERS)
        if item is None and takes_behind and self._behind.size:
            item = self._behind.next(now, may, _HOLDERS)
        if item is not None:
            self._forget(item)
        return item

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
        """The earliest deadline of the waiting items; None: none waits."""
        while self._deadlines and not self._is_current(self._deadlines[0]):
            heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def _is_current(self, entry: tuple[float, int, ItemT]) -> bool:
        where = self.items.get(entry[2])
        return where is not None and where[1] == entry[1]

    def _forget(self, item: ItemT) -> None:
        where, _, lines = self.items.pop(item)
        for place in _places(where):
            lines.size -= 1
            lines.longest.remove(place)
            inner = lines.places[place]
            if inner.size == 1:
                del lines.places[place]  # With everything left in it.
                break
            lines = inner
        else:
            lines.size -= 1
            del lines.line[item]
        if len(self._deadlines) > 2 * len(self.items) + _HEAP_SLACK:
            self._deadlines = [one for one in self._deadlines if self._is_current(one)]
            heapify(self._deadlines)


_HOLDERS = 1
"""Levels above that of links."""


def _places(line: WaitingPlace) -> tuple[SiteId, SiteId, SiteId, SiteId]:
    return SiteId(line.holder or line.link), line.link, line.branch, line.ingress

"""Who waits for a slot when all candidates are full, and how many may."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from router.model import limits
from router.model.ids import SiteId

ItemT = TypeVar("ItemT", bound=Hashable)

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


class FairQueue(Generic[ItemT]):
    """A bounded queue: first come first served per ingress site, the sites in turn.

    One bound for all sites together. An item is in it at most once and leaves by exactly one of
    `pop`, `discard` and `expire`; items past their deadline are never popped and hold their place
    until `expire` hands them back. All operations O(1) or O(log n), amortised.
    """

    __slots__ = ("_by_ingress", "_deadlines", "_limit", "_pushes", "_ring", "items")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # The ring names each ingress that has a line, in order of service; a line that `discard`
        # or `expire` emptied stays until its turn.
        self._ring: deque[SiteId] = deque()
        self._by_ingress: dict[SiteId, OrderedDict[ItemT, float]] = {}
        self.items: dict[ItemT, tuple[SiteId, int]] = {}
        """Who waits, the same object at all times: others look whether it is empty (hot)."""
        self._deadlines: list[tuple[float, int, ItemT]] = []  # A heap; may name those who left.
        self._pushes = 0

    def __len__(self) -> int:
        return len(self.items)

    def set_limit(self, limit: int) -> None:
        """How many may wait from now on. Nobody is sent away."""
        self._limit = limit

    def waiting_of(self, ingress: SiteId) -> int:
        """How many of ``ingress`` wait."""
        line = self._by_ingress.get(ingress)
        return len(line) if line is not None else 0

    def push(self, ingress: SiteId, item: ItemT, deadline: float, *, returns: bool = False) -> bool:
        """Let ``item`` wait until ``deadline``. False: the queue is full.

        ``returns``: it has waited before, elsewhere; it is let in first and in any case.
        """
        assert item not in self.items, "item waits already"
        if len(self.items) >= self._limit and not returns:
            return False
        line = self._by_ingress.get(ingress)
        if line is None:
            line = self._by_ingress[ingress] = OrderedDict()
            self._ring.append(ingress)
        line[item] = deadline
        if returns:
            line.move_to_end(item, last=False)
        self._pushes += 1  # The number keeps the heap from comparing items.
        self.items[item] = (ingress, self._pushes)
        heappush(self._deadlines, (deadline, self._pushes, item))
        return True

    def pop(self, now: float) -> ItemT | None:
        """The next in turn whose deadline is ahead; None: nobody."""
        for _ in range(len(self._ring)):
            ingress = self._ring.popleft()
            line = self._by_ingress[ingress]
            item = next((one for one, deadline in line.items() if deadline > now), None)
            if item is not None:
                self._forget(item)
            if line:
                self._ring.append(ingress)
            else:
                del self._by_ingress[ingress]
            if item is not None:
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
        ingress, _ = self.items.pop(item)
        del self._by_ingress[ingress][item]
        if len(self._deadlines) > 2 * len(self.items) + _HEAP_SLACK:
            self._deadlines = [one for one in self._deadlines if self._is_current(one)]
            heapify(self._deadlines)

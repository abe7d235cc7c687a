"""Where the policy would place existing connections if all of them arrived now, one by one.

The rules are those for requests. They are applied to imagined candidates, whose load is that of the
sites without the connections, and grows with each one that is placed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from router.balance.deciding.candidates import Candidate
from router.balance.deciding.policies import Policy, choose
from router.balance.targets.rotation import take_turn
from router.model import limits
from router.model.ids import SiteId

_NOBODY: frozenset[str] = frozenset()


class Placement(msgspec.Struct, frozen=True):
    """How many connections should leave each site, and how many should then go to each.

    Both have the same sum. Empty: all are where the policy would place them.
    """

    leave: dict[SiteId, int]
    come: dict[SiteId, int]


NOTHING_TO_MOVE = Placement({}, {})


class ImaginedSite(Candidate):
    """A candidate as it would be without ``placed`` connections; the caller adds load."""

    __slots__ = ("_is_learnt",)

    def __init__(self, one: Candidate, placed: int) -> None:
        super().__init__(one.site, one.name, one.local)
        self.cost, self.able, self.barred = one.cost, one.able, one.barred
        self.draining, self.ejected = one.draining, one.ejected
        self.ejected_until = one.ejected_until
        self.targets_ready, self.paths = one.targets_ready, one.paths
        self.share, self.weight = one.share, one.weight
        self.capacity = one.stated_capacity  # Not by a rate: that limits new ones.
        self.in_flight = max(0, one.in_flight - placed)
        if one.most_for_one is not None and self.capacity is not None:
            self.capacity = min(self.capacity, self.in_flight + one.most_for_one)
        self._is_learnt = one.is_learnt
        self.stale = False
        self.add(0)

    def add(self, count: int) -> None:
        """Place ``count`` connections there."""
        self.in_flight += count
        self.hard_full = self.capacity is not None and self.in_flight >= self.capacity

    @property
    def is_learnt(self) -> bool:
        """As for the real one."""
        return self._is_learnt

    def refresh(self, now: float) -> None:
        """Does nothing: the values stay as constructed."""


def place(
    order: Sequence[Candidate],
    rule: Policy,
    placed: Mapping[SiteId, int],
    now: float,
    coming: int,
    part: tuple[int, int],
) -> Placement:
    """Which of the connections ``placed`` by site should move, with ``order`` up to date.

    ``coming``: further connections that are about to be placed, and are nowhere yet. Connections
    for which no site has room stay. O(connections x candidates), and at most
    `limits.PLACEMENT_STEPS_MAX` steps: with more connections, a step places several. ``part``: the
    index of this router among those of this site, and their number: each fills its part of the
    site's free slots, since the others see the same ones.
    """
    total = sum(placed.values()) + coming
    imagined = [ImaginedSite(one, placed.get(one.site, 0)) for one in order]
    by_site = {one.site: one for one in imagined}
    for one in order:
        if one.local and one.capacity is not None and part != (0, 1):
            by_site[one.site].capacity = one.in_flight + _part_of(one.free or 0, part)
            by_site[one.site].add(0)
    wanted: Counter[SiteId] = Counter()
    step = max(1, total // limits.PLACEMENT_STEPS_MAX)
    left = total
    while left:
        tied = choose(rule, imagined, now, _NOBODY, _NOBODY)
        if not tied:
            break
        site = take_turn(tied).site
        chosen = by_site[site]
        count = min(step, left, chosen.free or left)
        chosen.add(count)
        wanted[site] += count
        left -= count
    return _difference(order, placed, wanted)


def _part_of(slots: int, part: tuple[int, int]) -> int:
    """The whole number of slots in this part; all parts together make up ``slots``."""
    number, count = part
    return slots // count + (number < slots % count)


def _difference(
    order: Sequence[Candidate], placed: Mapping[SiteId, int], wanted: Mapping[SiteId, int]
) -> Placement:
    """Connections leave the costliest sites first; as many leave as other sites have room for."""
    come = {
        one.site: more
        for one in order
        if (more := wanted.get(one.site, 0) - placed.get(one.site, 0)) > 0
    }
    may = sum(come.values())
    known = [one.site for one in reversed(order)]
    leave: dict[SiteId, int] = {}
    for site in (*(site for site in placed if site not in known), *known):
        fewer = min(may, placed.get(site, 0) - wanted.get(site, 0))
        if fewer > 0:
            leave[site] = fewer
            may -= fewer
    return Placement(leave, _at_most(come, sum(leave.values())))


def _at_most(come: Mapping[SiteId, int], total: int) -> dict[SiteId, int]:
    """At most ``total`` of ``come``, the nearest sites first."""
    found: dict[SiteId, int] = {}
    for site, more in come.items():
        some = min(more, total)
        if some:
            found[site] = some
            total -= some
    return found

"""A balancer's view of another site through one of its routers: an estimate between two figures."""

from collections import defaultdict
from math import inf
from typing import Protocol

from router.balance.deciding.candidates import SENDS_AWAY, Candidate
from router.balance.sites.path_turns import PathTurns
from router.balance.sites.recent_concurrency import RecentConcurrency
from router.balance.sites.remote_permits import RemotePermits
from router.balance.sites.site_ejection import SiteEjection, SiteEjections
from router.model import limits
from router.model.ids import SiteId
from router.model.messages.adverts import LoadReport, RateLoad, RemoteCandidate
from router.model.paths import Path


class Whole(Protocol):
    """A site of several routers, for one of them. ``stale``: as of a `Candidate`."""

    stale: bool

    def most_of_all(self, most: int) -> int:
        """The slots that clients of this site may hold at all its routers; ``most``: at one."""


class RemoteSite(Candidate):
    """Another site, by one of its routers: the last reported figure + ours opened - ours ended
    since.

    A refusal makes it full until a newer figure, an end of one of ours there, or
    `limits.REFUSED_FULL_S` later: then one slot counts as free again, since a refusal without any
    report after it must not shut a site out forever.

    The figures for decisions and for display differ: for decisions only, a stream of ours that
    waits there holds a slot, and the free slots of a site that would refuse again count as taken.
    ``beyond`` is the difference. Of a rate it counts permits (`RemotePermits`).
    """

    __slots__ = (
        "_advert_capacity",
        "_advert_lent",
        "_advert_targets",
        "_apart",
        "_beyond_heard",
        "_counted_at",
        "_estimate",
        "_full_until",
        "_kept_until",
        "_knows_beyond",
        "_path_turns",
        "_permits",
        "_refused_unended",
        "_under_way",
        "answers",
        "asked_per_s",
        "ejection",
        "ejections",
        "router",
        "served",
        "stated_capacity",
        "whole",
    )

    def __init__(
        self,
        advert: RemoteCandidate,
        under_way: defaultdict[SiteId, int],
        ejections: SiteEjections,
    ) -> None:
        """``under_way``: counts our streams there, by site. ``ejections``: of all sites; a stream
        of ours reports its end to it.
        """
        super().__init__(advert.site, advert.site_name, local=False)
        self.router = advert.router
        self._under_way = under_way
        self.ejections = ejections
        self.ejection: SiteEjection | None = ejections.active.get(advert.site)
        """The ejection of the site; None: it may have all requests that it takes."""
        self.served = RecentConcurrency()
        self.answers = 0
        """Answers to http requests that began, counted in place (hot)."""
        self.whole: Whole | None = None
        """The whole site, if it has several routers: marked stale whenever this one
        becomes stale.
        """
        self._estimate = 0  # Reported + opened - ended; below 0 it counts as 0.
        self._apart = 0  # Of the estimate: slots that no request holds there, as far as is known.
        self._beyond_heard = 0
        self._knows_beyond = False  # A report came since its slots changed.
        self._counted_at = -inf
        self._full_until: float | None = None
        self._kept_until = -inf
        self._refused_unended = 0
        self._path_turns = PathTurns()
        self._advert_targets = -1
        self._advert_capacity: int | None = None
        self._advert_lent: tuple[int, int | None] = (0, None)
        self.stated_capacity: int | None = None
        """The router's slots, whatever its rate admits now."""
        self.asked_per_s: float | None = None
        """As in its last `LoadReport`."""
        self._permits: RemotePermits | None = None  # None: no rate, or not reported yet.
        self.update(advert)

    def update(self, advert: RemoteCandidate) -> None:
        """Take over the values of the route table; the estimate stays."""
        self.name = advert.site_name
        self.cost = advert.path_cost
        if self.paths != advert.paths:
            self.paths = advert.paths
            self._path_turns.set_paths(advert.paths)
        self.shares_targets = advert.shares_targets
        self.barred = advert.unused  # No new request goes there, as to one that drains.
        self.draining = advert.draining or bool(self.barred)
        self.is_drained = advert.drained
        self._turn_stale()
        had = self.stated_capacity
        # Changed values are newer than any report. For unchanged ones, a later report may know
        # better.
        lent = advert.reserved, advert.most_for_one
        is_changed = lent != self._advert_lent
        self._advert_lent = lent
        if advert.targets_ready != self._advert_targets:
            is_changed = True
            self._advert_targets = self.targets_ready = advert.targets_ready
            self.weigh()
        if advert.capacity != self._advert_capacity or (is_changed and advert.capacity is not None):
            self._advert_capacity = self.stated_capacity = self.capacity = advert.capacity
            if advert.capacity is not None:
                self._set_lent(*lent)
        if self.stated_capacity != had:
            self._knows_beyond = False
        self._bound_running()

    def _set_lent(self, reserved: int, most_for_one: int | None) -> None:
        self.reserved, self.most_for_one = reserved, most_for_one
        if most_for_one is None:
            self.share_left = None

    def bar(self, reason: str) -> None:
        """Send nothing new there until the next `update`."""
        self.barred, self.draining = reason, True
        self._turn_stale()

    def refresh(self, now: float) -> None:
        """Judge the estimate at ``now``."""
        self.able = not self.draining and self.targets_ready > 0 and bool(self.paths)
        if self.ejection is not None:
            self._refresh_ejected(self.ejection, now)
        estimate, stated = self._estimate, self.stated_capacity
        if self._full_until is not None:
            if now < self._full_until:
                in_flight = max(0, estimate)
                if in_flight != self.in_flight or not self.hard_full:
                    self.in_flight = in_flight
                    self.glimpse = None
                if self._permits is not None:
                    self._refresh_rate(self._permits, now)
                if self.refuses:
                    self._refresh_refusing()
                self.hard_full = True
                return
            self._full_until = None
            if stated is not None and estimate >= stated:
                self._set_apart(self._apart + stated - 1 - estimate)
                self._estimate = estimate = stated - 1
        self.glimpse = None
        self.in_flight = in_flight = estimate if estimate > 0 else 0
        self.hard_full = stated is not None and in_flight >= stated
        if self.most_for_one is not None:
            self._refresh_share(self.most_for_one)
        if self._permits is None:
            self.stale = self.ejection is not None or self.most_for_one is not None
        else:
            self._refresh_rate(self._permits, now)
        if self.refuses:
            self._refresh_refusing()

    def _refresh_share(self, most: int) -> None:
        """Our own streams alone show whether we hold all that we may; the site enforces it."""
        if self.whole is not None:
            most = self.whole.most_of_all(most)  # Streams are counted by site.
        left = max(0, most - self._under_way.get(self.site, 0))
        if left != self.share_left:
            self.share_left = left
            self.outline = None
        self.hard_full = self.hard_full or not left

    def _refresh_ejected(self, ejection: SiteEjection, now: float) -> None:
        """Allow only the places of the ejection, or none."""
        self.outline = self.glimpse = None
        places = ejection.places(now)
        self.ejected_until = ejection.until if self.is_ejected else None
        self.starts_small = ejection.is_new
        self.ejected = ejection.why_no_more(places, now)
        if places == inf:
            self.ejections.settle(ejection)
            self.ejection = None
        elif ejection.under_way >= places:
            self.able = self.is_usable and self.spared != ""

    @property
    def is_usable(self) -> bool:
        """The site would take requests if it were not ejected."""
        return self.targets_ready > 0 and bool(self.paths) and not self.draining

    @property
    def is_ejected(self) -> bool:
        """The site is ejected, not only in reserve, and no probe was answered yet."""
        ejection = self.ejection
        return ejection is not None and not ejection.in_reserve and not ejection.is_back

    @property
    def is_in_reserve(self) -> bool:
        """The site is in reserve, or was and does not have all of its places yet."""
        return self.ejection is not None and self.ejection.in_reserve

    def set_ejection(self, ejection: SiteEjection) -> None:
        """The site was ejected."""
        self.ejection = ejection
        self._turn_stale()

    def spare(self, why: str, now: float) -> None:
        """Use it though it is ejected or in reserve, for the reason ``why``; empty: no longer."""
        self.spared = why
        self.refresh(now)
        if self.whole is not None:
            self.whole.stale = True

    def _refresh_rate(self, permits: RemotePermits, now: float) -> None:
        self.outline = self.glimpse = None
        self.rate = rate = permits.at(now)
        takes = self.in_flight + rate.permits
        self.capacity = takes if self.stated_capacity is None else min(self.stated_capacity, takes)
        self.hard_full = self.hard_full or not rate.permits

    def _refresh_refusing(self) -> None:
        """The router keeps its requests in flight, and takes no more, whichever come and go."""
        self.outline = self.glimpse = None
        self.stale = self.hard_full = True
        self.capacity = self.in_flight

    @property
    def is_learnt(self) -> bool:
        """Learned slots come as load and are not bound by the signed advert.

        An advert without a ready target has no capacity either: then it is not known whether they
        are learned.
        """
        is_bound = self._advert_capacity is not None or not self._advert_targets
        return not is_bound and self.stated_capacity is not None

    @property
    def known_beyond(self) -> int:
        """As it was reported."""
        return self._beyond_heard

    @property
    def is_asked_again(self) -> bool:
        """As in `Candidate`: see `refresh`."""
        stated = self.stated_capacity
        return stated is not None and self.in_flight < stated <= self._estimate - self._apart

    def next_path(self) -> Path:
        """The path whose turn it is; ``()``: unreachable."""
        return self._path_turns.next()

    def take_path(self) -> Path:
        """The path whose turn it is, and the turn moves on: next hops get equal shares."""
        return self.paths[0] if len(self.paths) == 1 else self._path_turns.take()

    def report(self, report: LoadReport, now: float) -> None:
        """Take over a load report, bounded by the signed advert."""
        self._set_lent(report.reserved, report.most_for_one)
        self._turn_stale()
        self.refuses, self.asked_per_s = report.refuses, report.asked_per_s
        self._hear_rate(report.rate, now)
        self._beyond_heard, self.waiting = report.beyond, report.waiting
        self._set_apart(self._apart)
        self.targets_ready = min(report.targets_ready, self._advert_targets)
        self.weigh()
        capacity, bound = report.capacity, self._advert_capacity
        if bound is None or capacity is None:
            self.stated_capacity = capacity if bound is None else bound
        else:
            self.stated_capacity = min(capacity, bound)
        self.capacity = self.stated_capacity
        self._knows_beyond = True
        self._bound_running()

    def _bound_running(self) -> None:
        """Ours on their way there may wait for a slot; requests above its slots are reported
        separately.
        """
        slots = self.stated_capacity if self._knows_beyond else None
        self.most_running = None if slots is None else slots + self.reserved + self._beyond_heard

    def _hear_rate(self, rate: RateLoad | None, now: float) -> None:
        self.rate = rate
        self.sends_away = rate is not None and rate.state == SENDS_AWAY
        self._permits = None if rate is None else RemotePermits(rate, now)

    def hear(self, in_flight: int, now: float, *, is_report: bool = False) -> None:
        """A count that a stream of ours brought; it includes ours opened and ended before it."""
        self.stale = True
        if self.whole is not None:
            self.whole.stale = True
        if not is_report:
            self._counted_at = now
        self.heard_at = now
        self._estimate = in_flight
        self._full_until = None
        self._refused_unended = 0
        if self._apart:
            self._set_apart(0)

    def hear_report(self, in_flight: int, now: float) -> None:
        """As `hear`, from a load report, which travels separately: newer counts overtake it.

        So right after a count it does not raise the estimate: with requests that end together it
        would report the number left when the first had ended.
        """
        overtaken = now - self._counted_at < limits.LOAD_OVERTAKEN_S
        if not overtaken or in_flight <= self._estimate:
            self.hear(in_flight, now, is_report=True)

    def refuse(self, in_flight: int, now: float) -> None:
        """The egress had no slot for a stream of ours, with ``in_flight`` there."""
        self._turn_stale()
        self._estimate = in_flight
        self._set_apart(0)
        permits = self._permits
        if permits is not None and (
            self.stated_capacity is None or in_flight < self.stated_capacity
        ):
            permits.use_up(now)
        elif self.stated_capacity is not None and in_flight < self.stated_capacity:
            self._estimate = self.stated_capacity
            self._set_apart(self.stated_capacity - in_flight)
        self.heard_at = now
        self._full_until = now + limits.REFUSED_FULL_S
        self._refused_unended += 1

    def refuse_sheddable(self, in_flight: int, now: float) -> None:
        """As `refuse`, for a sheddable request: it says nothing about other requests."""
        self._turn_stale()
        self.hear(in_flight, now)
        self._refused_unended += 1
        self._kept_until = now + limits.REFUSED_FULL_S

    def keeps_rest(self, share: float, now: float) -> bool:
        """No sheddable request gets a slot there, as far as is known: ``share`` of them is used, or
        it has just refused one.
        """
        return now < self._kept_until or self.in_flight >= self.mark(share)

    @property
    def place(self) -> str:
        """As in `Decision`: its router, where its site has several."""
        return self.site if self.whole is None else self.router

    def belong_to(self, whole: Whole | None) -> None:
        """Set ``whole``, the sum of the several routers of its site; None: it is alone."""
        self.whole = whole

    def stand(self) -> None:
        """A stream of ours is on its way there and may wait for a slot; `stood` follows."""
        self._turn_stale()
        self._estimate += 1
        self._set_apart(self._apart + 1)
        if self._permits is not None:
            self._permits.spend()

    def stood(self) -> None:
        """Note that a request no longer waits; it now counts as an open one."""
        self._turn_stale()
        if self._apart > 0:
            self._set_apart(self._apart - 1)
        else:  # A figure that came meanwhile did not include it.
            self._estimate += 1
        self._under_way[self.site] += 1

    def _set_apart(self, apart: int) -> None:
        self._apart = apart
        self.beyond = self._beyond_heard - apart
        self.outline = self.glimpse = None

    def open(self) -> None:
        """A stream of ours is on its way there, and takes a slot or is refused."""
        if self.whole is not None:
            self.whole.stale = True
        self._estimate = estimate = self._estimate + 1
        self._under_way[self.site] += 1
        if self._permits is not None:
            self._permits.spend()
        if not self.stale:  # As `refresh` would: then only news changes it, and this is hot.
            self.in_flight = in_flight = estimate if estimate > 0 else 0
            stated = self.stated_capacity
            self.hard_full = stated is not None and in_flight >= stated
            self.glimpse = None

    def end(self, in_flight: int = -1, now: float = 0.0, served: bool = True) -> None:
        """A stream of ours there is over; ``in_flight``: the count that its end reported, -1: none.

        ``served``: it brought a whole answer, if ``in_flight`` was reported. A refused stream never
        held a slot: its end does not count and makes no room.
        """
        site, under_way = self.site, self._under_way
        others = under_way[site] - 1
        if others > 0:
            under_way[site] = others
            if in_flight >= 0 and served:
                lately = self.served
                if now >= lately.until or others >= lately.at_once:
                    lately.note(others, now)
        else:
            del under_way[site]
        if self.whole is not None:
            self.whole.stale = True
        if in_flight >= 0:  # `hear`, in place: the end of nearly every request.
            self._counted_at = self.heard_at = now
            self._estimate = in_flight
            self._full_until = None
            self._refused_unended = 0
            if self._apart:
                self._set_apart(0)
            if not self.stale:  # As in `open`.
                self.in_flight = in_flight
                stated = self.stated_capacity
                self.hard_full = stated is not None and in_flight >= stated
                self.glimpse = None
        elif self._refused_unended:
            self._refused_unended -= 1
        else:
            self.stale = True
            self._estimate -= 1
            self._full_until = None

    def _turn_stale(self) -> None:
        """More than its load may have changed."""
        self.stale = True
        if self.whole is not None:
            self.whole.stale = True
        self.outline = self.glimpse = None

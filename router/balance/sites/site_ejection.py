"""Which remote sites are ejected since requests to them failed: one record per site.

The records are those of targets (`ejection`). A site differs in four ways:

- No active check shows that it has recovered. When its time is over, one real request is its probe.
  A probe that is answered brings the site back; one that fails ejects it for twice as long.
- A site that returns starts small: one request at a time, twice as many each second. Before a
  request is refused for that, it gets twice as many at once: its probe was answered.
- A site may lie about its capacity. So each counts as the requests that it was seen to serve at
  once of late, at least 1, at most its own figure. Never more than half of that is ejected.
- A failing site that the others cannot spare is in reserve: as an ejected one, but it is used while
  no other site has room. So others show their real capacity, and the next failed probe may eject
  it; without that, an untried site would keep a failing one in use forever. Of several, the one
  whose last failure was longest ago is used first; and while requests fail there, ejected sites are
  tried after the shortest time: one may have recovered.

A site that newly offers the service without a grant starts small, too, as if it had just returned:
only the site itself claims that it can take more.

A site that a burst hook woke must answer one request before it gets more: a site that reports ready
need not be reachable. Then each answer gives it a place more, since many requests wait. For TCP, a
connection to a target is such an answer.

A full site that refuses is no failure, nor is a client that leaves. A request that began before the
site was ejected does not count afterwards.
"""

import enum
from collections.abc import Callable, Container, Mapping
from math import inf
from typing import Final, assert_never

import msgspec

from router.balance.targets.ejection import Cause, Ejections, told_ejection
from router.model import limits
from router.model.ids import SiteId

WOKEN = "it was woken, and is to answer a request first"


class SiteEjected(msgspec.Struct, frozen=True):
    """A site was ejected for ``seconds``; ``reason`` is human-readable."""

    site: SiteId
    seconds: float
    reason: str


class SiteReturned(msgspec.Struct, frozen=True):
    """An ejected site answered its probe."""

    site: SiteId


class SiteWoken(msgspec.Struct, frozen=True):
    """A site that was woken answered its first request."""

    site: SiteId


SiteNews = SiteEjected | SiteReturned | SiteWoken


class EjectionKind(enum.Enum):
    """Why a site has no place, or few."""

    EJECTED = enum.auto()
    IN_RESERVE = enum.auto()  # As an ejected one, but used while no other site has room.
    NEW = enum.auto()  # It never was ejected, and only starts small.
    WOKEN = enum.auto()  # Likewise, and many wait for it: each answer gives it a place more.


AFTER_KIND: Final[Mapping[EjectionKind, frozenset[EjectionKind]]] = {
    EjectionKind.EJECTED: frozenset(),
    EjectionKind.IN_RESERVE: frozenset(),
    EjectionKind.NEW: frozenset((EjectionKind.WOKEN,)),
    EjectionKind.WOKEN: frozenset(),
}
"""The kinds that one ejection may become. A site that fails again gets a new one."""


class SiteEjection:
    """One ejection of one site, until the site may have as many requests as any other.

    ``under_way``: requests that were sent there since; ``answers``: how many it has answered.
    ``failed_at``: when the last one failed.
    """

    __slots__ = (
        "answers",
        "failed_at",
        "kind",
        "period_s",
        "returned_at",
        "site",
        "under_way",
        "until",
        "why",
    )

    def __init__(
        self, kind: EjectionKind, site: SiteId, until: float, period_s: float, why: str
    ) -> None:
        self.kind = kind
        self.site = site
        self.until = until
        self.period_s = period_s
        self.failed_at = until - period_s
        self.why = why
        self.returned_at: float | None = None
        self.under_way = 0
        self.answers = 0

    @property
    def reason(self) -> str:
        """Why the site is ejected, and for how long, human-readable."""
        match self.kind:
            case EjectionKind.EJECTED:
                return told_ejection(self.period_s, self.why)
            case EjectionKind.IN_RESERVE:
                return f"in reserve: {self.why}"
            case EjectionKind.NEW | EjectionKind.WOKEN:
                return self.why
            case _ as unreachable:
                assert_never(unreachable)

    @property
    def in_reserve(self) -> bool:
        """The site is used while no other site has room."""
        return self.kind is EjectionKind.IN_RESERVE

    @property
    def is_new(self) -> bool:
        """The site never was ejected."""
        return self.kind is EjectionKind.NEW or self.kind is EjectionKind.WOKEN

    @property
    def is_woken(self) -> bool:
        """Many requests wait for it, and it must answer one first."""
        return self.kind is EjectionKind.WOKEN

    @property
    def why_small(self) -> str:
        """Why it has only some places, after its return."""
        if self.is_new:
            return "it newly offers this"
        return f"it was {'in reserve' if self.in_reserve else 'ejected'} and returns"

    @property
    def is_back(self) -> bool:
        """The site's probe was answered."""
        return self.returned_at is not None

    def places(self, now: float) -> float:
        """How many requests may be under way there at once."""
        if self.returned_at is None:
            return 1 if now >= self.until else 0
        doublings = int(now - self.returned_at)
        places = 1 + self.answers if self.is_woken else 2 ** min(doublings, 32)
        return places if places < limits.EJECT_PLACES_MAX else inf

    def wake(self) -> None:
        """The site was woken; no effect on one that was ejected."""
        if self.kind is EjectionKind.NEW:
            self.kind = EjectionKind.WOKEN

    def try_soon(self) -> None:
        """The site is needed: if it is ejected, it is tried as early as after its first
        ejection.
        """
        if self.kind is EjectionKind.EJECTED and not self.is_back:
            self.until += limits.EJECT_BASE_S - self.period_s
            self.period_s = limits.EJECT_BASE_S

    def come_back(self, now: float) -> None:
        """The site's probe was answered, or it needs none."""
        self.returned_at = now

    def begin(self) -> None:
        """One more request is sent there; call `end` for each."""
        self.under_way += 1

    def end(self, now: float) -> None:
        """A request is over. After a probe without a result (its client left) the next one follows
        a period later.
        """
        self.under_way -= 1
        if not self.is_back and now >= self.until:
            self.until = now + self.period_s

    def answer(self) -> None:
        """The site has answered one more request."""
        self.answers += 1

    def grow(self) -> None:
        """Double its places, now and for later."""
        assert self.returned_at is not None, "it has places"
        self.returned_at -= 1

    def why_no_more(self, places: float, now: float) -> str:
        """Why it gets none of ours now, with so many `places`; empty: it does."""
        if self.under_way < places:
            return ""
        if self.is_back:
            return f"{self.why_small}, with {places:g} at once now"
        if self.in_reserve:
            return f"{self.reason}; it is used while no other site has room"
        return f"{self.reason}; its probe is under way" if now >= self.until else self.reason


class SiteEjections:
    """The records of the remote sites of one service port. O(1) each.

    ``own`` has no record: its routers are one site. ``may_eject``: whether the others can spare a
    site. ``ejected`` is called with each ejection before it is announced.
    """

    __slots__ = (
        "_ejected",
        "_failed_at",
        "_grown",
        "_may_eject",
        "_own",
        "_records",
        "_tell",
        "active",
        "suspects",
    )

    def __init__(
        self,
        own: SiteId,
        may_eject: Callable[[SiteId, float], bool],
        ejected: Callable[[SiteEjection], None],
    ) -> None:
        self._own = own
        self._may_eject = may_eject
        self._ejected = ejected
        # Sites return one by one anyway, by their probes: no random time is needed.
        self._records = Ejections(lambda: 0.0)
        self._failed_at: dict[SiteId, float] = {}
        self.suspects = self._records.suspects
        """Sites with failures; usually empty. Others only check whether it is."""
        self.active: dict[SiteId, SiteEjection] = {}
        """Sites that are ejected or in reserve, or have returned and do not have all of their
        places yet.
        """
        self._tell: Callable[[SiteNews], None] = _ignore
        self._grown: Callable[[], None] = _nothing

    def follow(self, tell: Callable[[SiteNews], None], grown: Callable[[], None]) -> None:
        """``tell`` gets each change, except for sites in reserve: those may change with each
        request. ``grown`` is called when a site that was woken gets a place more: no end of a
        request signals that.
        """
        self._tell, self._grown = tell, grown

    def introduce(self, site: SiteId, now: float) -> None:
        """``site`` newly has targets: it gets one request at a time, twice as many each second."""
        if site == self._own or site in self.active:
            return
        ejection = SiteEjection(EjectionKind.NEW, site, now, limits.EJECT_BASE_S, "")
        ejection.come_back(now)
        self._begin(ejection)

    def wake(self, site: SiteId, now: float) -> None:
        """``site`` was woken and newly has targets: it must answer one request before it gets a
        second, and then gets one more place with each answer. Its advert may have introduced it
        before its targets were ready.
        """
        current = self.active.get(site)
        if current is not None:
            current.wake()
        elif site != self._own:
            self._begin(SiteEjection(EjectionKind.WOKEN, site, now, limits.EJECT_BASE_S, WOKEN))

    def _begin(self, ejection: SiteEjection) -> None:
        self.active[ejection.site] = ejection
        self._ejected(ejection)

    def make_room(self, now: float) -> bool:
        """A request would be refused: sites that are new or have returned, and use all of their
        places, get twice as many. True: one of them has a place left.
        """
        has_room = False
        for one in self.active.values():
            if one.is_back and not one.is_woken and not one.in_reserve:
                if one.under_way >= one.places(now):
                    one.grow()
                has_room = has_room or one.under_way < one.places(now)
        return has_room

    def failed(self, site: SiteId, during: SiteEjection | None, cause: Cause, now: float) -> None:
        """A request failed that began ``during`` that ejection of its site (None: none)."""
        current = self.active.get(site)
        if during is not current or site == self._own:
            return
        one_event = False
        if current is None:
            one_event = now - self._failed_at.get(site, -inf) < limits.EJECT_BURST_S
        elif not current.is_back:
            if now < current.until:
                current.failed_at = now
                if current.in_reserve:
                    self._try_soon()
                return  # It was tried as the least bad, and stays ejected.
            self._records.returned(site, now)
        if not one_event:
            self._remember(site, now)
        if not self._records.failed(site, cause, limits.EJECT_AFTER, now, one_event=one_event):
            return
        was_out = current is not None and not current.is_back and not current.in_reserve
        in_reserve = not was_out and not self._may_eject(site, now)
        told = self._records.eject(site)
        kind = EjectionKind.IN_RESERVE if in_reserve else EjectionKind.EJECTED
        self._begin(SiteEjection(kind, site, now + told.seconds, told.seconds, told.why))
        if not in_reserve:
            self._tell(SiteEjected(site, told.seconds, told.reason))
            return
        self._try_soon()

    def _try_soon(self) -> None:
        """Requests fail where they go now: an ejected site may have recovered."""
        for other in self.active.values():
            other.try_soon()

    def answered(
        self, site: SiteId, during: SiteEjection | None, now: float, *, is_full: bool = False
    ) -> None:
        """The site answers: with a response head, or that it is full. A probe has succeeded.

        "Full" is no answer of a site that was woken: it gets no more places by it.
        """
        current = self.active.get(site)
        if current is None or during is not current:
            return
        if not is_full:
            current.answer()
            if current.is_woken:
                self._woken_answered(current)
        if current.is_back:
            return
        current.come_back(now)
        self._records.returned(site, now)
        if not current.in_reserve and not current.is_woken:
            self._tell(SiteReturned(site))

    def _woken_answered(self, ejection: SiteEjection) -> None:
        if ejection.answers == 1:
            self._tell(SiteWoken(ejection.site))
        self._grown()

    def succeeded(self, site: SiteId, during: SiteEjection | None, now: float) -> None:
        """A response was whole."""
        self.answered(site, during, now)
        if during is self.active.get(site):
            self._records.succeeded(site, now)

    def settle(self, ejection: SiteEjection) -> None:
        """The site has all of its places again."""
        if self.active.get(ejection.site) is ejection:
            del self.active[ejection.site]

    def forget_gone(self, present: Container[SiteId], now: float) -> None:
        """Forget ejections of sites that are not ``present`` once they have been over for a while:
        no request there settles them. A site that comes back is on probation, or new again.
        """
        over_at = now - limits.EJECT_FORGET_S
        for site, ejection in list(self.active.items()):
            if ejection.until <= over_at and site not in present:
                del self.active[site]
                self._records.returned(site, now)

    def _remember(self, site: SiteId, now: float) -> None:
        """Bounded: the site that failed longest ago and is not ejected is forgotten."""
        self._failed_at.pop(site, None)
        self._failed_at[site] = now
        if len(self._failed_at) > limits.EJECT_SITES_MAX:
            oldest = next((one for one in self._failed_at if one not in self.active), site)
            del self._failed_at[oldest]
            self._records.suspects.pop(oldest, None)


def _ignore(news: SiteNews) -> None:
    pass


def _nothing() -> None:
    pass

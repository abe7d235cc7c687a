"""Who gets a slot of this site's targets, and who waits for one: one per service port.

The queue holds requests of this site's own clients and OPENs of other sites, in fair lines
(`balance.site.waiting_room`). Handing a freed slot to the next waiter, and a waiter's leaving, are
each one synchronous step: there is no moment at which a slot belongs to a waiter that is gone. A
waiter's `granted` starts a leg and calls nobody else back, so it may run inside the releasing leg's
step.

Invariant: while somebody waits, no slot that could be granted is free, but for permits that a rate
has let in since the timer was armed for the first of them: it fires when that one comes. Who comes
from another site may have to wait beside free slots that it may not have (`balance.site.lending`),
and so may a sheddable request, which waits behind all others (`ServiceSpec.sheddable`).
"""

from collections.abc import Callable, Hashable
from typing import Protocol

from router.balance.site.ledger import LocalLedger
from router.balance.site.lending import Lending
from router.balance.site.slots import Denied, Slot
from router.balance.site.waiting_room import FairQueue, WaitingPlace
from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Timer, Timers
from router.service.ports import Lingering


class Waiter(Hashable, Protocol):
    """Somebody in the queue. Told one of the three, once, unless it leaves.

    None of them may call the admission back.
    """

    @property
    def line(self) -> WaitingPlace:
        """Where it waits."""

    @property
    def is_sheddable(self) -> bool:
        """It waits behind those that are not."""

    @property
    def session(self) -> int:
        """As in `Request`: of the free slots it gets that of the session's target."""

    def granted(self, slot: Slot) -> None:
        """It has a slot, and gives it back to the ledger."""

    def expired(self) -> None:
        """Its deadline passed."""

    def displaced(self) -> None:
        """The queue was full, and it gave its place to one of a shorter line, or, if it is
        sheddable, to one that is not."""


NO_TARGETS: frozenset[str] = frozenset()


class SlotAdmission:
    """The line for the slots of a ledger, which serves it whenever a slot is given back."""

    __slots__ = ("_ledger", "_limit", "_queue", "_timer", "_timer_at", "_timers")

    def __init__(self, ledger: LocalLedger, limit: Callable[[], int], timers: Timers) -> None:
        """``limit``: how many may wait now. Those who wait already stay when it falls."""
        self._ledger = ledger
        self._limit = limit
        self._queue: FairQueue[Waiter] = FairQueue(0)
        ledger.set_line(self._queue.items, self.serve)
        self._timers = timers
        self._timer: Timer | None = None
        self._timer_at = 0.0

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def waiting_sheddable(self) -> int:
        return self._queue.waiting_behind

    @property
    def longest_line(self) -> int:
        """How many wait of the link that has most of them."""
        return self._queue.longest

    @property
    def longest_sheddable_line(self) -> int:
        """As `longest_line`, of sheddable ones."""
        return self._queue.longest_behind

    def admit(self, waiter: Waiter, wait_until: float | None) -> Slot | Denied | None:
        """A slot at once; None: ``waiter`` is in the queue; or why neither.

        Waiting makes sense only for `Denied.FULL` and `Denied.PENDING`.
        """
        ledger, now = self._ledger, self._timers.now()
        if waiter.is_sheddable and ledger.load >= ledger.sheddable_below:
            taken: Slot | Denied = Denied.FULL if ledger.targets_ready else Denied.NO_TARGET
        elif ledger.lending is None:
            taken = ledger.try_acquire(now, NO_TARGETS, waiter.session)
        else:
            taken = self._lend(ledger.lending, waiter, now)
        if type(taken) is Slot or taken is Denied.NO_TARGET or wait_until is None:
            return taken
        return None if self.wait(waiter, wait_until) else taken

    def _lend(self, lending: Lending, waiter: Waiter, now: float) -> Slot | Denied:
        """As `LocalLedger.try_acquire`, within what ``lending`` says."""
        ledger, link = self._ledger, waiter.line.link
        denial = lending.denial(ledger.load, link)
        if denial is not None and ledger.targets_ready:
            lending.denied[denial] += ledger.has_room_at(now)
            return Denied.FULL
        slot = ledger.try_acquire(now, NO_TARGETS, waiter.session)
        if type(slot) is Slot:
            slot.lend(lending, link)
        return slot

    def wait(self, waiter: Waiter, deadline: float, *, returns: bool = False) -> bool:
        """Queue without asking for a slot first; False: the queue is full, and no line is longer.

        ``returns``: it waited before, and is first again.
        """
        queue, line, behind = self._queue, waiter.line, waiter.is_sheddable
        queue.set_limit(self._limit())
        displaced = None
        if queue.is_full and not returns and not self.end_slow_starts():
            displaced = queue.displace(line, behind=behind)
            if displaced is None:
                return False
        queue.push(line, waiter, deadline, first=returns, behind=behind)
        if displaced is not None:
            displaced.displaced()
        self._ledger.news.note()
        self._arm()
        return True

    def end_slow_starts(self) -> bool:
        """Somebody would be refused. True: targets had slots left that they get at once now, and
        at the end of the turn who waits."""
        ledger = self._ledger
        if not ledger.sums.is_starting:
            return False
        ledger.end_slow_starts()
        self._timers.at_turn_end(self.serve)
        return True

    def leave(self, waiter: Waiter) -> bool:
        """It waits no more; False: it was not waiting."""
        left = self._queue.discard(waiter)
        if left:
            self._ledger.news.note()
        return left

    def release_after(self, lingering: Lingering, slot: Slot) -> None:
        """Give ``slot`` back once the target has the request no longer, which no client waits
        for."""
        self._ledger.abandoned += 1

        def release() -> None:
            self._ledger.abandoned -= 1
            self._ledger.give_back(slot)

        lingering.then(release)

    def move(self, slot: Slot, exclude: frozenset[str], session: int) -> Slot | None:
        """Give ``slot`` back for one at another target, ahead of those who wait.

        None: there is none, and ``slot`` is still held. The permit of a rate that it took stays
        spent, that of the site is not taken again.
        """
        other = self._ledger.try_acquire(self._timers.now(), exclude, session, moves=True)
        if isinstance(other, Denied):
            return None
        other.replace(slot)
        self._ledger.give_back(slot)
        return other

    def serve(self) -> None:
        """Grant free slots to waiters in turn. Called too when capacity or targets grew."""
        now, ledger = self._timers.now(), self._ledger
        lending = ledger.lending
        may = None if lending is None else self._may_have
        while len(self._queue) and ledger.targets_ready and ledger.has_room_at(now):
            takes_sheddable = ledger.load < ledger.sheddable_below
            waiter = self._queue.pop(now, may, takes_behind=takes_sheddable)
            if waiter is None:
                break  # Those left may have none, or are past their deadline: the timer tells them.
            slot = ledger.try_acquire(now, NO_TARGETS, waiter.session)
            assert type(slot) is Slot, "a ledger with room grants a slot"
            if lending is not None:
                slot.lend(lending, waiter.line.link)
            waiter.granted(slot)
        if ledger.rated:
            self._arm()

    def _may_have(self, link: SiteId) -> bool:
        """One who waits and came over ``link`` may have a free slot."""
        lending = self._ledger.lending
        return lending is None or lending.denial(self._ledger.load, link) is None

    def _arm(self) -> None:
        """One timer for the earliest deadline or permit; one that fires for nobody is harmless."""
        deadline, ledger = self._queue.next_deadline(), self._ledger
        if deadline is not None and ledger.rated:
            now = self._timers.now()
            # Beside room wait only those who may have none of it, and no permit lets them in.
            has_limited = ledger.lending is not None or self._queue.waiting_behind
            if not has_limited or not ledger.has_room_at(now):
                permit_at = ledger.next_room_at(now)
                deadline = min(deadline, max(permit_at, now + limits.PERMIT_TIMER_S_MIN))
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._timers.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._ledger.rated:
            self.serve()
        expired = self._queue.expire(self._timers.now())
        has_more_room = bool(expired) and self.end_slow_starts()
        for waiter in expired:
            slot = self.admit(waiter, None) if has_more_room else None
            if type(slot) is Slot:
                waiter.granted(slot)
            else:
                waiter.expired()
        if expired:
            self._ledger.news.note()
        self._arm()

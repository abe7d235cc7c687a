"""Slots of this site's targets, and the queue for them: one admission per service port.

The queue holds requests of this site's own clients and OPENs of other sites, in fair lines
(`balance.site.fair_queue`). Handing a freed slot to the next waiter, and a waiter's leaving, are
each one synchronous step: there is no moment at which a slot belongs to a waiter that is gone. A
waiter's `granted` starts a leg and calls back no other object, so it may run inside the releasing
leg's step.

Invariant: while any waiter waits, no slot that could be granted is free. Exception: permits that a
rate has admitted since the timer was armed for the first of them; the timer fires when that one
comes. A request from another site may have to wait beside free slots that it may not have
(`balance.site.lending`), and so may a sheddable request, which waits behind all others
(`ServiceSpec.sheddable`).
"""

from collections.abc import Callable, Hashable
from typing import Protocol

from router.balance.site.fair_queue import FairQueue, WaitingPlace
from router.balance.site.ledger import LocalLedger
from router.balance.site.lending import Lending
from router.balance.site.slots import Denied, Slot
from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Timer, Timers
from router.service.ports import Lingering


class Waiter(Hashable, Protocol):
    """A request in the queue. Exactly one of its three callbacks is called, unless it leaves.

    None of them may call the admission back.
    """

    @property
    def line(self) -> WaitingPlace:
        """Where it waits."""

    @property
    def is_sheddable(self) -> bool:
        """The request waits behind those that are not sheddable."""

    @property
    def session(self) -> int:
        """As in `Request`: of the free slots it gets that of the session's target."""

    def granted(self, slot: Slot) -> None:
        """The request has a slot, and will give it back to the ledger."""

    def expired(self) -> None:
        """The deadline passed."""

    def displaced(self) -> None:
        """The queue was full, and it lost its place to one of a shorter line, or, if it is
        sheddable, to one that is not.
        """


NO_TARGETS: frozenset[str] = frozenset()


class SlotAdmission:
    """The line for the slots of a ledger, which serves it whenever a slot is given back."""

    __slots__ = ("_ledger", "_limit", "_queue", "_timer", "_timer_at", "_timers")

    def __init__(self, ledger: LocalLedger, limit: Callable[[], int], timers: Timers) -> None:
        """``limit``: how many may wait now. Waiters that are already there stay when it falls."""
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
        """How many waiters the link with the most has."""
        return self._queue.longest

    @property
    def longest_sheddable_line(self) -> int:
        """As `longest_line`, for sheddable ones."""
        return self._queue.longest_behind

    def admit(self, waiter: Waiter, wait_until: float | None) -> Slot | Denied | None:
        """A slot at once; None: ``waiter`` is in the queue; or why neither.

        Waiting makes sense only for `Denied.FULL`.
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
        """As `LocalLedger.try_acquire`, within the limits of ``lending``."""
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
        """End slow starts before a request is refused. True: targets had slots left. They get them
        at once, and waiters are served at the end of the turn.
        """
        ledger = self._ledger
        if not ledger.sums.is_starting:
            return False
        ledger.end_slow_starts()
        self._timers.at_turn_end(self.serve)
        return True

    def leave(self, waiter: Waiter) -> bool:
        """``waiter`` waits no more; False: it was not waiting."""
        left = self._queue.discard(waiter)
        if left:
            self._ledger.news.note()
        return left

    def release_after(self, lingering: Lingering, slot: Slot, *, by_client: bool) -> None:
        """Give ``slot`` back once the target is done with an abandoned request. ``by_client``: as
        in `Target.give_up`.
        """
        self._ledger.abandoned += 1

        def release() -> None:
            self._ledger.abandoned -= 1
            slot.held_of.give_up(by_client=by_client)
            self._ledger.give_back(slot)

        lingering.then(release)

    def move(self, slot: Slot, exclude: frozenset[str], session: int) -> Slot | None:
        """Give ``slot`` back for one at another target, ahead of the waiters.

        None: there is none, and ``slot`` is still held. The permit of a rate that it took stays
        spent; that of the site is not taken again.
        """
        other = self._ledger.try_acquire(self._timers.now(), exclude, session, moves=True)
        if isinstance(other, Denied):
            return None
        other.replace(slot)
        self._ledger.give_back(slot)
        return other

    def serve(self) -> None:
        """Grant free slots to waiters in turn. Also called when capacity or targets grew."""
        now, ledger = self._timers.now(), self._ledger
        lending = ledger.lending
        may = None if lending is None else self._may_have
        while len(self._queue) and ledger.targets_ready and ledger.has_room_at(now):
            takes_sheddable = ledger.load < ledger.sheddable_below
            waiter = self._queue.pop(now, may, takes_behind=takes_sheddable)
            if waiter is None:
                break  # The rest may have none, or are past their deadline: see the timer.
            slot = ledger.try_acquire(now, NO_TARGETS, waiter.session)
            assert type(slot) is Slot, "a ledger with room grants a slot"
            if lending is not None:
                slot.lend(lending, waiter.line.link)
            waiter.granted(slot)
        if ledger.rated:
            self._arm()

    def _may_have(self, link: SiteId) -> bool:
        """A waiter that came over ``link`` may have a free slot."""
        lending = self._ledger.lending
        return lending is None or lending.denial(self._ledger.load, link) is None

    def _arm(self) -> None:
        """Arm one timer for the earliest deadline or permit; firing without work is harmless."""
        deadline, ledger = self._queue.next_deadline(), self._ledger
        if deadline is not None and ledger.rated:
            now = self._timers.now()
            # Waiters beside free slots may have none of them, and no permit admits them.
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

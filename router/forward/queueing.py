"""Where this site's own requests wait while every candidate of their service is full.

A waiting request is at exactly one place at a time: in the line here, which is the admission's
fair queue for a local slot, or standing at one remote egress, as an OPEN with ``wait_ms``. It could
not be at both: an egress that grants a slot runs the request at once, since the OPEN carries its
head, so a grant here and a grant there could run it twice.

What keeps slots busy all the same:

- Of those in the line a few per full site (`balance.reports.standing_target`, at least one) are
  sent to stand there, so that a slot freed there is not idle for a round trip. While local slots
  exist to wait for, the first in the line stays, so that a slot freed here is not idle either.
- A stand is short (`limits.STAND_S`): refused at its end, the request looks around again, so a
  request far away takes a slot that was freed here when nobody was left in the line.
- A load report that makes a site free sends the head of the line there at once (`reconsider`).

The deadline is the request's own and stands through all moves; a stand ends a round trip before
it. Who comes back from a stand is first again: it has waited longest, and nobody who came later has
its place. Who would wait in vain is turned away at once (`balance.patience`), so that nobody is
told so after the wait. Leaving the line and leaving the fair queue are one step.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from itertools import islice
from typing import Protocol

from router.balance.balancer import ServiceBalancer
from router.balance.decisions import Decision, NoChoice, RemoteWait
from router.balance.ledger import Slot
from router.balance.patience import LinePace
from router.balance.reports import standing_target
from router.balance.waiting import LOCAL_LINK, Line
from router.forward.admission import Admission
from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Timers


class Waiting(Hashable, Protocol):
    """A request in the line: told one of the orders below when it has left it."""

    @property
    def line(self) -> Line:
        """`WaitingRoom.own_line`."""

    @property
    def session(self) -> int:
        """As in `Request`, and ``preferred`` too."""

    @property
    def preferred(self) -> SiteId | None: ...

    @property
    def out(self) -> frozenset[str]:
        """Places (`Decision.place`) that failed this request for good: waiting mends nothing."""

    def forget_lost_ways(self) -> None:
        """Routes changed: sites that could not be reached may be."""

    def granted(self, slot: Slot) -> None:
        """A local slot is its own (as `admission.Waiter`)."""

    def expired(self) -> None:
        """Its deadline passed in the line (as `admission.Waiter`)."""

    def displaced(self) -> None:
        """One of a shorter line has its place (as `admission.Waiter`)."""

    def proceed(self, decision: Decision) -> None:
        """A site has room: go."""

    def dismiss(self) -> None:
        """The service goes away."""

    def stand(self, wait: RemoteWait, until: float) -> bool:
        """Open a stream that waits there; False: no adjacency, and it stays in the line."""


class WaitingRoom:
    """The line of one service port. All calls are synchronous steps."""

    __slots__ = (
        "_admission",
        "_balancer",
        "_freed_per_s",
        "_limit",
        "_not_before",
        "_pace",
        "_round_trip_s",
        "_site",
        "_standing",
        "_timers",
        "line",
        "own_line",
    )

    def __init__(
        self,
        site: SiteId,
        balancer: ServiceBalancer,
        admission: Admission,
        timers: Timers,
        *,
        limit: Callable[[], int],
        round_trip_s: Callable[[SiteId], float],
        freed_per_s: Callable[[str], float],
    ) -> None:
        """``limit``: most that may wait now, those of other sites for our slots included.

        ``freed_per_s``: how many a second a full place lets in at most; 0.0: not known.
        """
        self._site = site
        self.own_line = Line(LOCAL_LINK, site)
        """Where the requests of this router's own clients wait for a slot here."""
        self._balancer = balancer
        self._admission = admission
        self._timers = timers
        self._round_trip_s = round_trip_s
        self._freed_per_s = freed_per_s
        self._pace = LinePace()
        self._limit = limit
        self.line: OrderedDict[Waiting, float] = OrderedDict()
        """To its deadline, in order of arrival. While it is empty, `reconsider` is nothing."""
        self._standing: dict[str, int] = {}  # By `RemoteWait.place`.
        self._not_before: dict[str, float] = {}

    @property
    def queued(self) -> int:
        """All who wait for a slot here or by us elsewhere."""
        waiting = self._admission.waiting
        return waiting + sum(self._standing.values()) if self._standing else waiting

    def enter(
        self, waiter: Waiting, choice: NoChoice, deadline: float, *, returns: bool = False
    ) -> bool:
        """Wait, here or at once elsewhere; False: the queue is full, or too long to be in time.

        ``returns``: it has waited before, and has its place again.
        """
        if not returns and not self._is_worth_it(choice, deadline):
            return False
        if not self._admission.wait(waiter, deadline, returns=returns):
            return False
        self.line[waiter] = deadline
        if returns:
            self.line.move_to_end(waiter, last=False)
        self._place(choice)
        return True

    def served(self) -> None:
        """Somebody who waited, here or elsewhere, has a slot."""
        self._pace.served(self._timers.now())

    def _is_worth_it(self, choice: NoChoice, deadline: float) -> bool:
        """There is a place, and as far as can be known it will be served in time."""
        # Ours alone: requests of other sites that wait here are served in turn with them.
        ahead, now = len(self.line) + sum(self._standing.values()), self._timers.now()
        if self.queued >= self._limit() and ahead >= self._admission.longest_line:
            return False
        if not ahead:
            self._pace.began(now)
        # However slowly slots come free, each full site has somebody who waits for the next one.
        if ahead < len(choice.waitable) + choice.local_waitable:
            return True
        return not self._pace.is_hopeless(ahead, deadline - now, self._promised_per_s(choice), now)

    def _promised_per_s(self, choice: NoChoice) -> float:
        """At the most, since other ingresses have their share of it; 0.0: not known."""
        full = [wait.place for wait in choice.waitable]
        if choice.local_waitable:
            full.append(self._site)
        each = [self._freed_per_s(place) for place in full]
        return sum(each) if all(each) else 0.0

    def leave(self, waiter: Waiting) -> bool:
        """It is gone (not when standing: then its stream's end says so). False: was not here."""
        if self.line.pop(waiter, None) is None:
            return False
        self._admission.leave(waiter)
        return True

    def left(self, waiter: Waiting) -> None:
        """The admission took it out: granted or expired."""
        del self.line[waiter]

    def stand_ended(self, place: str, *, turned_away: bool) -> None:
        """A stand is over, whatever ended it. ``turned_away``: it was not let stand at all."""
        left = self._standing[place] - 1
        if left:
            self._standing[place] = left
        else:
            del self._standing[place]
        if turned_away:
            self._not_before[place] = self._timers.now() + limits.STAND_RETRY_S

    def reconsider(self) -> None:
        """Figures changed: send on who can go now, and let others stand."""
        while self.line:
            waiter = next(iter(self.line))
            choice = self._balancer.select(
                self._timers.now(), waiter.out, waiter.preferred, session=waiter.session
            )
            if isinstance(choice, NoChoice):
                self._place(choice)
                return
            if choice.local:
                self._admission.serve()
                if waiter in self.line:
                    return  # The ledger thinks otherwise; its next release serves the line.
            elif self.leave(waiter):
                waiter.proceed(choice)

    def rerouted(self) -> None:
        """Routes changed."""
        for waiter in self.line:
            waiter.forget_lost_ways()
        self.reconsider()

    def dismiss_all(self) -> None:
        """The service goes away: everybody leaves the line and is told."""
        for waiter in list(self.line):
            self.leave(waiter)
            waiter.dismiss()

    def _place(self, choice: NoChoice) -> None:
        """Let some of the line stand at the full sites of ``choice``."""
        now = self._timers.now()
        stay = 1 if choice.local_waitable else 0
        for wait in choice.waitable:
            if len(self.line) <= stay:
                return
            if now < self._not_before.get(wait.place, now):
                continue
            places = self._places(wait) - self._standing.get(wait.place, 0)
            if places > 0:
                self._send_to_stand(wait, islice(self.line.items(), stay, None), places)

    def _places(self, wait: RemoteWait) -> int:
        return standing_target(self._freed_per_s(wait.place), self._round_trip_s(wait.site))

    def _send_to_stand(
        self,
        wait: RemoteWait,
        waiters: Iterable[tuple[Waiting, float]],
        places: int,
    ) -> None:
        now = self._timers.now()
        round_trip_s = self._round_trip_s(wait.site)
        fit = (
            (waiter, deadline)
            for waiter, deadline in waiters
            if wait.place not in waiter.out and deadline - now > round_trip_s + limits.STAND_MIN_S
        )
        for waiter, deadline in list(islice(fit, places)):
            until = min(now + limits.STAND_S, deadline - round_trip_s)
            if not waiter.stand(wait, until):
                self._not_before[wait.place] = now + limits.STAND_RETRY_S
                return
            self.leave(waiter)
            self._standing[wait.place] = self._standing.get(wait.place, 0) + 1

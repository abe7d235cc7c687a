"""Where this site's own requests wait while every candidate of their service is full.

A waiting request is at exactly one place at a time: in the line here, which is the admission's fair
queue for a local slot, or waiting at one remote egress, as an OPEN with ``wait_ms``. It could not
be at both: an egress that grants a slot runs the request at once, since the OPEN carries its head,
so a grant here and a grant there could run it twice.

These rules keep slots busy all the same:

- Of the requests in the line a few per full site (`balance.sites.egress_queue`, at least one) are
  sent to wait there, so that a slot freed there is not idle for a round trip. While local slots
  exist to wait for, the first in the line stays, so that a slot freed here is not idle either.
- A wait at a near site is short (`limits.STAND_S`): refused at its end, the request checks all
  sites again, so a request elsewhere takes a slot that was freed here while the line was empty.
- A load report that makes a site free sends the head of the line there at once (`reconsider`). So
  does time, while a site is ejected or has only some places after its return.
- A site beyond `limits.FAR_RTT_S` is asked with permission to wait, however free it looks from
  here, if no other site has room. Where no other site could take a request, all of them wait there.

The deadline belongs to the request and stays the same through all moves; a wait at a near site ends
a round trip before it, the way to a far one and back is added to it. A request that comes back from
such a wait is first again: it has waited longest, and no later request has its place. Sheddable
requests have a separate line behind the others: none of them is sent on while another one waits. A
request that would wait in vain is refused at once (`balance.site.queue_speed`), so no client waits
for a 503. Leaving the line and leaving the fair queue are one step.
"""

from collections.abc import Callable, Iterable, Set
from itertools import islice

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import Decision, NoChoice, Outlook, RemoteWait
from router.balance.site.fair_queue import LOCAL_LINK, WaitingPlace
from router.balance.sites.egress_queue import stand_s, standing_target
from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Timer, Timers
from router.service.admission import SlotAdmission
from router.service.waiting_lines import Waiting, WaitingLine


class RequestQueue:
    """The line of one service port. All calls are synchronous steps."""

    __slots__ = (
        "_admission",
        "_balancer",
        "_freed_per_s",
        "_is_held",
        "_limit",
        "_look",
        "_normal",
        "_not_before",
        "_round_trip_s",
        "_sheddable",
        "_siblings",
        "_site",
        "_timers",
        "line",
        "own_line",
    )

    def __init__(
        self,
        site: SiteId,
        balancer: ServiceBalancer,
        admission: SlotAdmission,
        timers: Timers,
        *,
        limit: Callable[[], int],
        round_trip_s: Callable[[SiteId], float],
        freed_per_s: Callable[[str], float],
        is_held: Callable[[], bool],
    ) -> None:
        """``limit``: how many may wait now, including those of other sites for our slots.

        ``is_held``: a site is being woken, so no request waits in vain.

        ``freed_per_s``: the most requests a second that a full place admits; 0.0: not known.
        """
        self._site = site
        self.own_line = WaitingPlace(LOCAL_LINK, site)
        """Where the requests of this router's own clients wait for a slot here."""
        self._balancer = balancer
        self._admission = admission
        self._timers = timers
        self._round_trip_s = round_trip_s
        self._freed_per_s = freed_per_s
        self._is_held = is_held
        self._limit = limit
        self.line: dict[Waiting, float] = {}
        """All that wait here, with their deadlines. While it is empty, `reconsider`
        does nothing.
        """
        self._normal, self._sheddable = (
            WaitingLine(),
            WaitingLine(),
        )  # Each waits in one of these, too.
        self._siblings: set[str] = set()  # Places that are other routers of this site.
        self._not_before: dict[str, float] = {}
        self._look: Timer | None = None

    @property
    def unserved(self) -> int:
        """All that wait for a slot here, and our requests that may wait at other sites.

        Those at another router of this site wait there, and it counts them.
        """
        waiting = self._admission.waiting
        if not self._normal.standing and not self._sheddable.standing:
            return waiting
        return waiting + self._all_standing - self._at_siblings

    def _line_of(self, waiter: Waiting) -> WaitingLine:
        return self._sheddable if waiter.is_sheddable else self._normal

    def _standing_at(self, place: str) -> int:
        return self._normal.standing.get(place, 0) + self._sheddable.standing.get(place, 0)

    @property
    def _all_standing(self) -> int:
        return sum(self._normal.standing.values()) + sum(self._sheddable.standing.values())

    @property
    def _at_siblings(self) -> int:
        return sum([self._standing_at(place) for place in self._siblings])

    def _travelling(self, now: float, but_to: Set[str] = frozenset()) -> int:
        return self._normal.travelling(now, but_to) + self._sheddable.travelling(now, but_to)

    @property
    def queued(self) -> int:
        """All that wait for a slot here, and our requests that wait at other sites, as far as is
        known.
        """
        # A router of this site that stalled seems far.
        return self.unserved - self._travelling(self._timers.now(), but_to=self._siblings)

    @property
    def _waiting(self) -> int:
        """The same with those that wait at other routers of this site."""
        return self.unserved + self._at_siblings - self._travelling(self._timers.now())

    def held(self, now: float) -> int:
        """How many wait in the line only because a site is being woken. O(waiting requests)."""
        return sum([now >= waiter.patient_until for waiter in self.line])

    @property
    def is_full(self) -> bool:
        """As many wait as may, here and our requests elsewhere."""
        return self._waiting >= self._limit()

    def _is_full_for(self, line: WaitingLine) -> bool:
        """For one of ``line``: sheddable requests give way to others."""
        if line is self._sheddable:
            return self.is_full
        behind = self._admission.waiting_sheddable + sum(self._sheddable.standing.values())
        return self._waiting - behind >= self._limit()

    def enter(
        self, waiter: Waiting, choice: NoChoice, deadline: float, *, returns: bool = False
    ) -> Outlook:
        """Wait, here or at once elsewhere; else why not: the queue is full, or too long to be in
        time.

        ``returns``: it has waited before, and has its place again.
        """
        line = self._line_of(waiter)
        only, limit = self._only_far(choice), self._limit()
        waits_alone = not self._normal.waiting and not line.waiting
        if only is not None and waits_alone and only.place not in waiter.out and limit > 0:
            if returns and self._turns_away(only.place):
                return "full"  # The line there is the queue of its requests.
            places = self._free_places(only, line, beyond=limit)
            if places > 0 and self.stand(waiter, only, deadline, is_only=True):
                return "waits"
        outlook = "waits" if returns else self._judged(choice, deadline, line)
        if outlook != "waits":
            return outlook
        if not self._admission.wait(waiter, deadline, returns=returns):
            return "full"
        self.line[waiter] = line.waiting[waiter] = deadline
        if returns:
            line.waiting.move_to_end(waiter, last=False)
        self._place(choice, line)
        return "waits"

    def served(self, *, sheddable: bool) -> None:
        """A request that waited, here or elsewhere, has a slot."""
        line = self._sheddable if sheddable else self._normal
        line.speed.served(self._timers.now())

    def _judged(self, choice: NoChoice, deadline: float, line: WaitingLine) -> Outlook:
        """Whether there is a place, and whether the request will be served in time, as far as is
        known.
        """
        now = self._timers.now()
        outlook = self.outlook(choice, deadline - now, sheddable=line is self._sheddable)
        if outlook != "waits" and choice.local_waitable and self._admission.end_slow_starts():
            self._admission.serve()  # A waiter that gets a slot leaves a place in the queue.
            outlook = "waits"
        if outlook != "full" and not line.count(now):
            line.speed.began(now)
        return outlook

    def outlook(self, choice: NoChoice, wait_s: float, *, sheddable: bool = False) -> Outlook:
        """The outlook of a request that comes now and may wait for ``wait_s``. Changes nothing."""
        line, longest = self._normal, self._admission.longest_line
        if sheddable:
            line, longest = self._sheddable, self._admission.longest_sheddable_line
        now = self._timers.now()
        # Only ours: those of other sites have separate turns here.
        ahead = line.count(now)
        if self._is_full_for(line) and ahead >= longest:
            return "full"
        if self._is_held():
            return "waits"
        # However slowly slots come free, each full site has a request that waits for the next one.
        if ahead < len(choice.waitable) + choice.local_waitable:
            return "waits"
        is_hopeless = line.speed.is_hopeless(ahead, wait_s, self._promised_per_s(choice), now)
        return "too-long" if is_hopeless else "waits"

    def _promised_per_s(self, choice: NoChoice) -> float:
        """An upper bound, since other ingresses have their share; 0.0: not known."""
        full = [wait.place for wait in choice.waitable]
        if choice.local_waitable:
            full.append(self._site)
        each = [self._freed_per_s(place) for place in full]
        return sum(each) if all(each) else 0.0

    def leave(self, waiter: Waiting) -> bool:
        """``waiter`` is gone (not when waiting elsewhere: its stream's end says so). False: was not
        here.
        """
        if self.line.pop(waiter, None) is None:
            return False
        del self._line_of(waiter).waiting[waiter]
        self._admission.leave(waiter)
        return True

    def left(self, waiter: Waiting) -> None:
        """The admission removed ``waiter``: granted or expired."""
        del self.line[waiter], self._line_of(waiter).waiting[waiter]

    def stand(
        self, waiter: Waiting, to: Decision | RemoteWait, deadline: float, *, is_only: bool
    ) -> bool:
        """Let ``waiter`` wait at ``to``; False: too late, or no adjacency. In the line it stays.

        ``is_only``: no other site could take it. `stand_ended` follows.
        """
        now, rtt_s = self._timers.now(), self._round_trip_s(to.site)
        wait_s = stand_s(deadline - now, rtt_s, is_only=is_only)
        travel_s = rtt_s if rtt_s > limits.FAR_RTT_S else 0.0
        if wait_s <= limits.STAND_MIN_S or not waiter.stand(to, wait_s, travel_s):
            return False
        line, place = self._line_of(waiter), to.place
        if not line.count(now):
            line.speed.began(now + travel_s)
        line.standing[place] = line.standing.get(place, 0) + 1
        if to.site == self._site:
            self._siblings.add(place)
        if travel_s:
            line.far[waiter] = place, now + travel_s
        return True

    def stand_ended(self, waiter: Waiting, place: str, *, turned_away: bool) -> None:
        """A wait at ``place`` is over, for any reason. ``turned_away``: it was not allowed to wait
        at all.
        """
        line = self._line_of(waiter)
        line.far.pop(waiter, None)
        standing = line.standing
        left = standing[place] - 1
        if left:
            standing[place] = left
        else:
            del standing[place]
            if not self._standing_at(place):
                self._siblings.discard(place)
        if turned_away:
            self._try_later(place)

    def reconsider(self) -> None:
        """Figures changed: send on those that can go now, and let others wait elsewhere."""
        while self.line:
            line = self._normal if self._normal.waiting else self._sheddable
            waiter = next(iter(line.waiting))
            choice = self._balancer.select(self._timers.now(), waiter.out, waiter.asked)
            if isinstance(choice, NoChoice):
                self._place(choice, line)
                return
            if choice.local:
                self._admission.serve()
                if waiter in self.line:
                    return  # The ledger disagrees; its next release serves the line.
            elif self.leave(waiter):
                waiter.proceed(choice)

    def _look_later(self) -> None:
        """An ejected site takes a probe, and one that returned takes more, by time alone."""
        if self._look is None and self.line and self._balancer.ejections.active:
            again = self._timers.now() + limits.EJECT_LOOK_S
            self._look = self._timers.call_at(again, self._looks)

    def _looks(self) -> None:
        self._look = None
        self.reconsider()

    def rerouted(self) -> None:
        """Routes changed: try lost ways again."""
        for waiter in self.line:
            waiter.forget_lost_ways()
        self.reconsider()

    def dismiss_all(self) -> None:
        """The service goes away: every waiter leaves the line and is dismissed."""
        for waiter in list(self.line):
            self.leave(waiter)
            waiter.dismiss()

    def _place(self, choice: NoChoice, line: WaitingLine) -> None:
        """Send some of ``line`` to wait at the full sites of ``choice``; check again in time.

        No sheddable ones while another one waits: it would be overtaken.
        """
        self._look_later()
        if line is self._sheddable and self._normal.waiting:
            return
        stay = 1 if choice.local_waitable else 0
        only = self._only_far(choice)
        for wait in choice.waitable:
            if len(line.waiting) <= stay:
                return
            if self._turns_away(wait.place):
                continue
            beyond = self._limit() if wait is only else 0
            places = self._free_places(wait, line, beyond=beyond)
            if places > 0:
                waiters = list(islice(line.waiting.items(), stay, None))
                self._send_to_stand(wait, waiters, places, is_only=wait is only)

    def _only_far(self, choice: NoChoice) -> RemoteWait | None:
        """The one site that could take a request, if it is far."""
        if choice.local_waitable or len(choice.waitable) != 1:
            return None
        (only,) = choice.waitable
        return only if self._round_trip_s(only.site) > limits.FAR_RTT_S else None

    def _free_places(self, wait: RemoteWait, line: WaitingLine, *, beyond: int) -> int:
        """How many more of ``line`` may go and wait there. Sheddable ones take no place of the
        others: there, too, they wait behind.
        """
        freed_per_s, rtt_s = self._freed_per_s(wait.place), self._round_trip_s(wait.site)
        standing = self._normal.standing.get(wait.place, 0)
        if line is self._sheddable:
            standing = self._standing_at(wait.place)
        return standing_target(freed_per_s, rtt_s, beyond) - standing

    def _try_later(self, place: str) -> None:
        """None of ours is to wait at ``place`` for a moment."""
        now = self._timers.now()
        recent = {one: at for one, at in self._not_before.items() if now < at}
        self._not_before = recent | {place: now + limits.STAND_RETRY_S}

    def _turns_away(self, place: str) -> bool:
        """The place refused to let one of ours wait a moment ago."""
        now = self._timers.now()
        return now < self._not_before.get(place, now)

    def _send_to_stand(
        self,
        wait: RemoteWait,
        waiters: Iterable[tuple[Waiting, float]],
        places: int,
        *,
        is_only: bool,
    ) -> None:
        now, rtt_s = self._timers.now(), self._round_trip_s(wait.site)
        fit = (
            (waiter, deadline)
            for waiter, deadline in waiters
            if wait.place not in waiter.out
            and stand_s(deadline - now, rtt_s, is_only=is_only) > limits.STAND_MIN_S
        )
        for waiter, deadline in islice(fit, places):
            if not self.stand(waiter, wait, deadline, is_only=is_only):
                self._try_later(wait.place)
                return
            self.leave(waiter)

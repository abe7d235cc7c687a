"""Records single requests and connections of this site's clients for `/api/v1/flows`."""

from collections import deque
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import chain
from operator import attrgetter

import msgspec

from router.admin.views.flow import FlowDetail, FlowView
from router.model import limits
from router.net.ports import Timer, Timers
from router.node.parts import WHOLE, Part
from router.node.site_router import SiteRouter
from router.operate.flows.flow_shapes import Noted, noted, shown
from router.operate.why.recent_decisions import decision_of
from router.service.observers import Finished, Flow
from router.service.recent_requests import RequestRecord

TICK_S = 1.0


class _Ended(msgspec.Struct, frozen=True):
    """One flow that is over. ``turn`` counts them."""

    turn: int
    noted: Noted


class Flows:
    """Records flows while any client reads them, otherwise nothing. A `Follower`.

    Requests are numbered as they begin. Those that began while no client read get their numbers
    when one does.
    """

    def __init__(self, timers: Timers, router: SiteRouter, part: Part = WHOLE) -> None:
        self._timers = timers
        self._router = router
        self._part = part
        self._per_s = max(1, limits.FLOWS_PER_S // part.count)
        self._clock = router.wall_clock
        self._number = 0
        self._ended: deque[_Ended] = deque(maxlen=limits.FLOWS_KEPT)
        self._under_way: dict[int, Flow] = {}
        self._followers = 0
        self._until: float | None = None
        """Record until then at least (monotonic seconds); None: no client reads."""
        self._timer: Timer | None = None
        self._second = 0.0
        self._begun_in_second = 0
        self.turn = 0
        """Number of recorded flows that ended."""
        self.skipped = 0
        """Requests beyond `FLOWS_PER_S` or `FLOWS_KEPT` while a client read: not recorded."""

    # Followers.

    def look(self) -> None:
        """A client reads once: record for `FLOWS_WATCH_S` from now on."""
        if self._until is None:
            self._begin()
        self._until = self._timers.now() + limits.FLOWS_WATCH_S

    def follow(self) -> bool:
        """A client follows until `unfollow`. False: too many follow."""
        if self._followers >= limits.FLOW_CLIENTS_MAX:
            return False
        self._followers += 1
        self.look()
        return True

    def unfollow(self) -> None:
        self._followers -= 1
        self._until = self._timers.now() + limits.FLOWS_WATCH_S

    # Follower

    def begun(self, flow: Flow) -> None:
        """Record a request that begins, up to `FLOWS_PER_S` a second and `FLOWS_KEPT` at once."""
        number, now = self._numbered(flow.record), flow.record.started_at
        if now >= self._second + 1.0:
            self._second, self._begun_in_second = now, 0
        self._begun_in_second += 1
        full = len(self._under_way) >= limits.FLOWS_KEPT
        if full or self._begun_in_second > self._per_s:
            self.skipped += 1
        else:
            self._under_way[number] = flow

    def ended(self, flow: Flow, finished: Finished) -> None:
        number = flow.record.number
        if self._under_way.pop(number, None) is not None:
            self._keep(noted(flow, finished))

    # Reports.

    def newest(self) -> Iterator[FlowView | None]:
        """All known flows, newest first. A None in between: the caller may let traffic go on."""
        known: dict[int, Noted | Flow] = {}
        for of_port in self._kept():
            known.update((one.record.number, one) for one in of_port)
            yield None
        known.update((one.noted.record.number, one.noted) for one in self._ended)
        known.update(self._under_way)
        for number in sorted(known, reverse=True):
            one = known[number]
            if isinstance(one, Noted):
                yield self._view(one)
            elif number in self._under_way:  # Otherwise it has ended meanwhile.
                yield self._view(noted(one))

    def since(self, turn: int) -> list[FlowView]:
        """Stored flows that ended after ``turn``, oldest first."""
        found: list[FlowView] = []
        for one in reversed(self._ended):
            if one.turn <= turn:
                break
            found.append(self._view(one.noted))
        return found[::-1]

    def lasting(self) -> list[FlowView]:
        """Up to `FLOWS_AGAIN_MAX` long-lasting flows in progress, newest first."""
        before = self._timers.now() - limits.FLOWS_AGAIN_S
        found: list[FlowView] = []
        for number in reversed(self._under_way):
            flow = self._under_way[number]
            if flow.record.started_at <= before:
                found.append(self._view(noted(flow)))
                if len(found) == limits.FLOWS_AGAIN_MAX:
                    break
        return found

    def detail(self, number: int) -> FlowDetail | None:
        """One flow with its decision; None: unknown or no longer stored."""
        flow = self._under_way.get(number)
        if flow is not None:
            return self._detail(noted(flow))
        over = (one.noted for one in self._ended)
        for one in chain(over, chain.from_iterable(self._kept())):
            if one.record.number == number:
                return self._detail(one)
        return None

    # Inside

    def _begin(self) -> None:
        """Number the flows that are stored for `why` first, so that numbers grow with time."""
        forwarder = self._router.forwarder
        flows = list(forwarder.flows(limits.FLOWS_CLIENTS_MAX))
        flows.sort(key=_began)
        kept = sorted(self._unnumbered(), key=_started)
        for record in merge(kept, (flow.record for flow in flows), key=_started):
            self._numbered(record)
        for flow in flows[-limits.FLOWS_KEPT :]:
            self._under_way[self._numbered(flow.record)] = flow
        self.skipped += max(0, len(flows) - limits.FLOWS_KEPT)
        forwarder.observing.follow(self)
        self._timer = self._timers.call_at(self._timers.now() + TICK_S, self._tick)

    def _tick(self) -> None:
        """Collect ended flows that began before any client followed: they report no end."""
        now = self._timers.now()
        assert self._until is not None, "a user looked"
        is_followed = self._followers or now < self._until
        if is_followed:
            self._timer = self._timers.call_at(now + TICK_S, self._tick)
        for number, flow in list(self._under_way.items()):
            if flow.record.outcome:
                del self._under_way[number]
                self._keep(noted(flow))
        if is_followed:
            return
        self._router.forwarder.observing.follow(None)
        self._until = None
        self._under_way.clear()
        self._ended.clear()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _keep(self, noted: Noted) -> None:
        self.turn += 1
        self._ended.append(_Ended(self.turn, noted))

    def _numbered(self, record: RequestRecord) -> int:
        if not record.number:
            self._number = self._part.flow_number(self._number, record.started_at)
            record.number = self._number
        return record.number

    def _unnumbered(self) -> Iterator[RequestRecord]:
        for _, _, records in self._router.readings.all_past():
            for record in records:
                if not record.number:
                    yield record

    def _kept(self) -> Iterator[list[Noted]]:
        """Flows stored for `why`, by service port, without client and request."""
        for key, protocol, records in self._router.readings.all_past():
            yield [Noted(key, protocol, record) for record in records if self._numbered(record)]

    def _view(self, noted: Noted) -> FlowView:
        return shown(noted, self._timers.now(), self._utc, self._router.site_name)

    def _detail(self, noted: Noted) -> FlowDetail:
        now = self._timers.now()
        return FlowDetail(
            flow=self._view(noted),
            decision=decision_of(self._router, now, self._utc, noted.key, noted.record),
        )

    def _utc(self, moment: float) -> str:
        return self._clock.utc(moment, "milliseconds")


_started: Callable[[RequestRecord], float] = attrgetter("started_at")


def _began(flow: Flow) -> float:
    return flow.record.started_at

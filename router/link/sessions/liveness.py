"""Whether the lanes of a link are alive: PINGs into silence, and what follows from no answer.

One exchange serves both ends: whoever dialled asks, on all its links at the same second, and the
other has heard as much when it answers. That one asks when nobody else does, and now and then for
a round trip of its own.
"""

import math
from collections.abc import Callable
from typing import Protocol

from router.link.fault import Fault
from router.link.streams.mux import LaneMux
from router.model import limits
from router.model.ticks import next_tick
from router.net.ports import Timer, Timers

_HALF_TICK_S = limits.LIVENESS_TICK_S / 2  # Ticks come a little late, each by its own little.
_EXACT_S = 1e-6  # What is due at a tick itself is not left to the next one.


class Serving(Protocol):
    """The data lanes among them."""

    @property
    def serving(self) -> list[LaneMux]:
        """Those that carry streams, retired ones too."""


class Watched(Protocol):
    """The lanes of the link that is watched."""

    @property
    def rtt_s(self) -> float | None: ...

    @property
    def control(self) -> LaneMux | None: ...

    @property
    def data(self) -> Serving: ...

    def all(self) -> list[LaneMux]: ...


class Liveness:
    """Judges the lanes of one link, from `start` until `stop`.

    It looks once a second, and at the first tick of `limits.LIVENESS_TICK_S` at which a silence
    would have lasted too long. ``looked`` is called after each look; ``heard_again`` after a
    silence of `limits.SILENCE_TOLD_S` that did not end the link, with the seconds that were seen;
    ``dead`` after one that ends it, with why.
    ``asks``: it is this end that does.
    """

    def __init__(
        self,
        timers: Timers,
        lanes: Watched,
        looked: Callable[[], None],
        heard_again: Callable[[float], None],
        dead: Callable[[Fault], None],
        *,
        asks: bool,
    ) -> None:
        self._timers = timers
        self._lanes = lanes
        self._looked = looked
        self._heard_again = heard_again
        self._dead = dead
        self._asks = asks
        if asks:  # At its second, which may come half a second early for a data lane.
            self._ping_after_s = limits.LIVENESS_TICK_S
            self._data_ping_after_s = limits.DATA_PING_AFTER_S - limits.PING_INTERVAL_S / 2
        else:  # Later than a question that it would have heard.
            self._ping_after_s = limits.PING_INTERVAL_S + _HALF_TICK_S
            self._data_ping_after_s = limits.DATA_PING_AFTER_S + limits.LIVENESS_TICK_S
        self._timer: Timer | None = None
        self._due = 0.0
        self._second = 0.0  # From then on it may ask.
        self._pinged_at = -limits.RTT_FRESH_S
        self._pinged: dict[LaneMux, float] = {}  # Data lanes that have not answered yet.
        self._rtt_least_s = math.inf
        self._silent_s = 0.0  # At the last look, if that is worth a word.

    def start(self, rtt_s: float) -> None:
        """The link is up. ``rtt_s``: a round trip of its handshake, which no PING has had yet."""
        self._rtt_least_s = rtt_s
        self._schedule(self._timers.now())

    def stop(self) -> None:
        """It is closing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def silent_s(self) -> float:
        """How long nothing was heard, if that is worth a word; 0: it is not, or we slept."""
        now, lane = self._timers.now(), self._lanes.control
        if lane is None or now - self._due > limits.LATE_WAKE_S:
            return 0.0
        silent_s = now - self._heard_at(lane)
        return silent_s if silent_s >= limits.SILENCE_TOLD_S + self._patience_s else 0.0

    @property
    def silent_since(self) -> float | None:
        """When something was heard last, if ``silent_s`` is worth a word."""
        lane = self._lanes.control
        return self._heard_at(lane) if lane is not None and self.silent_s else None

    def _heard_at(self, control: LaneMux) -> float:
        """When the neighbor was heard last, on any lane.

        What it says on the control lane may be lost among what crowds a narrow way. But routes come
        by that one alone: a data lane is a sign of life for a while. So is a backlog of which the
        neighbor's host takes something: what it says of that may be lost, too.
        """
        latest = max((lane.alive_at for lane in self._lanes.data.serving), default=-math.inf)
        return max(control.heard_at, min(latest, control.heard_at + limits.SILENCE_MORE_S_MAX))

    def _schedule(self, when: float) -> None:
        """Look at the first tick from ``when`` on that is to come: all links at once."""
        earliest = max(self._timers.now(), when - _EXACT_S)
        self._due = next_tick(earliest, limits.LIVENESS_TICK_S)
        self._timer = self._timers.call_at(self._due, self._tick)

    def _tick(self) -> None:
        """Judge silence, unless we slept ourselves: then read first, and judge next time."""
        now = self._timers.now()
        woke_late = now - self._due > limits.LATE_WAKE_S
        may_ask = woke_late or not self._asks or now >= self._second
        if now >= self._second:
            self._second = next_tick(now, limits.PING_INTERVAL_S)
        lane = self._lanes.control
        if lane is None:
            self._schedule(now)
            return
        self._learn_rtt()
        endured_s = limits.CONTROL_DEAD_AFTER_S + self._patience_s
        stalled = self._look_at_writes(now, woke_late)
        heard_at = self._heard_at(lane)
        self._schedule(min(self._next_look(lane, now), heard_at + endured_s))
        silent_s = now - heard_at
        if silent_s >= endured_s and not woke_late:
            self._dead(Fault("silent", f"nothing was heard for {silent_s:.2f} s"))
            return
        for one in stalled:
            one.abort(Fault("write-stall", "the neighbor takes nothing of what is sent"))
        self._note_silence(silent_s, woke_late)
        if may_ask and self._wants_ping(now - lane.heard_at, now - self._pinged_at, woke_late):
            self._pinged_at = now
            lane.ping()
        data_lanes = self._lanes.data.serving
        if self._pinged:
            for gone in self._pinged.keys() - set(data_lanes):
                del self._pinged[gone]
        for data_lane in data_lanes:
            self._judge_data_lane(data_lane, now, woke_late)
        self._looked()

    def _note_silence(self, silent_s: float, woke_late: bool) -> None:
        """A neighbour that stood still for seconds, or a way that lost all: requests waited.

        What was silent while we slept says nothing of the neighbour.
        """
        seen_s, self._silent_s = self._silent_s, 0.0
        if woke_late:
            return
        if silent_s >= limits.SILENCE_TOLD_S + self._patience_s:
            self._silent_s = silent_s
        elif seen_s:
            self._heard_again(seen_s)

    def _next_look(self, lane: LaneMux, now: float) -> float:
        """When something is due unless something is heard before: a question, a data lane's end.

        At the latest in a second, for writes that stall; at the next tick while signs of life are
        looked for.
        """
        if now - lane.heard_at > limits.SILENCE_TOLD_S:
            return now + limits.LIVENESS_TICK_S
        when = self._second
        if not self._asks:
            asks_at = max(
                lane.heard_at + self._ping_after_s,
                self._pinged_at + limits.PING_INTERVAL_S - _HALF_TICK_S,
            )
            when = min(now + limits.PING_INTERVAL_S, asks_at)
            for data_lane in self._lanes.data.serving:
                if data_lane not in self._pinged:
                    when = min(when, data_lane.heard_at + self._data_ping_after_s)
        for pinged_at in self._pinged.values():
            when = min(when, pinged_at + limits.DATA_DEAD_AFTER_S + self._patience_s)
        return when

    def _wants_ping(self, silent_s: float, since_s: float, woke_late: bool) -> bool:
        """``silent_s``: the control lane. ``since_s``: our last one."""
        least_s = limits.PING_INTERVAL_S / (2 if self._asks else 1)  # Its first is no second's.
        if since_s < least_s - _HALF_TICK_S:
            return False
        return (
            silent_s >= self._ping_after_s
            or since_s >= limits.RTT_FRESH_S - _HALF_TICK_S
            or self._lanes.rtt_s is None
            or woke_late
            or self._patience_s > 0.0  # Perhaps nothing is long but what an end had to do then.
        )

    def _learn_rtt(self) -> None:
        """The least that was measured: what is above it are losses, queues and pauses."""
        rtt_s = self._lanes.rtt_s
        if rtt_s is not None and rtt_s < self._rtt_least_s:
            self._rtt_least_s = rtt_s

    @property
    def _patience_s(self) -> float:
        """How much longer than usual silence may last on a long way.

        TCP repeats what was lost after more than a round trip, and each time after twice as long:
        a few losses in a row are longer than any silence of a short way.
        """
        more_s = limits.SILENCE_PER_RTT * (self._rtt_least_s - limits.RTT_USUAL_S_MAX)
        return min(max(0.0, more_s), limits.SILENCE_MORE_S_MAX)

    def _look_at_writes(self, now: float, woke_late: bool) -> list[LaneMux]:
        """The lanes that stall."""
        stalled = []
        for lane in self._lanes.all():
            if woke_late:
                lane.woke(now)
            elif lane.look(now):
                stalled.append(lane)
        return stalled

    def _judge_data_lane(self, lane: LaneMux, now: float, woke_late: bool) -> None:
        pinged_at = self._pinged.get(lane)
        if woke_late or (pinged_at is not None and lane.heard_at >= pinged_at):
            self._pinged.pop(lane, None)
            pinged_at = None
        if pinged_at is None:
            if woke_late or now - lane.heard_at >= self._data_ping_after_s:
                self._pinged[lane] = now
                lane.ping()
        elif now - pinged_at >= limits.DATA_DEAD_AFTER_S + self._patience_s:
            lane.abort(Fault("silent", "the data lane did not answer a PING"))

"""Whether the lanes of a link are alive: PINGs into silence, and the consequences of no answer.

One exchange serves both ends: the dialer asks, on all its links at the same second, and for the
other end answering is proof enough. The acceptor asks when the dialer does not, and now and then to
measure the round trip itself.
"""

import math
from collections.abc import Callable
from typing import Protocol

from router.link.fault import Fault
from router.link.streams.mux import LaneMux
from router.model import limits
from router.model.ticks import next_tick
from router.net.ports import Timer, Timers

_HALF_TICK_S = limits.LIVENESS_TICK_S / 2  # Ticks come a little late, each by a different amount.
_EXACT_S = 1e-6  # An event due exactly at a tick is not left to the next one.


class Serving(Protocol):
    """The data lanes of the link."""

    @property
    def serving(self) -> list[LaneMux]:
        """Data lanes that carry streams, retired ones too."""


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

    It checks once a second, and at the first tick of `limits.LIVENESS_TICK_S` at which a silence
    would have lasted too long. ``looked`` is called after each check; ``heard_again`` after a
    silence of `limits.SILENCE_TOLD_S` that did not end the link, with the seconds that were seen;
    ``dead`` after one that ends it, with the reason.
    ``asks``: this end asks first, as the dialer does.
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
        if asks:  # At its own second, which may come half a second early for a data lane.
            self._ping_after_s = limits.LIVENESS_TICK_S
            self._data_ping_after_s = limits.DATA_PING_AFTER_S - limits.PING_INTERVAL_S / 2
        else:  # Later than a PING that this end would have heard.
            self._ping_after_s = limits.PING_INTERVAL_S + _HALF_TICK_S
            self._data_ping_after_s = limits.DATA_PING_AFTER_S + limits.LIVENESS_TICK_S
        self._timer: Timer | None = None
        self._due = 0.0
        self._second = 0.0  # This end may ask from then on.
        self._pinged_at = -limits.RTT_FRESH_S
        self._pinged: dict[LaneMux, float] = {}  # Data lanes that have not answered yet.
        self._rtt_least_s = math.inf
        self._silent_s = 0.0  # At the last check, if long enough to report.

    def start(self, rtt_s: float) -> None:
        """The link is up. ``rtt_s``: a round trip of its handshake; no PING has one yet."""
        self._rtt_least_s = rtt_s
        self._schedule(self._timers.now())

    def stop(self) -> None:
        """The link is closing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def silent_s(self) -> float:
        """Seconds since the neighbor was heard, if long enough to report; 0: it is not, or we
        slept."""
        now, lane = self._timers.now(), self._lanes.control
        if lane is None or now - self._due > limits.LATE_WAKE_S:
            return 0.0
        silent_s = now - self._heard_at(lane)
        return silent_s if silent_s >= limits.SILENCE_TOLD_S + self._patience_s else 0.0

    @property
    def silent_since(self) -> float | None:
        """When the neighbor was heard last, if ``silent_s`` is long enough to report."""
        lane = self._lanes.control
        return self._heard_at(lane) if lane is not None and self.silent_s else None

    def _heard_at(self, control: LaneMux) -> float:
        """When the neighbor was heard last, on any lane.

        Its messages on the control lane may be lost in the traffic of a narrow path. But routes
        come only by that lane, so a data lane counts as a sign of life only for a while. So does a
        backlog of which the neighbor's host takes something: its messages about that may be lost,
        too.
        """
        latest = max((lane.alive_at for lane in self._lanes.data.serving), default=-math.inf)
        return max(control.heard_at, min(latest, control.heard_at + limits.SILENCE_MORE_S_MAX))

    def _schedule(self, when: float) -> None:
        """Check at the first coming tick from ``when`` on; all links share ticks."""
        earliest = max(self._timers.now(), when - _EXACT_S)
        self._due = next_tick(earliest, limits.LIVENESS_TICK_S)
        self._timer = self._timers.call_at(self._due, self._tick)

    def _tick(self) -> None:
        """Judge silence. If this process itself slept, read first, and judge at the next tick."""
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
        """Report a neighbor that paused for seconds, or a path that lost everything: requests
        waited.

        Silence while we slept says nothing about the neighbor.
        """
        seen_s, self._silent_s = self._silent_s, 0.0
        if woke_late:
            return
        if silent_s >= limits.SILENCE_TOLD_S + self._patience_s:
            self._silent_s = silent_s
        elif seen_s:
            self._heard_again(seen_s)

    def _next_look(self, lane: LaneMux, now: float) -> float:
        """When the next check is due unless a message arrives first: a PING, or a data lane's end.

        At the latest in a second, for writes that stall; at the next tick while the link is silent.
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
        """``silent_s``: of the control lane. ``since_s``: since our last PING."""
        # Its first PING is not tied to the second.
        least_s = limits.PING_INTERVAL_S / (2 if self._asks else 1)
        if since_s < least_s - _HALF_TICK_S:
            return False
        return (
            silent_s >= self._ping_after_s
            or since_s >= limits.RTT_FRESH_S - _HALF_TICK_S
            or self._lanes.rtt_s is None
            or woke_late
            or self._patience_s > 0.0  # The measured time may only be what an end had to do then.
        )

    def _learn_rtt(self) -> None:
        """Keep the least value measured: anything above is losses, queues and pauses."""
        rtt_s = self._lanes.rtt_s
        if rtt_s is not None and rtt_s < self._rtt_least_s:
            self._rtt_least_s = rtt_s

    @property
    def _patience_s(self) -> float:
        """How much longer than usual silence may last on a long path.

        TCP repeats lost segments after more than a round trip, and doubles that time with each
        repeat: a few losses in a row last longer than any silence on a short path.
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

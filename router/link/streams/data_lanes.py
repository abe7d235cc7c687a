"""The data lanes of one link: those that join, the one in use, and those that were replaced.

A lane is replaced without loss: new streams use another lane, and it ends with its last stream,
after `limits.LANE_RETIRED_S` at the latest. It ends earlier if too many others were replaced since:
a neighbor decides when, and each lane costs a descriptor.
"""

from router.link.fault import Fault
from router.link.streams.mux import LaneMux
from router.model import limits
from router.net.ports import Timer, Timers

_REPLACED = Fault("replaced", "another data lane took over")
_TOO_MANY = Fault("replaced", "too many data lanes were replaced while it had streams")


class DataLanes:
    """Owns the role of each lane. ``current`` takes new streams; None: there is none."""

    def __init__(self, timers: Timers) -> None:
        self.current: LaneMux | None = None
        self._timers = timers
        self._joining: dict[LaneMux, bytes] = {}  # With the proof that JOINED must bring.
        self._retired: dict[LaneMux, Timer] = {}

    @property
    def joining(self) -> list[LaneMux]:
        """Lanes offered to the acceptor and not taken yet."""
        return list(self._joining)

    @property
    def serving(self) -> list[LaneMux]:
        """Lanes that carry streams."""
        in_use = [self.current] if self.current is not None else []
        return in_use + list(self._retired)

    def offered(self, lane: LaneMux, answer: bytes) -> None:
        """JOIN was sent on ``lane``: JOINED must bring ``answer``, and soon."""
        self._joining[lane] = answer
        self._timers.call_at(
            self._timers.now() + limits.HELLO_TIMEOUT_S, lambda: self._join_late(lane)
        )

    def answer_of(self, lane: LaneMux) -> bytes | None:
        """The proof that JOINED must bring, returned once; None: ``lane`` was not offered."""
        return self._joining.pop(lane, None)

    def take(self, lane: LaneMux, *, drains: bool) -> None:
        """``lane`` takes new streams from now on. ``drains``: the peer knows draining."""
        self.retire(drains=drains)
        self.current = lane

    def retire(self, *, drains: bool) -> None:
        """Open nothing more on the current lane; it goes with its last stream."""
        lane, self.current = self.current, None
        if lane is None:
            return
        if len(self._retired) >= limits.LANES_RETIRED_MAX:
            next(iter(self._retired)).close(_TOO_MANY)
        self._retired[lane] = self._timers.call_at(
            self._timers.now() + limits.LANE_RETIRED_S, lambda: lane.close(_REPLACED)
        )
        if drains:
            lane.drain()
            lane.open_no_more()
        else:
            lane.close(_REPLACED)

    def close_retired(self, lane: LaneMux) -> bool:
        """``lane`` has drained; False: it was not replaced."""
        if lane not in self._retired:
            return False
        lane.close(_REPLACED)
        return True

    def lost(self, lane: LaneMux) -> bool:
        """``lane`` is gone. Returns whether it carried streams."""
        self._joining.pop(lane, None)
        timer = self._retired.pop(lane, None)
        if timer is not None:
            timer.cancel()
            return True
        if lane is self.current:
            self.current = None
            return True
        return False

    def _join_late(self, lane: LaneMux) -> None:
        if lane in self._joining:
            lane.abort(Fault("hello-timeout", "the neighbor did not answer JOIN"))

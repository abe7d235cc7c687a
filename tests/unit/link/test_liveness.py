"""How long a lane may be silent: by the clock on a short way, by its round trip on a long one."""

import pytest

from router.link.lane import Fault
from router.link.liveness import Liveness
from router.link.mux import LaneMux
from router.model import limits
from tests.unit.virtual_time import VirtualTime


class Lane:
    """Never answers."""

    def __init__(self, now: float) -> None:
        self.heard_at = now
        self.pings = 0

    def ping(self) -> None:
        self.pings += 1

    def is_stalled(self, now: float) -> bool:
        return False


class Link(VirtualTime):
    """What is watched, with a clock of its own."""

    def __init__(self, rtt_s: float | None) -> None:
        super().__init__(100.0)
        self.rtt_s = rtt_s
        self.lane = Lane(self.time)
        self.faults: list[Fault] = []

    @property
    def control_lane(self) -> LaneMux | None:
        return self.lane  # type: ignore[return-value]  # What a watch needs of it.

    def lanes(self) -> list[LaneMux]:
        return []

    def data_lanes(self) -> list[LaneMux]:
        return []

    def abort(self, fault: Fault) -> None:
        self.faults.append(fault)

    def at_turn_end(self, callback: object) -> None:
        raise NotImplementedError

    def pass_(self, seconds: float) -> None:
        end = self.time + seconds
        while self.next_at <= end:
            self.time = max(self.time, self.next_at)
            self.fire_first()
        self.time = end


def silence_endured_s(link: Link) -> float:
    """Until it was judged dead, within a tick."""
    liveness = Liveness(link, link, lambda: None)
    liveness.start()
    begun = link.time
    while not link.faults:
        link.pass_(limits.LIVENESS_TICK_S)
        assert link.time - begun < 60.0
    liveness.stop()
    return link.time - begun


@pytest.mark.parametrize(
    ("rtt_s", "more_s"),
    [
        (0.001, 0.0),
        (limits.RTT_USUAL_S_MAX, 0.0),
        (0.6, limits.SILENCE_PER_RTT * (0.6 - limits.RTT_USUAL_S_MAX)),
        (5.0, limits.SILENCE_MORE_S_MAX),
        (None, limits.SILENCE_MORE_S_MAX),
    ],
)
def test_silence_is_endured_as_long_as_the_way_makes_it_likely(
    rtt_s: float | None, more_s: float
) -> None:
    expected_s = limits.CONTROL_DEAD_AFTER_S + more_s
    endured_s = silence_endured_s(Link(rtt_s))
    assert expected_s <= endured_s <= expected_s + limits.LIVENESS_TICK_S + 1e-6


def test_one_slow_answer_on_a_short_way_buys_no_time() -> None:
    link = Link(0.001)
    liveness = Liveness(link, link, lambda: None)
    liveness.start()
    link.pass_(1.0)
    link.rtt_s = 2.0
    link.lane.heard_at = link.time
    link.pass_(limits.CONTROL_DEAD_AFTER_S + limits.LIVENESS_TICK_S)
    assert [fault.code for fault in link.faults][:1] == ["silent"]

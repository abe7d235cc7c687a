"""How long a lane may be silent: by the clock on a short way, by its round trip on a long one."""

from collections.abc import Callable

import pytest

from router.link.fault import Fault
from router.link.sessions.liveness import Liveness
from router.link.streams.data_lanes import DataLanes
from router.link.streams.mux import LaneMux
from router.model import limits
from tests.unit.virtual_time import VirtualTime


class Lane:
    """Never answers."""

    def __init__(self, now: float) -> None:
        self.heard_at = now
        self.pings = 0

    def ping(self) -> None:
        self.pings += 1

    def look(self, now: float) -> bool:
        return False

    @property
    def alive_at(self) -> float:
        return self.heard_at


def nothing_told(silent_s: float) -> None:
    """Of a silence that ended."""


class Link(VirtualTime):
    """The lanes of a watched link, with its own clock."""

    def __init__(self, rtt_s: float | None) -> None:
        super().__init__(100.0)
        self.rtt_s = rtt_s
        self.lane = Lane(self.time)
        self.data_lane: Lane | None = None
        self.faults: list[Fault] = []

    @property
    def control(self) -> LaneMux | None:
        return self.lane  # type: ignore[return-value]  # What a watch needs of it.

    @property
    def data(self) -> DataLanes:
        lanes = DataLanes(self)
        lanes.current = self.data_lane  # type: ignore[assignment]  # As `control`.
        return lanes

    def all(self) -> list[LaneMux]:
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


def silence_endured_s(link: Link, handshake_s: float, *, asks: bool = True) -> float:
    """Until it was judged dead, within a tick."""
    liveness = Liveness(link, link, lambda: None, nothing_told, link.abort, asks=asks)
    liveness.start(handshake_s)
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
    ],
)
@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("known_by", ["handshake", "ping"])
def test_silence_is_endured_as_long_as_the_way_makes_it_likely(
    rtt_s: float, more_s: float, asks: bool, known_by: str
) -> None:
    expected_s = limits.CONTROL_DEAD_AFTER_S + more_s
    if known_by == "handshake":  # No PING was answered yet.
        endured_s = silence_endured_s(Link(None), rtt_s, asks=asks)
    else:
        endured_s = silence_endured_s(Link(rtt_s), 5.0, asks=asks)
    assert expected_s <= endured_s <= expected_s + limits.LIVENESS_TICK_S + 1e-6


@pytest.mark.parametrize("asks", [True, False])
def test_a_way_that_seems_long_is_measured_again_each_second(asks: bool) -> None:
    link = Link(0.7)
    liveness = Liveness(link, link, lambda: None, nothing_told, link.abort, asks=asks)
    liveness.start(0.7)
    for _ in range(50):
        link.pass_(0.1)
        link.lane.heard_at = link.time
    assert 5 <= link.lane.pings <= 6
    link.rtt_s = 0.001  # A busy end it was.
    link.pass_(limits.CONTROL_DEAD_AFTER_S + limits.LIVENESS_TICK_S)
    assert [fault.code for fault in link.faults] == ["silent"]
    liveness.stop()


def test_one_slow_answer_on_a_short_way_buys_no_time() -> None:
    link = Link(0.001)
    liveness = Liveness(link, link, lambda: None, nothing_told, link.abort, asks=True)
    liveness.start(0.001)
    link.pass_(1.0)
    link.rtt_s = 2.0
    link.lane.heard_at = link.time
    link.pass_(limits.CONTROL_DEAD_AFTER_S + limits.LIVENESS_TICK_S)
    assert [fault.code for fault in link.faults][:1] == ["silent"]


@pytest.mark.parametrize("asks", [True, False])
def test_a_neighbor_that_is_heard_on_a_data_lane_is_not_dead_for_a_while(asks: bool) -> None:
    link = Link(0.001)
    link.data_lane = Lane(link.time)
    told: list[float] = []
    liveness = Liveness(link, link, lambda: None, told.append, link.abort, asks=asks)
    liveness.start(0.001)
    begun = link.time
    while not link.faults:
        assert liveness.silent_s == 0.0 or link.time - begun > limits.SILENCE_MORE_S_MAX
        link.pass_(limits.LIVENESS_TICK_S)
        link.data_lane.heard_at = link.time
    endured_s = limits.SILENCE_MORE_S_MAX + limits.CONTROL_DEAD_AFTER_S
    assert endured_s <= link.time - begun <= endured_s + limits.LIVENESS_TICK_S
    assert not told, "and nobody was told of a silence that there was not"
    assert link.lane.pings >= 12, "it was asked for a sign of life on the control lane"


@pytest.mark.parametrize("asks", [True, False])
def test_a_neighbor_that_falls_silent_on_every_lane_is_dead_as_soon_as_one_without_data(
    asks: bool,
) -> None:
    link = Link(0.001)
    link.data_lane = Lane(link.time)
    liveness = Liveness(link, link, lambda: None, nothing_told, link.abort, asks=asks)
    liveness.start(0.001)
    for _ in range(10):
        link.pass_(limits.LIVENESS_TICK_S)
        link.data_lane.heard_at = link.time
    silent_since = link.time
    while not link.faults:
        link.pass_(limits.LIVENESS_TICK_S)
    assert link.time - silent_since <= limits.CONTROL_DEAD_AFTER_S + limits.LIVENESS_TICK_S


class End(Lane):
    """One end of a living lane: its PINGs are heard and answered at once."""

    other: "Link"
    is_mute = False  # It never asks.

    def ping(self) -> None:
        super().ping()
        if self.is_mute:
            return
        self.other.lane.heard_at = self.other.time
        self.heard_at = self.other.time


def pings_at_rest(
    seconds: float,
    other_ticks_later_s: float = 0.0,
    *,
    ask: tuple[bool, bool] = (True, False),
    mute: tuple[bool, bool] = (False, False),
    looked: Callable[[], None] = lambda: None,
) -> tuple[int, int]:
    """Of the end that dialed, and of the other one."""
    ends = Link(0.001), Link(0.001)
    for link, other, is_mute in ((*ends, mute[0]), (*ends[::-1], mute[1])):
        link.lane = end = End(link.time)
        end.other = other
        end.is_mute = is_mute
    ends[1].pass_(other_ticks_later_s)
    lives = [
        Liveness(link, link, looked, nothing_told, link.abort, asks=asks)
        for link, asks in zip(ends, ask, strict=True)
    ]
    for liveness in lives:
        liveness.start(0.001)
    step_s = limits.LIVENESS_TICK_S / 5
    for _ in range(round(seconds / step_s)):
        for link in ends:
            link.pass_(step_s)
    for liveness in lives:
        liveness.stop()
    assert not ends[0].faults and not ends[1].faults
    return ends[0].lane.pings, ends[1].lane.pings


@pytest.mark.parametrize("later_s", [0.0, 0.05, 0.2])
def test_one_exchange_a_second_serves_both_ends_at_rest(later_s: float) -> None:
    asked, other = pings_at_rest(100.0, later_s)
    assert 95 <= asked <= 101
    # The other end pings only to measure its own round trip.
    assert other <= 100.0 / limits.RTT_FRESH_S + 1


@pytest.mark.parametrize("later_s", [0.0, 0.05, 0.2])
def test_each_end_looks_once_a_second_at_rest(later_s: float) -> None:
    looks = 0

    def looked() -> None:
        nonlocal looks
        looks += 1

    pings_at_rest(100.0, later_s, looked=looked)
    assert looks <= 2 * 100 + 4


def test_links_that_came_up_at_any_time_ask_at_the_same_second() -> None:
    asked_at: list[float] = []
    for later_s in (0.0, 0.1, 0.3, 0.6, 0.9):
        link = Link(0.001)
        link.pass_(later_s)
        liveness = Liveness(link, link, lambda: None, nothing_told, link.abort, asks=True)
        liveness.start(0.001)
        link.pass_(1.0)
        before = link.lane.pings
        while link.lane.pings == before:
            link.lane.heard_at = link.time - 0.5
            link.pass_(0.05)
        asked_at.append(link.time % limits.PING_INTERVAL_S)
        liveness.stop()
    assert all(min(at, limits.PING_INTERVAL_S - at) < 0.06 for at in asked_at)


@pytest.mark.parametrize("later_s", [0.0, 0.05, 0.2])
def test_neighbours_that_always_ask_or_never_do_keep_their_link(later_s: float) -> None:
    for ask in ((True, True), (False, False)):
        for mute in ((False, False), (True, False), (False, True)):
            pings_at_rest(30.0, later_s, ask=ask, mute=mute)


def test_the_other_end_asks_when_nobody_else_does() -> None:
    link = Link(0.001)
    liveness = Liveness(link, link, lambda: None, nothing_told, link.abort, asks=False)
    liveness.start(0.001)
    link.pass_(limits.PING_INTERVAL_S + 2 * limits.LIVENESS_TICK_S)
    assert link.lane.pings >= 2  # The first one is at the start.


def test_both_ends_measure_though_something_is_heard_all_the_time() -> None:
    for asks in (True, False):
        link = Link(0.001)
        liveness = Liveness(link, link, lambda: None, nothing_told, link.abort, asks=asks)
        liveness.start(0.001)
        for _ in range(200):
            link.pass_(0.1)
            link.lane.heard_at = link.time
        liveness.stop()
        assert 20.0 / limits.RTT_FRESH_S <= link.lane.pings <= 20.0 / limits.RTT_FRESH_S + 2


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize(("silent_s", "is_told"), [(1.2, False), (2.6, True)])
def test_a_silence_of_seconds_that_ends_is_told_once(
    asks: bool, silent_s: float, is_told: bool
) -> None:
    link, told = Link(0.001), list[float]()
    liveness = Liveness(link, link, lambda: None, told.append, link.abort, asks=asks)
    liveness.start(0.001)
    for _ in range(4):
        link.pass_(0.5)
        link.lane.heard_at = link.time
    link.pass_(silent_s)
    assert not told, "it is not over"
    for _ in range(8):
        link.lane.heard_at = link.time
        link.pass_(0.5)
    liveness.stop()
    assert link.faults == []
    assert len(told) == is_told
    assert all(limits.SILENCE_TOLD_S <= seen_s <= silent_s for seen_s in told)


def test_a_link_that_is_up_says_how_long_nothing_was_heard_unless_we_slept() -> None:
    link = Link(0.001)
    liveness = Liveness(link, link, lambda: None, nothing_told, link.abort, asks=True)
    liveness.start(0.001)
    link.pass_(limits.SILENCE_TOLD_S / 2)
    assert liveness.silent_s == 0.0
    link.pass_(limits.SILENCE_TOLD_S / 2 + 0.01)
    assert liveness.silent_s == pytest.approx(limits.SILENCE_TOLD_S + 0.01)
    link.lane.heard_at = link.time
    assert liveness.silent_s == 0.0
    link.time += 10.0
    assert liveness.silent_s == 0.0
    liveness.stop()

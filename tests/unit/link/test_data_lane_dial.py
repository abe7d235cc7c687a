"""When a link dials its data lane: each reason not to, by itself."""

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from router.link.links import ALPN
from router.link.sessions.data_lane_dial import DataLaneDial
from router.link.sessions.succession import Connected
from router.model import limits
from router.net.ports import DialFailure, Tls
from tests.unit.link.wire import World
from tests.unit.virtual_time import FakeTimer

OLD, NEW = b"old leaf", b"new leaf"
REFUSED = DialFailure("refused", "nobody is there")


class Session:
    """One that is up and takes the lanes that join it."""

    def __init__(self) -> None:
        self.is_up = True
        self.config = SimpleNamespace(certificate=OLD)
        self.link_drain = SimpleNamespace(is_draining=False)
        self.lanes = SimpleNamespace(data=SimpleNamespace(current=None), is_joining=False)
        self.joined: list[bytes] = []

    def new_lane(self, connection: object) -> str:
        return "a lane"

    def join(self, lane: object, certificate: bytes) -> None:
        self.joined.append(certificate)

    def has_lane(self, *, there: bool) -> None:
        self.lanes.data.current = "a lane" if there else None
        self.lanes.is_joining = there


class Dials:
    """The dials of one `DataLaneDial`."""

    def __init__(self) -> None:
        self.world = World()
        self.made: list[tuple[Connected, Any, FakeTimer]] = []
        self.session = Session()
        self.dial = DataLaneDial(self.world, random.Random(1), cast(Any, self._dial_place))

    def _dial_place(self, connected: Connected, failed: Any) -> FakeTimer:
        timer = FakeTimer(lambda: None)
        self.made.append((connected, failed, timer))
        return timer

    @property
    def pending(self) -> int:
        return sum(1 for *_, timer in self.made if timer.callback is not None)

    def begin(self) -> None:
        self.dial.begin(cast(Any, self.session))

    def connect(self) -> None:
        connected, _, timer = self.made[-1]
        timer.cancel()
        connected(cast(Any, None), Tls(None, OLD, (ALPN,)))
        self.session.has_lane(there=True)
        self.dial.changed()

    def fail(self) -> None:
        _, failed, timer = self.made[-1]
        timer.cancel()
        failed(REFUSED)

    def wait(self) -> None:
        self.world.advance(limits.RECONNECT_MAX_S)


@pytest.fixture
def up() -> Dials:
    """A link whose data lane is up."""
    dials = Dials()
    dials.begin()
    dials.connect()
    return dials


def test_a_dial_that_fails_and_a_lane_that_is_lost_are_tried_again(up: Dials) -> None:
    up.session.has_lane(there=False)
    for number in range(2, 5):
        up.dial.changed() if number == 2 else up.fail()
        assert len(up.made) == number - 1
        up.wait()
        assert (len(up.made), up.pending) == (number, 1)


def test_a_lane_that_came_up_is_missed_for_a_short_time_only(up: Dials) -> None:
    up.session.has_lane(there=False)
    up.dial.changed()
    for _ in range(10):
        up.wait()
        up.fail()
    up.wait()
    up.connect()
    up.session.has_lane(there=False)
    up.dial.changed()
    up.world.advance(limits.RECONNECT_MIN_S)
    assert up.pending == 1


@pytest.mark.parametrize("why", ["down", "joining", "draining", "cancelled"])
def test_a_lane_is_not_dialed_again_for_a_link_that_needs_none(up: Dials, why: str) -> None:
    up.session.has_lane(there=False)
    up.session.is_up = why != "down"
    up.session.lanes.is_joining = why == "joining"
    up.session.link_drain.is_draining = why == "draining"
    if why == "cancelled":
        up.dial.cancel()
    up.dial.changed()
    up.wait()
    assert len(up.made) == 1 and up.world.pending_timers == 0


def test_another_certificate_is_shown_on_another_lane_dialed_once(up: Dials) -> None:
    up.dial.renew(OLD)
    assert len(up.made) == 1
    for _ in range(2):
        up.dial.renew(NEW)
    assert (len(up.made), up.pending) == (2, 1)


@pytest.mark.parametrize("why", ["no lane", "draining", "cancelled"])
def test_nothing_is_dialed_for_a_certificate_where_no_lane_shows_one(up: Dials, why: str) -> None:
    up.session.has_lane(there=why != "no lane")
    up.session.link_drain.is_draining = why == "draining"
    if why == "cancelled":
        up.dial.cancel()
    up.dial.renew(NEW)
    assert len(up.made) == 1


@pytest.mark.parametrize("is_dialing", [True, False])
def test_a_session_that_takes_over_ends_what_was_on_its_way(up: Dials, is_dialing: bool) -> None:
    if is_dialing:
        up.dial.renew(NEW)
    else:
        up.session.has_lane(there=False)
        up.dial.changed()
    after = Session()
    after.config.certificate = NEW
    after.has_lane(there=True)
    up.dial.follow(cast(Any, after))
    assert up.pending == 0 and up.world.pending_timers == 0
    made = len(up.made)
    up.dial.renew(NEW)
    assert len(up.made) == made
    up.dial.renew(b"newest leaf")
    up.connect()
    assert (up.session.joined, after.joined) == ([OLD], [OLD])

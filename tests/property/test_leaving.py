"""Whatever an HTTP client has done: once it finished, no leg is held for it and none is begun."""

from hypothesis import given
from hypothesis import strategies as st

from router.model.settings import HalfClose
from router.service.ports import LegFailure
from tests.examples import histories
from tests.unit.exchange.fakes_http import FakeLeg
from tests.unit.exchange.test_http_ingress import GET, OK, POST, SWITCH, UPGRADE, Site

LONG_S = 10_000.0  # Longer than any deadline.
SENT = {
    "asks": GET,
    "asks thrice": 3 * GET,
    "begins a head": GET[:9],
    "begins a body": POST % 10 + b"hello",
    "goes on": b"world",
    "asks to switch": UPGRADE,
}
ACTS = (*SENT, "answer", "head", "part", "switch", "leg full", "leg free", "unread", "read")


class Course:
    """A session, and how far each of its legs is."""

    def __init__(self, half_close: HalfClose) -> None:
        self.site = Site(half_close)
        self.over: set[FakeLeg] = set()
        self.begun: set[FakeLeg] = set()  # Their final head has come.

    @property
    def leg(self) -> FakeLeg | None:
        """The one that waits for its target."""
        legs = self.site.legs
        is_open = bool(legs) and legs[-1] not in self.over and not legs[-1].is_aborted()
        return legs[-1] if is_open else None

    def act(self, what: str) -> None:
        connection, leg = self.site.connection, self.leg
        if what in SENT and not connection.is_paused():
            connection.deliver(SENT[what])
        elif what == "unread":
            connection.full = True
        elif what == "read" and not connection.is_lost:
            connection.drain()
        elif leg is not None:
            self._answer(leg, what)
        self.site.timers.turn()

    def _answer(self, leg: FakeLeg, what: str) -> None:
        if what == "answer" and leg not in self.begun:
            self.over.add(leg)
            leg.respond(OK, b"hello")
        elif what == "head" and leg not in self.begun:
            self.begun.add(leg)
            leg.handler.head(OK, 10)
        elif what == "part" and leg in self.begun:
            leg.handler.received(memoryview(b"x"))
        elif what == "switch" and leg not in self.begun and leg.request.upgrade:
            self.begun.add(leg)
            leg.handler.head(SWITCH, -1)
        elif what == "leg full":
            leg.full = True
        elif what == "leg free":
            leg.full = False
            leg.handler.writable()

    def end(self) -> None:
        """The client's end arrives: reported at once, or behind unread bytes."""
        connection = self.site.connection
        if not connection.is_aborted() and not connection.is_lost:
            if connection.is_paused():
                connection.end_unread()
            else:
                connection.end()
        self.site.timers.turn()

    def tell_all(self) -> None:
        """Legs that were aborted say so, as they do at the end of a turn."""
        for leg in self.site.legs:
            if leg.is_aborted() and leg not in self.over:
                self.over.add(leg)
                leg.handler.done(LegFailure("client-gone"))
        self.site.timers.turn()


@given(histories(st.sampled_from(ACTS), 14))
def test_a_client_that_finished_holds_no_leg_and_begins_none(acts: list[str]) -> None:
    course = Course("cancel")
    for act in acts:
        course.act(act)
    is_tunnel = course.leg is not None and course.leg.request.upgrade and course.leg in course.begun
    course.end()
    if is_tunnel:
        return  # As tcp: its other direction goes on.
    legs = len(course.site.legs)
    assert course.leg is None
    course.tell_all()
    course.act("read")
    course.act("asks")
    course.site.timers.advance(LONG_S)
    course.tell_all()
    assert len(course.site.legs) == legs, "a request of a client that is gone was begun"
    assert course.site.timers.pending_timers == 0
    connection = course.site.connection
    assert connection.is_finished() or connection.is_aborted() or connection.is_lost


@given(histories(st.sampled_from(ACTS), 14))
def test_a_client_that_finishes_on_purpose_loses_no_whole_request(acts: list[str]) -> None:
    course = Course("serve")
    for act in acts:
        course.act(act)
    leg, connection = course.leg, course.site.connection
    is_whole = leg is not None and not leg.request.body_bytes and not leg.request.upgrade
    course.end()
    if is_whole and not connection.is_aborted():
        assert leg is not None and not leg.is_aborted()

"""A client's connection over many exchanges: each leg is ended, and its end is counted, once."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.exchange.clients.http1.client import HttpClient
from router.exchange.clients.http1.client_states import ClientEvent, ClientState
from router.exchange.clients.http1.client_table import TABLE
from router.exchange.clients.http1.session import HttpSession
from router.http.http1.grammar import bad_request
from router.model.requests import Request
from router.model.settings import ServiceLimits
from router.model.specs import ServiceSpec
from router.net.ports import Loss
from router.service.ports import ClientLeg, LegFailure, LegHandler
from tests.examples import histories
from tests.unit.exchange.fakes_http import FakeConnection, FakeLeg, FakeTimers
from tests.unit.exchange.frontends import frontend

UNDER_WAY = {
    ClientState.ASKED,
    ClientState.ANSWERING,
    ClientState.ANSWERED,
    ClientState.TUNNEL,
    ClientState.FRAMES,
    ClientState.DISMISSED,
    ClientState.LEFT,
}
BETWEEN = {ClientState.IDLE, ClientState.UNTAKEN, ClientState.UNREAD}
OF_CONNECTION = {
    ClientEvent.ENDED,
    ClientEvent.WRITABLE,
    ClientEvent.CLOSED,
    ClientEvent.LOST,
    ClientEvent.DROPPED,
    ClientEvent.OVERDUE,
}
OF_LEG = {ClientEvent.DONE, ClientEvent.FAILED}
NEVER = {
    *product(BETWEEN, OF_LEG),  # The leg is over before.
    *product({ClientState.OUTLIVING}, OF_CONNECTION | {ClientEvent.BROKEN}),  # That is over.
    (ClientState.OVER, ClientEvent.OVERDUE),  # It has no deadline.
    *product(ClientState, {ClientEvent.BROKEN}),
} - {
    (state, ClientEvent.BROKEN)  # Else nothing is parsed.
    for state in (
        ClientState.IDLE,
        ClientState.UNREAD,
        ClientState.ASKED,
        ClientState.ANSWERING,
        ClientState.ANSWERED,
    )
}

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
SAID = (
    GET,
    GET * 3,
    GET[:9],
    GET[9:],
    b"HEAD / HTTP/1.1\r\nHost: shop\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"4\r\nabcd\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"abcd",
    b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"no http\r\n\r\n",
    b"x" * 100_000,
)
OK = b"HTTP/1.1 200 OK\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n"
HEADS = (OK, SWITCH, b"HTTP/1.1 100 Continue\r\n", b"HTTP/1.1 204 No Content\r\n")
FRAME = b"\x81\x02ok"
BY_EVENT = {
    ClientEvent.CLOSED: "close",
    ClientEvent.LOST: "lose",
    ClientEvent.DROPPED: "drop",
}
OF_CLIENT = {"say", "end", "end-unread", "full", "drain", "close", "lose", "drop"}
OF_OWNER = {"leave", "stop", "shed"}


class Play:
    """A session, its client, and the legs that it opened."""

    def __init__(
        self, *, half_close: bool = False, requests: int = 1_000, follows: bool = False
    ) -> None:
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        self.legs: list[FakeLeg] = []
        self.ended: set[int] = set()  # Numbers of legs that told their end.
        self.statuses: list[int] = []
        self.over = 0
        self.client_ended = False
        spec = ServiceSpec(
            ports=(),
            half_close="serve" if half_close else "cancel",
            limits=ServiceLimits(requests_per_connection=requests),
            max_age_s=3600.0 if follows else 0.0,
        )
        self.session = HttpSession(
            self.connection,
            frontend(self.timers, spec),
            open_leg=self._open,
            refused=lambda status: None,
            over=self._over,
        )
        self.session.tell_answers(self.statuses.append)
        self.connection.handler = self.session

    def _open(self, request: Request, handler: LegHandler) -> ClientLeg:
        assert len(self.ended) == len(self.legs), "the last exchange is not over"
        self.legs.append(FakeLeg(request, handler))
        return self.legs[-1]

    def _over(self) -> None:
        self.over += 1

    def do(self, step: str, at: int) -> None:
        """One step: of the client, of the owner, of the leg under way, or time."""
        if step == "turn":
            self.turn()
        elif step == "later":
            self.timers.advance((0.5, 5.0, 70.0, 1000.0)[at % 4])
        elif step in OF_CLIENT:
            if not (self.connection.is_lost or self.connection.is_aborted()):
                self._of_client(step, at)
        elif step in OF_OWNER:
            if not self.connection.is_lost:
                self._of_owner(step, at)
        elif len(self.ended) < len(self.legs):
            self._of_leg(step, at, self.legs[-1])

    def _of_client(self, step: str, at: int) -> None:
        connection = self.connection
        if step == "say":
            if not self.client_ended:
                connection.deliver(SAID[at % len(SAID)])
        elif step == "end":
            self.client_ended = True
            connection.end()
        elif step == "end-unread":
            connection.end_unread()
        elif step == "full":
            connection.full = True
        elif step == "drain":
            connection.drain()
        else:
            loss = {"close": None, "lose": Loss("reset"), "drop": Loss("aborted")}
            connection.lose(loss[step])

    def _of_owner(self, step: str, at: int) -> None:
        if step == "leave":
            self.session.leave(quiet=at % 2 == 0)
        elif step == "stop":
            self.session.drain()
        else:
            self.session.shed_idle()

    def _of_leg(self, step: str, at: int, leg: FakeLeg) -> None:
        handler = leg.handler
        if leg.is_aborted():
            self.turn()
        elif step == "whole":
            self.ended.add(len(self.legs))
            handler.whole(OK, 2, b"ok")
        elif step == "head":
            handler.head(HEADS[at % len(HEADS)], 3)
        elif step == "body":
            handler.received(memoryview((b"", b"a", b"abc", FRAME)[at % 4]))
        elif step == "trailers":
            handler.trailers(b"X-Sum: 1\r\n")
        elif step == "ended":
            handler.ended()
        elif step == "done" or step == "fail":
            self.ended.add(len(self.legs))
            handler.done(None if step == "done" else LegFailure("target-reset"))
        else:
            leg.full = step == "leg-full"
            if not leg.full:
                handler.writable()

    @property
    def client(self) -> HttpClient:
        """Whose states these are."""
        client = self.legs[-1].handler
        assert isinstance(client, HttpClient)
        return client

    def happens(self, event: ClientEvent) -> None:
        """Cause ``event`` through its real source: session, connection, timer, leg or client."""
        if event is ClientEvent.ENDED:
            self.session.ended()
        elif event is ClientEvent.WRITABLE:
            self.connection.drain()
        elif event is ClientEvent.OVERDUE:
            self.timers.advance(1000.0)
        elif event is ClientEvent.BROKEN:
            self.client.failed(bad_request("It is not HTTP."))
        elif event in OF_LEG:
            self.ended.add(len(self.legs))
            self.client.done(None if event is ClientEvent.DONE else LegFailure("target-reset"))
        else:
            self._of_client(BY_EVENT[event], 0)

    def turn(self) -> None:
        """Legs that were aborted tell their end, before another one is opened."""
        self.timers.turn()
        if self.legs and self.legs[-1].is_aborted() and len(self.ended) < len(self.legs):
            self.ended.add(len(self.legs))
            self.legs[-1].handler.done(LegFailure("cancelled"))

    def end(self) -> None:
        """Client and target are gone."""
        self.turn()
        self.connection.lose(Loss("reset"))
        if len(self.ended) < len(self.legs):
            self.legs[-1].handler.done(LegFailure("cancelled"))
        self.timers.advance(1000.0)
        assert len(self.statuses) == len(self.legs), "each is counted once"
        assert self.session.legs == []
        assert not self.session.outlives_client
        assert self.over <= 1
        assert self.timers.pending_timers == 0


STEPS = (
    *("say", "say", "say", "say", "whole", "whole", "head", "head", "body", "ended", "done"),
    *("trailers", "fail", "leg-full", "leg-takes", "end", "end-unread", "lose", "close", "drop"),
    *("full", "drain", "turn", "later", "leave", "stop", "shed"),
)


@given(
    st.booleans(),
    st.booleans(),
    st.sampled_from((1, 2, 1_000)),
    histories(st.tuples(st.sampled_from(STEPS), st.integers(0, 27)), 40),
)
def test_each_exchange_ends_once_whatever_happens(
    half_close: bool, follows: bool, requests: int, steps: list[tuple[str, int]]
) -> None:
    play = Play(half_close=half_close, requests=requests, follows=follows)
    for step, at in steps:
        play.do(step, at)
    play.end()


Steps = tuple[tuple[str, int], ...]
ASK: Steps = (("say", 0),)
POST: Steps = (("say", 6),)
TUNNEL: Steps = (("say", 11), ("head", 1))
ANSWER: Steps = (("head", 0), ("body", 2), ("ended", 0))
FRAMES: Steps = (*TUNNEL, ("body", 3))
REACHED: dict[ClientState, Steps] = {
    ClientState.IDLE: (*ASK, ("whole", 0)),
    ClientState.UNTAKEN: (*ASK, ("full", 0), ("whole", 0)),
    ClientState.ASKED: POST,
    ClientState.ANSWERING: (*POST, ("head", 0)),
    ClientState.ANSWERED: (*POST, *ANSWER),
    ClientState.UNREAD: (*POST, *ANSWER, ("done", 0)),
    ClientState.TUNNEL: TUNNEL,
    ClientState.FRAMES: FRAMES,
    ClientState.DISMISSED: (*FRAMES, ("leave", 1)),
    ClientState.LEFT: (*TUNNEL, ("leave", 0)),
    ClientState.OUTLIVING: (*TUNNEL, ("close", 0)),
    ClientState.CLOSING: (*ASK, ("stop", 0), ("whole", 0)),
    ClientState.OVER: (*POST, ("head", 0), ("fail", 0)),
}
"""By what a client's connection comes to each state."""


@pytest.mark.parametrize("state", ClientState)
def test_from_each_state_each_event_of_the_table_leads_to_an_end(state: ClientState) -> None:
    follows = state in (ClientState.FRAMES, ClientState.DISMISSED)
    for event in [event for one, event in TABLE if one is state]:
        play = Play(follows=follows)
        for step, at in REACHED[state]:
            play.do(step, at)
        assert play.client.state is state, f"before {event}"
        play.happens(event)
        play.end()


def test_every_pair_of_a_state_and_an_event_is_known_or_cannot_be() -> None:
    pairs = set(product(ClientState, ClientEvent))
    assert set(TABLE) | NEVER == pairs
    assert not set(TABLE) & NEVER

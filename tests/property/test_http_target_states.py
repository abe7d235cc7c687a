"""A connection to a target over many exchanges: each hears only its events, none after its end."""

from collections.abc import Callable
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from router.http.http1.responses import KnownResponses
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.net.ports import Buffer, Loss
from router.service.ports import LegFailure
from router.service.targets.pool import TargetPool
from router.service.targets.target_http import HttpTarget
from router.service.targets.target_http_table import TABLE
from router.service.targets.wire_states import WireEvent, WireState
from tests.examples import histories
from tests.unit.exchange.fakes_http import FakeConnection, FakeNetwork
from tests.unit.exchange.taken import RecordingTaker

NEVER = {
    (WireState.IDLE, WireEvent.OVERDUE),  # It has no deadline, like the others here that are.
    (WireState.RAW, WireEvent.OVERDUE),
    (WireState.RAW_ENDED, WireEvent.OVERDUE),
    (WireState.GIVEN_UP, WireEvent.OVERDUE),
    (WireState.OVER, WireEvent.OVERDUE),
    (WireState.RAW_ENDED, WireEvent.ENDED),  # It was.
}

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
SAID = (
    WHOLE,
    WHOLE[:20],
    WHOLE[20:],
    WHOLE[:-1],
    WHOLE[-1:],
    WHOLE * 2,
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    b"0\r\n\r\n",
    b"no http\r\n\r\n",
    SWITCH,
    b"x" * 100_000,
)


class Told(RecordingTaker):
    """A taker that must not hear anything after its end, and may ask for more at its end."""

    def __init__(self, at_end: Callable[[], None]) -> None:
        super().__init__()
        self._at_end = at_end
        self._is_answered = False
        self.is_over = False

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        self._over()
        assert bytes(body) == b"ok" or not body

    def done(self, failure: LegFailure | None) -> None:
        assert failure is not None or self._is_answered, "the end of another answer"
        self._over()

    def head(self, head: bytes, body_bytes: int) -> None:
        self._hear()
        self._is_answered = self._is_answered or head[9:12] >= b"2" or head[9:12] == b"101"

    def received(self, data: memoryview) -> None:
        self._hear()

    def trailers(self, block: bytes) -> None:
        self._hear()

    def ended(self) -> None:
        self._hear()

    def writable(self) -> None:
        self._hear()

    def _hear(self) -> None:
        assert not self.is_over, "told after its end"

    def _over(self) -> None:
        self._hear()
        self.is_over = True
        self.leg = None  # Another exchange may have it now.
        self._at_end()


class Play:
    """One pool and its connections, the target played by the steps."""

    def __init__(self) -> None:
        self.network = FakeNetwork()
        self.pool = TargetPool(self.network, "127.0.0.1", 9001, via=b"", known=KnownResponses())
        self.takers: list[Told] = []
        self.again = 0  # Requests that begin as another one ends.

    def ask(self, kind: str) -> None:
        """A request, over a kept connection or a new one."""
        request = Request(
            key=ServiceKey("shop", 80),
            protocol="http",
            head=b"%b / HTTP/1.1\r\nHost: shop\r\n" % (b"HEAD" if kind == "head" else b"GET"),
            body_bytes={"sized": 3, "chunked": -1}.get(kind, 0),
            idempotent=True,
            head_only=kind == "head",
            upgrade="websocket" if kind == "upgrade" else "",
        )
        taker = Told(self._ended)
        self.takers.append(taker)
        leg = self.pool.take(request, taker, from_client=True)
        if leg is not None:
            taker.leg = leg
        else:
            self.pool.dial(request, taker, from_client=True)
            self.network.connect()

    def _ended(self) -> None:
        if self.again:
            self.again -= 1
            self.ask("get")

    @property
    def under_way(self) -> list[Told]:
        return [taker for taker in self.takers if taker.leg is not None and not taker.is_over]

    def do(self, step: str, at: int) -> None:
        """One step, of one of the exchanges under way or connections."""
        network, users = self.network, self.under_way
        user = users[at % len(users)] if users else None
        alive = [one for one in network.connections if not (one.is_lost or one.is_aborted())][-4:]
        connection = alive[at % len(alive)] if alive else None
        if step.startswith("ask-"):
            self.ask(step[4:])
        elif step == "again":
            self.again += 1
        elif step == "turn":
            network.turn()
        elif step == "later":
            network.advance((0.5, 5.0, 70.0)[at % 3])
        elif user is not None and step in ("abort", "finish", "pause", "resume"):
            getattr(user, step)()
        elif user is not None and step == "send":
            user.send(b"abc"[: at % 4])
        elif connection is not None:
            self._of_target(step, at, connection)

    def _of_target(self, step: str, at: int, connection: FakeConnection) -> None:
        if step == "answer":
            connection.deliver(WHOLE)
        elif step == "say":
            connection.deliver(SAID[at % len(SAID)])
        elif step == "end" and not connection._peer_ended:
            connection.end()
        elif step == "lose":
            connection.lose(Loss("reset"))
        elif step == "full":
            connection.full = True
        elif step == "drain":
            connection.drain()

    def check(self) -> None:
        """What holds after every step."""
        targets = [one.handler for one in self.network.connections]
        used = [taker.leg for taker in self.under_way]
        assert len(set(map(id, used))) == len(used), "two exchanges have one connection"
        for target in targets:
            assert isinstance(target, HttpTarget)
            if target.state is WireState.IDLE:
                assert target._handler is None
        idle = sum(isinstance(one, HttpTarget) and one.state is WireState.IDLE for one in targets)
        assert idle == self.pool.idle_count

    def end(self) -> None:
        """All of it ends by itself."""
        self.network.advance(1000.0)
        for taker in self.under_way:  # Tunnels, whose ends are watched elsewhere.
            taker.abort()
        self.network.advance(1000.0)
        assert all(taker.is_over for taker in self.takers)
        assert self.pool.open_count == self.pool.idle_count == 0
        assert self.network.pending_timers == 0


ASKS = ("ask-get", "ask-head", "ask-upgrade", "ask-sized", "ask-chunked")
STEPS = (
    *("answer", "answer", "answer", "say", "say", "ask-get", "ask-get", "turn", "again"),
    *(*ASKS, "abort", "finish", "pause", "resume", "send", "later", "end", "lose"),
    *("full", "drain"),
)


@given(histories(st.tuples(st.sampled_from(STEPS), st.integers(0, 11)), 40))
def test_each_exchange_is_told_its_own_and_once_that_it_is_over(
    steps: list[tuple[str, int]],
) -> None:
    play = Play()
    for step, at in steps:
        play.do(step, at)
        play.check()
    play.end()


def test_every_pair_of_a_state_and_an_event_is_known_or_cannot_be() -> None:
    pairs = set(product(WireState, WireEvent))
    assert set(TABLE) | NEVER == pairs
    assert not set(TABLE) & NEVER

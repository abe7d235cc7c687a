"""A leg over a connection that is there at once is what a `LocalLeg` with a target leg is."""

from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.ledger import Slot
from router.forward.abandoned import GIVEN_UP
from router.forward.http1.bytes_cache import BytesCache
from router.forward.http1.responses import KnownResponses
from router.forward.local import LocalLeg, LocalParts, SlotLeg
from router.forward.outcomes import LAST_STATUS_UNJUDGED
from router.forward.ports import Lingering, Request, TargetConfig
from router.forward.pressure import Pressure
from router.forward.targets import Targets
from router.model import limits
from router.model.ids import ServiceKey
from router.model.settings import Timeouts
from router.net.ports import Loss
from tests.unit.forward.fakes_http import FakeConnection, FakeNetwork, RecordingHandler

KEY = ServiceKey("shop", 80)
TARGET = "127.0.0.1:9001"
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
REQUESTS: list[dict[str, Any]] = [
    {"head": GET, "idempotent": True},
    {"head": GET, "idempotent": True, "upgrade": "websocket"},
    {"head": b"HEAD" + GET[3:], "idempotent": True, "head_only": True},
    {"head": POST},
    {"head": b"PURGE" + GET[3:]},
    {"head": POST, "body_bytes": 4},
    {"head": POST, "body_bytes": -1},
]
ANSWERS = [
    OK,
    OK[:20],
    OK[20:],
    OK + b"excess",
    b"HTTP/1.1 103 Early\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nno",
    b"nonsense\r\n\r\n",
]
ACTS = [
    *(("answer", answer) for answer in ANSWERS),
    *((name, b"") for name in ("abort", "finish", "end", "lose", "turn", "wait", "relieve")),
    *((name, b"") for name in ("pause", "resume", "fill", "drain")),
    ("send", b"body"),
    ("send", b"bo"),
]


TO_SERVICE = ("released", "answered", "went well", "broke off")


class Told:
    """Admission and outcomes of one service: notes all that it hears, in one order."""

    era = 4

    def __init__(self, log: RecordingHandler, suspects: dict[str, object]) -> None:
        self._log = log
        self.suspects = suspects
        self.judged_above = LAST_STATUS_UNJUDGED

    def release(self, slot: Slot) -> None:
        self._log.events.append(("released", slot.target))

    def release_after(self, lingering: Lingering, slot: Slot) -> None:
        lingering.then(lambda: self.release(slot))

    def broke_off(self, *told: object) -> None:
        self._log.events.append(("broke off", *told))

    def completed(self, target: str, status: int, began_in: int) -> None:
        if status > LAST_STATUS_UNJUDGED:  # Nothing else is of any weight.
            self._log.events.append(("answered", target, status, began_in))
        elif self.suspects:
            self._log.events.append(("went well", target, began_in))


def heard(
    kind: dict[str, Any], acts: list[tuple[str, bytes]], *, at_once: bool, suspects: bool, via: bool
) -> list[object]:
    """All that the handler, admission, outcomes and target saw."""
    network = FakeNetwork()
    targets = Targets(network, "east", Timeouts(), KnownResponses(), BytesCache())
    targets.set({TARGET: TargetConfig(connector="t")})
    log = RecordingHandler()
    told = cast(Any, Told(log, {TARGET: 1} if suspects else {}))
    parts = LocalParts(told, targets.open, told, Pressure())
    slot = Slot(TARGET, cast(Any, None), None)
    first = Request(key=KEY, protocol="http", head=GET, idempotent=True)
    targets.make_leg(first, log, slot, parts, True)
    connection = network.connect()
    connection.deliver(OK)
    connection.take()
    log.events.clear()
    request = Request(key=KEY, protocol="http", **kind)
    leg: SlotLeg
    if at_once:
        leg = targets.make_leg(request, log, slot, parts, not via)
        assert not isinstance(leg, LocalLeg)
    else:
        general = LocalLeg(request, log, slot, parts, not via)
        general.start()
        leg = general
    assert leg.is_opened and leg.target == TARGET and leg.wire is None
    for name, data in acts:
        act(network, connection, leg, name, data)
    sent = connection.take()
    connection.lose(Loss("reset"))
    network.turn()
    network.advance(limits.ABANDONED_S_MAX)
    assert log.events.count(("released", TARGET)) == 1
    names = [event[0] for event in log.events]
    done = names.index("done")
    if log.events[done][1] not in GIVEN_UP:
        assert names.index("released") < done
    to_service = [event for event in log.events if event[0] in TO_SERVICE]
    to_handler = [event for event in log.events if event[0] not in TO_SERVICE]
    return [to_handler, to_service, sent, connection.is_aborted(), connection.is_finished()]


def act(
    network: FakeNetwork, connection: FakeConnection, leg: SlotLeg, name: str, data: bytes
) -> None:
    """One thing that happens."""
    match name:
        case "answer":
            connection.deliver(data)
        case "end":
            connection.end()
        case "lose":
            connection.lose(Loss("reset"))
        case "turn":
            network.turn()
        case "wait":
            network.advance(limits.RESPONSE_HEAD_TIMEOUT_S + limits.POOL_SWEEP_S)
        case "fill":
            connection.full = True
        case "drain":
            connection.drain()
        case "send":
            leg.send(data)
        case _:
            getattr(leg, name)()


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(REQUESTS),
    st.lists(st.sampled_from(ACTS), max_size=8),
    st.booleans(),
    st.booleans(),
)
def test_nobody_can_tell_them_apart(
    kind: dict[str, Any], acts: list[tuple[str, bytes]], suspects: bool, via: bool
) -> None:
    at_once = heard(kind, acts, at_once=True, suspects=suspects, via=via)
    assert at_once == heard(kind, acts, at_once=False, suspects=suspects, via=via)

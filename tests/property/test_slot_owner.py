"""Whatever becomes of a request at a target of this site, its slot goes back, once."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.responses import KnownResponses
from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import Timeouts
from router.net.ports import Loss
from router.service.ports import TargetConfig
from router.service.targets.abandoned import GIVEN_UP
from router.service.targets.target_ways import TargetWays
from tests.examples import examples
from tests.unit.exchange.fakes_http import FakeNetwork, RecordingHandler
from tests.unit.exchange.taken import DirectExchange, Told, service_of

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
    *((name, b"") for name in ("connect", "connect", "connect", "refuse", "end", "lose", "turn")),
    *((name, b"") for name in ("abort", "finish", "wait", "relieve")),
    *((name, b"") for name in ("pause", "resume", "fill", "drain")),
    ("send", b"body"),
    ("send", b"bo"),
]


def act(network: FakeNetwork, one: DirectExchange, name: str, data: bytes) -> None:
    """One thing that happens, to the target's connection if there is one."""
    connection = network.connections[-1] if network.connections else None
    match name:
        case "connect" | "refuse":
            if network.dials and not network.dials[0].cancelled:
                getattr(network, name)()
        case "answer" if connection is not None:
            connection.deliver(data)
        case "end" if connection is not None:
            connection.end()
        case "lose" if connection is not None:
            connection.lose(Loss("reset"))
        case "fill" if connection is not None:
            connection.full = True
        case "drain" if connection is not None:
            connection.drain()
        case "turn":
            network.turn()
        case "wait":
            network.advance(limits.RESPONSE_HEAD_TIMEOUT_S + limits.POOL_SWEEP_S)
        case "send":
            one.send(data)
        case "finish" | "abort" | "relieve" | "pause" | "resume":
            getattr(one, name)()


@settings(max_examples=examples(400), deadline=None)
@given(
    st.sampled_from(REQUESTS),
    st.lists(st.sampled_from(ACTS), max_size=9),
    st.booleans(),
    st.booleans(),
)
def test_a_slot_goes_back_once_and_before_the_caller_hears(
    kind: dict[str, Any], acts: list[tuple[str, bytes]], suspects: bool, at_once: bool
) -> None:
    network = FakeNetwork()
    targets = TargetWays(network, "east", Timeouts(), KnownResponses(), BytesCache())
    targets.set_targets({TARGET: TargetConfig(connector="t")})
    log = RecordingHandler()
    told = Told(log.events)
    service = service_of(targets, network, told)
    if at_once:
        DirectExchange(Request(key=KEY, protocol="http", head=GET), log, service, TARGET)
        network.connect().deliver(OK)
        log.events.clear()
    told.suspects = {TARGET: 1} if suspects else {}
    one = DirectExchange(Request(key=KEY, protocol="http", **kind), log, service, TARGET)
    for name, data in acts:
        act(network, one, name, data)
    one.abort()
    for connection in network.connections:
        connection.lose(Loss("reset"))
    network.turn()
    network.advance(limits.ABANDONED_S_MAX)
    names = [event[0] for event in log.events]
    assert names.count("released") == names.count("done") == 1, names
    done = names.index("done")
    if log.events[done][1] not in GIVEN_UP:
        assert names.index("released") < done
    assert names[done + 1 :] in ([], ["released"]), "nothing follows the end"
    assert not one.target
    assert service.pressure.held_bytes == 0

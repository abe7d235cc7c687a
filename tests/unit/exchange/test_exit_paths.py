"""Whatever ends an exchange, its slots become free, here and at the other site."""

import gc
from collections.abc import Callable

import pytest

from router.balance.deciding.decision_evidence import SeenDecision
from router.balance.deciding.decisions import Decision
from router.balance.learning.demand import DemandFigures
from router.model import limits
from router.model.ids import ServiceKey
from router.model.specs import ServiceProtocol, ServiceSpec
from router.service.ports import UNTOUCHED, TargetConfig
from router.service.recent_requests import Grounds
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Party,
    Site,
    answer_ok,
    candidate,
    router_of,
    site_of,
)

GET = b"GET / HTTP/1.1\r\nHost: s\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 0\r\n\r\n"  # May not be repeated.
POST_PART = b"POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 100\r\n\r\npart"
EXPECT = b"PUT / HTTP/1.1\r\nHost: s\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: s\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: s\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
KEY = ServiceKey("s", 80)


class Stage:
    """An ingress, the egress ``b`` (or the ingress itself), one target, one client."""

    def __init__(self, protocol: ServiceProtocol, remote: bool, first: bytes) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.a = Site(self.network, self.mesh, "a")
        self.b = Site(self.network, self.mesh, "b")
        self.target = FakeTarget(self.network, "10.0.0.1", 80)
        for site in (self.a, self.b):
            site.forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol=protocol))
        (self.b if remote else self.a).forwarder.set_targets(
            KEY, {str(self.target): TargetConfig(connector="t", capacity=2)}
        )
        self.network.run()
        if remote:
            self.a.forwarder.ports.set_remotes(KEY, [candidate("b", capacity=2)])
        self.a.forwarder.set_listeners({KEY: ("127.0.0.1", 80)})
        self.client = self.a.connect("127.0.0.1", 80)
        self.client.send(first)
        self.network.run()

    @property
    def far(self) -> Party:
        return next(party for party in reversed(self.target.parties) if party.got)

    def reply(self, data: bytes) -> None:
        self.far.send(data)
        self.network.run()

    @property
    def in_flight(self) -> int:
        return self.a.in_flight(KEY) + self.b.in_flight(KEY)

    @property
    def demand(self) -> DemandFigures:
        figures = self.a.forwarder.readings.scale_of(KEY)
        assert figures is not None
        return figures.demand


Act = Callable[[Stage], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

HTTP_PATHS: dict[str, tuple[bytes, list[Act]]] = {
    "answered": (GET, [lambda s: s.reply(OK)]),
    "answered without length": (
        GET,
        [lambda s: s.reply(b"HTTP/1.1 200 OK\r\n\r\nrest"), lambda s: s.far.finish()],
    ),
    "chunked": (
        GET,
        [
            lambda s: s.reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            lambda s: s.reply(b"2\r\nok\r\n0\r\n\r\n"),
        ],
    ),
    "head only": (HEAD, [lambda s: s.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")]),
    "not modified": (GET, [lambda s: s.reply(b"HTTP/1.1 304 Not Modified\r\n\r\n")]),
    "continued": (
        EXPECT,
        [
            lambda s: s.reply(b"HTTP/1.1 100 Continue\r\n\r\n"),
            lambda s: s.client.send(b"hello"),
            lambda s: s.reply(OK),
        ],
    ),
    "expectation failed": (
        EXPECT,
        [lambda s: s.reply(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")],
    ),
    "answered before the request was complete": (POST_PART, [lambda s: s.reply(OK)]),
    "client resets before the answer": (GET, [lambda s: s.client.abort()]),
    "client resets in its body": (POST_PART, [lambda s: s.client.abort()]),
    "client resets in the answer": (
        GET,
        [
            lambda s: s.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
            lambda s: s.client.abort(),
        ],
    ),
    "client ends in its body": (POST_PART, [lambda s: s.client.finish()]),
    "client ends before the answer": (GET, [lambda s: s.client.finish()]),
    "client ends with another request waiting": (GET * 2, [lambda s: s.client.finish()]),
    "client ends in the answer": (
        GET,
        [
            lambda s: s.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
            lambda s: s.client.finish(),
        ],
    ),
    "target resets": (POST_PART, [lambda s: s.far.abort()]),
    "target ends without an answer": (POST_PART, [lambda s: s.far.finish()]),
    "target speaks nonsense": (POST, [lambda s: s.reply(b"nonsense\r\n\r\n")]),
    "target breaks its chunks": (
        GET,
        [lambda s: s.reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")],
    ),
    "target never answers": (GET, [lambda s: s.network.advance(200)]),
    "upgraded and ended by the target": (
        UPGRADE,
        [
            lambda s: s.reply(SWITCH),
            lambda s: s.reply(b"raw"),
            lambda s: s.far.finish(),
            lambda s: s.network.run(),
            lambda s: s.client.finish(),
        ],
    ),
    "upgraded and reset by the client": (
        UPGRADE,
        [lambda s: s.reply(SWITCH), lambda s: s.client.abort()],
    ),
    "link cut": (POST_PART, [lambda s: s.mesh.cut(router_of("b")), lambda s: s.client.abort()]),
    "router stops": (POST_PART, [lambda s: s.a.forwarder.abort()]),
    "egress stops": (
        POST_PART,
        [lambda s: s.b.forwarder.abort(), lambda s: s.network.run(), lambda s: s.client.abort()],
    ),
    "target is removed": (
        GET,
        [
            lambda s: s.a.forwarder.set_targets(KEY, {}),
            lambda s: s.b.forwarder.set_targets(KEY, {}),
            lambda s: s.reply(OK),
        ],
    ),
}


def test_a_body_is_as_long_as_its_head_says_also_after_the_target_let_it_come() -> None:
    stage = Stage("http", True, EXPECT)
    stage.reply(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert stage.client.got.startswith(b"HTTP/1.1 100 ")
    (stream,) = stage.mesh.streams
    stream.send(b"hello and more")  # As a site may that does not keep to its head.
    stage.network.run()
    assert stage.far.was_reset and b"hello" not in stage.far.got
    (record,) = stage.a.forwarder.readings.past_of(KEY, 1, "all")
    assert record.outcome == "bad-message"


TCP_PATHS: dict[str, tuple[bytes, list[Act]]] = {
    "client first": (
        b"x",
        [lambda s: s.client.finish(), lambda s: s.network.run(), lambda s: s.far.finish()],
    ),
    "target first": (
        b"x",
        [lambda s: s.far.finish(), lambda s: s.network.run(), lambda s: s.client.finish()],
    ),
    "client resets": (b"x", [lambda s: s.client.abort()]),
    "target resets": (b"x", [lambda s: s.far.abort()]),
    "both at once": (b"x", [lambda s: s.client.finish(), lambda s: s.far.finish()]),
    "both reset": (b"x", [lambda s: s.client.abort(), lambda s: s.far.abort()]),
    "link cut": (b"x", [lambda s: s.mesh.cut(router_of("b")), lambda s: s.client.abort()]),
    "idle": (b"x", [lambda s: s.network.advance(8_000)]),
    "router stops": (b"x", [lambda s: s.a.forwarder.abort()]),
}

CASES = [
    pytest.param(protocol, remote, first, acts, id=f"{name}, {'remote' if remote else 'local'}")
    for protocol, paths in (("http", HTTP_PATHS), ("tcp", TCP_PATHS))
    for name, (first, acts) in paths.items()
    for remote in (False, True)
]


@pytest.mark.parametrize(("protocol", "remote", "first", "acts"), CASES)
def test_no_slot_is_held_at_rest(
    protocol: ServiceProtocol, remote: bool, first: bytes, acts: list[Act]
) -> None:
    stage = Stage(protocol, remote, first)
    assert stage.in_flight == 1
    demand = stage.demand
    assert (demand.in_flight, demand.overflowed, demand.queued) == (not remote, remote, 0)
    for act in acts:
        act(stage)
        stage.network.run()
    stage.network.advance(limits.ABANDONED_S_MAX)
    assert stage.in_flight == 0
    (snapshot,) = stage.a.forwarder.readings.services_snapshot()
    assert snapshot.counters.requests_total == 1
    assert snapshot.queued == 0
    demand = stage.demand
    assert (demand.in_flight, demand.overflowed, demand.queued) == (0, 0, 0)
    estimate = {one.site: one.in_flight for one in snapshot.explanation.candidates}
    assert set(estimate.values()) == {0}


def test_a_sole_site_is_asked_again_after_a_target_of_it_broke_off() -> None:
    stage = Stage("http", True, GET)
    first = stage.far
    first.abort()  # As an application that ends idle connections does, in the same moment.
    stage.network.run()
    assert stage.far is not first
    assert stage.in_flight == 1
    stage.reply(OK)
    assert stage.client.got.endswith(b"ok")
    assert stage.in_flight == 0


def test_a_sole_site_whose_targets_break_off_each_time_is_asked_three_times() -> None:
    stage = Stage("http", True, GET)
    asked = 0
    while stage.in_flight:
        asked += 1
        stage.far.abort()
        stage.network.run()
    assert asked == 1 + limits.REPEATS_MAX
    assert b"Spillway-Error: target-reset" in stage.client.got


@pytest.mark.parametrize("steps", range(40))
@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
@pytest.mark.parametrize("first", [GET, POST_PART], ids=["get", "post"])
def test_a_client_that_resets_at_any_step_leaves_no_slot(
    remote: bool, first: bytes, steps: int
) -> None:
    stage = Stage("http", remote, GET)
    stage.target.answer = answer_ok
    stage.reply(OK)
    client = stage.a.connect("127.0.0.1", 80)
    client.send(first)
    stage.network.run_some(steps)
    client.abort()
    stage.network.advance(limits.ABANDONED_S_MAX)
    assert stage.in_flight == 0
    stage.network.run()
    assert stage.demand.in_flight == 0


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_a_dial_without_a_descriptor_is_answered_with_503_and_frees_its_slot(remote: bool) -> None:
    stage = Stage("http", remote, GET)
    stage.reply(OK)
    stage.network.advance(10)  # The idle connection to the target is closed.
    client = stage.a.connect("127.0.0.1", 80)
    stage.network.is_exhausted = True
    client.send(GET)
    stage.network.advance(3)
    head = bytes(client.got)
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in head
    assert stage.in_flight == 0
    (figures,) = stage.a.forwarder.readings.services_snapshot()
    assert set(figures.counters.failed_for) == {"all-full" if remote else "exhausted"}


VALUES = Decision, Grounds, SeenDecision


@pytest.mark.parametrize(("protocol", "remote", "first", "acts"), CASES)
def test_a_request_that_is_over_is_kept_with_its_outcome_and_nothing_of_its_own(
    protocol: ServiceProtocol, remote: bool, first: bytes, acts: list[Act]
) -> None:
    stage = Stage(protocol, remote, first)
    (kept,) = stage.a.forwarder.readings.past_of(KEY, 9, "all")
    assert (kept.outcome, kept.site) == ("", site_of("b" if remote else "a"))
    for act in acts:
        act(stage)
        stage.network.run()
    assert stage.a.forwarder.readings.past_of(KEY, 9, "all") == [kept]
    assert kept.outcome != ""
    assert kept.waited_since is None
    assert (kept.outcome in UNTOUCHED) == bool(stage.a.forwarder.readings.past_of(KEY, 9, "denied"))
    held = [one for one in gc.get_referents(kept) if not isinstance(one, (str, int, float, type))]
    values = {type(kept.grounds), SeenDecision} if kept.seen else {type(kept.grounds)}
    assert {type(one) for one in held if one is not None} == values <= {*VALUES}

"""HTTP services through whole forwarders: which requests are repeated, which not, which refused."""

from collections.abc import Callable
from math import log

import msgspec
import pytest

from router.link.ports import OfferedStream, OpenRequest, ToldCount
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.port_reading import SERVED_NOWHERE
from router.model.settings import ServiceLimits, Timeouts
from router.model.specs import ServiceSpec
from router.service.ports import TargetConfig
from router.service.targets.target_http import HttpTarget
from tests.unit.exchange.fakes import (
    FakeConnection,
    FakeMesh,
    FakeNetwork,
    FakeStream,
    FakeTarget,
    Party,
    Site,
    answer_ok,
    candidate,
    router_of,
    site_of,
)
from tests.unit.exchange.test_departures import Log

KEY = ServiceKey("shop", 8080)
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello"
PUT = b"PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello"


class Shop:
    """Sites ``a`` (ingress), ``b`` and ``c``, each with one target that answers as told."""

    def __init__(
        self,
        here: int = 0,
        there: int = 1,
        farther: int = 1,
        answer: Callable[[Party], None] | None = answer_ok,
    ) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.sites: dict[str, Site] = {}
        self.targets: dict[str, FakeTarget] = {}
        for name, capacity in (("a", here), ("b", there), ("c", farther)):
            site = self.sites[name] = Site(self.network, self.mesh, name)
            target = self.targets[name] = FakeTarget(
                self.network, f"10.0.0.{len(self.sites)}", 80, answer
            )
            site.forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol="http"))
            if capacity:
                site.forwarder.set_targets(
                    KEY, {str(target): TargetConfig(connector="main", capacity=capacity)}
                )
        self.a = self.sites["a"].forwarder
        self.a.set_listeners({KEY: ("127.0.0.1", 8080)})
        self.network.run()
        self.set_remotes(b=there, c=farther)

    def set_remotes(self, **capacities: int) -> None:
        costs = {"b": 1, "c": 9}
        self.a.ports.set_remotes(
            KEY,
            [candidate(n, cost=costs[n], capacity=c) for n, c in capacities.items() if c],
        )

    def client(self, request: bytes = GET) -> Party:
        party = self.sites["a"].connect("127.0.0.1", 8080)
        party.send(request)
        self.network.run()
        return party

    def status(self, party: Party) -> int:
        return int(bytes(party.got).split(b" ", 2)[1]) if party.got else 0

    def requests(self) -> list[int]:
        return [self.targets[name].requests for name in "abc"]

    def in_flight(self) -> list[int]:
        return [self.sites[name].in_flight(KEY) for name in "abc"]


@pytest.mark.parametrize("request_bytes", [GET, POST, PUT])
@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_a_request_is_answered_and_its_slot_given_back(request_bytes: bytes, here: int) -> None:
    shop = Shop(here=here)
    client = shop.client(request_bytes)
    assert shop.status(client) == 200
    assert bytes(client.got).endswith(b"ok")
    assert shop.requests() == ([1, 0, 0] if here else [0, 1, 0])
    assert shop.in_flight() == [0, 0, 0]


def test_while_memory_is_short_new_requests_are_refused_and_counted() -> None:
    shop = Shop(here=1)
    told = []
    for refuses in (False, True, False):
        shop.a.memory.refuse_new(refuses)
        told.append((shop.status(shop.client()), shop.a.memory.is_refusing))
    assert told == [(200, False), (503, True), (200, False)]
    assert shop.a.memory.refused_total == 1


def test_while_memory_is_very_short_few_clients_are_accepted() -> None:
    shop = Shop(here=1)
    listener = next(at for at in shop.network.listening if at.port == 8080)
    shop.a.memory.cap_clients(True)
    accepted = []
    while not shop.network.is_paused(listener):
        accepted.append(shop.sites["a"].connect("127.0.0.1", 8080))
    assert len(accepted) == limits.CLIENTS_WHEN_SHORT
    shop.a.memory.cap_clients(False)
    assert not shop.network.is_paused(listener)


def test_what_clients_have_here_is_what_is_under_way_and_who_waits() -> None:
    shop = Shop(here=1, there=0, farther=0, answer=None)
    seen = []
    for _ in range(3):
        choice = shop.a.readings.explain(KEY, 0.0)
        assert choice is not None
        queue = shop.a.readings.queue_now(KEY, choice.decision)
        seen.append((shop.a.readings.open_of_clients(KEY), queue is not None))
        shop.client()
    assert seen == [(0, False), (1, True), (2, True)]
    other = ServiceKey("other", 1)
    assert shop.a.readings.open_of_clients(other) == 0
    assert choice is not None and shop.a.readings.queue_now(other, choice.decision) is None


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
@pytest.mark.parametrize("answer", [answer_ok, None], ids=["served", "given up"])
def test_who_reads_in_the_turn_in_which_a_request_ends_finds_all_of_it(
    here: int, answer: Callable[[Party], None] | None
) -> None:
    """A timer does, for instance that of the history."""
    shop = Shop(here=here, answer=answer)
    client = shop.sites["a"].connect("127.0.0.1", 8080)
    client.send(GET)
    for step in range(60):
        shop.network.run_some(1)
        if step == 30:
            client.abort()
        reading, totals = shop.a.readings.reading_of(KEY), shop.a.readings.totals_at(KEY)
        (snapshot,) = shop.a.readings.services_snapshot()
        assert reading is not None and totals is not None
        ended = sum(reading.served.values())
        assert totals.requests == snapshot.counters.requests_total == ended
        assert sum(reading.spilled.values()) <= ended and reading.gave_up <= ended
    assert ended == 1


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_where_the_time_of_a_request_went_is_counted(here: int) -> None:
    shop = Shop(here=here, answer=None)
    shop.mesh.delay_s = 0.25  # Each way.
    client = shop.client(GET)
    shop.network.advance(2.0)
    (far,) = [party for party in shop.targets["a" if here else "b"].serving if party.got]
    answer_ok(far)
    shop.network.advance(1.0)
    assert shop.status(client) == 200
    (snapshot,) = shop.a.readings.services_snapshot()
    network_s, target_s = (0.0, 2.0) if here else (0.5, 1.75)
    phases = {"queue": 0.0, "network": network_s, "target": target_s}
    counted = snapshot.counters.served_phases
    assert {name: one.sum_s for name, one in counted.items()} == pytest.approx(phases)
    assert {sum(one.counts) for one in counted.values()} == {1}
    (whole,) = snapshot.counters.requests.values()
    assert whole.sum_s == pytest.approx(sum(phases.values()))


def reset(party: Party) -> None:
    if b"HTTP/1.1" in party.got:
        party.abort()


def test_a_get_whose_target_breaks_off_runs_again_elsewhere() -> None:
    shop = Shop(answer=None)
    shop.targets["b"].answer = reset
    shop.targets["c"].answer = answer_ok
    client = shop.client(GET)
    assert shop.status(client) == 200
    assert shop.requests() == [0, 1, 1]
    (snapshot,) = shop.a.readings.services_snapshot()
    assert sum(snapshot.counters.decisions.values()) == 2, "one for each attempt"


def test_a_request_is_attempted_so_often_at_most_before_it_rests() -> None:
    shop = Shop(there=0, farther=0)
    names = [f"d{number}" for number in range(2 * limits.RETRIES_MAX)]
    for name in names:
        shop.mesh.offered[router_of(name)] = lambda stream, request: stream.refuse("draining", 0)
    shop.a.ports.set_remotes(KEY, [candidate(name) for name in names])
    client = shop.client()
    assert len(shop.mesh.opens) == limits.RETRIES_MAX
    assert not client.got, "it waits for routes to change"


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_a_site_is_reached_over_any_number_of_others(hops: int) -> None:
    shop = Shop(farther=0, answer=None)
    path = (router_of("d"), router_of("c"), router_of("b"))[3 - hops :]
    shop.a.ports.set_remotes(KEY, [msgspec.structs.replace(candidate("b"), paths=(path,))])
    client = shop.client()
    assert shop.a.readings.in_flight_elsewhere(KEY) == {site_of("b"): 1}
    assert shop.mesh.opens[-1].path == path
    (target,) = [one for one in shop.targets["b"].serving if one.got]
    answer_ok(target)
    shop.network.run()
    assert shop.status(client) == 200 and shop.a.readings.in_flight_elsewhere(KEY) == {}


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_a_get_that_was_answered_in_no_valid_http_runs_once(here: int) -> None:
    def answer(party: Party) -> None:
        party.send(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")

    shop = Shop(here=here, answer=answer)
    assert shop.status(shop.client(GET)) == 502
    assert shop.requests() == ([1, 0, 0] if here else [0, 1, 0])


def test_a_get_that_the_only_target_here_broke_off_goes_to_another_site() -> None:
    shop = Shop(here=10, answer=None)
    shop.targets["a"].answer = reset
    shop.targets["b"].answer = answer_ok
    assert shop.status(shop.client(GET)) == 200
    assert shop.requests() == [1, 1, 0]


def test_with_nobody_else_the_target_that_broke_it_off_is_asked_again() -> None:
    shop = Shop(here=10, there=0, farther=0, answer=reset)
    assert shop.status(shop.client(GET)) == 502
    assert shop.requests() == [1 + limits.REPEATS_MAX, 0, 0]


def test_a_put_runs_again_with_its_body() -> None:
    shop = Shop()
    shop.targets["b"].answer = reset
    client = shop.client(PUT)
    assert shop.status(client) == 200
    assert bytes(shop.targets["c"].parties[-1].got).endswith(b"\r\n\r\nhello")


def test_a_post_whose_target_breaks_off_runs_once() -> None:
    shop = Shop()
    shop.targets["b"].answer = reset
    client = shop.client(POST)
    assert shop.status(client) == 502
    assert b"Spillway-Error: target-reset" in client.got
    assert shop.requests() == [0, 1, 0]


def test_a_post_on_a_cut_link_runs_once() -> None:
    shop = Shop(answer=None)
    client = shop.client(POST)
    shop.mesh.cut(router_of("b"))
    shop.network.run()
    assert shop.status(client) == 502
    assert shop.requests() == [0, 1, 0]
    assert shop.in_flight() == [0, 0, 0]


def test_a_post_lost_before_it_was_accepted_may_have_run_and_is_not_repeated() -> None:
    shop = Shop(answer=None)
    client = shop.sites["a"].connect("127.0.0.1", 8080)
    client.send(POST)
    while not shop.mesh.opens:
        shop.network.run_some(1)
    shop.mesh.cut(router_of("b"))
    shop.network.run()
    assert shop.status(client) == 502
    assert b"Spillway-Error: link-lost" in client.got
    assert shop.requests()[2] == 0


def test_a_get_on_a_cut_link_runs_again_elsewhere() -> None:
    shop = Shop(answer=None)
    shop.targets["c"].answer = answer_ok
    client = shop.client(GET)
    shop.mesh.cut(router_of("b"))
    shop.network.run()
    assert shop.status(client) == 200
    assert shop.in_flight() == [0, 0, 0]


def test_a_post_that_was_refused_goes_on_with_its_body() -> None:
    shop = Shop()
    shop.targets["b"].stop()
    client = shop.client(POST)
    assert shop.status(client) == 200
    assert shop.requests() == [0, 0, 1]
    assert bytes(shop.targets["c"].parties[-1].got).endswith(b"\r\n\r\nhello")


def test_a_get_is_not_repeated_for_ever() -> None:
    shop = Shop(here=1)
    for target in shop.targets.values():
        target.answer = reset
    client = shop.client(GET)
    assert shop.status(client) == 502
    assert sum(shop.requests()) == 1 + limits.REPEATS_MAX
    assert shop.in_flight() == [0, 0, 0]


def half_answer(party: Party) -> None:
    if b"HTTP/1.1" in party.got:
        party.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_a_get_with_a_torn_answer_is_not_repeated_and_not_taken_for_whole(here: int) -> None:
    shop = Shop(here=here)
    shop.targets["a"].answer = shop.targets["b"].answer = half_answer
    client = shop.client(GET)
    assert client.got.endswith(b"half")
    for party in (*shop.targets["a"].serving, *shop.targets["b"].serving):
        party.abort()
    shop.network.run()
    assert client.was_reset
    assert sum(shop.requests()) == 1
    assert shop.in_flight() == [0, 0, 0]


def test_nowhere_to_go_is_503_no_route() -> None:
    shop = Shop(there=0, farther=0)
    client = shop.client()
    assert shop.status(client) == 503
    assert b"Spillway-Error: no-route" in client.got


def test_a_target_that_refuses_is_502_when_there_is_no_other() -> None:
    shop = Shop(here=1, there=0, farther=0)
    shop.targets["a"].stop()
    client = shop.client()
    assert shop.status(client) == 502
    assert b"Spillway-Error: target-refused" in client.got


def test_all_full_is_503_with_retry_after_once_the_wait_is_over() -> None:
    shop = Shop(here=1, there=0, farther=0, answer=None)
    shop.client()
    late = shop.client()
    shop.network.advance(limits.QUEUE_WAIT_S + 0.1)
    assert shop.status(late) == 503
    assert b"Spillway-Error: all-full" in late.got
    assert b"Retry-After:" in late.got


def test_the_next_request_of_a_connection_is_decided_anew() -> None:
    shop = Shop(here=1)
    client = shop.client()
    client.got.clear()
    client.send(GET)
    shop.network.run()
    assert shop.status(client) == 200
    assert shop.requests() == [2, 0, 0]


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_changed_settings_count_from_the_next_request_of_a_connection(here: int) -> None:
    shop = Shop(here=here)
    client = shop.client()
    config = ServiceSpec(
        ports=(8080,),
        protocol="http",
        timeouts=Timeouts(response_s=600.0),
        limits=ServiceLimits(request_line_bytes=256),
    )
    for site in shop.sites.values():
        site.forwarder.set_service(KEY, config)
    target = shop.targets["a" if here else "b"]
    target.answer = None
    client.got.clear()
    client.send(GET)
    shop.network.advance(500.0)
    assert (shop.status(client), shop.requests()) == (0, [2 * here, 2 * (1 - here), 0])
    answer_ok(target.serving[-1])
    shop.network.run()
    assert shop.status(client) == 200
    client.got.clear()
    client.send(b"GET /" + b"a" * 300 + b" HTTP/1.1\r\nHost: shop\r\n\r\n")
    shop.network.run()
    assert shop.status(client) == 414


def test_a_connection_keeps_its_scheme_whatever_later_ones_have() -> None:
    """The same head is remembered for both, each with its own verdict."""
    shop = Shop(here=1)
    before = shop.client()
    shop.a.set_service(KEY, ServiceSpec(ports=(8080,), protocol="http", tls_cert="shop"))
    after = shop.client()
    for _ in range(3):
        for client in (before, after):
            client.send(GET)
            shop.network.run()
    got = b"".join(bytes(party.got) for party in shop.targets["a"].parties)
    schemes = [line[19:] for line in got.split(b"\r\n") if line.startswith(b"X-Forwarded-Proto: ")]
    assert schemes == [b"http", b"https", *[b"http", b"https"] * 3]


def test_requests_are_counted_by_site_and_class() -> None:
    shop = Shop(here=1)
    shop.client()
    shop.client(b"BAD\r\n\r\n")
    snapshot = shop.a.readings.services_snapshot()[0]
    counts = {key: sum(value.counts) for key, value in snapshot.counters.requests.items()}
    assert counts == {(site_of("a"), "2xx"): 1, (SERVED_NOWHERE, "4xx"): 1}
    assert snapshot.counters.decisions == {("fill", "chosen"): 1}


class Neighbour:
    """The far end of one stream that this side opened at site ``b``."""

    def __init__(self, shop: Shop, offer: OpenRequest, *, ends: bool = False) -> None:
        self.shop = shop
        self.events: list[tuple[object, ...]] = []
        stream = shop.mesh.open_stream(offer, self, ends=ends)
        assert isinstance(stream, FakeStream)
        self.stream = stream
        shop.network.run()

    def accepted(self, in_flight: int) -> None:
        self.events.append(("accepted", in_flight))

    def refused(self, reason: str, in_flight: int) -> None:
        self.events.append(("refused", reason, in_flight))

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        self.events.append(("head", head[:12], body_bytes))

    def received(self, data: memoryview) -> bool:
        self.events.append(("received", bytes(data)))
        return True

    def trailers(self, block: bytes) -> None:
        self.events.append(("trailers", block))

    def ended(self, in_flight: int) -> None:
        self.events.append(("ended", in_flight))

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        self.events.append(("answered", head[:12], body_bytes, bytes(body), in_flight))

    def writable(self) -> None: ...

    def lost(self, cause: str | None) -> None:
        self.events.append(("lost", cause))


HEAD = b"GET / HTTP/1.1\r\nHost: shop\r\n"
POST_HEAD = b"POST / HTTP/1.1\r\nHost: shop\r\n"


def offer(**changes: object) -> OpenRequest:
    fields: dict[str, object] = {
        "path": (router_of("b"),),
        "service": KEY.name,
        "port": KEY.port,
        "protocol": "http",
        "ingress": site_of("x"),
        "head": HEAD,
    }
    return OpenRequest(**{**fields, **changes})  # type: ignore[arg-type]


def test_an_egress_tells_its_count_with_and_after_the_request() -> None:
    shop = Shop()
    neighbour = Neighbour(shop, offer())
    neighbour.stream.finish()
    shop.network.run()
    assert neighbour.events == [
        ("accepted", 1),
        ("answered", b"HTTP/1.1 200", 2, b"ok", 0),
        ("lost", None),
    ]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"service": "nothing"}, ("refused", "no-target", 0)),
        ({"protocol": "tcp"}, ("refused", "not-allowed", 0)),
        ({"head": HEAD + b"Transfer-Encoding: chunked\r\n"}, ("refused", "bad-head", 0)),
        ({"head": b"GET /\r\n HTTP/1.1\r\n"}, ("refused", "bad-head", 0)),
        ({"body_bytes": -2}, ("refused", "bad-head", 0)),
        # Written without framing, it would be more requests on a connection that others use.
        ({"flags": 1, "body_bytes": 30}, ("refused", "bad-head", 0)),
        ({"flags": 1, "body_bytes": -1}, ("refused", "bad-head", 0)),
        ({"upgrade": "tunnel", "body_bytes": 30}, ("refused", "bad-head", 0)),
        ({"upgrade": "h2c"}, ("refused", "bad-head", 0)),
        ({"upgrade": "Tunnel"}, ("refused", "bad-head", 0)),
        ({"upgrade": "a, b"}, ("refused", "bad-head", 0)),
        ({"upgrade": "a\r\nX: y"}, ("refused", "bad-head", 0)),
        ({"upgrade": "\u0131"}, ("refused", "bad-head", 0)),
        ({"upgrade": "x" * (limits.UPGRADE_BYTES_MAX + 1)}, ("refused", "bad-head", 0)),
        ({"upgrade": "tunnel", "flags": 1}, ("refused", "bad-head", 0)),
    ],
)
def test_an_egress_judges_what_a_neighbour_offers(
    changes: dict[str, object], outcome: tuple[object, ...]
) -> None:
    shop = Shop()
    neighbour = Neighbour(shop, offer(**changes))
    assert neighbour.events[0] == outcome
    assert shop.requests() == [0, 0, 0]


@pytest.mark.parametrize("body", [b"toolong", b"sho"])
def test_a_request_body_of_the_wrong_length_never_completes(body: bytes) -> None:
    shop = Shop(answer=None)
    neighbour = Neighbour(shop, offer(head=POST_HEAD, body_bytes=5))
    neighbour.stream.send(body)
    neighbour.stream.finish()
    shop.network.run()
    assert neighbour.events[-1] == ("lost", "bad-message")
    party = shop.targets["b"].parties[-1]
    assert party.was_reset
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert shop.in_flight() == [0, 0, 0]


def test_an_open_that_is_all_without_its_body_never_completes() -> None:
    shop = Shop(answer=None)
    neighbour = Neighbour(shop, offer(head=POST_HEAD, body_bytes=5), ends=True)
    assert neighbour.events[-1] == ("lost", "bad-message")
    assert shop.requests() == [0, 0, 0]
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert shop.in_flight() == [0, 0, 0]


def test_an_open_that_is_all_completes_a_body_of_unknown_length() -> None:
    shop = Shop(answer=None)
    Neighbour(shop, offer(head=POST_HEAD, body_bytes=-1), ends=True)
    (party,) = shop.targets["b"].serving
    assert bytes(party.got).endswith(b"\r\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("body", [b"far too long", b"sho", b""])
def test_what_comes_of_a_request_that_was_answered_is_dropped(body: bytes) -> None:
    shop = Shop()
    neighbour = Neighbour(shop, offer(head=POST_HEAD, body_bytes=5))
    assert neighbour.events[-1][0] == "answered"
    neighbour.stream.send(body)
    shop.network.run()
    neighbour.stream.finish()
    shop.network.run()
    assert neighbour.events[-1] == ("lost", None)
    assert shop.in_flight() == [0, 0, 0]


@pytest.mark.parametrize("takes", [0, 1])
def test_a_stream_whose_answer_nobody_takes_ends_after_the_time_of_a_tunnel(takes: int) -> None:
    """A neighbor may keep its link, and never give credit for the rest, or never end its own."""
    shop = Shop()
    neighbour = Neighbour(shop, offer(head=POST_HEAD, body_bytes=5))
    assert neighbour.events[-1][0] == "answered"
    far = neighbour.stream.other
    assert far is not None
    far.queued_bytes = 10
    for _ in range(3):
        shop.network.advance(0.9 * limits.TUNNEL_IDLE_S)
        far.queued_bytes -= takes
    assert (neighbour.events[-1] == ("lost", "stalled")) is (not takes)
    shop.network.advance(2 * limits.TUNNEL_IDLE_S)
    assert neighbour.events[-1] == ("lost", "stalled")
    assert shop.sites["b"].forwarder.client_connections == 0


def test_a_draining_egress_refuses_and_finishes_what_it_has() -> None:
    shop = Shop(answer=None)
    first = Neighbour(shop, offer())
    first.stream.finish()
    finished: list[bool] = []
    shop.sites["b"].forwarder.drain(lambda: finished.append(True))
    second = Neighbour(shop, offer())
    assert second.events[0] == ("refused", "draining", 1)
    assert not finished
    answer_ok(shop.targets["b"].serving[-1])
    shop.network.run()
    assert first.events[-1][0] == "answered"
    assert finished == [True]


def test_a_drain_that_takes_too_long_is_cut() -> None:
    shop = Shop(answer=None)
    neighbour = Neighbour(shop, offer())
    finished: list[bool] = []
    shop.sites["b"].forwarder.drain(lambda: finished.append(True))
    shop.network.advance(30)
    assert not finished
    shop.sites["b"].forwarder.abort()
    shop.network.run()
    assert neighbour.events[-1] == ("lost", "internal")
    assert finished == [True]
    assert shop.in_flight() == [0, 0, 0]


@pytest.mark.parametrize("step", ["begin", "finish"])
def test_what_raises_while_a_stream_is_taken_ends_with_the_stream(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop()
    shop.client()  # From here on a connection to the target is kept.
    shop.targets["b"].serving[-1].answer = None
    takes = shop.mesh.offered[router_of("b")]

    def broken(*_: object) -> None:
        raise RuntimeError("a fault of this program")

    def offered(stream: OfferedStream, request: OpenRequest) -> None:
        with pytest.raises(RuntimeError):
            takes(stream, request)
        stream.reset("internal")  # As a lane does.

    monkeypatch.setattr(HttpTarget, step, broken)
    shop.mesh.offered[router_of("b")] = offered
    neighbour = Neighbour(shop, offer(head=POST_HEAD, body_bytes=-1), ends=True)
    shop.network.advance(2)  # The target may work on it for a while.
    assert neighbour.events[-1] == ("lost", "internal")
    assert shop.in_flight() == [0, 0, 0]


class BadEgress:
    """A neighbor with wrong answers."""

    def __init__(self, shop: Shop, *script: tuple[object, ...]) -> None:
        self.script = script
        shop.mesh.offered[router_of("b")] = self.offered
        shop.set_remotes(b=5)

    def offered(self, stream: object, request: OpenRequest) -> None:
        assert isinstance(stream, FakeStream)
        stream.accept(1)
        for name, *arguments in self.script:
            getattr(stream, str(name))(*arguments)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "script",
    [
        [("send_head", b"HTTP/1.1 200 OK\r\nConnection: close\r\n", 0), ("finish",)],
        [("send_head", b"nonsense", 0), ("finish",)],
        [("send", b"body first"), ("finish",)],
        [("finish",)],
        [("send_head", b"HTTP/1.1 101 Switching Protocols\r\n", 0)],
        [("answer", b"nonsense", 0, b"", ToldCount(0))],
        [("answer", b"HTTP/1.1 200 OK\r\nConnection: close\r\n", 0, b"", ToldCount(0))],
        [("answer", b"HTTP/1.1 101 Switching Protocols\r\n", 0, b"", ToldCount(0))],
        [("answer", b"HTTP/1.1 103 Early Hints\r\n", 0, b"", ToldCount(0))],
        [("answer", b"HTTP/1.1 200 OK\r\n", 4, b"abc", ToldCount(0))],
        [("answer", b"HTTP/1.1 200 OK\r\n", 2, b"abc", ToldCount(0))],
        [("answer", b"HTTP/1.1 200 OK\r\n", -2, b"abc", ToldCount(0))],
        [("answer", b"HTTP/1.1 204 No Content\r\n", 3, b"abc", ToldCount(0))],
        [("answer", b"HTTP/1.1 204 No Content\r\n", -1, b"abc", ToldCount(0))],
    ],
)
def test_an_answer_that_is_not_canonical_is_502(script: list[tuple[object, ...]]) -> None:
    shop = Shop()
    BadEgress(shop, *script)
    client = shop.client(POST)
    assert shop.status(client) == 502


@pytest.mark.parametrize(
    "script",
    [
        [("send_head", OK, 5), ("send", b"too long"), ("finish",)],
        [("send_head", OK, 5), ("send", b"sho"), ("finish",)],
        [
            ("send_head", OK, -1),
            ("send_trailers", b"Content-Length: 5\r\n"),
            ("finish",),
        ],
        [("send_head", OK, -1), ("send_head", OK, 0), ("finish",)],
        [("send_head", OK, -1), ("send", b"abc"), ("break_off", "target-reset")],
    ],
)
def test_an_answer_that_breaks_off_or_lies_is_never_taken_for_whole(
    script: list[tuple[object, ...]],
) -> None:
    shop = Shop()
    BadEgress(shop, *script)
    client = shop.client(GET)
    assert client.was_reset
    assert not client.got.endswith(b"0\r\n\r\n")


def mend(shop: Shop) -> None:
    shop.mesh.down.clear()
    shop.set_remotes(b=1)


def test_a_get_whose_only_way_broke_goes_on_once_routes_changed() -> None:
    shop = Shop(farther=0)
    shop.targets["b"].answer = None
    client = shop.client(GET)
    shop.mesh.cut(router_of("b"))
    shop.network.run()
    assert not client.got
    shop.targets["b"].answer = answer_ok
    mend(shop)
    shop.network.run()
    assert shop.status(client) == 200
    assert shop.in_flight() == [0, 0, 0]


def test_a_new_request_without_a_way_waits_for_one_and_not_for_long() -> None:
    shop = Shop(farther=0)
    shop.mesh.cut(router_of("b"))
    client = shop.client(POST)
    assert not client.got
    assert shop.a.readings.open_of_clients(KEY) == 1, "it has come, and not ended"
    shop.network.advance(limits.REROUTE_WAIT_S)
    assert shop.status(client) == 503
    assert b"Spillway-Error: no-route" in client.got
    assert shop.a.readings.open_of_clients(KEY) == 0


def test_a_client_that_leaves_while_there_is_no_way_is_forgotten() -> None:
    shop = Shop(farther=0)
    shop.mesh.cut(router_of("b"))
    client = shop.client(GET)
    client.abort()
    shop.network.run()
    mend(shop)
    shop.network.run()
    assert shop.requests() == [0, 0, 0]
    assert shop.a.readings.services_snapshot()[0].counters.requests_total == 1


def test_a_site_lost_on_the_way_is_not_asked_again_before_routes_change() -> None:
    shop = Shop(here=1, farther=0, answer=None)
    shop.client(GET)
    shop.mesh.cut(router_of("b"))
    waiting = [shop.client(GET) for _ in range(3)]
    opens = len(shop.mesh.opens)
    shop.network.advance(0.5)
    assert len(shop.mesh.opens) == opens
    shop.targets["b"].answer = answer_ok
    mend(shop)
    shop.network.run()
    assert [shop.status(client) for client in waiting] == [200, 200, 200]


def test_a_large_body_that_waited_goes_on_over_a_connection_at_hand() -> None:
    shop = Shop(here=1, there=0, farther=0, answer=None)
    first = shop.client(GET)
    body = b"x" * (limits.REPLAY_BYTES_MAX + 100)
    second = shop.client(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n" % len(body))
    second.send(body[: limits.REPLAY_BYTES_MAX])
    shop.network.run()
    second.send(body[limits.REPLAY_BYTES_MAX :])
    shop.network.run()
    (party,) = shop.targets["a"].serving
    party.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    shop.network.run()
    assert shop.status(first) == 200
    assert shop.targets["a"].serving == [party], "the same connection"
    assert party.got.endswith(b"\r\n\r\n" + body)
    party.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    shop.network.run()
    assert shop.status(second) == 200


def asking(token: str) -> bytes:
    return f"GET / HTTP/1.1\r\nHost: s\r\nConnection: upgrade\r\nUpgrade: {token}\r\n\r\n".encode()


def switching(to: str) -> Callable[[Party], None]:
    """A target that switches to ``to`` and then echoes."""

    def answer(party: Party) -> None:
        head, blank, rest = bytes(party.got).partition(b"\r\n\r\n")
        if rest:
            party.send(rest)
        elif blank and head:
            party.send(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                b"Upgrade: %b\r\n\r\n" % to.encode()
            )

    return answer


@pytest.mark.parametrize("token", ["websocket", "tls/1.0", "SPDY-like.v2"])
@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_any_protocol_that_both_ends_want_is_switched_to(token: str, here: int) -> None:
    shop = Shop(here=here, answer=switching(token))
    client = shop.client(asking(token))
    assert shop.status(client) == 101
    assert f"\r\nUpgrade: {token.lower()}\r\n".encode() in bytes(client.got)
    client.got.clear()
    client.send(b"raw\0bytes")
    shop.network.run()
    assert bytes(client.got) == b"raw\0bytes"
    flags = [(one.flags, one.upgrade) for one in shop.mesh.opens]
    told = (1, "") if token == "websocket" else (0, token.lower())
    assert flags == ([] if here else [told])


@pytest.mark.parametrize("token", ["h2c", "one, two", "x" * (limits.UPGRADE_BYTES_MAX + 1)])
def test_what_no_tunnel_may_be_made_of_is_asked_of_no_target(token: str) -> None:
    shop = Shop()
    assert shop.status(shop.client(asking(token))) == 200
    assert [(one.flags, one.upgrade) for one in shop.mesh.opens] == [(0, "")]


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_a_target_that_switches_to_something_else_is_not_believed(here: int) -> None:
    shop = Shop(here=here, answer=switching("other"))
    assert shop.status(shop.client(asking("tunnel"))) == 502


def test_an_upgrade_that_is_not_granted_ends_its_stream_without_a_reset() -> None:
    shop = Shop()
    assert shop.status(shop.client(asking("tunnel"))) == 200
    assert [one.finished for one in shop.mesh.streams] == [True]  # Resets are counted: see `mux`.


GET_ONCE = b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"


def requiring(party: Party) -> None:
    """A target that answers 426: its two lists of protocols count as one."""
    party.send(
        b"HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade, keep-alive\r\n"
        b"Upgrade: websocket\r\nContent-Length: 2\r\nUpgrade: TLS/1.0, other\r\n\r\nno"
    )


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
@pytest.mark.parametrize("asked", [GET, GET_ONCE, asking("other")])
def test_a_426_names_the_protocols_that_its_target_requires(asked: bytes, here: int) -> None:
    shop = Shop(here=here, answer=requiring)
    for _ in range(3):  # The head is new, then known.
        client = shop.client(asked)
        assert shop.status(client) == 426
        head, _, body = bytes(client.got).partition(b"\r\n\r\n")
        fields = head.split(b"\r\n")
        assert b"Upgrade: websocket, TLS/1.0, other" in fields
        assert b"Connection: upgrade" in fields
        assert (b"Connection: close" in fields) is (asked == GET_ONCE)
        assert head.lower().count(b"upgrade:") == 1
        assert body == b"no"


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_credentials_in_heads_are_not_kept_for_long(here: int) -> None:
    secret = b"Bearer a-token-that-nobody-else-has"
    shop = Shop(here=here)
    asked = b"GET / HTTP/1.1\r\nHost: shop\r\nAuthorization: " + secret + b"\r\n\r\n"
    for _ in range(3):
        client = shop.client(asked)
        assert shop.status(client) == 200
        client.abort()
        shop.network.run()
    forwarders = [site.forwarder for site in shop.sites.values()]
    remembered = [one.heads_remembered for one in forwarders]
    assert remembered[0], "its head"
    assert remembered[1] == (0 if here else 2), "its head, and the OPEN that brought it"
    shop.network.advance(limits.HEADS_FORGOTTEN_S)
    for one in forwarders:
        one.sample_demand()
    assert not any(one.heads_remembered for one in forwarders)


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
@pytest.mark.parametrize(
    ("answered", "gave_up"), [(b"", 1), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome", 0)]
)
def test_a_client_that_leaves_before_an_answer_gave_up(
    answered: bytes, gave_up: int, here: int
) -> None:
    shop = Shop(here=here, answer=None)
    client = shop.client()
    target = shop.targets["a" if here else "b"]
    if answered:
        target.serving[0].send(answered)
        shop.network.run()
    client.abort()
    shop.network.run()
    reading = shop.a.readings.reading_of(KEY)
    assert reading is not None
    assert (reading.gave_up, reading.failed) == (gave_up, 0)


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_a_client_that_is_reset_by_its_router_did_not_give_up(here: int) -> None:
    shop = Shop(here=here, answer=None)
    shop.client()
    shop.a.abort()
    shop.network.run()
    reading = shop.a.readings.reading_of(KEY)
    assert reading is not None
    assert (reading.gave_up, reading.failed) == (0, 0)


def test_what_this_site_serves_is_no_spill_however_its_answer_comes() -> None:
    shop = Shop(here=3, answer=None)
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    for pieces in ((ok + b"ok",), (ok, b"ok"), (ok, b"o", b"k")):
        client = shop.client()
        for piece in pieces:
            shop.targets["a"].serving[-1].send(piece)
            shop.network.run()
        assert client.got.endswith(b"ok")
    counters = shop.a.readings.services_snapshot()[0].counters
    assert (counters.spilled, counters.requests_total) == ({}, 3)


def test_clients_of_a_former_protocol_are_counted_until_they_leave() -> None:
    shop = Shop(here=3, answer=None)
    former = [shop.client(), shop.client()]
    assert shop.a.entry.of_former_protocol() == {}
    shop.a.set_service(KEY, ServiceSpec(ports=(8080,), protocol="http2"))
    shop.sites["a"].connect("127.0.0.1", 8080)
    assert shop.a.entry.of_former_protocol() == {KEY: {"http": 2}}
    for client in former:
        client.abort()
    shop.network.run()
    assert shop.a.entry.of_former_protocol() == {}


WITH_TRAILERS = (
    b"PUT / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    b"0\r\nX-Sum: 1\r\n\r\n",
)


@pytest.mark.parametrize("is_watched", [False, True])
@pytest.mark.parametrize("is_repeated", [False, True])
@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_trailers_of_a_request_reach_its_target_also_when_it_is_sent_again(
    here: int, is_repeated: bool, is_watched: bool
) -> None:
    def breaks_off(party: Party) -> None:
        if party.got.endswith(WITH_TRAILERS[1]):
            party.abort()

    shop = Shop(here=here, answer=breaks_off if is_repeated else None)
    if is_watched:
        shop.a.observing.set(Log(), None)
    served = "abc"[1 - here + is_repeated]
    shop.targets[served].answer = None
    client = shop.client(WITH_TRAILERS[0])
    client.send(WITH_TRAILERS[1])
    shop.network.run()
    (party,) = [one for one in shop.targets[served].serving if one.got]
    assert party.got.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
    assert sum(shop.requests()) == 1 + is_repeated


@pytest.mark.parametrize("block", [b"Host: evil\r\n", b"x: y\n", b"X\r\n\r\n"])
def test_trailers_that_another_site_may_not_send_end_its_stream(block: bytes) -> None:
    shop = Shop(answer=None)
    shop.client(WITH_TRAILERS[0])
    near = shop.mesh.streams[-1]
    near.send_trailers(block)
    shop.network.run()
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert near.over and shop.in_flight() == [0, 0, 0]
    (party,) = [one for one in shop.targets["b"].parties if one.got]
    assert party.losses and block not in party.got
    assert sum(shop.sites["b"].forwarder.refused_messages.counts(KEY).values()) == 1


@pytest.mark.parametrize("here", [1, 0], ids=["local", "remote"])
def test_a_client_is_read_as_fast_as_its_target_takes_what_it_sends(here: int) -> None:
    shop = Shop(here=here, answer=None)
    client = shop.client(POST.replace(b"Content-Length: 5", b"Content-Length: 25"))
    (target,) = [one for one in shop.targets["a" if here else "b"].serving if one.got]
    ends = (client.connection, target.connection)
    read, takes = (one.other for one in ends if isinstance(one, FakeConnection))
    assert read is not None and takes is not None
    far = None if here else shop.mesh.streams[-1].other
    seen = []
    for takes.full in (True, True, False, False):
        client.send(b"hello")
        shop.network.run()
        seen.append((read.paused, far is not None and far.paused))
        if seen[-1] != (False, False):
            takes.room()
            shop.network.run()
    held_back = (bool(here), not here)  # Between sites by the stream's credit.
    assert seen == [(False, False), held_back, (False, False), (False, False)]
    assert target.got.endswith(b"hello" * 5)


def test_a_client_is_read_as_fast_as_the_link_takes_what_it_sends() -> None:
    shop = Shop(answer=None)
    client = shop.client(POST.replace(b"Content-Length: 5", b"Content-Length: 15"))
    assert isinstance(client.connection, FakeConnection)
    read, stream = client.connection.other, shop.mesh.streams[-1]
    assert read is not None and stream.handler is not None
    paused = []
    for stream.full in (True, False):
        client.send(b"hello")
        shop.network.run()
        paused.append(read.paused)
        stream.handler.writable()
        shop.network.run()
        paused.append(read.paused)
    assert paused == [True, False, False, False]


def test_idle_connections_of_clients_and_to_targets_are_closed_and_counted() -> None:
    shop = Shop(here=3)
    clients = [shop.client() for _ in range(3)]
    assert shop.a.memory.shed_idle() == len(clients) + 1, "the target has served all over one"
    shop.network.run()
    assert all(client.got_end for client in clients) and not shop.targets["a"].serving
    for client in clients:
        client.finish()
    shop.network.run()
    assert shop.a.memory.shed_idle() == 0


def test_a_request_that_another_site_answers_at_once_is_counted_as_spilled() -> None:
    shop = Shop(here=1, answer=None)
    shop.client()
    shop.targets["b"].answer = answer_ok
    for _ in range(3):
        assert shop.status(shop.client()) == 200
    counters = shop.a.readings.services_snapshot()[0].counters
    assert counters.spilled == {(site_of("b"), "full"): 3}
    assert shop.a.readings.spills_of(KEY).open_to == {}


@pytest.mark.parametrize("site", ["a", "b", "c"])
def test_what_another_site_serves_is_open_there_from_its_head_to_its_end(site: str) -> None:
    shop = Shop(here=int(site == "a"), there=int(site == "b"), answer=None)
    client = shop.client()

    def open_to() -> dict[SiteId, int]:
        return dict(shop.a.readings.spills_of(KEY).open_to)

    seen = [open_to()]
    (target,) = [one for one in shop.targets[site].serving if one.got]
    target.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    shop.network.run()
    seen.append(open_to())
    target.send(b"ok")
    shop.network.run()
    assert client.got.endswith(b"ok")
    assert [*seen, open_to()] == [{}, {} if site == "a" else {site_of(site): 1}, {}]


@pytest.mark.parametrize(("here", "where"), [(1, "here"), (0, "there")])
def test_a_request_that_waited_for_a_slot_tells_where(here: int, where: str) -> None:
    shop = Shop(here=here, there=1 - here, farther=0, answer=None)
    name = "a" if here else "b"
    shop.client(), shop.client()
    for _ in range(2):
        shop.targets[name].serving[-1].send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        shop.network.run()
    reasons = [one.reason for one in shop.a.readings.past_of(KEY, 2, "all")]
    at_once = "local site has room" if here else "cheapest site with room"
    assert reasons == [at_once, f"waited until a slot was free {where}"]


def test_usual_times_are_those_of_the_sites_own_clients_or_else_follow_from_the_mean() -> None:
    shop = Shop(here=0, there=1, farther=0, answer=None)
    b = shop.sites["b"].forwarder
    assert b.readings.targets.usual(KEY) is None
    for _ in range(3):
        shop.client()
        shop.network.advance(0.2)
        shop.targets["b"].serving[-1].send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        shop.network.run()
    guessed = b.readings.targets.usual(KEY)
    assert guessed is not None
    assert guessed.most_s == pytest.approx(0.2 * log(10), rel=0.01), "nine of ten are faster"
    assert guessed.longest_s == pytest.approx(0.2 * log(1000), rel=0.01)
    shop.client()
    shop.network.advance(3.0)
    shop.targets["b"].serving[-1].send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    shop.network.run()
    own = shop.a.readings.targets.usual(KEY)
    assert own is not None and 3.0 <= own.longest_s <= 3.5
    assert b.readings.targets.usual(ServiceKey("other", 1)) is None


def test_the_longest_of_late_is_also_of_requests_that_other_sites_send() -> None:
    shop = Shop(here=0, there=2, farther=0, answer=None)
    b, target = shop.sites["b"], shop.targets["b"]
    b.forwarder.set_listeners({KEY: ("127.0.0.2", 8080)})
    own = b.connect("127.0.0.2", 8080)
    for asks, takes_s in ((lambda: own.send(GET), 0.01), (shop.client, 20.0)):
        asks()
        shop.network.run()
        shop.network.advance(takes_s)
        target.serving[-1].send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        shop.network.run()
    usual = b.forwarder.readings.targets.usual(KEY)
    assert usual is not None
    assert usual.most_s < 0.1
    assert usual.longest_s > 20.0


def test_a_target_awaits_no_answer_to_a_request_that_it_does_not_have_in_full() -> None:
    shop = Shop(here=1, there=0, farther=0, answer=None)
    party = shop.client(b"POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 5\r\n\r\nhel")
    ((_, _, uploaded),) = shop.a.readings.targets.busy(limits.TARGET_STUCK_AWAITED)
    party.send(b"lo")
    shop.network.run()
    ((_, _, complete),) = shop.a.readings.targets.busy(limits.TARGET_STUCK_AWAITED)
    assert (uploaded.awaited, complete.awaited) == (0, 1)


@pytest.mark.parametrize(
    ("request_bytes", "head", "part"),
    [
        (GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r\n"),
        (
            b"GET / HTTP/1.1\r\nHost: s\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
            b"Upgrade: websocket\r\n\r\n",
            b"\x81\x02ok",
        ),
    ],
    ids=["stream", "websocket"],
)
def test_a_full_target_that_sends_parts_of_an_answer_has_answered(
    request_bytes: bytes, head: bytes, part: bytes
) -> None:
    shop = Shop(here=1, there=0, farther=0)
    for _ in range(3):
        shop.client()
    shop.targets["a"].serving[-1].answer = None
    shop.client(request_bytes)
    readings, target = shop.a.readings, shop.targets["a"].serving[-1]
    ((_, address, counts),) = readings.targets.busy(limits.TARGET_STUCK_AWAITED)
    seen = [counts.answered]
    assert counts.is_waited_for
    for data in (head, part, part):
        target.send(data)
        shop.network.run()
        ((_, _, counts),) = readings.targets.busy(limits.TARGET_STUCK_AWAITED)
        assert not counts.is_waited_for, "it may be idle from now on"
        seen.append(counts.answered)
        assert readings.targets.answered_by(KEY, address) == seen[-1]
    assert seen == sorted(set(seen)), "each part counts"
    assert readings.targets.completed_by(KEY, address) == seen[0] == 3
    ((_, _, counts),) = readings.targets.busy(limits.TARGET_STUCK_AWAITED)
    assert counts.answered == seen[-1], "and nothing counts by itself"


def test_a_flow_tells_of_its_own_request_while_its_client_asks_the_next() -> None:
    shop = Shop(here=1, there=0, farther=0, answer=None)
    party = shop.client()
    target = shop.targets["a"]

    def answer() -> None:
        target.serving[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        shop.network.run()

    answer()
    party.send(GET)  # A new exchange on the same connection.
    shop.network.run()
    (flow,) = shop.a.flows(1)
    assert (flow.target, flow.record.outcome) == (str(target), "")
    answer()
    party.send(PUT)
    shop.network.run()
    (later,) = shop.a.flows(1)
    assert (later.request.idempotent, later.record.outcome) == (True, "")
    assert later.record is not flow.record
    assert (flow.target, flow.record.outcome, flow.request.body_bytes) == ("", "ok", 0)


def begin_answer(party: Party) -> None:
    party.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + bytes(20_000))


def test_who_reads_slowly_gets_a_whole_answer_however_short_idle_is() -> None:
    shop = Shop(here=1, answer=begin_answer)
    spec = ServiceSpec(ports=(8080,), protocol="http", timeouts=Timeouts(idle_s=0.5))
    shop.a.set_service(KEY, spec)
    party = shop.sites["a"].connect("127.0.0.1", 8080)
    assert isinstance(party.connection, FakeConnection)
    ours = party.connection.other
    assert ours is not None
    ours.full = True
    ours.buffered_bytes = 100_000
    party.send(GET)
    shop.network.run()
    for _ in range(100):
        shop.network.advance(0.1)
        ours.buffered_bytes -= 50
    assert party.is_open
    ours.room()
    shop.network.run()
    (target,) = shop.targets["a"].serving
    target.send(bytes(20_000))
    shop.network.run()
    assert party.got.endswith(b"\r\n\r\n" + bytes(40_000))

"""Single requests, as an access log and a tracer see them."""

from collections.abc import Callable

import msgspec
import pytest

from router.exchange.clients.http2 import own_answers
from router.exchange.clients.observed_leg import refused
from router.http.http1 import heads, render, request_heads
from router.http.http1.grammar import HttpError, bad_request
from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.specs import ServiceProtocol, ServiceSpec
from router.net.ports import Address
from router.service.observers import Finished
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Party,
    Site,
    answer_ok,
    candidate,
    router_of,
)

KEY = ServiceKey("shop", 8080)
GET = b"GET /a?secret=1 HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello"
CHILD = b"traceparent: child\r\n"


class Log:
    """An access log that keeps everything."""

    def __init__(self) -> None:
        self.all: list[Finished] = []

    def finished(self, finished: Finished) -> None:
        self.all.append(finished)

    @property
    def only(self) -> Finished:
        (one,) = self.all
        return one


class Span:
    trace_id = "ab" * 16

    def __init__(self) -> None:
        self.told: list[Finished] = []

    def ended(self, finished: Finished) -> None:
        self.told.append(finished)


class Tracer:
    """Samples every request that is a GET."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def begun(self, request: Request, client: str) -> tuple[Request, Span] | None:
        if not request.head.startswith(b"GET"):
            return None
        self.spans.append(Span())
        return msgspec.structs.replace(request, head=request.head + CHILD), self.spans[-1]


class Shop:
    """Site ``a`` with clients and one target; ``b`` with another."""

    def __init__(
        self,
        here: int = 1,
        there: int = 0,
        answer: Callable[[Party], None] | None = answer_ok,
        protocol: ServiceProtocol = "http",
    ) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.log, self.tracer = Log(), Tracer()
        self.sites: dict[str, Site] = {}
        self.targets: dict[str, FakeTarget] = {}
        for name, capacity in (("a", here), ("b", there)):
            site = self.sites[name] = Site(self.network, self.mesh, name)
            target = FakeTarget(self.network, f"10.0.0.{len(self.sites)}", 80, answer)
            self.targets[name] = target
            site.forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol=protocol, queue=5))
            if capacity:
                config = TargetConfig(connector="main", capacity=capacity)
                site.forwarder.set_targets(KEY, {str(target): config})
        self.a = self.sites["a"].forwarder
        self.a.observing.set(self.log, self.tracer)
        self.a.set_listeners({KEY: ("127.0.0.1", 8080)})
        if there:
            self.a.ports.set_remotes(KEY, [candidate("b", cost=1, capacity=there)])
        self.network.run()

    def client(self, request: bytes = GET) -> Party:
        party = self.sites["a"].connect("127.0.0.1", 8080)
        party.send(request)
        self.network.run()
        return party


def test_a_request_served_here_tells_its_target_and_sizes() -> None:
    shop = Shop()
    shop.client(POST)
    told = shop.log.only
    assert (told.status, told.code, told.bytes_in, told.bytes_out) == (200, "", 5, 2)
    assert (told.passage.site, told.passage.target) == ("a", str(shop.targets["a"]))
    assert (told.passage.outcome, told.passage.attempts) == ("ok", 1)
    assert told.client.startswith("127.0.0.1:") and told.protocol == "http"
    assert told.request is not None and told.request.head.startswith(b"POST / ")
    assert told.trace_id == ""


def test_the_id_that_the_request_went_on_with_is_told() -> None:
    shop = Shop()
    config = ServiceSpec(ports=(8080,), protocol="http", request_id="X-Request-Id")
    shop.a.set_service(KEY, config)
    shop.client(GET[:-2] + b"X-Request-Id: mine\r\n\r\n")
    shop.client(GET)
    first, second = shop.log.all
    assert first.request_id == "mine"
    assert f"X-Request-Id: {second.request_id}\r\n".encode() in shop.targets["a"].parties[-1].got


def test_a_request_served_elsewhere_tells_the_site_and_no_target() -> None:
    shop = Shop(here=1, there=1, answer=None)
    shop.client()
    shop.client()
    shop.network.run()
    shop.targets["b"].answer = None
    for party in shop.targets["b"].parties:
        if party.got:
            party.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    shop.network.run()
    told = shop.log.only
    assert (told.status, told.code) == (404, "")
    assert (told.passage.site, told.passage.target) == ("b", "")
    assert told.passage.overflow_reason == "full"


def test_an_answer_of_ours_tells_its_code() -> None:
    shop = Shop(answer=None)
    shop.targets["a"].answer = lambda party: party.abort() if b"HTTP/1.1" in party.got else None
    client = shop.client(POST)
    assert b"502 Bad Gateway" in client.got
    told = shop.log.only
    assert (told.status, told.code) == (502, "target-reset")
    assert told.passage.outcome == "target-reset"


@pytest.mark.parametrize("interim", [b"100 Continue", b"103 Early Hints"])
def test_what_a_target_said_before_its_answer_is_no_answer(interim: bytes) -> None:
    shop = Shop(answer=None)
    client = shop.client(POST)
    (target,) = [party for party in shop.targets["a"].serving if party.got]
    target.send(b"HTTP/1.1 %b\r\n\r\n" % interim)
    shop.network.run()
    target.abort()
    shop.network.run()
    assert interim in client.got and b"502 Bad Gateway" in client.got
    assert (shop.log.only.status, shop.log.only.code) == (502, "target-reset")


def test_an_error_of_the_target_has_no_code_of_ours() -> None:
    def unwell(party: Party) -> None:
        party.send(b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n")

    shop = Shop(answer=None)
    shop.targets["a"].answer = lambda party: unwell(party) if b"POST" in party.got else None
    shop.client(POST)
    assert (shop.log.only.status, shop.log.only.code) == (504, "")


def test_a_client_that_goes_is_499() -> None:
    shop = Shop(answer=None)
    client = shop.client()
    client.abort()
    shop.network.run()
    assert (shop.log.only.status, shop.log.only.passage.outcome) == (499, "client-gone")
    assert shop.log.only.code == ""


def test_a_client_that_we_reset_has_not_left() -> None:
    shop = Shop(answer=None)
    shop.client()
    shop.a.abort()
    shop.network.run()
    assert (shop.log.only.status, shop.log.only.passage.outcome) == (499, "cancelled")


def test_a_client_too_slow_with_its_body_is_told_as_it_was_answered() -> None:
    shop = Shop(answer=None)
    client = shop.client(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nh")
    shop.network.advance(limits.BODY_GRACE_S + limits.HEADER_TIMEOUT_S + 1)
    assert b"408 Request Timeout" in client.got
    assert (shop.log.only.status, shop.log.only.code) == (408, "request-timeout")


def test_a_request_that_another_site_never_answers_is_told_as_it_was_answered() -> None:
    shop = Shop(here=0, there=1)
    shop.mesh.offered[router_of("b")] = lambda stream, request: stream.accept(1)
    client = shop.client()
    shop.network.advance(limits.RESPONSE_HEAD_TIMEOUT_S + limits.QUEUE_WAIT_S + 1)
    assert b"504 Gateway Timeout" in client.got
    assert (shop.log.only.status, shop.log.only.code) == (504, "target-timeout")


def test_what_was_no_request_is_told_as_refused() -> None:
    shop = Shop()
    shop.client(b"GET / HTTP/1.1\r\nbad field: x\r\n\r\n")
    told = shop.log.only
    assert (told.status, told.code, told.request) == (400, "bad-request", None)
    assert told.passage.outcome == "refused"


def test_pipelined_requests_are_told_one_by_one_each_with_its_own_answer() -> None:
    def by_path(party: Party) -> None:
        while b"\r\n\r\n" in party.got:
            line, _, _ = bytes(party.got).partition(b"\r\n")
            del party.got[: party.got.index(b"\r\n\r\n") + 4]
            party.send(b"HTTP/1.1 %b OK\r\nContent-Length: 0\r\n\r\n" % line[5:8])

    shop = Shop(answer=by_path)
    heads_ = [b"GET /%d HTTP/1.1\r\nHost: s\r\n\r\n" % n for n in (201, 404, 503, 202)]
    shop.client(b"".join(heads_) + b"rubbish\r\n\r\n")
    assert [told.status for told in shop.log.all] == [201, 404, 503, 202, 400]


def test_a_tcp_connection_tells_bytes_both_ways_and_its_end() -> None:
    def echo(party: Party) -> None:
        party.send(bytes(party.got))
        party.got.clear()

    shop = Shop(answer=echo, protocol="tcp")
    client = shop.client(b"four")
    served = shop.targets["a"].parties[-1]
    shop.network.advance(2.5)
    client.finish()
    shop.network.run()
    served.finish()
    shop.network.run()
    told = shop.log.only
    assert (told.status, told.protocol, told.bytes_in, told.bytes_out) == (0, "tcp", 4, 4)
    assert (told.passage.outcome, told.passage.target_s) == ("ok", 2.5)
    assert shop.tracer.spans == []


def test_a_slow_client_that_is_watched_pauses_its_target_and_resumes_it() -> None:
    shop = Shop(answer=None, protocol="tcp")
    client = shop.client()
    (target,) = [party for party in shop.targets["a"].serving if party.got]
    assert client.connection is not None and target.connection is not None
    near_end = client.connection.other  # type: ignore[attr-defined]
    leg_end = target.connection.other  # type: ignore[attr-defined]
    near_end.full = True
    target.send(b"much")
    shop.network.run()
    paused = [leg_end.paused]
    near_end.room()
    shop.network.run()
    assert [*paused, leg_end.paused] == [True, False]


def test_a_sampled_request_goes_on_under_its_span_which_ends_with_it() -> None:
    shop = Shop()
    shop.client()
    (span,) = shop.tracer.spans
    assert CHILD in shop.targets["a"].parties[-1].got
    assert span.told == shop.log.all
    assert shop.log.only.trace_id == Span.trace_id


def test_whoever_begins_to_watch_sees_the_next_request_of_a_connection() -> None:
    def again(party: Party) -> None:
        if b"\r\n\r\n" in party.got:
            party.got.clear()
            party.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    shop = Shop(answer=again)
    shop.a.observing.set(None, None)
    client = shop.client()
    assert shop.log.all == []
    shop.a.observing.set(shop.log, None)
    client.send(GET)
    shop.network.run()
    assert shop.log.only.status == 200
    shop.a.observing.set(None, None)
    client.send(GET)
    shop.network.run()
    assert len(shop.log.all) == 1


def _own_errors() -> list[HttpError]:
    modules = (heads, request_heads, render, own_answers)
    found = [e for m in modules for e in vars(m).values() if isinstance(e, HttpError)]
    return [bad_request("Because."), *found]


@pytest.mark.parametrize("error", _own_errors(), ids=lambda e: e.code)
def test_what_a_session_refuses_is_told_with_the_code_that_the_client_got(error: HttpError) -> None:
    shop = Shop()
    refused(shop.a._services[KEY], shop.a.observing, Address("192.0.2.7", 5), error.status)
    assert (shop.log.only.status, shop.log.only.code) == (error.status, error.code)


def phases(told: Finished) -> tuple[float, float, float]:
    passage = told.passage
    return passage.queue_s, passage.network_s, passage.target_s


def test_the_time_of_an_attempt_that_failed_counts_as_waiting_for_the_one_that_did_not() -> None:
    shop = Shop(answer=None)
    shop.client()
    shop.network.advance(1.0)
    (broken,) = [party for party in shop.targets["a"].serving if party.got]
    broken.abort()
    shop.network.run()
    shop.network.advance(2.0)
    (whole,) = [party for party in shop.targets["a"].serving if party.got]
    whole.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    shop.network.run()
    assert phases(shop.log.only) == (1.0, 0.0, 2.0)
    assert shop.log.only.passage.attempts == 2


def test_a_request_whose_attempt_failed_waits_again_and_each_wait_counts_for_itself() -> None:
    shop = Shop(answer=None)

    def end(how: Callable[[Party], None]) -> None:
        (party,) = [one for one in shop.targets["a"].serving if one.got and one.is_open]
        how(party)
        party.got.clear()
        shop.network.run()

    answer: Callable[[Party], None] = lambda party: party.send(  # noqa: E731
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    )
    shop.client()
    shop.client()
    shop.network.advance(0.3)
    end(answer)
    shop.client()
    shop.network.advance(0.1)
    end(Party.abort)  # Who has waited longest goes first, and that is the third one now.
    shop.network.advance(0.2)
    end(answer)
    end(answer)
    waits = shop.a.readings.services_snapshot()[0].counters.queue_wait
    assert (sum(waits.counts), round(waits.sum_s, 6)) == (3, 0.6)


def test_a_request_that_waited_in_vain_after_a_refusal_spent_its_time_in_the_queue() -> None:
    shop = Shop(here=0, there=1, answer=None)
    shop.sites["b"].forwarder.set_listeners({KEY: ("127.0.0.2", 8080)})
    other = shop.sites["b"].connect("127.0.0.2", 8080)
    other.send(GET)
    shop.network.run()
    client = shop.client()
    shop.network.advance(limits.QUEUE_WAIT_S + 0.1)
    assert b"503 Service Unavailable" in client.got
    told = shop.log.only
    assert told.passage.attempts >= 1
    assert told.passage.queue_s == pytest.approx(told.passage.total_s)
    assert told.passage.total_s == pytest.approx(limits.QUEUE_WAIT_S, abs=0.3)


def test_a_request_whose_only_way_broke_waited_for_another() -> None:
    shop = Shop(here=0, there=1, answer=None)
    client = shop.client()
    shop.network.advance(0.5)
    shop.mesh.cut(router_of("b"))
    shop.network.advance(limits.REROUTE_WAIT_S + 0.1)
    assert b"502 Bad Gateway" in client.got
    told = shop.log.only
    assert (told.code, told.passage.outcome) == ("link-lost", "link-lost")
    assert phases(told) == pytest.approx((0.5 + limits.REROUTE_WAIT_S, 0.0, 0.0), abs=0.1)


def test_an_attempt_that_never_reached_a_target_was_under_way_to_it() -> None:
    shop = Shop(answer=None)
    client = shop.client()
    shop.network.advance(2.0)
    (broken,) = [party for party in shop.targets["a"].serving if party.got]
    shop.network.silent.add(shop.targets["a"].address)
    broken.abort()
    shop.network.advance(limits.CONNECT_TIMEOUT_LOCAL_S + 0.1)
    assert b"502 Bad Gateway" in client.got
    assert shop.log.only.code == "target-refused"
    assert phases(shop.log.only) == pytest.approx((2.0, limits.CONNECT_TIMEOUT_LOCAL_S, 0.0))


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_an_answer_of_ours_tells_the_size_of_its_body(method: bytes) -> None:
    shop = Shop(here=0)
    client = shop.client(GET.replace(b"GET", method))
    _, _, body = bytes(client.got).partition(b"\r\n\r\n")
    assert (shop.log.only.status, shop.log.only.bytes_out) == (503, len(body))
    assert bool(body) is (method == b"GET")

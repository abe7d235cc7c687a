"""Results of streams to another site: how much it served at once, and one answer each."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, cast

import pytest

from router.balance.balancer import ServiceBalancer
from router.balance.learning.demand import Demand, SpillCause
from router.balance.sites.remote_site import RemoteSite
from router.exchange.sites.remote import RemoteLeg
from router.http.http1.memory import HeadMemory
from router.link.ports import OpenedStream, OpenRequest, Refusal, StreamHandler
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.requests import Request
from router.model.specs import ServiceProtocol
from router.service.ports import LegFailure
from router.service.sites.refused_messages import RefusedMessages
from router.service.sites.remotes import Remotes
from tests.unit.balance.builders import HERE, WEB, balancer_of, ledger_of, remote
from tests.unit.exchange.fakes import Ignored

OK_HEAD = b"HTTP/1.1 200 OK\r\n"
AT_ONCE = 5


class Service:
    """One whose streams lead nowhere."""

    site = SiteId(HERE)

    def __init__(self) -> None:
        self.key = WEB
        self.refused_messages = RefusedMessages(self.now)
        self.streams = self
        self.unanswered = Unwatched()
        self.remotes = Remotes()
        self.heads = HeadMemory()
        self.demand = Demand()
        self.queue = Deserted()

    at = 1.0

    def now(self) -> float:
        return self.at

    def open_stream(
        self, request: OpenRequest, handler: StreamHandler, *, ends: bool = False
    ) -> OpenedStream | None:
        return cast(OpenedStream, Stream())


class Stream(Ignored):
    """Where some bytes have not left yet."""

    queued_bytes = 7


class Unwatched:
    """Its times are not recorded."""

    is_watched = True

    def __init__(self) -> None:
        self.since: dict[RemoteLeg, float] = {}


class Deserted:
    """No request waits here."""

    line = ()


def whole(leg: RemoteLeg) -> None:
    leg.answered(OK_HEAD, 2, memoryview(b"ok"), 1)


def in_parts(leg: RemoteLeg) -> None:
    leg.accepted(1)
    leg.head(OK_HEAD, 2, False)
    leg.received(memoryview(b"ok"))
    leg.ended(1)


def malformed(leg: RemoteLeg) -> None:
    leg.answered(b"what?\r\n", 2, memoryview(b"ok"), 1)


def too_long(leg: RemoteLeg) -> None:
    leg.answered(OK_HEAD, 1, memoryview(b"ok"), 1)


def longer_than_nothing(leg: RemoteLeg) -> None:
    leg.answered(OK_HEAD, 0, memoryview(b"ok"), 1)


def too_short(leg: RemoteLeg) -> None:
    leg.accepted(1)
    leg.head(OK_HEAD, 2, False)
    leg.ended(1)


def unconnected(leg: RemoteLeg) -> None:
    leg.refused("connect-failed", 1)


def without_target(leg: RemoteLeg) -> None:
    leg.refused("no-target", 1)


def opened(
    egress: RemoteSite,
    protocol: ServiceProtocol = "http",
    service: Service | None = None,
    handler: object = None,
    method: bytes = b"GET",
    wait_ms: int = 0,
) -> RemoteLeg:
    head = method + b" / HTTP/1.1\r\nHost: a\r\n" if protocol == "http" else b""
    return RemoteLeg(
        Request(key=WEB, protocol=protocol, head=head, head_only=method == b"HEAD"),
        cast(Any, handler or Ignored()),
        cast(Any, service or Service()),
        egress,
        (RouterId("ra"),),
        wait_ms,
        1.0,
        SpillCause.NO_DEMAND,
    )


@pytest.mark.parametrize(
    ("end", "served"),
    [
        (whole, AT_ONCE),
        (in_parts, AT_ONCE),
        (malformed, 1),
        (too_long, 1),
        (longer_than_nothing, 1),
        (too_short, 1),
        (unconnected, 1),
        (without_target, 1),
    ],
)
def test_only_whole_answers_show_what_a_site_can_serve(
    end: Callable[[RemoteLeg], None], served: int
) -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    egress = balancer.routers[RouterId("ra")]
    under_way = [opened(egress) for _ in range(AT_ONCE)]
    for _ in range(2 * AT_ONCE):
        end(under_way.pop(0))
        under_way.append(opened(egress))
    assert egress.served.most(1.0) == served


def test_a_tcp_connection_that_served_is_one_good_answer() -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    leg = opened(balancer.routers[RouterId("ra")], "tcp")
    balancer.ejections.failed(SiteId("a"), None, "reset", 1.0)
    leg.accepted(1)
    leg.received(memoryview(b"hello"))
    leg.ended(0)
    recent = balancer.ejections.suspects["a"].recent
    assert (recent.answers(1.0), recent.failures(1.0)) == (2, 1)


def failures(balancer: ServiceBalancer) -> int:
    suspect = balancer.ejections.suspects.get("a")
    return suspect.recent.failures(1.0) if suspect is not None else 0


@pytest.mark.parametrize(
    ("reason", "blames"),
    [
        ("connect-failed", True),
        ("no-target", False),
        ("draining", False),
        ("not-allowed", False),
        ("no-route", False),
    ],
)
def test_of_refusals_only_a_target_that_takes_no_connection_is_a_failure(
    reason: Refusal, blames: bool
) -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    opened(balancer.routers[RouterId("ra")]).refused(reason, 1)
    assert failures(balancer) == blames


@pytest.mark.parametrize(("protocol", "blames"), [("http", True), ("http2", True), ("tcp", False)])
def test_a_site_that_begins_no_answer_in_time_failed_and_one_of_tcp_owes_none(
    protocol: ServiceProtocol, blames: bool
) -> None:
    balancer = balancer_of(ledger_of(), remote("a"))
    leg = opened(balancer.routers[RouterId("ra")], protocol)
    leg.overdue()
    leg.abort()
    assert failures(balancer) == blames


@pytest.mark.parametrize(
    ("says", "after_s", "blames"),
    [
        (b"", 0.0, True),
        (b"", limits.EJECT_TCP_RESET_S - 0.1, True),
        (b"", limits.EJECT_TCP_RESET_S, False),
        (b"", limits.EJECT_TCP_RESET_S + 1.0, False),
        (b"bye", 0.0, False),
    ],
)
def test_a_reset_of_a_tcp_connection_is_a_failure_if_it_comes_soon_and_first(
    says: bytes, after_s: float, blames: bool
) -> None:
    balancer, service = balancer_of(ledger_of(), remote("a")), Service()
    leg = opened(balancer.routers[RouterId("ra")], "tcp", service)
    leg.accepted(1)
    if says:
        leg.received(memoryview(says))
    service.at += after_s
    leg.lost("target-reset")
    assert failures(balancer) == blames


class Taken:
    """What the caller of a leg hears, bytes together."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.body = b""

    def opened(self, held_at: float | None = None) -> None:
        self.calls.append("opened")

    def head(self, head: bytes, body_bytes: int) -> None:
        self.calls.append((head, body_bytes))

    def received(self, data: memoryview) -> None:
        self.body += data

    def trailers(self, block: bytes) -> None:
        self.calls.append(block)

    def ended(self) -> None:
        self.calls.append("ended")

    def whole(
        self, head: bytes, body_bytes: int, body: memoryview, held_at: float | None = None
    ) -> None:
        if held_at is not None:
            self.opened(held_at)
        self.head(head, body_bytes)
        self.received(body)
        self.ended()
        self.done(None)

    def done(self, failure: LegFailure | None) -> None:
        self.calls.append(("done", failure and failure.code))

    @property
    def is_done(self) -> bool:
        return bool(self.calls) and self.calls[-1][0] == "done"  # type: ignore[index]


HEADS = (
    OK_HEAD,
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 Not Modified\r\n",
    b"HTTP/1.1 103 Early Hints\r\n",
    b"what?\r\n",
)


@pytest.mark.parametrize("suspected", [False, True])
@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"tcp"])
def test_a_site_that_answers_at_once_is_judged_as_one_that_does_in_parts(
    method: bytes, accepted: bool, suspected: bool
) -> None:
    for head, body_bytes, body in product(HEADS, (-2, -1, 0, 2, 5), (b"", b"ok", b"hello")):
        seen = []
        for at_once in (True, False):
            balancer, service, taken = balancer_of(ledger_of(), remote("a")), Service(), Taken()
            if suspected:
                balancer.ejections.failed(SiteId("a"), None, "reset", 1.0)
            egress = balancer.routers[RouterId("ra")]
            protocol: ServiceProtocol = "tcp" if method == b"tcp" else "http"
            leg = opened(egress, protocol, service, taken, method)
            if accepted or not at_once:
                leg.accepted(1)
            steps: list[Callable[[], object]] = [
                partial(leg.head, head, body_bytes, False),
                partial(leg.received, memoryview(body)),
                partial(leg.ended, 0),
            ]
            if at_once:
                steps = [partial(leg.answered, head, body_bytes, memoryview(body), 0)]
            elif not body:
                del steps[1]
            for step in steps:
                if not taken.is_done:
                    step()
            leg.lost(None)
            suspects = balancer.ejections.suspects.get("a")
            recent = suspects.recent if suspects is not None else None
            judged = recent and (recent.answers(1.0), recent.failures(1.0))
            counts = egress.in_flight, dict(balancer.under_way), list(service.demand.elsewhere)
            has_final_head = any(type(one) is tuple and one[0] in HEADS[:3] for one in taken.calls)
            if not at_once or taken.calls[-1] == ("done", None):
                assert egress.answers == has_final_head, (head, body_bytes, body)
            is_whole = taken.calls[-1] == ("done", None)
            told = taken.calls if is_whole else [one for one in taken.calls if one[0] == "done"]  # type: ignore[index]
            seen.append((told, taken.body if is_whole else b"", judged, counts))
        assert seen[0] == seen[1], (head, body_bytes, body)


MORE = memoryview(b"more")


@pytest.mark.parametrize(
    ("protocol", "calls", "is_broken"),
    [
        ("http", "received", True),
        ("http", "trailers", True),
        ("http", "ended", True),
        ("http", "head head", True),
        ("http", "head trailers", False),
        ("http", "head received received", False),
        ("tcp", "head", True),
        ("tcp", "trailers", True),
        ("tcp", "received trailers", True),
        ("tcp", "received received", False),
        ("tcp", "ended", False),
    ],
)
def test_what_another_site_says_out_of_order_breaks_its_answer(
    protocol: ServiceProtocol, calls: str, is_broken: bool
) -> None:
    balancer, taken = balancer_of(ledger_of(), remote("a")), Taken()
    leg = opened(balancer.routers[RouterId("ra")], protocol, handler=taken)
    leg.accepted(1)
    says: dict[str, Callable[[], object]] = {
        "head": partial(leg.head, OK_HEAD, -1, False),
        "received": partial(leg.received, MORE),
        "trailers": partial(leg.trailers, b"x: y\r\n"),
        "ended": partial(leg.ended, 0),
    }
    *before, last = calls.split()
    for call in before:
        says[call]()
        assert not taken.is_done
    said, body = len(taken.calls), taken.body
    says[last]()
    assert (("done", "bad-answer") in taken.calls) == is_broken
    assert failures(balancer) == is_broken
    if is_broken:
        assert (len(taken.calls), taken.body) == (said + 1, body), "nothing of it is passed on"


@pytest.mark.parametrize("wait_ms", [0, 500])
def test_a_stream_that_is_lost_before_an_answer_to_it_is_waited_for_no_more(wait_ms: int) -> None:
    balancer, service, taken = balancer_of(ledger_of(), remote("a")), Service(), Taken()
    egress = balancer.routers[RouterId("ra")]
    leg = opened(egress, "http", service, taken, wait_ms=wait_ms)
    assert (leg in service.unanswered.since) == (not wait_ms)
    leg.lost("link-lost")
    assert taken.calls == [("done", "link-lost")]
    assert not service.unanswered.since and not balancer.under_way
    assert not any(service.demand.elsewhere)


def test_what_waits_in_the_stream_is_not_delivered_while_there_is_a_stream() -> None:
    leg = opened(balancer_of(ledger_of(), remote("a")).routers[RouterId("ra")])
    assert leg.undelivered_bytes == Stream.queued_bytes
    leg.lost(None)
    assert leg.undelivered_bytes == 0

"""Claim redemption between door and client, and everything else that may knock."""

import pytest

from router.link.sessions.claims import CLAIM_ALPN, Answered, ClaimClient, ClaimDoor
from router.model import limits
from router.net.ports import DialFailure, Tls
from tests.unit.link.wire import Raw, World

TLS = Tls(None, b"", (CLAIM_ALPN,))


class Desk:
    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes, str]] = []
        self.reply: tuple[int, bytes] | None = (200, b"chain")  # None: it takes its time.
        self.pending: list[Answered] = []
        self.renewed: list[tuple[str, bytes, str]] = []

    def answer(self, name: str, body: bytes, source: str, done: Answered) -> None:
        self.asked.append((name, body, source))
        if self.reply is None:
            self.pending.append(done)
        else:
            done(*self.reply)

    def renew(self, name: str, body: bytes, source: str, done: Answered) -> None:
        self.renewed.append((name, body, source))
        done(200, b"renewed")


class Outcome:
    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.failures: list[str] = []

    def answered(self, status: int, body: bytes) -> None:
        self.answers.append((status, body))

    def failed(self, failure: DialFailure) -> None:
        self.failures.append(failure.reason)


def opened(world: World) -> tuple[Desk, ClaimDoor]:
    desk = Desk()
    door = ClaimDoor(world, desk)
    world.listen("issuer", 1, door.accept, tls=TLS)
    return desk, door


def knock(world: World) -> Raw:
    """A visitor made by hand; its connection is the world's last wire's left end."""
    raw = Raw()
    world.dial("issuer", 1, lambda _: raw, lambda _: None, timeout_s=1.0, tls=TLS)
    world.settle()
    return raw


def redeem(world: World, name: str = "west", body: bytes = b"csr") -> Outcome:
    outcome = Outcome()
    ClaimClient(world).post([("issuer", 1)], TLS, name, body, outcome.answered, outcome.failed)
    return outcome


def test_a_claim_is_redeemed_once_and_the_connection_closes() -> None:
    world = World()
    desk, _ = opened(world)
    outcome = redeem(world)
    world.settle()
    assert desk.asked == [("west", b"csr", "127.0.0.1")]
    assert outcome.answers == [(200, b"chain")]
    world.advance(limits.CLAIM_DEADLINE_S + 2)
    assert outcome.failures == [] and len(outcome.answers) == 1
    assert world.wires[0].left.is_gone and world.wires[0].right.is_gone


def test_a_renewal_is_judged_as_one_and_never_as_a_claim() -> None:
    world = World()
    desk, _ = opened(world)
    outcome = Outcome()
    ClaimClient(world).post(
        [("issuer", 1)], TLS, "west", b"signed", outcome.answered, outcome.failed, "renewals"
    )
    world.settle()
    assert outcome.answers == [(200, b"renewed")]
    assert desk.renewed == [("west", b"signed", "127.0.0.1")] and desk.asked == []


@pytest.mark.parametrize("piece", [1, 3, 50])
def test_a_request_arrives_in_any_pieces(piece: int) -> None:
    world = World()
    desk, _ = opened(world)
    desk.reply = (403, b"")
    outcome = redeem(world, body=b"b" * limits.CLAIM_BODY_BYTES_MAX)
    world.turn()  # The name,
    world.turn()  # and the dial.
    world.wires[0].right.piece = lambda: piece
    world.settle(turns=100_000)
    assert outcome.answers == [(403, b"")]
    assert desk.asked[0][1] == b"b" * limits.CLAIM_BODY_BYTES_MAX


def test_an_answer_may_come_later_and_until_then_nothing_else_is_heard() -> None:
    world = World()
    desk, _ = opened(world)
    desk.reply = None
    outcome = redeem(world)
    world.settle()
    assert outcome.answers == [] and len(desk.pending) == 1
    world.advance(limits.CLAIM_DEADLINE_S / 2)
    desk.pending[0](200, b"kept")
    world.settle()
    assert outcome.answers == [(200, b"kept")] and len(desk.asked) == 1


def test_a_client_that_has_closed_its_half_still_gets_the_late_answer() -> None:
    world = World()
    desk, _ = opened(world)
    desk.reply = None
    raw = knock(world)
    world.wires[0].left.send(b"POST /claims/w HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
    world.wires[0].left.finish()
    world.settle()
    assert raw.data == b""
    desk.pending[0](403, b"")
    world.settle()
    assert raw.data.startswith(b"HTTP/1.1 403 ")


def test_a_desk_that_takes_too_long_is_told_as_a_fault_of_ours_that_may_pass() -> None:
    world = World()
    desk, _ = opened(world)
    desk.reply = None
    raw = knock(world)
    world.wires[0].left.send(b"POST /claims/w HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
    world.advance(limits.CLAIM_DEADLINE_S + 0.1)
    assert raw.data.startswith(b"HTTP/1.1 503 ")
    desk.pending[0](200, b"too late")
    world.settle()
    assert b"too late" not in raw.data


def test_an_answer_for_somebody_who_has_left_goes_nowhere() -> None:
    world = World()
    desk, _ = opened(world)
    desk.reply = None
    knock(world)
    world.wires[0].left.send(b"POST /claims/w HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
    world.settle()
    world.wires[0].left.abort()
    world.settle()
    desk.pending[0](200, b"chain")
    world.advance(limits.CLAIM_DEADLINE_S + limits.LINGER_DISCARD_S + 1.0)
    assert world.wires[0].right.is_gone


BAD: dict[str, tuple[bytes, int]] = {
    "another method": (b"GET /claims/west HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "a method that sorts behind": (b"PUT /claims/w HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
    "another path": (b"POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 404),
    "a path that climbs": (
        b"POST /claims/../x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        404,
    ),
    "no name": (b"POST /claims/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 404),
    "a query": (b"POST /claims/w?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 404),
    "no HTTP": (b"\x16\x03\x01\x02\x00", 400),
    "two lengths": (
        b"POST /claims/w HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        400,
    ),
    "a body too large": (
        b"POST /claims/w HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 17_000,
        413,
    ),
    "an endless head": (b"POST /claims/w HTTP/1.1\r\nA: " + b"x" * 20_000, 431),
    "endless chunks": (
        b"POST /claims/w HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1;"
        + b"e" * 100
        + b"\r\nx\r\n" * 1
        + (b"1;" + b"e" * 100 + b"\r\nx\r\n") * 200,
        431,
    ),
    "an upgrade": (
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
}


@pytest.mark.parametrize(("sent", "status"), BAD.values(), ids=BAD.keys())
def test_anything_else_gets_a_bounded_refusal(sent: bytes, status: int) -> None:
    world = World()
    desk, _ = opened(world)
    raw = knock(world)
    world.wires[0].left.send(sent)
    world.settle()
    assert raw.data.startswith(b"HTTP/1.1 %d " % status)
    assert raw.has_ended and desk.asked == []
    world.advance(limits.LINGER_DISCARD_S + 0.1)
    assert world.wires[0].right.is_gone


def test_a_second_request_on_the_connection_is_not_heard() -> None:
    world = World()
    desk, _ = opened(world)
    raw = knock(world)
    request = b"POST /claims/w HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
    world.wires[0].left.send(request + request.replace(b"/w", b"/v"))
    world.settle()
    assert desk.asked == [("w", b"x", "127.0.0.1")]
    assert raw.data.count(b"HTTP/1.1") == 1


def test_a_visitor_that_says_nothing_or_half_is_sent_away_in_time() -> None:
    world = World()
    desk, _ = opened(world)
    raw = knock(world)
    world.advance(limits.CLAIM_DEADLINE_S / 2)
    world.wires[0].left.send(b"POST /claims/w HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
    world.advance(limits.CLAIM_DEADLINE_S / 2 + limits.LINGER_DISCARD_S)
    assert raw.data.startswith(b"HTTP/1.1 408 ") and raw.losses
    cut = knock(world)
    world.wires[1].left.send(b"POST /claims/w HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
    world.wires[1].left.finish()
    world.settle()
    assert cut.data.startswith(b"HTTP/1.1 400 ") and desk.asked == []


def test_visitors_at_once_are_bounded_and_places_come_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CLAIM_CONNECTIONS_MAX", 2)
    world = World()
    opened(world)
    visitors = [knock(world) for _ in range(3)]
    assert [bool(raw.losses) for raw in visitors] == [False, False, True]
    world.wires[0].left.abort()
    world.settle()
    assert not knock(world).losses


@pytest.mark.parametrize(("share", "lost"), [(1, [True, False, False]), (2, [False, False, True])])
def test_when_all_places_are_taken_who_has_more_than_its_share_loses_its_oldest(
    monkeypatch: pytest.MonkeyPatch, share: int, lost: list[bool]
) -> None:
    monkeypatch.setattr(limits, "CLAIM_CONNECTIONS_MAX", 2)
    monkeypatch.setattr(limits, "CLAIM_CONNECTIONS_PER_SOURCE", share)
    world = World()
    opened(world)
    visitors = [knock(world) for _ in range(3)]
    world.settle()
    assert [bool(raw.losses) for raw in visitors] == lost


def test_a_link_connection_is_not_for_this_door() -> None:
    world = World()
    _, door = opened(world)
    world.listen("other", 1, door.accept, tls=TLS)
    raw = Raw()
    tls = Tls(None, b"leaf", ("spillway/1",))
    world.dial("other", 1, lambda _: raw, lambda _: None, timeout_s=1.0, tls=tls)
    world.settle()
    assert raw.losses


ANSWERS: dict[str, tuple[bytes, str]] = {
    "no HTTP": (b"220 smtp ready\r\n", "not HTTP"),
    "endless": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 66_000, "more than"),
    "endless head": (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 80_000, "more than"),
}


@pytest.mark.parametrize(("sent", "reason"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_bad_answer_is_a_clear_failure(sent: bytes, reason: str) -> None:
    world = World()
    raw = Raw()
    world.listen("issuer", 1, lambda _: raw, tls=TLS)
    outcome = redeem(world)
    world.settle()
    world.wires[0].right.send(sent)
    world.settle()
    assert len(outcome.failures) == 1 and reason in outcome.failures[0]
    assert outcome.answers == [] and world.wires[0].left.is_gone


def test_every_way_to_get_no_answer_is_told_once() -> None:
    world = World()
    raw = Raw()
    world.listen("issuer", 1, lambda _: raw, tls=TLS)
    late, cut, reset = redeem(world), redeem(world), redeem(world)
    world.settle()
    world.wires[1].right.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    world.wires[1].right.finish()
    world.wires[2].right.abort()
    world.advance(limits.CLAIM_DEADLINE_S + 0.1)
    assert late.failures == ["issuer:1 gave no answer within 10 s"]
    assert cut.failures == ["issuer:1 broke off its answer"]
    assert reset.failures == ["the connection to issuer:1 was lost (by the peer)"]
    world.dial_failure = DialFailure("refused", "issuer:1 refused the connection")
    refused = redeem(world)
    world.settle()
    assert refused.failures == ["issuer:1 refused the connection"]


def test_another_protocol_never_gets_the_claim() -> None:
    world = World()
    raw = Raw()
    world.listen("issuer", 1, lambda _: raw, tls=Tls(None, b"", ("http/1.1",)))
    outcome = redeem(world)
    world.settle()
    assert outcome.failures == ["issuer:1 does not redeem claims: it speaks another protocol"]
    assert raw.data == b""


def test_a_cancelled_redemption_says_nothing() -> None:
    world = World()
    opened(world)
    outcome = Outcome()
    call = ClaimClient(world).post([("issuer", 1)], TLS, "w", b"", outcome.answered, outcome.failed)
    world.turn()
    call.cancel()
    world.advance(limits.CLAIM_DEADLINE_S + 1)
    assert outcome.answers == [] and outcome.failures == []


@pytest.mark.parametrize(
    ("host", "name"), [("a\r\nb", "w"), ("a", "w\r\nX: y"), ("", "w"), ("a", "")]
)
def test_a_token_cannot_write_into_the_request(host: str, name: str) -> None:
    world = World()
    outcome = Outcome()
    with pytest.raises(ValueError, match="not allowed"):
        ClaimClient(world).post([(host, 1)], TLS, name, b"", outcome.answered, outcome.failed)
    assert world.dials == []


def test_a_redirect_is_not_followed() -> None:
    world = World()
    raw = Raw()
    world.listen("issuer", 1, lambda _: raw, tls=TLS)
    world.listen("elsewhere", 1, lambda _: Raw(), tls=TLS)
    outcome = redeem(world)
    world.settle()
    answer = b"HTTP/1.1 307 Temporary\r\nLocation: https://elsewhere:1/claims/w\r\n"
    world.wires[0].right.send(answer + b"Content-Length: 0\r\n\r\n")
    world.settle()
    assert [host for _, host, _ in world.dials] == ["issuer"]
    assert outcome.answers == [(307, b"")]

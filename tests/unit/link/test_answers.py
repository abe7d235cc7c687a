"""Whole answers in one frame, and ACCEPTED that waits for them."""

from collections.abc import Callable

import pytest

from router.link import control, frames
from router.link.ports import OfferedStream, ToldCount
from router.model import limits
from router.model.errors import LocalProtocolError
from router.model.ids import SiteId
from tests.unit.link.lanes import HERE, Counted, Pair, Recorder, request
from tests.unit.link.routers import Router
from tests.unit.link.test_handshake import Dialer
from tests.unit.link.wire import Raw, World, frames_of

HEAD = b"HTTP/1.1 200 OK\r\n"
SITE = SiteId("other")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"


def asked(*, takes_answers: bool = True) -> tuple[Pair, Recorder, OfferedStream]:
    """A request that is complete, at an egress that has not answered yet."""
    pair = Pair(serving=False)
    pair.left.serve(HERE, SITE)
    pair.right.serve(HERE, SITE, takes_answers=takes_answers)
    pair.right_owner.accept = False
    handler = Recorder()
    handler.stream = pair.left.open_stream(request(GET), handler, ends=True)
    pair.world.settle()
    return pair, handler, pair.right_owner.offered[-1][0]


def kinds(pair: Pair) -> list[int]:
    """Of the frames that the egress sent."""
    return [kind for kind, _, _ in frames_of(pair.wire.right.sent_log)]


def test_a_request_and_its_answer_are_one_frame_each() -> None:
    pair, handler, egress = asked()
    egress.accept_soon(lambda: 7)
    assert egress.answer(HEAD, 4, b"body", Counted(6)), "nothing more comes of it"
    pair.world.settle()
    sent = [kind for kind, _, _ in frames_of(pair.wire.left.sent_log)]
    assert sent == [frames.OPEN | frames.END]
    assert kinds(pair) == [frames.ANSWER | frames.END]
    assert handler.calls == [("answered", HEAD, 4, 6)]
    assert bytes(handler.data) == b"body"
    assert pair.right_owner.recorders[-1].calls == [], "it was told when it answered"
    assert pair.process.held_bytes == 0
    assert pair.left.stream_count == pair.right.stream_count == 0


def test_an_accepted_that_waited_says_since_when() -> None:
    pair, handler, egress = asked()
    egress.accept_soon(lambda: 7)
    pair.world.advance(limits.ACCEPT_HELD_S * 0.9)
    assert kinds(pair) == []
    pair.world.advance(limits.ACCEPT_HELD_S * 1.2)
    assert kinds(pair) == [frames.ACCEPTED_LATE]
    assert handler.calls == [("accepted", 7)]
    assert handler.stream is not None
    assert limits.ACCEPT_HELD_S <= handler.stream.held_s <= 2 * limits.ACCEPT_HELD_S
    egress.answer(HEAD, 4, b"body", ToldCount(6))
    pair.world.settle()
    assert kinds(pair) == [frames.ACCEPTED_LATE, frames.ANSWER | frames.END]
    assert handler.names == ["accepted", "answered"]


def test_an_answer_says_since_when_its_accepted_was_due() -> None:
    pair, handler, egress = asked()
    egress.accept_soon(lambda: 7)
    pair.world.advance(limits.ACCEPT_HELD_S / 2)
    egress.answer(HEAD, -1, b"", ToldCount(6))
    pair.world.settle()
    assert handler.names == ["answered"] and handler.stream is not None
    assert handler.stream.held_s == pytest.approx(limits.ACCEPT_HELD_S / 2, abs=1e-5)


def test_an_older_neighbour_hears_all_in_parts_and_accepted_at_once() -> None:
    pair, handler, egress = asked(takes_answers=False)
    egress.accept_soon(lambda: 7)
    pair.world.settle()
    assert handler.calls == [("accepted", 7)]
    egress.answer(HEAD, 4, b"body", ToldCount(6))
    pair.world.settle()
    assert kinds(pair) == [frames.ACCEPTED, frames.HEAD, frames.DATA | frames.END]
    assert handler.calls[1:] == [("head", HEAD, 4, False), ("ended", 6), ("lost", None)]
    assert bytes(handler.data) == b"body"


@pytest.mark.parametrize("more", [0, 1])
def test_more_than_a_small_answer_goes_in_parts(more: int) -> None:
    pair, handler, egress = asked()
    body = b"b" * (limits.ANSWER_BYTES_MAX - len(HEAD) + more)
    egress.accept_soon(lambda: 7)
    egress.answer(HEAD, len(body), body, ToldCount(6))
    pair.world.settle()
    in_parts = [frames.ACCEPTED_LATE, frames.HEAD, frames.DATA | frames.END]
    assert kinds(pair) == (in_parts if more else [frames.ANSWER | frames.END])
    assert bytes(handler.data) == body


@pytest.mark.parametrize("missing", [0, 1, len(HEAD) + 1, len(HEAD) + 4])
def test_without_credit_for_its_body_an_answer_goes_in_parts(missing: int) -> None:
    pair, handler, egress = asked()
    handler.pause_at = 1
    first = limits.STREAM_WINDOW_BYTES_INITIAL - len(HEAD + b"body") + missing
    egress.accept(7)
    egress.send_head(HEAD, -1)
    egress.send(b"b" * first)
    pair.world.settle()
    # As an egress beyond a transit router may misbehave.
    egress.answer(HEAD, 4, b"body", ToldCount(6))
    pair.world.settle()
    assert pair.left_owner.faults == []
    assert ("answered" in handler.names) != bool(missing)
    assert handler.stream is not None
    handler.stream.resume()
    pair.world.settle()
    assert len(handler.data) == first + 4
    assert handler.losses == ([None] if missing else [])


def test_whatever_else_leaves_tells_accepted_first() -> None:
    def head(egress: OfferedStream) -> None:
        egress.send_head(HEAD, 0)

    def data(egress: OfferedStream) -> None:
        egress.send(b"x")

    def end(egress: OfferedStream) -> None:
        egress.finish(ToldCount(0))

    def reset(egress: OfferedStream) -> None:
        egress.reset("target-reset")

    for more in (head, data, end, reset):
        pair, handler, egress = asked()
        egress.accept_soon(lambda: 7)
        more(egress)
        pair.world.settle()
        assert kinds(pair)[0] == frames.ACCEPTED_LATE
        assert handler.calls[0] == ("accepted", 7)
        pair.world.advance(1.0)
        assert kinds(pair).count(frames.ACCEPTED_LATE) == 1


def test_what_was_accepted_is_accepted_once_and_refused_no_more() -> None:
    _, _, egress = asked()
    egress.accept_soon(lambda: 7)
    calls: list[Callable[[], object]] = [
        lambda: egress.accept(1),
        lambda: egress.accept_soon(lambda: 1),
        lambda: egress.refuse("busy", 1),
    ]
    for again in calls:
        with pytest.raises(LocalProtocolError):
            again()


def test_a_lane_that_is_lost_tells_no_accepted() -> None:
    pair, handler, egress = asked()
    egress.accept_soon(lambda: 7)
    pair.wire.break_()
    pair.world.advance(1.0)
    egress.answer(HEAD, 4, b"body", ToldCount(6))
    pair.world.advance(1.0)
    assert handler.calls == [("lost", "link-lost")]
    assert pair.process.held_bytes == 0


def test_an_answer_that_leaves_in_this_turn_is_dropped_with_its_stream() -> None:
    pair, handler, egress = asked()
    egress.accept_soon(lambda: 7)
    egress.answer(HEAD, 4, b"body", ToldCount(6))
    egress.reset("internal")
    assert pair.process.held_bytes == 0
    pair.world.settle()
    assert kinds(pair) == [frames.RESET] and handler.losses == ["internal"]


def test_of_an_answered_stream_whose_request_goes_on_the_end_is_told() -> None:
    pair, handler, _ = asked()
    handler.stream = pair.left.open_stream(request(GET), handler)
    pair.world.settle()
    egress = pair.right_owner.offered[-1][0]
    egress.accept(7)
    assert not egress.answer(HEAD, 4, b"body", ToldCount(6))
    pair.world.settle()
    assert pair.right_owner.recorders[-1].calls == []
    handler.stream.finish()
    pair.world.settle()
    assert pair.right_owner.recorders[-1].calls == [("ended", -1), ("lost", None)]
    assert pair.right.stream_count == 1, "the one that was not answered"


@pytest.mark.parametrize("is_dropped", [False, True])
def test_an_answer_waits_for_its_turn_and_is_dropped_with_its_stream(is_dropped: bool) -> None:
    pair, handler, egress = asked()
    load = Counted(6)
    egress.accept_soon(lambda: 7)
    pair.wire.right.hold()
    pair.right.ping()
    pair.world.settle()
    egress.answer(HEAD, 4, b"body", load)
    assert pair.process.held_bytes == len(frames.answer_rest(0, 4, HEAD)) + 4
    load.load = 5
    if is_dropped:
        egress.reset("internal")
        assert pair.process.held_bytes == 0
    pair.world.settle()
    pair.wire.right.release()
    pair.world.settle()
    sent = [kind for kind in kinds(pair) if kind != frames.PING]
    if is_dropped:
        assert sent == [frames.RESET] and handler.losses == ["internal"]
    else:
        assert sent == [frames.ANSWER | frames.END]
        assert handler.calls == [("answered", HEAD, 4, 5)]
        assert bytes(handler.data) == b"body" and pair.process.held_bytes == 0


def test_an_answer_tells_the_count_of_when_it_leaves() -> None:
    pair, handler, egress = asked()
    load = Counted(6)
    egress.accept_soon(lambda: 7)
    egress.answer(HEAD, 4, b"body", load)
    load.load = 5
    pair.world.settle()
    assert handler.calls == [("answered", HEAD, 4, 5)]


# What a peer may send.


def answer(stream_id: int, body_bytes: int, head: bytes, body: bytes, *, lie: int = 0) -> bytes:
    word = frames.ANSWER_WORD + len(head) + len(body)
    return frames.pack_answer(word, stream_id, 6, 0, body_bytes, len(head) + lie) + head + body


def attacked() -> tuple[Pair, Recorder]:
    """A lane whose peer is us, with a stream of the lane that waits for its answer."""
    pair = Pair()
    pair.wire.right.handler = Raw()
    handler = Recorder()
    pair.open(handler, request(GET))
    pair.world.settle()
    return pair, handler


ACCEPTED = frames.encode_counted(frames.ACCEPTED, 1, 1)


@pytest.mark.parametrize(
    ("code", "wire"),
    [
        ("bad-answer", answer(1, 0, HEAD, b"", lie=1)),
        ("bad-answer", answer(1, 0, HEAD, b"abc", lie=4)),
        ("bad-answer", answer(1, 0, HEAD, b"", lie=2**31)),
        ("bad-answer", answer(1, -2, HEAD, b"")),
        ("frame-too-small", frames.header(frames.ANSWER | frames.END, 19, 1)),
        ("frame-too-large", frames.header(frames.ANSWER | frames.END, 65_529, 1)),
        ("unknown-frame", frames.header(frames.ANSWER, 20, 1)),
        ("frame-too-small", frames.header(frames.ACCEPTED_LATE, 7, 1)),
        ("frame-too-large", frames.header(frames.ACCEPTED_LATE, 9, 1)),
        ("unknown-frame", frames.header(frames.ACCEPTED_LATE | frames.END, 8, 1)),
        ("bad-order", answer(1, 0, HEAD, b"") * 2),
        ("bad-order", ACCEPTED + frames.encode_accepted(1, 1, 0.1)),
        ("unknown-stream", answer(2, 0, HEAD, b"")),
        ("stream-zero", answer(0, 0, HEAD, b"")),
        (
            "bad-order",
            ACCEPTED + frames.encode(frames.TRAILERS, 1, b"a: b\r\n") + answer(1, 0, HEAD, b""),
        ),
        (
            "credit-exceeded",
            ACCEPTED + frames.encode(frames.DATA, 1, b"d" * 30_000)
            + answer(1, 0, HEAD, b"d" * 35_537),
        ),
    ],
)  # fmt: skip
def test_an_answer_that_may_not_be_ends_the_lane(code: str, wire: bytes) -> None:
    pair, _ = attacked()
    pair.wire.right.send(wire)
    pair.world.settle()
    assert [fault.code for fault in pair.left_owner.faults] == [code]
    assert pair.process.held_bytes == 0


def test_an_answer_on_a_stream_that_its_sender_opened_ends_the_lane() -> None:
    pair = Pair()
    pair.wire.left.handler = Raw()
    opening = frames.encode(frames.OPEN, 1, control.encode_open(request(GET)))
    pair.wire.left.send(opening + answer(1, 0, HEAD, b""))
    pair.world.settle()
    assert [fault.code for fault in pair.right_owner.faults] == ["bad-order"]


def test_answers_at_the_limit_are_taken() -> None:
    pair, handler = attacked()
    data = frames.encode(frames.DATA, 1, b"d" * 30_000)
    pair.wire.right.send(ACCEPTED + data + answer(1, -1, b"", b"d" * 35_536))
    pair.world.settle()
    assert pair.left_owner.faults == []
    assert handler.names == ["accepted", "answered"] and len(handler.data) == 65_536
    pair, handler = attacked()
    size = limits.FRAME_PAYLOAD_BYTES_MAX - frames.ANSWER_PREFIX_BYTES
    pair.wire.right.send(answer(1, 2**62, HEAD, b"d" * (size - len(HEAD))))
    pair.world.settle()
    assert handler.calls == [("answered", HEAD, 2**62, 6)]


@pytest.mark.parametrize("heads", [31, 32])
def test_an_answer_brings_one_of_so_many_heads(heads: int) -> None:
    pair, handler = attacked()
    head = frames.encode(frames.HEAD, 1, bytes(8) + b"HTTP/1.1 103 x\r\n")
    pair.wire.right.send(ACCEPTED + head * heads + answer(1, 0, HEAD, b""))
    pair.world.settle()
    assert pair.left_owner.faults == []
    last = ("answered", HEAD, 0, 6) if heads < 32 else ("lost", "bad-message")
    assert handler.calls[-1] == last


# Between releases.


def ask_by_hand(world: World, router: Router, *path: Router, features: tuple[str, ...]) -> Dialer:
    """A neighbor of ``router`` with these features asks along ``path``."""
    dialer = Dialer(world, router)
    dialer.say(dialer.hello(minor=2, features=features))
    dialer.say(control.Proof(dialer.identity.sign(dialer.transcript())))
    asking = dialer.identity
    routers = tuple(one.id for one in path)
    payload = control.encode_open(
        type(request())(routers, "web", 80, "http", asking.site, head=GET)
    )
    dialer.wire.left.send(frames.encode(frames.OPEN | frames.END, 1, payload))
    world.settle()
    return dialer


IN_PARTS = [frames.ACCEPTED, frames.HEAD, frames.DATA | frames.END]


@pytest.mark.parametrize(
    ("features", "expected"),
    [((), IN_PARTS), (("renew", "answer"), [frames.ANSWER | frames.END])],
)
@pytest.mark.parametrize("hops", [1, 2])
def test_each_neighbour_hears_an_answer_as_it_can(
    features: tuple[str, ...], expected: list[int], hops: int
) -> None:
    world = World()
    middle, east = Router(world, "middle"), Router(world, "east")
    middle.link("east")
    world.settle()
    near, path = (east, [east]) if hops == 1 else (middle, [middle, east])
    east.owner.accept = False
    dialer = ask_by_hand(world, near, *path, features=features)
    stream = east.owner.offered[-1][0]
    stream.accept_soon(lambda: 3)
    world.settle()
    stream.answer(HEAD, 4, b"body", Counted(2))
    world.settle()
    heard = [(kind, payload) for kind, one, payload in frames_of(dialer.raw.data) if one == 1]
    assert [kind for kind, _ in heard] == expected
    assert heard[-1][1].rstrip(b"\0\2").endswith(b"body")

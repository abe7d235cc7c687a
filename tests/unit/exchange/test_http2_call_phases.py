"""A request of an HTTP/2 client: each phase of its response, by all that can happen then."""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, cast

import pytest

from router.exchange.clients.http2.call_phases import AFTER_CALL_PHASE, Http2CallPhase
from router.exchange.clients.http2.caller import Http2Caller
from router.http.http1.bytes_cache import BytesCache
from router.http.http2.heads import JudgedRequest
from router.model.settings import ServiceLimits, Timeouts
from router.service.ports import LegFailure

WAITING, HELD, BODY, ENDED, OVER = Http2CallPhase
HEAD = b"HTTP/1.1 200 OK\r\n"
BODY_BYTES = 4


class Client:
    """The session: it counts requests that it has to answer itself, and those that are torn."""

    bounds, timeouts, via = ServiceLimits(), Timeouts(), b""

    def __init__(self) -> None:
        self.blocks: BytesCache[Any] = BytesCache()
        self.answers: list[int] = []
        self.torn = 0

    def now(self) -> float:
        return 0.0

    def next_deadline(self) -> float:
        return 1.0

    answer_deadline = next_deadline

    def answered(self, leg: object, status: int) -> None: ...

    def answer(self, stream: object, error: Any, asked: object, request_id: bytes = b"") -> None:
        self.answers.append(error.status)

    def misused(self, stream: object) -> None:
        self.torn += 1


class Stream:
    """What the client is sent. It takes all but whole answers."""

    is_paused, moved_at = False, 0.0

    def __init__(self) -> None:
        self.heads = self.ends = self.resets = 0

    def send_head(self, block: bytes, ends: bool = False) -> None:
        self.heads += 1
        self.ends += ends

    def send(self, data: bytes) -> bool:
        return True

    def send_whole(self, block: bytes, body: bytes) -> bool:
        return False

    def finish(self, trailers: bytes, *, reset_after: int) -> None:
        self.ends += 1

    def tear(self, code: int) -> None:
        self.resets += 1

    def reset(self, code: int) -> None:
        self.resets += 1


class Leg:
    """Counts the calls that end it."""

    def __init__(self) -> None:
        self.ended = 0

    def send(self, data: bytes) -> bool:
        return True

    def abort(self) -> None:
        self.ended += 1

    client_gone = abort

    def overdue(self) -> LegFailure:
        self.ended += 1
        return LegFailure("target-timeout")


class Scene:
    def __init__(self) -> None:
        self.client, self.stream, self.leg = Client(), Stream(), Leg()
        asked = JudgedRequest(
            head=b"", body_bytes=BODY_BYTES, idempotent=True, head_only=False, grpc=False
        )
        self.caller = Http2Caller(cast(Any, self.client), cast(Any, self.stream), asked)
        self.caller.leg = cast(Any, self.leg)


def _head(scene: Scene) -> None:
    scene.caller.head(HEAD, BODY_BYTES)


def _head_without_body(scene: Scene) -> None:
    scene.caller.head(HEAD, 0)


def _switch(scene: Scene) -> None:
    scene.caller.head(b"HTTP/1.1 101 OK\r\n", -1)


def _interim_head(scene: Scene) -> None:
    scene.caller.head(b"HTTP/1.1 103 OK\r\n", -1)


def _whole_body(scene: Scene) -> None:
    scene.caller.received(memoryview(b"x" * BODY_BYTES))
    scene.caller.ended()


def _too_much(scene: Scene) -> None:
    scene.caller.received(memoryview(b"x" * (BODY_BYTES + 1)))


def _end(scene: Scene) -> None:
    scene.caller.ended()


def _done(scene: Scene) -> None:
    scene.caller.done(None)


def _fail(scene: Scene) -> None:
    scene.caller.done(LegFailure("target-reset"))


def _client_leaves(scene: Scene) -> None:
    scene.caller.got_reset(8)


def _we_drop(scene: Scene) -> None:
    scene.caller.dropped()


def _time_is_up(scene: Scene) -> None:
    scene.caller.overdue()


def _request_is_too_long(scene: Scene) -> None:
    scene.caller.got_body(memoryview(b"x" * (BODY_BYTES + 1)))


Event = Callable[[Scene], None]
EVENTS: tuple[Event, ...] = (
    *(_head, _head_without_body, _switch, _interim_head, _whole_body, _too_much, _end),
    *(_done, _fail, _client_leaves, _we_drop, _time_is_up, _request_is_too_long),
)
WAYS: Mapping[Http2CallPhase, tuple[Event, ...]] = {
    WAITING: (),
    HELD: (_head_without_body,),
    BODY: (_head,),
    ENDED: (_head_without_body, _end),
    OVER: (_switch,),
}
FOLLOWS: Mapping[tuple[Http2CallPhase, Event], Http2CallPhase] = {
    (WAITING, _head): BODY,
    (WAITING, _head_without_body): HELD,
    (WAITING, _switch): OVER,
    (WAITING, _done): OVER,
    (WAITING, _fail): OVER,
    (WAITING, _time_is_up): OVER,
    (HELD, _whole_body): OVER,
    (HELD, _too_much): OVER,
    (HELD, _end): ENDED,
    (HELD, _done): ENDED,
    (HELD, _fail): ENDED,
    (HELD, _time_is_up): OVER,
    (BODY, _whole_body): ENDED,
    (BODY, _too_much): OVER,
    (BODY, _end): OVER,
    (BODY, _done): ENDED,
    (BODY, _fail): ENDED,
    (BODY, _time_is_up): OVER,
}
"""Else the client or we end it, or nothing changes."""


def following(before: Http2CallPhase, event: Event) -> Http2CallPhase:
    if event in (_client_leaves, _we_drop):
        return OVER
    if event is _request_is_too_long:
        return ENDED if before is ENDED else OVER
    return FOLLOWS.get((before, event), before)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__.strip("_"))
@pytest.mark.parametrize("before", Http2CallPhase, ids=lambda phase: phase.name)
def test_each_event_in_each_phase_does_what_is_listed(before: Http2CallPhase, event: Event) -> None:
    scene = Scene()
    for way in WAYS[before]:
        way(scene)
    assert scene.caller.phase is before
    ended = scene.leg.ended
    event(scene)
    after = scene.caller.phase
    assert after is following(before, event)
    assert scene.caller.is_answered == (after in (ENDED, OVER))
    is_news = before is not OVER and before is not ENDED and event not in (_done, _fail)
    assert scene.leg.ended - ended == (is_news and after is OVER), "a leg is ended once"
    stream = scene.stream
    # Behind its end a stream may be reset: the rest of the request is not wanted (RFC 9113, 8.1).
    by_stream = stream.ends > 0 or stream.resets > 0
    told = by_stream + len(scene.client.answers) + scene.client.torn
    gone = after is OVER and event in (_client_leaves, _we_drop)
    assert gone or told == (after in (ENDED, OVER)), "the client hears once how it ended"


def test_each_pair_that_the_table_lists_is_one_of_these() -> None:
    seen = {(before, following(before, event)) for before, event in product(WAYS, EVENTS)}
    listed = {(before, after) for before in WAYS for after in AFTER_CALL_PHASE[before]}
    assert {(before, after) for before, after in seen if before is not after} == listed

"""A request to an HTTP/2 target and its answer: each pair of states, by all that can happen."""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest

from router.net.ports import Loss
from router.service.targets.http2.leg_states import (
    AFTER_ANSWERING,
    AFTER_ASKING,
    Http2Answering,
    Http2Asking,
)
from router.service.targets.http2.target import Http2TargetLeg
from tests.unit.exchange.http2_peers import raw
from tests.unit.service.test_http2_target import OK, Server, Target

States = tuple[Http2Asking, Http2Answering]
OPEN, FULL, COMPLETE = Http2Asking
AWAITED, BEGUN, DONE = Http2Answering
WINDOW_BYTES = 65_535


class Scene:
    """One stream to a target, whose window is left alone."""

    def __init__(self, body_bytes: int = -1) -> None:
        self.target = Target(idle_s=10.0, response_s=5.0)
        self.taker, self.handler = self.target.leg(body_bytes)
        self.server: Server = self.target.server()

    @property
    def leg(self) -> Http2TargetLeg:
        leg = self.taker.leg
        assert isinstance(leg, Http2TargetLeg)
        return leg

    @property
    def states(self) -> States:
        return self.leg.asking, self.leg.answering

    def reset(self, code: int) -> None:
        self.server.connection.deliver(raw(3, 0, 1, code.to_bytes(4, "big")))

    def window(self) -> None:
        for stream in (0, 1):
            self.server.connection.deliver(
                raw(8, 0, stream, (10 * WINDOW_BYTES).to_bytes(4, "big"))
            )

    def say(self) -> None:
        """Of the target, which reads nothing meanwhile."""
        self.server.connection.deliver(self.server.peer.take())

    def head(self) -> None:
        self.server.peer.h2.send_headers(1, OK)
        self.say()

    def body(self) -> None:
        self.server.peer.h2.send_data(1, b"x")
        self.say()

    def end(self) -> None:
        self.server.peer.h2.end_stream(1)
        self.say()

    def whole(self) -> None:
        self.server.peer.h2.send_headers(1, OK)
        self.server.peer.h2.send_data(1, b"hello", end_stream=True)
        self.say()

    def lose(self) -> None:
        self.server.connection.lose(Loss("reset"))


Step = Callable[[Scene], object]


def send_little(scene: Scene) -> None:
    scene.leg.send(b"x")


def send_much(scene: Scene) -> None:
    scene.leg.send(bytes(4 * WINDOW_BYTES))


def finish(scene: Scene) -> None:
    scene.leg.finish()


def abort(scene: Scene) -> None:
    scene.leg.abort()


def pause(scene: Scene) -> None:
    scene.leg.pause()


def resume(scene: Scene) -> None:
    scene.leg.resume()


def reset(scene: Scene) -> None:
    scene.reset(2)


EVENTS: tuple[Step, ...] = (
    *(send_little, send_much, finish, abort, pause, resume, reset),
    *(Scene.window, Scene.head, Scene.body, Scene.end, Scene.whole, Scene.lose),
)
OF_THE_ANSWER: Mapping[Http2Answering, frozenset[Step]] = {
    AWAITED: frozenset((Scene.head, Scene.whole)),
    BEGUN: frozenset((Scene.body, Scene.end)),
    DONE: frozenset(),
}
"""What the target may say without breaking HTTP/2."""
WAYS_OF_ASKING: Mapping[Http2Asking, tuple[Step, ...]] = {
    OPEN: (),
    FULL: (send_much,),
    COMPLETE: (finish,),
}
WAYS_OF_ANSWERING: Mapping[Http2Answering, tuple[Step, ...]] = {
    AWAITED: (),
    BEGUN: (Scene.head,),
    DONE: (abort,),
}
ASKING_FOLLOWS: Mapping[tuple[Http2Asking, Step], Http2Asking] = {
    (OPEN, send_much): FULL,
    (FULL, Scene.window): OPEN,
    (OPEN, finish): COMPLETE,
    (FULL, finish): COMPLETE,
}
"""Unless the exchange is done: then nothing changes any more."""
ANSWERING_FOLLOWS: Mapping[tuple[Http2Answering, Step], Http2Answering] = {
    (AWAITED, Scene.head): BEGUN,
    (AWAITED, Scene.whole): DONE,
    (BEGUN, Scene.end): DONE,
    **{(state, event): DONE for state in (AWAITED, BEGUN) for event in (abort, reset, Scene.lose)},
}
"""Every other event changes nothing; bytes after the end tear the request."""
PAIRS = list(product(Http2Asking, Http2Answering))


def following(before: States, event: Step) -> States:
    asking, answering = before
    if answering is DONE:
        return before
    if asking is COMPLETE and event in (send_little, send_much):
        return asking, DONE
    return (
        ASKING_FOLLOWS.get((asking, event), asking),
        ANSWERING_FOLLOWS.get((answering, event), answering),
    )


WALKED = [
    (before, event)
    for before, event in product(PAIRS, EVENTS)
    if event in OF_THE_ANSWER[before[1]] or event not in frozenset().union(*OF_THE_ANSWER.values())
]


@pytest.mark.parametrize(
    ("before", "event"),
    WALKED,
    ids=lambda one: one.__name__ if callable(one) else "-".join(state.name for state in one),
)
def test_each_event_in_each_pair_of_states_does_what_is_listed(before: States, event: Step) -> None:
    scene = Scene()
    for step in (*WAYS_OF_ASKING[before[0]], *WAYS_OF_ANSWERING[before[1]]):
        step(scene)
    assert scene.states == before
    event(scene)
    scene.target.network.turn()
    assert scene.states == following(before, event)
    done = [one for one in scene.handler.events if one[0] == "done"]
    assert len(done) == (scene.leg.answering is DONE)


@pytest.mark.parametrize("before", [pair for pair in PAIRS if pair[1] is not DONE])
def test_a_target_is_blamed_for_a_reset_unless_it_waits_for_the_request(before: States) -> None:
    scene = Scene()
    for step in (*WAYS_OF_ASKING[before[0]], *WAYS_OF_ANSWERING[before[1]]):
        step(scene)
    reset(scene)
    assert scene.leg.blames_target is (before[0] is not OPEN)


def test_a_request_without_a_body_is_complete_from_the_first() -> None:
    assert Scene(body_bytes=0).states == (COMPLETE, AWAITED)


def test_the_tables_list_what_follows_and_no_more() -> None:
    walked = [(before, following(before, event)) for before, event in WALKED]
    for table, index in ((AFTER_ASKING, 0), (AFTER_ANSWERING, 1)):
        assert _listed(table) == {
            (before[index], after[index])
            for before, after in walked
            if before[index] is not after[index]
        }


def _listed(table: Mapping[Any, frozenset[Any]]) -> set[tuple[Any, Any]]:
    return {(before, after) for before, all_after in table.items() for after in all_after}

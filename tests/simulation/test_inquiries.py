"""Asking other sites for their targets, over one link and over two."""

from collections.abc import Callable
from typing import cast

import msgspec
import pytest

from router.asking.exchange import QuestionSender
from router.asking.targets import RouterTargets, TargetQuestions
from router.link.ports import ASKS_TARGETS, OpenedStream, OpenRequest, StreamHandler
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import RemoteCandidate
from tests.simulation.world import SERVICE, World


def asked(world: World, name: str) -> list[list[RouterTargets]]:
    answers: list[list[RouterTargets]] = []
    world[name].router.ask_targets("shop", answers.append)
    return answers


def line() -> World:
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    b.link(c, cost=1)
    a.declare()
    b.serve(1, capacity=3)
    c.serve(2, capacity=None)
    world.run(5)
    return world


def test_every_other_site_tells_of_its_targets_without_their_hosts() -> None:
    world = line()
    answers = asked(world, "a")
    world.run(1)
    ((first, second),) = answers
    by_site = {told.site: told.targets for told in (first, second)}
    (of_b,) = by_site[world["b"].identity.site]
    assert (of_b.name, of_b.port, of_b.ready, of_b.capacity) == ("here", 9001, True, 3)
    assert [target.port for target in by_site[world["c"].identity.site]] == [9001, 9002]
    assert all(site.router.links.streams == 0 for site in world.sites.values())
    assert all(site.served == 0 for site in world.sites.values())


def test_a_site_that_does_not_answer_is_waited_for_a_bounded_time() -> None:
    world = line()
    world.internet.freeze(world["c"].ip)
    answers = asked(world, "a")
    world.run(limits.INQUIRY_WAIT_S + 0.5)
    (told,) = answers
    assert {entry.site: len(entry.targets) for entry in told} == {
        world["b"].identity.site: 1,
        world["c"].identity.site: 0,
    }


def test_nobody_to_ask_is_an_answer_too() -> None:
    world = World(1, "a")
    answers = asked(world, "a")
    world.run(0.1)
    assert answers == [[]]


class LyingSite:
    """Answers each question with given bytes."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.resets: list[str] = []
        self.later: list[Callable[[], None]] = []

    def open_stream(
        self, request: OpenRequest, handler: StreamHandler, *, ends: bool = False
    ) -> OpenedStream:
        assert request.flags & ASKS_TARGETS
        for piece in self._pieces:
            self.later.append(lambda piece=piece: handler.received(memoryview(piece)))  # type: ignore[misc,arg-type]
        self.later.append(lambda: handler.ended(-1))
        self.later.append(lambda: handler.lost(None))
        return cast(OpenedStream, _Stream(self))


class _Stream:
    def __init__(self, site: LyingSite) -> None:
        self._site = site
        self.neighbour = RouterId("0" * 16)

    def finish(self, in_flight: object = -1) -> None:
        pass

    def reset(self, code: str) -> None:
        self._site.resets.append(code)


def answer_of(site: LyingSite) -> list[RouterTargets]:
    world = World(1, "a")
    candidate = RemoteCandidate(
        site=SiteId("f" * 32),
        site_name="liar",
        router=RouterId("f" * 16),
        path_cost=1,
        paths=((RouterId("f" * 16),),),
        targets_ready=1,
        capacity=None,
        draining=False,
    )
    answers: list[list[RouterTargets]] = []
    network = world["a"].network
    asker = QuestionSender(network, site, world["a"].identity.site)
    TargetQuestions(network, asker).ask([(SERVICE, candidate)], answers.append)
    for step in site.later:
        step()
    world.run(0.1)
    (told,) = answers
    return told


NO_TEXT = b"\x91\x96\xa1\x80\x50\xc3\x00\xc0\x00"  # A name that is not UTF-8.


def test_nonsense_is_no_answer_and_is_told_once() -> None:
    for lie in (b"", b"\xff" * 10, b"\x91\x93\x01\x02\x03", b"\xdd\xff\xff\xff\xff", NO_TEXT):
        (told,) = answer_of(LyingSite(lie))
        assert told.targets == ()


@pytest.mark.parametrize(
    "lie",
    [
        ["\x1b[31mred", 80, True, 0, None, 0],
        ["a\nb", 80, True, 0, None, 0],
        ["here\n", 80, True, 0, None, 0],
        ["here", 0, True, 0, None, 0],
        ["here", 80, True, -1, None, 0],
        ["here", 80, True, 0, -1, 0],
    ],
)
def test_a_name_that_would_paint_the_terminal_or_an_absurd_figure_is_no_answer(
    lie: list[object],
) -> None:
    (told,) = answer_of(LyingSite(msgspec.msgpack.encode([lie])))
    assert told.targets == ()


def test_an_answer_without_end_is_broken_off() -> None:
    site = LyingSite(*[b"\x00" * limits.INQUIRY_BYTES_MAX] * 2)
    (told,) = answer_of(site)
    assert told.targets == ()
    assert site.resets == ["cancelled"]

"""A permission is asked for often at first, and seldom once the answer does not change."""

import asyncio
from collections.abc import Mapping
from itertools import pairwise

from router.kubernetes.client.errors import ApiError
from router.kubernetes.store.watched_right import WatchedRight
from router.model import limits
from tests.unit.kubernetes.client.scripted import ScriptedCluster
from tests.unit.virtual_loop import run, running

REFUSED_S = 60.0


class Authorizer(ScriptedCluster):
    """Answers no until ``from_s``; ``is_away``: not at all. Notes when it was asked."""

    def __init__(self, from_s: float, *, is_away: bool = False) -> None:
        super().__init__()
        self.from_s, self.is_away = from_s, is_away
        self.asked: list[float] = []

    async def allows(self, attributes: Mapping[str, str], *, namespace: str = "") -> bool:
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        if self.is_away:
            raise ApiError(0, "Unreachable", "connection refused")
        return now >= self.from_s


def watched(server: Authorizer, for_s: float) -> list[bool | None]:
    """The answers within ``for_s``."""
    answers: list[bool | None] = []

    async def story() -> None:
        async with running(WatchedRight(server, {"verb": "create"}, answers.append, REFUSED_S)):
            await asyncio.sleep(for_s)

    run(story())
    return answers


def test_a_right_that_comes_right_after_the_start_is_known_within_seconds() -> None:
    assert watched(Authorizer(from_s=2.0), 6.0)[-1] is True


def test_a_right_that_does_not_come_is_asked_for_ever_more_rarely() -> None:
    server = Authorizer(from_s=float("inf"))
    assert set(watched(server, 600.0)) == {False}
    waits = [later - before for before, later in pairwise(server.asked)]
    assert waits == sorted(waits) and waits[-1] == REFUSED_S


def test_a_right_that_is_held_is_checked_from_time_to_time() -> None:
    server = Authorizer(from_s=0.0)
    assert watched(server, limits.RIGHTS_LOOK_S * 2.5) == [True] * 3


def test_a_server_that_is_away_is_asked_again_and_is_no_answer() -> None:
    server = Authorizer(from_s=0.0, is_away=True)
    assert set(watched(server, limits.WATCH_BACKOFF_MAX_S * 4)) == {None}
    assert server.asked[-1] - server.asked[-2] == limits.WATCH_BACKOFF_MAX_S

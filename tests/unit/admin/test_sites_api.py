"""The API about other sites: their answers, their distance, and refused questions."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, ParamSpec

import aiohttp
import pytest

from router.admin.endpoints.history import HistoryApi
from router.admin.endpoints.ping import PingApi
from router.admin.endpoints.sites import SitesApi
from router.admin.events import EventLog
from router.admin.ports import ApiPart
from router.admin.server import serving
from router.admin.views.history import ServiceHistory
from router.model import limits
from tests.unit.admin.elsewhere import Others
from tests.unit.admin.test_api import FakeRouter

P = ParamSpec("P")
HISTORY = ServiceHistory(
    service="shop",
    port=8080,
    protocol="http",
    policy="fill",
    site="west",
    step_s=5.0,
    sites=(),
    samples=(),
)


async def nothing(service: str | None, port: int | None) -> Iterator[ServiceHistory]:
    return iter(())


def in_a_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run the test in a separate event loop."""

    @functools.wraps(test)
    def run(*args: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*args, **named))

    return run


@contextlib.asynccontextmanager
async def running(tmp_path: Path, others: Others) -> AsyncIterator[aiohttp.ClientSession]:
    socket = tmp_path / "admin.sock"
    parts: list[ApiPart] = [
        SitesApi(others),
        PingApi(others),
        HistoryApi(nothing, others, FakeRouter()),
    ]
    connector = aiohttp.UnixConnector(str(socket), limit=0)
    async with (
        serving(FakeRouter(), EventLog(), socket, parts=parts),
        aiohttp.ClientSession("http://site", connector=connector) as session,
    ):
        yield session


async def got(session: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
    async with session.get(f"/api/v1/{path}") as answer:
        return answer.status, await answer.json()


@in_a_loop
async def test_a_site_is_told_of_whole_and_one_that_nobody_knows_is_not(tmp_path: Path) -> None:
    async with running(tmp_path, Others()) as session:
        status, told = await got(session, "sites/west")
        assert (status, told["kind"], told["item"]["name"]) == (200, "SiteDetail", "west")
        status, told = await got(session, "sites/nobody")
        assert (status, told["code"]) == (404, "not-found")


@in_a_loop
async def test_a_ping_takes_rounds_within_a_bound_and_a_link(tmp_path: Path) -> None:
    others = Others()
    async with running(tmp_path, others) as session:
        most = limits.PING_ROUNDS_MAX
        assert (await got(session, "ping/west"))[0] == 200
        status, told = await got(session, f"ping/west?count={most}&via=link1")
        assert (status, told["kind"], told["item"]["hops"][0]["answered"]) == (200, "Ping", 1)
        assert others.pinged == [("west", 1, ""), ("west", most, "link1")]
        for bad in ("0", str(most + 1), "x", "-1", "99999", ""):
            status, told = await got(session, f"ping/west?count={bad}")
            assert (status, told["code"]) == (400, "bad-count")
        assert (await got(session, "ping/nobody"))[0] == 404
        status, told = await got(session, "ping/here")
        assert (status, told["code"]) == (400, "bad-ping")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("sites/west", "too-many-questions"),
        ("history?service=shop&site=west", "too-many-questions"),
        ("ping/west", "too-many-pings"),
    ],
)
@in_a_loop
async def test_more_at_once_than_are_allowed_is_refused_for_now(
    tmp_path: Path, path: str, code: str
) -> None:
    others = Others()
    others.is_busy = True
    async with running(tmp_path, others) as session:
        status, told = await got(session, path)
        assert (status, told["code"]) == (503, code)


@in_a_loop
async def test_the_history_of_another_site_is_asked_there_by_service(tmp_path: Path) -> None:
    others = Others()
    async with running(tmp_path, others) as session:
        status, told = await got(session, "history?service=shop&site=west")
        assert (status, told["code"]) == (404, "not-found")
        others.told = (HISTORY,)
        status, told = await got(session, "history?service=shop:8080&site=west")
        assert (status, told["items"][0]["site"]) == (200, "west")
        assert (await got(session, "history?site=west"))[0] == 400
        assert (await got(session, "history?service=shop&site=nobody"))[0] == 404
        status, told = await got(session, "history?service=shop&site=here")
        assert (status, told["code"]) == (404, "not-found")  # Of this one, which keeps nothing.
        others.told, others.error = (), "it is stopping"
        status, told = await got(session, "history?service=shop&site=west")
        assert (status, told["code"]) == (502, "not-told")
        assert "it is stopping" in told["message"]

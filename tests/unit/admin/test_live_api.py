"""`/api/v1/live` and `/api/v1/history` over a real socket."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from router.admin.endpoints.history import HistoryApi
from router.admin.endpoints.live import LiveApi
from router.admin.events import EventLog
from router.admin.ports import ApiPart
from router.admin.server import serving
from router.admin.views.history import ServiceHistory
from router.admin.views.live import ServiceNow, TokenView
from router.admin.views.services import ServiceView
from router.model import limits
from tests.unit.admin.elsewhere import Others
from tests.unit.admin.test_api import SHOP, FakeRouter

EVENTS = {"Accept": "text/event-stream"}
TOKEN = TokenView(name="east", state="open", made="", expires="", uses_left=1, uses=1, claimed=())
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


class FakeLive(FakeRouter):
    """Counts how often it is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.takes_s = 0.0
        self.stands_still_s = 0.0

    def rows(self) -> Iterator[tuple[ServiceView, ServiceNow]]:
        self.looks += 1
        until = time.thread_time() + self.takes_s
        while time.thread_time() < until:
            pass
        time.sleep(self.stands_still_s)  # As a process that the system stops.
        yield SHOP, now_of(self.looks)


def now_of(requests_per_s: float) -> ServiceNow:
    """What a service did."""
    return ServiceNow(
        service="shop",
        port=8080,
        requests_per_s=requests_per_s,
        overflow_per_s=0.0,
        failed_per_s=0.0,
        p50_s=None,
        p99_s=None,
        overflow_to={},
        why="",
    )


async def histories(service: str | None, port: int | None) -> Iterator[ServiceHistory]:
    """Of one service port."""
    is_it = service in (None, "shop") and port in (None, 8080)
    return iter([HISTORY] if is_it else [])


@contextlib.asynccontextmanager
async def running(tmp_path: Path, live: FakeLive) -> AsyncIterator[aiohttp.ClientSession]:
    socket = tmp_path / "admin.sock"
    parts: list[ApiPart] = [
        LiveApi(live, live.rows, lambda: [TOKEN]),
        HistoryApi(histories, Others(), FakeRouter()),
    ]
    connector = aiohttp.UnixConnector(str(socket), limit=0)
    async with (
        serving(FakeRouter(), EventLog(), socket, parts=parts),
        aiohttp.ClientSession("http://site", connector=connector) as session,
    ):
        yield session


async def next_event(response: aiohttp.ClientResponse) -> tuple[int, Any]:
    """Id and data of the next one."""
    number = await response.content.readline()
    data = await response.content.readline()
    await response.content.readline()
    return int(number.removeprefix(b"id: ")), json.loads(data.removeprefix(b"data: "))


def test_the_picture_is_made_once_for_all_who_ask_within_a_second(tmp_path: Path) -> None:
    async def story() -> None:
        live = FakeLive()
        async with running(tmp_path, live) as session:

            async def ask() -> Any:
                async with session.get("/api/v1/live") as response:
                    assert response.status == 200
                    return await response.json()

            answers = await asyncio.gather(*(ask() for _ in range(20)))
        assert live.looks == 1
        assert all(answer == answers[0] for answer in answers)
        assert answers[0]["kind"] == "Live" and answers[0]["apiVersion"] == "spillway/v1"
        item = answers[0]["item"]
        assert item.keys() == {
            "at", "status", "links", "services", "network", "bursts", "ca", "tokens", "now",
        }  # fmt: skip
        assert item["services"][0]["name"] == item["now"][0]["service"] == "shop"
        assert item["tokens"][0]["name"] == "east"

    asyncio.run(story())


def test_followers_get_the_same_pictures_and_nothing_is_made_once_they_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A follower that is later than this gets the newest picture, and misses one.
    monkeypatch.setattr(limits, "LIVE_EVERY_S", 0.1)

    async def story() -> None:
        live = FakeLive()
        async with running(tmp_path, live) as session:
            one = await session.get("/api/v1/live", headers=EVENTS)
            two = await session.get("/api/v1/live", headers={**EVENTS, "Last-Event-ID": "x9"})
            assert one.headers["Content-Type"].startswith("text/event-stream")
            also = dict([await next_event(two) for _ in range(4)])
            seen = dict([await next_event(one)])
            while max(seen) < max(also):  # It may have come some pictures earlier.
                number, data = await next_event(one)
                assert number > max(seen)
                seen[number] = data
            assert len(also) == 4 and sorted(also) == list(also)
            assert also.items() <= seen.items()
            one.close()
            two.close()
            looks = -1
            async with asyncio.timeout(10):
                while looks != live.looks:  # Until they are missed.
                    looks = live.looks
                    await asyncio.sleep(10 * limits.LIVE_EVERY_S)

    asyncio.run(story())


def test_so_many_may_follow_and_the_next_one_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path, FakeLive()) as session:
            held = [
                await session.get("/api/v1/live", headers=EVENTS)
                for _ in range(limits.LIVE_CLIENTS_MAX)
            ]
            assert {one.status for one in held} == {200}
            async with session.get("/api/v1/live", headers=EVENTS) as refused:
                assert refused.status == 503
                assert (await refused.json())["code"] == "too-many-followers"
            held.pop().close()
            async with asyncio.timeout(10):
                while True:
                    again = await session.get("/api/v1/live", headers=EVENTS)
                    if again.status == 200:
                        break
                    await asyncio.sleep(0.05)
            for one in [again, *held]:
                one.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("query", "status", "found"),
    [
        ("", 200, 1),
        ("?service=shop", 200, 1),
        ("?service=shop:8080", 200, 1),
        ("?service=shop:99", 404, 0),
        ("?service=nothing", 404, 0),
        ("?service=shop:x", 400, 0),
    ],
)
def test_history_is_of_one_service_or_of_all(
    tmp_path: Path, query: str, status: int, found: int
) -> None:
    async def story() -> None:
        async with (
            running(tmp_path, FakeLive()) as session,
            session.get(f"/api/v1/history{query}") as response,
        ):
            answer = await response.json()
            assert response.status == status
            assert len(answer.get("items", ())) == found
            assert found == 0 or answer["kind"] == "ServiceHistory"

    asyncio.run(story())


def test_a_picture_that_takes_long_is_made_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIVE_EVERY_S", 0.0)

    async def story() -> None:
        live = FakeLive()
        live.takes_s = 0.01
        async with running(tmp_path, live) as session:
            began = time.monotonic()
            response = await session.get("/api/v1/live", headers=EVENTS)
            numbers = [(await next_event(response))[0] for _ in range(4)]
            assert numbers == [1, 2, 3, 4]
            assert time.monotonic() - began >= 3 * live.takes_s / limits.LIVE_SHARE
            response.close()

    asyncio.run(story())


def test_a_picture_during_which_the_process_stood_still_is_soon_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIVE_EVERY_S", 0.0)

    async def story() -> None:
        live = FakeLive()
        live.stands_still_s = 0.5
        async with running(tmp_path, live) as session:
            response = await session.get("/api/v1/live", headers=EVENTS)
            assert (await next_event(response))[0] == 1
            live.stands_still_s = 0.0
            came = time.monotonic()
            assert (await next_event(response))[0] == 2
            assert time.monotonic() - came < 0.5 / limits.LIVE_SHARE / 2
            response.close()

    asyncio.run(story())

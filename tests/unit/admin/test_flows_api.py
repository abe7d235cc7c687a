"""`/api/v1/flows` over a real socket: filters, one flow, and following."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from router.admin.endpoints.flows import FlowsApi
from router.admin.events import EventLog
from router.admin.server import serving
from router.admin.views.flow import FlowDetail, FlowsWanted, FlowView
from router.model import limits
from tests.unit.admin.test_api import FakeRouter

EVENTS = {"Accept": "text/event-stream"}


def flow(
    number: int, service: str = "shop", outcome: str = "ok", site: str | None = "west"
) -> FlowView:
    """One flow."""
    return FlowView(
        id=number,
        at="2026-01-01T00:00:00.000Z",
        service=service,
        port=8080,
        protocol="http",
        client="10.0.0.9:1",
        method="GET",
        path="/",
        status=200,
        code="",
        outcome=outcome,
        answer="2xx" if outcome == "ok" else None,
        site=site,
        target="",
        reason="local site has room",
        overflow="",
        attempts=1,
        queue_s=0.0,
        network_s=0.0,
        target_s=0.1,
        total_s=0.1,
        bytes_in=0,
        bytes_out=2,
        request_id="",
        trace_id="",
        explained=True,
    )


class FakeFlows:
    """Flows that a test makes."""

    def __init__(self) -> None:
        self.turn, self.skipped = 3, 7
        self.looks = self.followers = 0
        self.over = [
            flow(1),
            flow(2, "bank", "all-full", None),
            flow(3, outcome="target-reset", site="east"),
        ]
        self.under_way = [flow(4, outcome="under-way")]

    def look(self) -> None:
        self.looks += 1

    def follow(self) -> bool:
        if self.followers == limits.FLOW_CLIENTS_MAX:
            return False
        self.followers += 1
        return True

    def unfollow(self) -> None:
        self.followers -= 1

    def newest(self) -> Iterator[FlowView | None]:
        yield from self.under_way
        yield None
        yield from reversed(self.over)

    def since(self, turn: int) -> list[FlowView]:
        return self.over[turn:]

    def lasting(self) -> list[FlowView]:
        return self.under_way

    def detail(self, number: int) -> FlowDetail | None:
        return FlowDetail(flow=self.over[0], decision=None) if number == 1 else None

    def end(self, more: FlowView) -> None:
        """One more is over."""
        self.over.append(more)
        self.turn += 1


@contextlib.asynccontextmanager
async def running(tmp_path: Path, flows: FakeFlows) -> AsyncIterator[aiohttp.ClientSession]:
    socket = tmp_path / "admin.sock"
    connector = aiohttp.UnixConnector(str(socket), limit=0)
    async with (
        serving(FakeRouter(), EventLog(), socket, parts=[FlowsApi(flows, FakeRouter())]),
        aiohttp.ClientSession("http://site", connector=connector) as session,
    ):
        yield session


async def next_event(response: aiohttp.ClientResponse) -> tuple[str, Any]:
    """Name and data of the next one; the name of most is empty."""
    name = ""
    while line := (await response.content.readline()).strip():
        if line.startswith(b"event: "):
            name = line.removeprefix(b"event: ").decode()
        elif line.startswith(b"data: "):
            data = json.loads(line.removeprefix(b"data: "))
    return name, data


@pytest.mark.parametrize(
    ("outcome", "answer", "names"),
    [
        ("ok", "2xx", ["ok"]),
        ("ok", "4xx", ["ok"]),
        ("ok", "5xx", ["failed"]),
        ("ok", "ok", ["ok"]),  # A tcp connection.
        ("all-full", None, ["failed", "all-full"]),
        ("under-way", None, ["under-way"]),
    ],
)
def test_a_whole_answer_of_5xx_is_a_failure_and_not_ok(
    outcome: str, answer: str | None, names: list[str]
) -> None:
    one = msgspec.structs.replace(flow(1, outcome=outcome), answer=answer)
    asked = ("ok", "failed", "under-way", "all-full")
    assert [name for name in asked if FlowsWanted(outcome=name).has(one)] == names


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [4, 3, 2, 1]),
        ("?count=2", [4, 3]),
        ("?service=shop", [4, 3, 1]),
        ("?service=shop:8080", [4, 3, 1]),
        ("?service=shop:99", []),
        ("?outcome=ok", [1]),
        ("?outcome=under-way", [4]),
        ("?outcome=failed", [3, 2]),
        ("?outcome=all-full", [2]),
        ("?site=east", [3]),
        ("?site=none", [2]),
        ("?site=west&outcome=ok&service=shop", [1]),
    ],
)
def test_flows_are_filtered_here(tmp_path: Path, query: str, ids: list[int]) -> None:
    async def story() -> None:
        flows = FakeFlows()
        async with (
            running(tmp_path, flows) as session,
            session.get(f"/api/v1/flows{query}") as response,
        ):
            answer = await response.json()
            assert (response.status, answer["kind"], answer["skipped"]) == (200, "Flow", 7)
            assert [one["id"] for one in answer["items"]] == ids
        assert flows.looks == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("flows?count=0", 400, "bad-count"),
        (f"flows?count={limits.FLOWS_COUNT_MAX}", 200, ""),
        (f"flows?count={limits.FLOWS_COUNT_MAX + 1}", 400, "bad-count"),
        ("flows?count=x", 400, "bad-count"),
        ("flows?service=shop:x", 400, "bad-port"),
        ("flows/1", 200, ""),
        ("flows/2", 404, "not-found"),
        ("flows/x", 404, "not-found"),
    ],
)
def test_what_is_asked_wrongly_is_told(tmp_path: Path, path: str, status: int, code: str) -> None:
    async def story() -> None:
        async with (
            running(tmp_path, FakeFlows()) as session,
            session.get(f"/api/v1/{path}") as response,
        ):
            assert response.status == status
            assert (await response.json()).get("code", "") == code

    asyncio.run(story())


def test_a_follower_gets_what_is_known_then_what_ends_and_how_many_went_unseen(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        flows = FakeFlows()
        async with running(tmp_path, flows) as session:
            response = await session.get("/api/v1/flows?service=shop", headers=EVENTS)
            first = [await next_event(response) for _ in range(3)]
            assert [(name, data["id"]) for name, data in first] == [("", 1), ("", 3), ("", 4)]
            told = [await next_event(response) for _ in range(2)]
            assert told[0][1]["id"] == 4
            assert told[1] == ("skipped", {"skipped": 7})
            flows.end(flow(8, "bank"))
            flows.end(flow(9))
            assert (await next_event(response))[1]["id"] == 9
            response.close()
            async with asyncio.timeout(10):
                while flows.followers:
                    flows.end(flow(10))
                    await asyncio.sleep(limits.FLOWS_TICK_S)

    asyncio.run(story())


@pytest.mark.parametrize(("last", "first"), [("1", 2), ("99999", 1), ("nonsense", 1)])
def test_who_comes_back_goes_on_where_it_was(tmp_path: Path, last: str, first: int) -> None:
    async def story() -> None:
        async with running(tmp_path, FakeFlows()) as session:
            headers = {**EVENTS, "Last-Event-ID": last}
            async with session.get("/api/v1/flows", headers=headers) as response:
                assert (await next_event(response))[1]["id"] == first

    asyncio.run(story())


def test_so_many_may_follow_and_the_next_one_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path, FakeFlows()) as session:
            held = [
                await session.get("/api/v1/flows", headers=EVENTS)
                for _ in range(limits.FLOW_CLIENTS_MAX)
            ]
            assert {one.status for one in held} == {200}
            async with session.get("/api/v1/flows", headers=EVENTS) as refused:
                assert refused.status == 503
                assert (await refused.json())["code"] == "too-many-followers"
            for one in held:
                one.close()

    asyncio.run(story())

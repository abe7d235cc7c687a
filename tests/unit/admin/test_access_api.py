"""`/api/v1/access` over a real socket."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from router.admin.endpoints.access import AccessApi, AccessRow, AccessView
from router.admin.events import EventLog
from router.admin.server import serving
from tests.unit.admin.test_api import FakeRouter


def access(service: str | None) -> AccessView:
    row = AccessRow(
        service=service or "*",
        site="*",
        site_id="",
        may="call",
        by="open mode",
        until=None,
        capacity=None,
        state="allowed",
    )
    return AccessView(sharing="open", rows=(row,), left_out=0)


@pytest.mark.parametrize(("query", "service"), [("", "*"), ("?service=shop", "shop")])
def test_access_is_of_one_service_or_of_all(tmp_path: Path, query: str, service: str) -> None:
    async def story() -> None:
        socket = tmp_path / "admin.sock"
        async with (
            serving(FakeRouter(), EventLog(), socket, parts=[AccessApi(access, FakeRouter())]),
            aiohttp.ClientSession(
                "http://site", connector=aiohttp.UnixConnector(str(socket))
            ) as session,
            session.get(f"/api/v1/access{query}") as response,
        ):
            answer = await response.json()
            assert (answer["kind"], answer["item"]["sharing"]) == ("Access", "open")
            assert answer["item"]["rows"][0]["service"] == service

    asyncio.run(story())

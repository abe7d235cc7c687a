"""`/api/v1/knees` over a real socket."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from router.admin.endpoints.knees import KneesApi
from router.admin.events import EventLog
from router.admin.server import serving
from router.admin.views.history import KneeView
from tests.unit.admin.test_api import FakeRouter


def bends(service: str | None, port: int | None) -> Iterator[KneeView]:
    """Of one target."""
    if service in (None, "shop") and port in (None, 8080):
        yield KneeView(
            service="shop",
            port=8080,
            target="10.0.0.1:1",
            stated=9,
            knee=4,
            factor=1.15,
            baseline_s=0.01,
            levels=((1, 0.01, 99), (4, 0.02, 99)),
        )


@pytest.mark.parametrize(
    ("query", "status", "found"),
    [
        ("", 200, 1),
        ("?service=shop", 200, 1),
        ("?service=shop:8080", 200, 1),
        ("?service=shop:99", 200, 0),
        ("?service=shop:x", 400, 0),
    ],
)
def test_knees_are_of_one_service_or_of_all(
    tmp_path: Path, query: str, status: int, found: int
) -> None:
    async def story() -> None:
        socket = tmp_path / "admin.sock"
        async with (
            serving(FakeRouter(), EventLog(), socket, parts=[KneesApi(bends, FakeRouter())]),
            aiohttp.ClientSession(
                "http://site", connector=aiohttp.UnixConnector(str(socket))
            ) as session,
            session.get(f"/api/v1/knees{query}") as response,
        ):
            answer = await response.json()
            assert response.status == status
            assert len(answer.get("items", ())) == found
            if found:
                assert answer["kind"] == "Knee"
                assert answer["items"][0]["levels"] == [[1, 0.01, 99], [4, 0.02, 99]]

    asyncio.run(story())

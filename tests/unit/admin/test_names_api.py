"""Names of services over the API: who declares them, by name or by routing key."""

import asyncio
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from yarl import URL

from router.admin.endpoints.names import NamesApi, NameView
from router.admin.events import EventLog
from router.admin.server import serving
from router.model.wording.routing_key_names import hashed_name
from tests.unit.admin.test_api import SHOP, FakeRouter

KEY = "shop.v2/web"
NAMES = [
    NameView(name=name, declared_by="east", owners=("east",), differing=())
    for name in ("shop", hashed_name(KEY))
]


@pytest.mark.parametrize(
    ("text", "found"),
    [("shop", "shop"), (KEY, hashed_name(KEY)), (hashed_name(KEY), hashed_name(KEY)), ("no", "")],
)
def test_a_name_is_asked_for_as_it_is_or_by_the_routing_key_of_its_service(
    tmp_path: Path, text: str, found: str
) -> None:
    router = FakeRouter()
    router.carriers = [msgspec.structs.replace(SHOP, name=hashed_name(KEY), routing_key=KEY)]
    socket = tmp_path / "admin.sock"

    async def story() -> None:
        async with (
            serving(router, EventLog(), socket, parts=[NamesApi(lambda: NAMES, router)]),
            aiohttp.ClientSession(
                "http://site", connector=aiohttp.UnixConnector(str(socket))
            ) as session,
            session.get(URL(f"/api/v1/names/{quote(text, safe='')}", encoded=True)) as response,
        ):
            said = await response.json()
            assert response.status == (200 if found else 404)
            assert (said["item"]["name"] if found else "") == found

    asyncio.run(story())

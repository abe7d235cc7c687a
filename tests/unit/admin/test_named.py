import asyncio
import json
from collections.abc import Sequence

import pytest
from aiohttp import web

from router.admin.named import named_port, no_service, service_meant
from router.model.ids import ServiceKey
from router.model.wording.routing_key_names import hashed_name


class Known:
    """`ServiceNames`: one service with a port, and those of routing keys."""

    def __init__(self, *keys: str) -> None:
        self._keys = {hashed_name(key): key for key in keys}

    def service_keys(self) -> Sequence[ServiceKey]:
        return [ServiceKey("db", 5432), *(ServiceKey(name, 1) for name in self._keys)]

    def routing_key_of(self, service: str) -> str:
        return self._keys.get(service, "")


@pytest.mark.parametrize("key", ["shop.v2/web", "Shop DB", "ключ", "db:http", "db:9999", "a:b:c"])
def test_a_routing_keys_text_names_the_service_that_carries_it(key: str) -> None:
    names = Known(key)
    assert named_port(key, names) == (hashed_name(key), None)
    assert named_port(f"{key}:1", names) == (hashed_name(key), 1), "as tables have it"
    assert named_port(hashed_name(key), names) == (hashed_name(key), None)
    assert service_meant(key, names) == hashed_name(key)
    assert service_meant(f"{key}:1", names) == hashed_name(key)


def test_a_known_service_port_comes_before_a_routing_key_that_reads_the_same() -> None:
    assert named_port("db:5432", Known("db:5432")) == ("db", 5432)


@pytest.mark.parametrize(
    "text", ["nothing", "no.such/key", "no:such/key", "k-0123456789abcdef0123"]
)
def test_what_nothing_is_named_keeps_its_text(text: str) -> None:
    assert named_port(text, Known("shop.db")) == (text, None)
    assert service_meant(text, Known("shop.db")) == text


@pytest.mark.parametrize("text", ["db:", "db:eighty", "db:123456", "db:٨"])
def test_a_port_that_is_no_number_is_refused(text: str) -> None:
    answer = named_port(text, Known("shop.db"))
    assert isinstance(answer, web.Response) and answer.status == 400


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("shop-db", "Did you mean shop.db? See sitectl service status"),
        ("dbb", "Did you mean db? See sitectl service status"),
        ("something", "sitectl service status"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_name_or_routing_key(
    text: str, hint: str
) -> None:
    answer = asyncio.run(no_service(text, Known("shop.db")))
    assert answer.status == 404 and isinstance(answer.body, bytes)
    told = json.loads(answer.body)
    assert told["message"] == f"No service {text!r} is known here." and told["hint"] == hint


def test_traffic_goes_on_while_the_nearest_of_many_names_is_sought() -> None:
    names = Known(*(f"team.service/{number}" for number in range(1_000)))
    turns = 0

    async def story() -> web.Response:
        loop = asyncio.get_running_loop()

        def traffic() -> None:
            nonlocal turns
            turns += 1
            loop.call_soon(traffic)

        traffic()
        return await no_service("team.servcie/777", names)

    answer = asyncio.run(story())
    assert isinstance(answer.body, bytes) and b"Did you mean team.service/777?" in answer.body
    assert turns > 10, "in one go it is about 6: before and after"

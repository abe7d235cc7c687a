"""Worlds for the tests of this room."""

from collections.abc import Iterator

import pytest

from tests.unit.net.self_host import SelfHost
from tests.unit.net.worlds import Pair, World, make_world

KINDS = ["tcp", "tls", "simulated-1", "simulated-2", "simulated-tls-3"]


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = make_world(request.param)
    yield made
    made.close()


@pytest.fixture
def pair(world: World) -> Pair:
    return Pair(world)


@pytest.fixture
def host() -> SelfHost:
    return SelfHost()

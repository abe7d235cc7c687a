"""Worlds for the tests of this room."""

from collections.abc import Iterator

import pytest

from tests.unit.net.self_host import SelfHost
from tests.unit.net.worlds import Pair, TlsWorld, World, make_world

PLAIN_KINDS = ["tcp", "simulated-1", "simulated-2"]
TLS_KINDS = ["tls", "simulated-tls-3"]


@pytest.fixture(params=PLAIN_KINDS + TLS_KINDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = make_world(request.param)
    yield made
    made.close()


@pytest.fixture(params=TLS_KINDS)
def tls_world(request: pytest.FixtureRequest) -> Iterator[TlsWorld]:
    made = make_world(request.param)
    assert made.server_tls is not None and made.client_tls is not None, "a world with TLS"
    yield TlsWorld(made, made.server_tls, made.client_tls)
    made.close()


@pytest.fixture
def pair(world: World) -> Pair:
    return Pair(world)


@pytest.fixture
def host() -> SelfHost:
    return SelfHost()

"""System calls per request stay below the ceilings of `tests.bench.ceilings`."""

from collections.abc import Iterator

import pytest

from tests import needs
from tests.bench import system_calls
from tests.bench.ceilings import CEILINGS, PATHS, Path_

pytestmark = pytest.mark.programs("strace")
HOW = "tests/bench/ceilings.py says what to do"


@pytest.fixture(scope="module")
def sites() -> Iterator[system_calls.Sites]:
    with system_calls.running() as sites:
        yield sites


@pytest.mark.parametrize("path", PATHS)
def test_a_request_and_a_connection_take_no_more_system_calls_than_are_allowed(
    sites: system_calls.Sites, path: Path_
) -> None:
    system_calls.requests(sites.entry.address, system_calls.PORTS[path], system_calls.WARM)
    try:
        one = sites.traced(path, system_calls.requests)
        new = sites.traced(path, system_calls.connections)
    except system_calls.NotTraced as error:
        needs.lacking(f"to trace a router: {error}")
    assert sum(one.values()) <= CEILINGS[path].system_calls, f"{HOW}: {one}"
    assert sum(new.values()) <= CEILINGS[path].new_system_calls, f"{HOW}: {new}"

"""System calls per request stay below the ceilings of `tests.bench.ceilings`.

A busy machine only adds to them: a router that is interrupted needs two turns for the work of one,
and its timers run meanwhile. So short rounds are counted until one is undisturbed.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests import needs
from tests.bench import system_calls
from tests.bench.ceilings import CEILINGS, PATHS, Path_
from tests.bench.system_calls import working
from tests.scenario.waiting import until

pytestmark = pytest.mark.programs("strace")
HOW = "tests/bench/ceilings.py says what to do"
REQUESTS, CONNECTIONS = 50, 4
"""Of one round: so few that an undisturbed one is soon found."""


@pytest.fixture(scope="module")
def sites() -> Iterator[system_calls.Sites]:
    with system_calls.running() as sites:
        yield sites


@pytest.mark.parametrize("path", PATHS)
def test_a_request_and_a_connection_take_no_more_system_calls_than_are_allowed(
    sites: system_calls.Sites, path: Path_
) -> None:
    ceiling = CEILINGS[path]
    one = partial(system_calls.requests, count=REQUESTS)
    new = partial(system_calls.connections, count=CONNECTIONS)
    system_calls.requests(sites.entry.address, system_calls.PORTS[path], system_calls.WARM)
    try:
        hold(sites, path, one, ceiling.system_calls)
        hold(sites, path, new, ceiling.new_system_calls)
    except system_calls.NotTraced as error:
        needs.lacking(f"to trace a router: {error}")


def hold(
    sites: system_calls.Sites, path: Path_, what: Callable[[str, int], float], ceiling: float
) -> None:
    """Some round of ``what`` takes no more calls than ``ceiling``."""
    rounds = []

    def within() -> bool:
        rounds.append(sites.traced(path, what))
        return working(rounds[-1]) <= ceiling

    try:
        until(within, f"a round has at most {ceiling} calls")
    except AssertionError as late:
        least = min(rounds, key=working)
        late.add_note(f"{HOW}; {working(least):.1f} at least: {least}")
        raise

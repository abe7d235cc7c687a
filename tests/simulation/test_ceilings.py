"""Bytecode, calls and objects per request stay below the ceilings of `tests.bench.ceilings`."""

import sys

import pytest

from tests.bench.ceilings import (
    ALONE,
    CALLER_CALLS,
    CALLER_NEW_CALLS,
    CEILINGS,
    COUNTED,
    IDLE,
    Path_,
)
from tests.bench.counts import counted, counted_alone, counted_apart, counted_idle

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="needs CPython 3.11, on which the ceilings are measured"
)
HOW = "tests/bench/ceilings.py says what to do"


@pytest.mark.parametrize("path", COUNTED)
def test_a_request_and_a_new_connection_cost_no_more_than_is_allowed(path: Path_) -> None:
    kept, new = counted_apart(path)
    ceiling = CEILINGS[path]
    assert kept.bytecode <= ceiling.bytecode, HOW
    assert kept.calls <= ceiling.calls, HOW
    assert kept.objects <= ceiling.objects, HOW
    assert kept.sends <= ceiling.sends, HOW
    assert new.bytecode <= ceiling.new_bytecode, HOW
    assert new.calls <= ceiling.new_calls, HOW
    assert new.objects <= ceiling.new_objects, HOW


@pytest.mark.parametrize("path", ["http L", "http R", "tcp L", "http2 L"])
@pytest.mark.parametrize(("new", "most"), [(False, CALLER_CALLS), (True, CALLER_NEW_CALLS)])
def test_naming_callers_costs_no_more_than_is_allowed(path: Path_, new: bool, most: int) -> None:
    without, named = (counted(path, new=new, names_callers=on) for on in (False, True))
    assert named.calls - without.calls <= most + 0.5, HOW


@pytest.mark.parametrize("path", ALONE)
def test_a_request_that_comes_alone_costs_no_more_than_is_allowed(path: Path_) -> None:
    assert counted_alone(path).bytecode <= ALONE[path], HOW


def test_routers_without_clients_cost_no_more_than_is_allowed() -> None:
    assert counted_idle().bytecode <= IDLE, HOW

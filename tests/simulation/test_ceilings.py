"""Calls and objects per request stay below the ceilings of `tests.bench.ceilings`."""

import sys

import pytest

from tests.bench.ceilings import CEILINGS, COUNTED, Path_
from tests.bench.counts import Watched, counted

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="needs CPython 3.11, on which the ceilings are measured"
)
HOW = "tests/bench/ceilings.py says what to do"


@pytest.mark.parametrize("path", COUNTED)
def test_a_request_costs_no_more_than_is_allowed(path: Path_) -> None:
    found, ceiling = counted(path, watched=Watched(blocks=True)), CEILINGS[path]
    assert found.calls <= ceiling.calls, HOW
    assert found.objects <= ceiling.objects, HOW
    assert found.sends <= ceiling.sends, HOW


@pytest.mark.parametrize("path", COUNTED)
def test_a_new_connection_costs_no_more_than_is_allowed(path: Path_) -> None:
    found, ceiling = counted(path, new=True, watched=Watched(blocks=True)), CEILINGS[path]
    assert found.calls <= ceiling.new_calls, HOW
    assert found.objects <= ceiling.new_objects, HOW

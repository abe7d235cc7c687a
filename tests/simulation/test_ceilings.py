"""Calls and objects per request stay below the ceilings of `tests.bench.ceilings`."""

import sys

import pytest

from tests.bench.ceilings import CEILINGS, COUNTED, Path_
from tests.bench.counts import counted_apart

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="needs CPython 3.11, on which the ceilings are measured"
)
HOW = "tests/bench/ceilings.py says what to do"


@pytest.mark.parametrize("path", COUNTED)
def test_a_request_and_a_new_connection_cost_no_more_than_is_allowed(path: Path_) -> None:
    kept, new = counted_apart(path)
    ceiling = CEILINGS[path]
    assert kept.calls <= ceiling.calls, HOW
    assert kept.objects <= ceiling.objects, HOW
    assert kept.sends <= ceiling.sends, HOW
    assert new.calls <= ceiling.new_calls, HOW
    assert new.objects <= ceiling.new_objects, HOW

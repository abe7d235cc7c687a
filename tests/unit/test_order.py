"""The order in which the files of a whole run are tested."""

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.order import (
    MEMORY_BYTES,
    WAITING,
    WAITING_SHARE,
    interleaved,
    is_waiting,
    part,
    processes,
)

ROOMS = ("browser", "property", "scenario", "simulation", "unit")
FILES = st.lists(st.sampled_from(ROOMS), max_size=60).map(
    lambda rooms: [f"tests/{room}/test_{number:02}.py" for number, room in enumerate(sorted(rooms))]
)


def file_of(item: str) -> str:
    return item.partition("::")[0]


@given(files=FILES)
def test_no_test_is_lost_and_those_of_a_file_stay_together_in_order(files: list[str]) -> None:
    items = [f"{path}::test_{number}" for path in files for number in range(3)]
    found = interleaved(items, file_of)
    assert sorted(found) == sorted(items)
    together = [(path, list(group)) for path, group in groupby(found, file_of)]
    assert len(together) == len(files)
    for path, group in together:
        assert group == [f"{path}::test_{number}" for number in range(3)]
    for waits in (True, False):
        assert [path for path, _ in together if is_waiting(path) == waits] == sorted(
            (path for path in files if is_waiting(path) == waits),
            key=lambda path: waits and WAITING.index(path.split("/")[1]),
        )


def test_both_kinds_begin_at_once_and_files_that_compute_end_the_run() -> None:
    waiting = [f"tests/scenario/test_{number}.py" for number in range(100)]
    computing = [f"tests/unit/test_{number}.py" for number in range(400)]
    found = interleaved([*waiting, *computing], file_of)
    assert {is_waiting(path) for path in found[:2]} == {True, False}
    for quarter in range(4):
        span = found[quarter * 100 : quarter * 100 + 100]
        assert 15 <= sum(map(is_waiting, span)) <= 30
    last = max(number for number, path in enumerate(found) if is_waiting(path))
    assert last / len(found) <= WAITING_SHARE + 0.05


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unit/test_order.py::test_a[1]", "unit/test_order.py"),
        ("simulation/test_chaos.py::test_a", "simulation/test_chaos.py"),
        ("kubernetes/test_gitops.py::test_a[x::y[0]]", "kubernetes/test_gitops.py::test_a"),
        ("kubernetes/test_gitops.py::test_b", "kubernetes/test_gitops.py::test_b"),
        ("kubernetes/test_sitectl.py::test_a", "kubernetes/test_sitectl.py"),
        ("browser/test_login.py::test_a", "browser/test_login.py"),
        ("truth/test_load.py::test_a[host]", "truth/test_load.py"),
        ("truth/test_load.py::test_a", "truth/test_load.py"),
        ("truth/test_load.py::test_a[namespace-1]", "truth/test_load.py::[namespace]"),
    ],
)
def test_only_tests_that_wait_for_nothing_in_common_leave_their_file(
    name: str, expected: str
) -> None:
    assert part(f"tests/{name}") == f"tests/{expected}"


@pytest.mark.parametrize(
    ("processors", "gigabytes", "expected"),
    [(1, 8, 3), (2, 8, 6), (2, 4, 4), (8, 32, 24), (4, 1, 2)],
)
def test_there_are_more_test_processes_than_processors_as_far_as_memory_goes(
    processors: int, gigabytes: int, expected: int
) -> None:
    assert processes(processors, gigabytes * MEMORY_BYTES) == expected

"""Tests that failed beside others get a second chance, and no more: `tests.whole`."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import whole

ROOT = Path(whole.__file__).parents[1]
FAILED = pytest.ExitCode.TESTS_FAILED


class Alone:
    """How the tests end when they run alone, time after time."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.asked: list[list[str]] = []

    def __call__(self, names: Sequence[str]) -> int:
        self.asked.append(list(names))
        return self.codes.pop(0)


def test_a_test_that_passes_each_time_alone_does_not_fail_the_run() -> None:
    alone = Alone(0, 0, 0)
    assert whole.verdict(FAILED, ["a", "b"], alone) == 0
    assert alone.asked == [["a", "b"]] * whole.ALONE_TIMES


@pytest.mark.parametrize("codes", [(1,), (0, 1), (0, 0, 1), (0, 5)])
def test_one_that_fails_once_alone_fails_the_run(codes: tuple[int, ...]) -> None:
    alone = Alone(*codes)
    assert whole.verdict(FAILED, ["a"], alone) == codes[-1]
    assert not alone.codes


@pytest.mark.parametrize(
    ("code", "count"), [(0, 0), (FAILED, 0), (FAILED, whole.FEW + 1), (2, 1), (3, 0), (5, 0)]
)
def test_many_failures_and_other_ends_are_as_they_are(code: int, count: int) -> None:
    assert whole.verdict(code, [f"t{n}" for n in range(count)], Alone()) == code


def test_alone_there_are_as_many_seeds_as_in_the_run() -> None:
    """Else pytest finds no test of that name: `make test-long` has twice the seeds."""
    assert whole.profile_of(["tests", "--hypothesis-profile", "long", "-n", "3"]) == [
        *("--hypothesis-profile", "long")
    ]
    assert whole.profile_of(["tests", "-n", "3"]) == []


def test_files_are_in_memory_where_there_is_room_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: path == tmp_path)
    monkeypatch.setattr(whole, "MEMORY_FREE_BYTES", 1)
    with whole.place(tmp_path) as (option, where):
        assert option == "--basetemp"
        assert Path(where).parent.parent == tmp_path
        Path(where).mkdir()
    assert not list(tmp_path.iterdir())
    with whole.place(tmp_path / "no mount") as words:
        assert words == []
    monkeypatch.setattr(whole, "MEMORY_FREE_BYTES", 1 << 60)
    with whole.place(tmp_path) as words:
        assert words == []


ONCE = """
import pathlib

def test_fails_at_first():
    mark = pathlib.Path(__file__).with_suffix(".ran")
    ran = mark.exists()
    mark.touch()
    assert ran

def test_is_good():
    pass

def test_is_one_of_many():
    import os
    assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "{many}"
"""
ALWAYS = "def test_is_wrong():\n    assert False\n"


@pytest.mark.parametrize(("text", "code"), [(ONCE, 0), (ALWAYS, 1)])
def test_it_runs_them_for_real(tmp_path: Path, text: str, code: int) -> None:
    many = str(whole.Spread().pytest_xdist_auto_num_workers())
    (tmp_path / "test_it.py").write_text(text.replace("{many}", many))
    ran = subprocess.run(
        [sys.executable, "-m", "tests.whole", "-n", "auto", "--in-memory"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    told = [line for line in ran.stdout.splitlines() if line.startswith("!!   ")]
    assert [line.rpartition("::")[2] for line in told] == ([] if code else ["test_fails_at_first"])


IN_A_ROW = """
import pytest

SEEN = []

@pytest.mark.parametrize("number", range(20))
def test_follows_the_one_before(number):
    SEEN.append(number)
    assert SEEN == list(range(number + 1))
"""


def test_two_processes_do_not_share_what_belongs_together(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_xdist_make_scheduler")
    (tmp_path / "test_it.py").write_text(IN_A_ROW)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "20 passed" in ran.stdout, ran.stdout + ran.stderr

"""Test files of a fresh checkout are compiled before several test processes start."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import compiled

ROOT = Path(compiled.__file__).parents[1]
COUNT = compiled.FEW + 1
TEST = "def test_is_good():\n    assert True\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh checkout with many test files, and one that is wrong."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for number in range(COUNT - 1):
        (tmp_path / f"test_{number}.py").write_text(TEST)
    (tmp_path / "test_wrong.py").write_text("def")
    yield tmp_path


def test_all_are_compiled_once_but_those_that_are_wrong(project: Path) -> None:
    assert compiled.compile_tests(["."], project, 2) == COUNT
    assert compiled.uncompiled(["."], project) == [project / "test_wrong.py"]
    assert compiled.compile_tests(["."], project, 2) == 0, "few are left"


def test_only_those_that_run_are(project: Path) -> None:
    assert compiled.uncompiled(["test_1.py::test_is_good"], project) == [project / "test_1.py"]
    assert compiled.compile_tests(["test_1.py"], project, 2) == 0
    assert compiled.uncompiled(["test_1.py"], project)


def test_nothing_is_where_python_writes_no_compiled_files(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert compiled.compile_tests(["."], project, 2) == 0
    assert not (project / "__pycache__").exists()


ALREADY = """
from pathlib import Path

HERE = Path(__file__).parent
FOUND = {path.name.partition(".")[0] for path in (HERE / "__pycache__").glob("*-pytest-*.pyc")}

def test_all_were_compiled_before_the_first_was_read():
    assert FOUND >= {path.stem for path in HERE.glob("test_*.py")}
"""


def test_a_run_of_several_processes_begins_with_it(project: Path) -> None:
    (project / "test_wrong.py").unlink()
    (project / "test_0.py").write_text(ALREADY)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.whole", "-n", "2", "."],
        cwd=project,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0 and "Alone" not in ran.stdout, ran.stdout + ran.stderr

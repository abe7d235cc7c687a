"""Tests that this machine cannot run: left out and counted, and failures in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import PROGRAMS, ROOT, TOOLS, find, missing

CASES = """
import pytest
from tests import needs

@pytest.fixture
def broken():
    raise AssertionError("made before the program was looked for")

@pytest.mark.programs("strace")
def test_a_mark(broken): ...

def test_a_call():
    needs.programs("initdb")

def test_a_feature():
    needs.lacking("a third hand")

@pytest.mark.skip(reason="needs CPython 3.11, say")
def test_a_version(): ...

def test_nothing(): ...
"""


def run(directory: Path, **environment: str) -> tuple[int, str]:
    """Exit code and output of these cases on a machine without any program."""
    file = directory / "test_cases.py"
    file.write_text(CASES)
    (directory / "conftest.py").write_text(
        "from tests import programs\n"
        "programs.shutil.which = lambda name, path=None: None\n"
        "for name, found in programs.PROGRAMS.items():\n"
        "    programs.PROGRAMS[name] = found._replace(places=())\n"
        "from tests.conftest import *\n"
    )
    kept = {name: text for name, text in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(file)),
            *("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(directory)),
        ],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout


def test_a_run_without_programs_is_green_and_lists_what_it_left_out(tmp_path: Path) -> None:
    code, printed = run(tmp_path)
    assert code == 0, printed
    assert "NOT RUN: 4 tests\n" in printed
    for reason in (
        "needs strace, which counts system calls: test_cases.py",
        "needs initdb, which makes databases: test_cases.py",
        "needs a third hand: test_cases.py",
        "needs CPython 3.11, say: test_cases.py",
    ):
        assert f"     1  {reason}\n" in printed
    assert "as root: tests/setup" in printed


def test_in_ci_a_missing_program_or_feature_fails_its_test(tmp_path: Path) -> None:
    code, printed = run(tmp_path, CI="true")
    assert code == 1
    assert "2 failed, 1 passed, 1 skipped, 1 error" in printed
    assert "not left out where CI is set: needs strace, which counts system calls" in printed
    assert "NOT RUN: 1 test\n" in printed


def test_a_program_is_found_where_its_package_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "15" / "bin" / "initdb"
    place.parent.mkdir(parents=True)
    place.touch()
    places = (f"{tmp_path}/*/bin/initdb",)
    monkeypatch.setitem(PROGRAMS, "initdb", PROGRAMS["initdb"]._replace(places=places))
    assert find("initdb") == str(place)
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    assert missing(["initdb", "curl"]) == ["curl"]


def test_downloaded_programs_come_first_on_path() -> None:
    assert os.environ["PATH"].split(os.pathsep)[0] == str(TOOLS)

"""Tests that take too long: `tests/conftest.py`."""

import subprocess
import sys
from pathlib import Path

from tests import conftest

TESTS = """
import asyncio
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.timeout(1.0)
def test_a_loop_that_swallows_exceptions():
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


@pytest.mark.timeout(1.0)
def test_callbacks_without_end():
    async def run():
        def again():
            asyncio.get_running_loop().call_soon(again)
            time.sleep(0.01)

        again()
        await asyncio.Event().wait()

    asyncio.run(run())


@pytest.mark.timeout(1.0)
def test_a_lock():
    threading.Event().wait()


@pytest.mark.timeout(1.0)
@given(numbers=st.lists(st.integers(), min_size=3))
def test_a_law(numbers):
    time.sleep(0.05)


def test_the_next_one():
    pass
"""
DEAF = """
import signal
import time

import pytest


@pytest.mark.timeout(1.0)
def test_what_hears_no_signal():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    time.sleep(60)


def test_the_next_one():
    pass
"""


def run(directory: Path, text: str) -> str:
    """What pytest prints of tests that fail."""
    directory.joinpath("conftest.py").write_text(Path(conftest.__file__).read_text())
    directory.joinpath("test_late.py").write_text(text)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line"]
    done = subprocess.run([*words, directory], cwd=directory, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_test_that_takes_too_long_fails_and_the_next_one_runs(tmp_path: Path) -> None:
    said = run(tmp_path, TESTS)
    assert "4 failed, 1 passed" in said
    assert said.count("the test took more than 1 s") >= 4
    assert "in test_a_lock" in said, "what it was doing"


def test_one_that_hears_no_signal_ends_the_process_and_says_where(tmp_path: Path) -> None:
    said = run(tmp_path, DEAF)
    assert "in test_what_hears_no_signal" in said and "passed" not in said

"""A test that is over its time ends no browser of others: `tests/conftest.py`."""

from pathlib import Path

import pytest

from tests.unit.test_timeouts import run

TESTS = """
import time

import pytest

from tests.browser.conftest import chromium

__all__ = ["chromium"]


def test_the_browser_starts(chromium):
    chromium.new_page()


@pytest.mark.timeout(3.0)
def test_one_that_is_late_while_playwright_handles_a_message(chromium):
    page = chromium.new_page()
    page.on("console", lambda message: time.sleep(30.0))
    page.evaluate("console.log('busy')")
    page.wait_for_timeout(30_000.0)


def test_the_next_one(chromium):
    assert chromium.new_page().evaluate("1 + 1") == 2
"""


@pytest.mark.programs("chromium-headless-shell")
def test_a_late_test_leaves_the_shared_browser_to_the_next_one(tmp_path: Path) -> None:
    said = run(tmp_path, TESTS)
    assert "1 failed, 2 passed" in said
    assert "the test took more than 3 s" in said

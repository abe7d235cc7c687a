"""One Chromium for each module of tests, and a scripted router for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests import needs
from tests.browser.stage import Stage
from tests.programs import find

expect.set_options(timeout=15_000)  # A machine with other work may let a browser wait.


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    needs.programs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A scripted router's API and console."""
    with Stage() as running:
        yield running

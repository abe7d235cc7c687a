"""One Chromium for each module of tests, and a scripted router for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests import needs
from tests.browser.stage import Stage, launched

expect.set_options(timeout=30_000)  # A machine with other work may let a browser wait.


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without windows: each page costs half as much processor time."""
    needs.programs("chromium-headless-shell")
    with launched() as browser:
        yield browser


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A scripted router's API and console."""
    with Stage() as running:
        yield running

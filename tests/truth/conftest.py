"""The fixtures of the scenario and browser tests hold here, too."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import chromium
from tests.scenario.conftest import net, pytest_runtest_makereport
from tests.scenario.harness import Network, Site
from tests.truth.scene import Shop
from tests.truth.surfaces import Surfaces

__all__ = ["chromium", "net", "pytest_runtest_makereport"]

Watch = Callable[[Site], Surfaces]


@pytest.fixture
def watch(chromium: Browser, tmp_path: Path) -> Watch:
    """The surfaces of a site, which is well."""
    return lambda site: Surfaces(site, chromium, tmp_path)


@pytest.fixture
def shop(net: Network) -> Iterator[Shop]:
    """The usual two sites, running."""
    yield Shop(net).start()

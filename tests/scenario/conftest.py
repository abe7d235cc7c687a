"""The fixtures of the scenario tests, and the routers' logs on a failure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.harness import Network


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    """A network of a test's own, without sites yet."""
    with Network(tmp_path) as network:
        yield network


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Iterator[None]:
    """Attach the logs of the routers that a failed test used."""
    outcome: Any = yield
    report = outcome.get_result()
    if not report.failed:
        return
    networks = {
        id(network): network
        for value in getattr(item, "funcargs", {}).values()
        if isinstance(network := getattr(value, "net", value), Network)
    }
    for network in networks.values():
        report.sections.append(("routers", network.logs()))

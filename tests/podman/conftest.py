"""The image, made once for the run, and networks whose routers run in containers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.podman.engine import missing, why_not
from tests.podman.harness import Containers
from tests.podman.images import base_image, product_image
from tests.scenario.conftest import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def image() -> str:
    """This tree's image, on a podman that can run it."""
    needs.root("run containers, and to make users who run them rootless")
    reason = missing()
    if not reason:
        reason = why_not(base_image())
    if reason:
        pytest.fail(f"podman cannot run containers here: {reason}")
    return product_image()


@pytest.fixture
def net(tmp_path: Path, image: str) -> Iterator[Containers]:
    """A network of a test's own, without sites yet."""
    with Containers(tmp_path, image, f"test{os.getpid()}") as network:
        yield network

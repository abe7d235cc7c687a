from pathlib import Path

import pytest

from tests.unit.certs.sites import Site


@pytest.fixture
def east(tmp_path: Path) -> Site:
    """A site that makes tokens."""
    return Site(tmp_path)

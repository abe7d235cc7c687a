"""A command line over a namespace in a table."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sitectl.kubernetes.connection import HttpCluster
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster


class NamespaceLine(CommandLine):
    """Runs `sitectl` in this process, for the namespace of ``cluster``."""

    def __init__(self, cluster: FakeCluster, state: Path) -> None:
        self.cluster = cluster
        environment = {
            "SITECTL_PLATFORM": "kubernetes",
            "SPILLWAY_IMAGE": None,
            "SITECTL_IMAGE_PULL_POLICY": None,
            "XDG_CONFIG_HOME": str(state / "config"),
            "XDG_CACHE_HOME": str(state / "cache"),
        }
        super().__init__(state, environment)

    def fails(self, code: int, *words: str, stdin: str | None = None) -> str:
        """The stderr of a command that ends with ``code``."""
        result = self(*words, stdin=stdin)
        assert result.exit_code == code, result.output
        return result.stderr


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The cluster that `sitectl` finds, with a namespace that has no site yet."""
    made = FakeCluster()
    monkeypatch.setattr(HttpCluster, "connect", lambda *_: made)
    monkeypatch.delenv("SPILLWAY_SITE_DIR", raising=False)
    return made


@pytest.fixture
def empty(cluster: FakeCluster, tmp_path: Path) -> NamespaceLine:
    """A command line for a namespace without a site."""
    return NamespaceLine(cluster, tmp_path / "state")


@pytest.fixture
def shop(empty: NamespaceLine) -> Iterator[NamespaceLine]:
    """A command line for a namespace with a site that accepts links within the cluster."""
    empty.ok("init", "--ingress", "none")
    empty.cluster.calls.clear()
    yield empty

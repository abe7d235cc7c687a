"""A command line over a namespace in a table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sitectl.kubernetes.connection import HttpCluster
from sitectl.main import cli
from tests.unit.sitectl.kubernetes.fakes import FakeCluster


class NamespaceLine:
    """Runs `sitectl` in this process, for the namespace of ``cluster``."""

    def __init__(self, cluster: FakeCluster, state: Path) -> None:
        self.cluster, self.state = cluster, state
        self._runner = CliRunner(
            env={
                "SITECTL_STATE": str(state),
                "SITECTL_PLATFORM": "kubernetes",
                "SITECTL_SITE": None,
                "SPILLWAY_IMAGE": None,
                "SITECTL_IMAGE_PULL_POLICY": None,
                "XDG_CONFIG_HOME": str(state / "config"),
                "XDG_CACHE_HOME": str(state / "cache"),
            }
        )

    def __call__(self, *words: str, stdin: str | None = None) -> Result:
        """The outcome of one command line."""
        return self._runner.invoke(cli, list(words), input=stdin, catch_exceptions=False)

    def ok(self, *words: str, stdin: str | None = None) -> Result:
        """The outcome, which must be exit 0."""
        result = self(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result

    def json(self, *words: str) -> Any:
        """``item`` or ``items`` of what is printed with -o json."""
        envelope = json.loads(self.ok(*words, "-o", "json").stdout)
        return envelope["item"] if "item" in envelope else envelope["items"]

    def fails(self, code: int, *words: str, stdin: str | None = None) -> str:
        """What is said on stderr by a command that ends with ``code``."""
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

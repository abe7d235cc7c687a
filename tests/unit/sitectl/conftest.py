"""A command line over a separate state directory, and a fake router."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from sitectl.main import cli
from tests.unit.sitectl.fakes import FakeAdmin

_NOTHING: Final[Mapping[str, str | None]] = MappingProxyType({})


class CommandLine:
    """Runs `sitectl` in this process."""

    def __init__(self, state: Path, environment: Mapping[str, str | None] = _NOTHING) -> None:
        self.state = state
        place = {"SITECTL_STATE": str(state), "SITECTL_SITE": None}
        self._runner = CliRunner(env={**place, **environment})

    def __call__(self, *words: str, stdin: str | None = None) -> Result:
        """The outcome of one command line."""
        return self._runner.invoke(cli, list(words), input=stdin, catch_exceptions=False)

    def ok(self, *words: str, stdin: str | None = None) -> Result:
        """The outcome, which must be exit 0."""
        result = self(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result

    def ended(self, code: int, *words: str) -> Result:
        """The outcome of one command line, which must be exit ``code``."""
        result = self(*words)
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        """``item`` or ``items`` of the output with -o json."""
        envelope = json.loads(self.ended(code, *words, "-o", "json").stdout)
        assert envelope["apiVersion"] == "spillway/v1"
        assert envelope["kind"]
        return envelope["item"] if "item" in envelope else envelope["items"]

    def config(self, site: str = "here") -> dict[str, str]:
        """Every file in the site's ``config/`` with its text."""
        directory = self.state / site / "config"
        return {path.name: path.read_text() for path in sorted(directory.iterdir())}


@pytest.fixture(autouse=True)
def faults_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception in a verb fails the test, with its traceback."""
    monkeypatch.setenv("SITECTL_TRACEBACK", "1")


@pytest.fixture
def sitectl(tmp_path: Path) -> CommandLine:
    """A command line over an empty state directory."""
    return CommandLine(tmp_path / "state")


@pytest.fixture
def here(sitectl: CommandLine) -> CommandLine:
    """A command line over a state directory with one site, ``here``."""
    sitectl.ok("init", "here")
    return sitectl


@pytest.fixture
def admin(here: CommandLine) -> Iterator[FakeAdmin]:
    """The admin API of ``here``, with the answers that the test sets."""
    server = FakeAdmin(here.state / "here" / "run" / "admin.sock")
    with server:
        yield server

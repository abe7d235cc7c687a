"""Paths that units keep, when install.sh put sitectl where it is."""

import sys
from pathlib import Path

import pytest

from sitectl.runtimes.systemd import facts


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As install.sh leaves it, with us in the older of two versions."""
    for version in ("1", "2"):
        (tmp_path / "versions" / version / "bin").mkdir(parents=True)
    (tmp_path / "current").symlink_to("versions/2")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "versions" / "1"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "versions" / "1" / "bin" / "python"))
    return tmp_path


def test_a_unit_runs_the_version_that_is_current_when_it_starts(prefix: Path) -> None:
    found = facts.host_facts("user", 252, prefix)
    assert found.python == str(prefix / "current" / "bin" / "python")


def test_a_unit_is_shown_versions_that_come_later(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "HIDDEN", (str(prefix.parent),))
    shown = facts.host_facts("user", 252, prefix).shown_paths
    assert str(prefix) in shown
    assert not [path for path in shown if path.startswith(f"{prefix}/")]


def test_without_the_installer_the_interpreter_is_named_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "versions" / "mine"))
    assert facts.installed_in() is None
    assert facts.lasting_python() == sys.executable

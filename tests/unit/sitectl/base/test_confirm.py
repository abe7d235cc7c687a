"""The question before what cannot be undone."""

import sys
from io import StringIO

import click
import pytest

from sitectl.base.options import Settings


class Terminal(StringIO):
    """Input that a person types."""

    def isatty(self) -> bool:
        return True


def test_a_no_at_a_terminal_aborts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    with pytest.raises(click.Abort):
        Settings().confirm("Delete site here?")
    assert capsys.readouterr().err.startswith("Delete site here? [y/N]")


def test_a_yes_at_a_terminal_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    Settings().confirm("Delete site here?")
    assert sys.stdin.read() == ""


@pytest.mark.parametrize("flag", ["yes", "dry_run"])
def test_a_flag_answers_beforehand(
    flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    settings = Settings()
    setattr(settings, flag, True)
    settings.confirm("Delete site here?")
    assert capsys.readouterr().err == ""


def test_without_a_terminal_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("n\n"))
    Settings().confirm("Delete site here?")
    assert capsys.readouterr().err == ""

"""`sitectl demo`: its exit code is the verdict; without a router's packages it says so."""

import sys

import pytest
from click.testing import CliRunner

from sitectl.demo import run
from sitectl.main import cli


@pytest.mark.parametrize("code", [0, 1, 130])
def test_its_exit_code_is_the_verdict(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    held: list[bool] = []

    def story(*, hold: bool) -> int:
        held.append(hold)
        return code

    monkeypatch.setattr(run, "run", story)
    assert CliRunner().invoke(cli, ["demo", "--hold"]).exit_code == code
    assert held == [True]


def test_the_kubectl_plugin_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("run", "load"):
        monkeypatch.delitem(sys.modules, f"sitectl.demo.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    done = CliRunner().invoke(cli, ["demo"])
    assert done.exit_code == 1
    assert (
        "aiohttp is not installed" in done.output and "not only the kubectl plugin" in done.output
    )

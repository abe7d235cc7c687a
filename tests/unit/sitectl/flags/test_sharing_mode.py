"""`--sharing open|strict`: made, changed, shown, and what a token of a strict site asks for."""

from pathlib import Path

import pytest

from tests.unit.sitectl.conftest import CommandLine

GRANT = "Next: sitectl --site west service grant NAME --site SITE --call "
TAKE = "or: sitectl --site west service set NAME --import-from SITE"


def document(sitectl: CommandLine) -> str:
    return str(sitectl.config("west")["site-west.yaml"])


def test_a_site_is_open_unless_it_is_made_strict(sitectl: CommandLine) -> None:
    sitectl.ok("init", "west")
    assert "sharing" not in document(sitectl)
    assert sitectl("init", "east", "--sharing", "shut").exit_code == 2
    sitectl.ok("init", "north", "--sharing", "strict")
    assert "  sharing: strict\n" in sitectl.config("north")["site-north.yaml"]
    assert "unchanged" in sitectl.ok("init", "north").stdout


def test_the_mode_is_changed_and_shown(sitectl: CommandLine) -> None:
    sitectl.ok("init", "west")
    assert sitectl.json("--site", "west", "status", code=3)["sharing"] == "open"
    assert "Sharing:" not in sitectl.ended(3, "--site", "west", "status").stdout
    update = ("--site", "west", "update", "--sharing")
    said = sitectl.ok(*update, "strict")
    assert said.stdout == ("site west is strict: what no rule and no grant allows is not allowed\n")
    assert "Next: sitectl --site west access shows who may do what" in said.stderr
    assert "  sharing: strict\n" in document(sitectl)
    assert "Sharing:  strict\n" in sitectl.ended(3, "--site", "west", "status").stdout
    assert sitectl.json("--site", "west", "status", code=3)["sharing"] == "strict"
    assert "unchanged" in sitectl.ok(*update, "strict").stdout
    assert "site west is open" in sitectl.ok(*update, "open").stdout
    assert "sharing" not in document(sitectl)


@pytest.mark.parametrize("kind", ["claim", "cert"])
@pytest.mark.parametrize("to_output", [True, False])
def test_a_token_of_a_strict_site_says_what_to_add(
    sitectl: CommandLine, kind: str, to_output: bool, tmp_path: Path
) -> None:
    sitectl.ok("init", "west", "--ingress-host", "127.0.0.1")
    make = ("--site", "west", "token", "create", "--token-type", kind)
    assert "is strict" not in sitectl.ok(*make, str(tmp_path / "first")).stderr
    sitectl.ok("--site", "west", "update", "--sharing", "strict")
    said = sitectl.ok(*make, "-" if to_output else str(tmp_path / "second"))
    assert "the site that joins gets nothing until you allow it" in said.stderr
    assert GRANT in said.stderr and TAKE in said.stderr
    assert "is strict" not in said.stdout

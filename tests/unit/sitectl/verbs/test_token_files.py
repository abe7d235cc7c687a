"""Files that `token create` may replace, and those that it leaves alone."""

import json
from pathlib import Path

import pytest

from tests.unit.sitectl.conftest import CommandLine

pytestmark = pytest.mark.usefixtures("faults_are_seen")


def create(here: CommandLine, file: Path, *more: str, code: int = 0) -> str:
    """The stderr of the command."""
    result = here("token", "create", str(file), "--ingress-host", "127.0.0.1", *more)
    assert result.exit_code == code, result.output
    return result.stderr


@pytest.mark.parametrize("kind", ["claim", "cert"])
def test_a_file_that_is_no_token_is_left_alone(
    here: CommandLine, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "notes.md"
    file.write_text("# Mine\n")
    told = create(here, file, "--token-type", kind, code=5)
    assert "is no token of site here" in told and "--force" in told
    assert file.read_text() == "# Mine\n"
    create(here, file, "--token-type", kind, "--force")
    assert "# Mine" not in file.read_text()


def test_a_token_of_another_site_is_left_alone(here: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "token.yaml"
    here.ok("init", "there")
    create(here, file, "--site", "there")
    theirs = file.read_text()
    create(here, file, "--site", "here", code=5)
    assert file.read_text() == theirs


def test_an_empty_file_and_an_own_token_are_replaced(here: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "token.yaml"
    file.touch()
    create(here, file)
    first = file.read_text()
    create(here, file)
    assert file.read_text() != first


def test_a_token_on_standard_output_is_json_when_asked_for(
    here: CommandLine, tmp_path: Path
) -> None:
    told = here.ok("token", "create", "-", "--ingress-host", "127.0.0.1", "-o", "json").stdout
    assert json.loads(told)["kind"] == "Secret"
    file = tmp_path / "token.json"
    file.write_text(told)
    assert here.json("token", "status", str(file))["site"]["name"] == "here"


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Service\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {labels: {skupper.io/type: other}}\n",
    ],
)
def test_another_token_is_asked_for_at_the_other_site(
    here: CommandLine, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "east.yaml"
    file.write_text(text)
    told = here("--site", "here", "link", "create", str(file)).stderr
    assert ". At the other site: sitectl token create FILE\n" in told

"""`mesh plan|apply|test|drift|export` over directories, without routers."""

from pathlib import Path

import pytest

from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.mesh.texts import SPEC, text_of

ELSEWHERE = "sites: {far: {at: {host: another.example}}}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A mesh file."""
    path = tmp_path / "mesh.yaml"
    path.write_text(text_of(SPEC))
    return path


def test_a_plan_of_nothing_makes_nothing(sitectl: CommandLine, file: Path) -> None:
    out = sitectl.ok("mesh", "plan", "-f", str(file)).stdout
    assert "+ site west" in out
    assert out.splitlines()[-1] == "6 to create, 2 to link, 3 to start"
    assert not sitectl.state.exists()
    assert sitectl.json("mesh", "plan", "-f", str(file))[0]["change"] == "create"


def test_the_file_may_come_from_stdin(sitectl: CommandLine, file: Path) -> None:
    sitectl.ok("mesh", "plan", "-f", "-", stdin=file.read_text())
    wrong = sitectl("mesh", "plan", "-f", "-", stdin="kind: Mesh")
    assert wrong.exit_code == 1
    assert "stdin" in wrong.output


def test_a_file_that_is_wrong_is_told_with_every_error(sitectl: CommandLine, file: Path) -> None:
    file.write_text(text_of(SPEC.replace("to: west", "to: wets")))
    failed = sitectl.ended(1, "mesh", "plan", "-f", str(file))
    assert failed.output.count("no site 'wets' in this file") == 2
    assert "nothing was done" in failed.output


@pytest.mark.parametrize("verb", ["plan", "apply", "drift", "test"])
def test_a_file_that_is_none_is_a_failure_with_a_next_step(
    sitectl: CommandLine, tmp_path: Path, verb: str
) -> None:
    for place in (tmp_path / "none.yaml", tmp_path):
        failed = sitectl("mesh", verb, "-f", str(place))
        assert failed.exit_code not in (0, 3)
        assert "Error: " in failed.output


def test_no_site_of_the_file_is_here(sitectl: CommandLine, file: Path) -> None:
    file.write_text(text_of(ELSEWHERE))
    failed = sitectl.ended(4, "mesh", "plan", "-f", str(file))
    assert "no site of the file is at" in failed.output
    assert "--site NAME" in failed.output
    sitectl.ok("--site", "far", "mesh", "plan", "-f", str(file))
    misspelt = sitectl.ended(4, "--site", "fas", "mesh", "plan", "-f", str(file))
    assert "Did you mean 'far'?" in misspelt.output


def test_a_file_without_tests_has_nothing_to_judge(sitectl: CommandLine, file: Path) -> None:
    assert "has no tests" in sitectl.ended(4, "mesh", "test", "-f", str(file)).output


def test_again_and_again_only_with_a_file_and_without_invitations(
    sitectl: CommandLine, file: Path, tmp_path: Path
) -> None:
    every = ("mesh", "apply", "--every", "1s")
    sitectl.ended(2, *every, "-f", "-")
    sitectl.ended(2, *every, "-f", str(file), "-o", "json")
    failed = sitectl.ended(2, *every, "-f", str(file), "--invite", str(tmp_path / "i"))
    assert "new invitations again and again" in failed.output


@pytest.mark.parametrize("flags", [(), ("-o", "json")], ids=["yaml", "json"])
def test_what_is_exported_needs_no_plan(
    here: CommandLine, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    here.ok("service", "create", "shop", "8080")
    path = tmp_path / "mesh.yaml"
    path.write_text(here.ok("mesh", "export", *flags).stdout)
    assert path.read_text().startswith("{") == bool(flags)
    plan = here.json("mesh", "plan", "-f", str(path))
    assert [(one["change"], one["kind"]) for one in plan] == [("start", "Router")]


def test_a_site_directory_that_is_damaged_is_named(here: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "mesh.yaml"
    path.write_text(here.ok("mesh", "export").stdout)
    (here.state / "here" / "config" / "broken.yaml").write_text("a: [")
    failed = here.ended(1, "mesh", "plan", "-f", str(path))
    assert "site here: " in failed.output
    assert "broken.yaml" in failed.output


def test_a_record_that_is_damaged_deletes_nothing(here: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "mesh.yaml"
    path.write_text(here.ok("mesh", "export").stdout)
    here.ok("service", "create", "shop", "8080")
    for content in (b"\xff\xfe", b"{", b'{"mesh": "mesh", "documents": [["Service"]]}'):
        (here.state / "here" / "mesh.json").write_bytes(content)
        plan = here.json("mesh", "plan", "-f", str(path))
        assert ("extra", "Service") in [(one["change"], one["kind"]) for one in plan]

"""Invitations: files of claims."""

from pathlib import Path

import msgspec
import pytest

from certs.token_files.tokens import Token
from sitectl.base.failure import Exit, Failure
from sitectl.mesh.claiming import read_invitation, token_for, write_invitation
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.mesh.texts import SPEC, mesh_of


@pytest.fixture
def token(here: CommandLine, tmp_path: Path) -> Token:
    """A claim of site ``here``."""
    from certs.token_files import tokens

    path = tmp_path / "one.token"
    here.ok("token", "create", str(path), "--ingress-host", "here.example")
    return tokens.load(path.read_text(), str(path))


def test_claims_are_read_back_by_the_site_that_made_each(token: Token, tmp_path: Path) -> None:
    other = msgspec.structs.replace(token, site_id="f" * 32, site_name="west")
    path = tmp_path / "invitation.yaml"
    write_invitation(path, [token, other])
    assert path.stat().st_mode & 0o777 == 0o600
    found = read_invitation(path)
    assert list(found) == [token.site_id, "f" * 32]
    mesh = mesh_of()
    link = mesh.links[0]
    assert token_for(link, mesh, found) == found["f" * 32], "by its name"
    mesh = mesh_of(SPEC.replace("west: {}", f"west: {{id: {token.site_id}}}"))
    assert token_for(link, mesh, found) == found[token.site_id], "the ID of the file goes first"
    assert token_for(link, mesh, {}) is None


@pytest.mark.parametrize("text", ["", "\n---\n", "# none\n"])
def test_a_file_without_claims_is_no_invitation(text: str, tmp_path: Path) -> None:
    path = tmp_path / "invitation.yaml"
    path.write_text(text)
    with pytest.raises(Failure) as raised:
        read_invitation(path)
    assert raised.value.hint


@pytest.mark.parametrize("text", ["kind: Mesh\n", "a: [\n", "x\n---\ny\n", "[" * 9_000])
def test_a_file_of_something_else_is_none_either(text: str, tmp_path: Path) -> None:
    path = tmp_path / "invitation.yaml"
    path.write_text(text)
    with pytest.raises(Failure) as raised:
        read_invitation(path)
    assert raised.value.exit_code is Exit.USAGE
    assert "is no invitation" in raised.value.message

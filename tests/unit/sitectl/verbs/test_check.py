"""`check` of a site of which not all can be read."""

import shutil
from pathlib import Path

import pytest

from sitectl.site.directory import DirectorySite
from tests.unit.sitectl.conftest import CommandLine


def test_check_goes_on_where_the_folder_of_documents_cannot_be_read(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(DirectorySite, "scan", lambda site: refuse(site.config))
    found = {one["code"]: one for one in here.json("check", code=1)}
    assert found["SW0110"]["message"] == "config: cannot be read: Permission denied"
    assert [found[code]["level"] for code in ("SW0110", "SW0109")] == ["error", "error"]
    assert [found[code]["level"] for code in ("SW0511", "SW0518")] == ["ok", "ok"]


def test_a_site_document_that_is_gone_is_put_back_not_made_again_without_its_flags(
    here: CommandLine,
) -> None:
    (here.state / "here" / "config" / "site-here.yaml").unlink()
    found = {one["code"]: one for one in here.json("check", code=1)}
    assert found["SW0109"]["hint"] == (
        "Put it back. To make it again, with the flags that it was made with: sitectl init here"
    )


def test_check_goes_on_without_the_folder_of_secrets(here: CommandLine) -> None:
    shutil.rmtree(here.state / "here" / "secrets")
    found = {one["code"]: one for one in here.json("check", code=1)}
    assert found["SW0511"]["level"] == "error"
    assert "this site has no identity key" in found["SW0511"]["message"]
    assert found["SW0512"]["level"] == "ok"

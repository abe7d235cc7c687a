"""What routers and sites advise, as it is typed for a gateway."""

from pathlib import Path

import pytest

from sitectl.base.failure import Failure
from sitectl.gateway.advice import here, naming
from sitectl.site.directory import DirectorySite


def gateway(directory: Path) -> DirectorySite:
    """That of a gateway gw."""
    (directory / "gw").mkdir()
    return DirectorySite(directory / "gw")


@pytest.mark.parametrize(
    ("hint", "typed"),
    [
        ("sitectl start", "sitectl gateway init --name gw"),
        ("sitectl --site gw start", "sitectl gateway init --name gw"),
        ("sitectl check", "sitectl --state {state} --site gw check"),
        ("sitectl --site gw check", "sitectl --state {state} --site gw check"),
        ("sitectl --state /x --site gw start", "sitectl --state /x --site gw start"),
        ("sitectl gateway status gw", "sitectl gateway status gw"),
    ],
)
def test_commands_for_a_site_find_the_gateway(tmp_path: Path, hint: str, typed: str) -> None:
    assert here(gateway(tmp_path), hint) == typed.format(state=tmp_path)


def test_a_stopped_gateway_is_started_by_its_own_verb(tmp_path: Path) -> None:
    site = gateway(tmp_path)
    with pytest.raises(Failure, match="is not running") as failed, naming(site):
        site.admin.get("/api/v1/status")
    assert failed.value.hint == "sitectl gateway init --name gw"

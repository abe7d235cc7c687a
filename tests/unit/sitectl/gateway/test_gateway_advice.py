"""What routers and sites advise, as it is typed for a gateway."""

import shutil
from pathlib import Path

import pytest

from sitectl.base.failure import Failure
from sitectl.gateway.advice import here, naming
from sitectl.site.directory import DirectorySite
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.gateway.conftest import Host


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
        (
            "sitectl top, and at the other end: sitectl status",
            "sitectl --state {state} --site gw top, and at the other end: sitectl status",
        ),
        ("At west: sitectl service status db", "At west: sitectl service status db"),
        ("There: sitectl start", "There: sitectl start"),
        ("There: sitectl token create FILE", "There: sitectl token create FILE"),
        ("sitectl link create FILE", "sitectl link create FILE"),
    ],
)
def test_commands_for_a_site_find_the_gateway(tmp_path: Path, hint: str, typed: str) -> None:
    assert here(gateway(tmp_path), hint) == typed.format(state=tmp_path)


def test_a_stopped_gateway_is_started_by_its_own_verb(tmp_path: Path) -> None:
    site = gateway(tmp_path)
    with pytest.raises(Failure, match="is not running") as failed, naming(site):
        site.admin.get("/api/v1/status")
    assert failed.value.hint == "sitectl gateway init --name gw"


def test_a_command_for_a_site_says_how_it_is_typed_for_the_only_gateway_of_a_host(
    gw: CommandLine, host: Host
) -> None:
    """A router of another site advises: At gw: sitectl service status db."""
    shutil.rmtree(gw.state / "here")
    place = host.gateway().directory.parent
    typed = f"sitectl --state {place} --site gw"
    step = f"Next: For the gateway gw of this host: {typed} COMMAND"
    for words in ((), ("--site", "gw")):
        assert step in gw.ended(4, *words, "service", "status", "db").stderr
    assert "init" in gw.ended(4, "--site", "other", "service", "status", "db").stderr

"""From two empty namespaces to the first spilled request, in the commands of the page."""

import re
import shutil
import time
from pathlib import Path
from typing import Final

import pytest

from tests.kubernetes.images import ROOT
from tests.kubernetes.standing import kubeconfig, stand
from tests.kubernetes.start_page import PAGES, Shell, path_of
from tests.scenario.waiting import SLOWEST, own_time, until

pytestmark = pytest.mark.timeout(SLOWEST * 120)

COMMANDS_MAX: Final = 6
WITHIN_S: Final = 300.0
_BLOCK: Final = re.compile(r"(?<=^## In six commands$).*?^```sh\n(.*?)^```$", re.M | re.S)


def commands() -> list[str]:
    """Commands of the page's first section, without comments."""
    found = _BLOCK.search(path_of(PAGES[0]).read_text())
    assert found is not None
    return [line.partition("  #")[0].strip() for line in found[1].splitlines()]


@pytest.mark.programs("kubectl")
def test_a_namespace_spills_its_first_request_within_six_commands(tmp_path: Path) -> None:
    typed = commands()
    assert len(typed) <= COMMANDS_MAX
    with stand(tmp_path / "cluster", namespaces=("unused",)) as cluster:
        shell = Shell(kubeconfig(cluster), tmp_path / "home")
        shutil.copytree(ROOT / "examples", tmp_path / "home" / "examples")
        began, wall_began = own_time(), time.monotonic()
        said = [shell.run(command) for command in typed[:-2]]
        assert not any("(exit " in one for one in said), said

        until(lambda: "shop-" in shell.run(typed[-2]), "a client of west is served", 60.0)
        told = until(lambda: _spilled(shell.run(typed[-1])), "it is said why", 30.0)

        print(f"{len(typed)} commands: {time.monotonic() - wall_began:.0f} s")
        assert own_time() - began < WITHIN_S
        assert "east" in told


def _spilled(printed: str) -> str:
    """What `why --last` printed, once it has a request that east served."""
    return printed if re.search(r"\beast\b", printed) and "(exit" not in printed else ""

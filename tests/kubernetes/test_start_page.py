"""Who follows docs/kubernetes-start.md sees what it shows."""

from pathlib import Path

import pytest

from tests.kubernetes.standing import kubeconfig, stand
from tests.kubernetes.start_page import BLOCK, PAGE, Shell, plain, steps


@pytest.mark.programs("kubectl")
def test_the_commands_of_the_page_print_what_it_shows(tmp_path: Path) -> None:
    found = [step for block in BLOCK.findall(PAGE.read_text()) for step in steps(block)]
    assert len(found) > 20
    with stand(tmp_path / "cluster") as cluster:
        shell = Shell(kubeconfig(cluster), tmp_path / "home")
        for step in found:
            printed = shell.settled(step)
            assert plain(printed) == plain(step.expected), f"$ {step.command}\n{printed}"

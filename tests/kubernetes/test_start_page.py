"""A reader who follows a page sees the output that the page shows."""

from pathlib import Path

import pytest

from tests import needs
from tests.kubernetes.standing import stand
from tests.kubernetes.start_page import BLOCK, PAGES, path_of, plain, prepared, steps
from tests.kubernetes.upstream import BRINGS_NODE
from tests.scenario.waiting import SLOWEST

STEPS_MIN = {"kubernetes-start": 20, "tutorial-mcs": 20}


@pytest.mark.timeout(SLOWEST * 120)
@pytest.mark.programs("kubectl")
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_print_what_it_shows(tmp_path: Path, page: str) -> None:
    if BRINGS_NODE:
        needs.lacking("the cluster of the tests, whose addresses and objects the page shows")
    found = [step for block in BLOCK.findall(path_of(page).read_text()) for step in steps(block)]
    assert len(found) > STEPS_MIN[page]
    with stand(tmp_path / "cluster") as cluster:
        shell = prepared(page, cluster, tmp_path / "home")
        for step in found:
            printed = shell.settled(step)
            assert plain(printed) == plain(step.expected), f"$ {step.command}\n{printed}"

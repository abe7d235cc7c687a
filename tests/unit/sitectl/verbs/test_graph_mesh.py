"""`graph --mesh`: every site in reach is asked, and those that are silent are named."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sitectl.base.failure import unreachable
from sitectl.main import cli
from sitectl.site import directory
from tests.unit.sitectl.show.test_graph import edge, graph

FILE = """
apiVersion: spillway/v1
kind: Mesh
name: net
spec:
  sites: {west: {}, east: {}, far: {at: {runtime: elsewhere}}}
"""


class Door:
    """Of one site, in place of its router; None: that gives no answer."""

    def __init__(self, answer: dict[str, Any] | None) -> None:
        self._answer = answer

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/api/v1/graph"
        if self._answer is None:
            raise unreachable("no router answers", "sitectl start")
        return self._answer


def typed(tmp_path: Path, *words: str) -> tuple[int, str]:
    file = tmp_path / "mesh.yaml"
    file.write_text(FILE)
    line = ["--state", str(tmp_path / "sites"), "graph", "--mesh", str(file), *words]
    done = CliRunner().invoke(cli, line)
    return done.exit_code, done.stdout


@pytest.fixture(autouse=True)
def doors(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"west": graph(edge()), "east": None}
    monkeypatch.setattr(directory, "Admin", lambda path, _, **waits: Door(answers[path.parts[-3]]))


def test_the_answers_are_joined_and_who_is_silent_is_named(tmp_path: Path) -> None:
    code, said = typed(tmp_path, "-o", "json")
    item = json.loads(said)["item"]
    assert code == 3
    assert [one["at"] for one in item["edges"]] == ["west"]
    assert item["silent"] == [
        {"site": "east", "reason": "no router answers"},
        {"site": "far", "reason": "it is not in reach from here"},
    ]


def test_a_picture_is_drawn_of_what_is_known(tmp_path: Path) -> None:
    code, said = typed(tmp_path, "--dot")
    assert code == 3
    assert '"caller west: deployment/web" -> "service shop:80"' in said


def test_the_history_is_of_one_site(tmp_path: Path) -> None:
    assert typed(tmp_path, "--history")[0] == 2
